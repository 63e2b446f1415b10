"""Models of Whisper's architecture as CTranslate2 directories: what pictures and speech have in common."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ctranslate2.converters.transformers import WhisperLoader

from distilmt.data.tokenizer import Tokenizer
from distilmt.export.ctranslate2 import save
from distilmt.inference.manifest import ExportManifest, write_manifest
from distilmt.models.base import Seq2SeqModel
from distilmt.utils.errors import UserError
from distilmt.utils.run_dir import atomic_directory

if TYPE_CHECKING:
    from transformers import WhisperForConditionalGeneration

    from distilmt.models.whisper import WhisperModel

END, START, NO_TIMESTAMPS = "<|endoftext|>", "<|startoftranscript|>", "<|notimestamps|>"
"""Names that CTranslate2 needs in Whisper's vocabulary: of `</s>`, `<pad>` and the last token."""


def whisper_model(model: Seq2SeqModel, ability: str) -> WhisperModel:
    """The model as one of Whisper's architecture.

    Args:
        model: a trained model.
        ability: what others cannot do, for the message: `reads no pictures`.

    Raises:
        UserError: it is of another architecture.
    """
    from distilmt.models.whisper import WhisperModel

    if not isinstance(model, WhisperModel):
        raise UserError(f"a model of the architecture {model.architecture!r} {ability}: export a whisper model")
    return model


def write_frame_export(model: WhisperModel, tokenizer: Tokenizer, directory: Path, manifest: ExportManifest) -> None:
    """Write CTranslate2's files in the type of the manifest, `target.spm` and `distilmt.json` atomically.

    Raises:
        UserError: the type is unknown.
    """
    with atomic_directory(directory) as temporary:
        save(specification(model.network, tokenizer), temporary, manifest["compute_type"])
        (temporary / "target.spm").write_bytes((tokenizer.directory / "target.spm").read_bytes())
        write_manifest(temporary, manifest)


def specification(network: WhisperForConditionalGeneration, tokenizer: Tokenizer) -> Any:
    """CTranslate2's description of the model, with the target vocabulary.

    Whisper's names stand for `</s>` and `<pad>`; `<pad>` and `<|notimestamps|>` are never generated.
    """
    loader: Any = WhisperLoader()
    spec = loader.get_model_spec(copy.deepcopy(network))  # quantization changes the weights
    tokens = [END, *tokenizer.target.tokens[1:-1], START, NO_TIMESTAMPS]
    spec.register_vocabulary(tokens)
    spec.config.suppress_ids = [len(tokens) - 2, len(tokens) - 1]
    spec.config.suppress_ids_begin = []
    spec.config.lang_ids = []
    last = network.config.decoder_layers - 1
    spec.config.alignment_heads = [[last, head] for head in range(network.config.decoder_attention_heads)]
    return spec
