"""Marian models as CTranslate2 directories, the format for decoding, measuring and shipping."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import numpy as np
from ctranslate2.converters.transformers import MarianMTLoader
from transformers import MarianMTModel

from distilmt.config import ComputeType, ExportConfig, RunConfig
from distilmt.config.systems import type_suffix
from distilmt.data.tokenizer import Tokenizer
from distilmt.export.base import TrainedModel, require_packages
from distilmt.export.card import Form, write_card
from distilmt.inference.manifest import ExportManifest, write_manifest
from distilmt.inference.translator import Translator
from distilmt.training.fake_quantize import fake_quantize_model
from distilmt.utils.errors import UserError
from distilmt.utils.run_dir import atomic_directory

TYPES: tuple[str, ...] = get_args(ComputeType)
USE = """
```python
import distilmt

print(distilmt.Translator("DIRECTORY").translate("Text to translate."))
```

or `distilmt translate DIRECTORY < source.txt`.
"""
"""Instructions for the model card."""


def export(model: MarianMTModel, tokenizer: Tokenizer, directory: Path, compute_type: str, bits: int = 8) -> None:
    """Write a CTranslate2 model directory atomically.

    It also contains `source.spm` (and `target.spm` if the vocabularies are split) and `distilmt.json`, so that a
    `Translator` needs no other files.

    Args:
        model: a Marian model in float32.
        tokenizer: the tokenizer it was trained with.
        directory: the export directory; an older export there is replaced.
        compute_type: one of `TYPES`; float32 does not change the weights.
        bits: bits per weight; below 8 weights are rounded further, so that the files compress well (`export.pack`).

    Raises:
        UserError: the type is unknown.
    """
    spec = specification(model if bits == 8 else fake_quantize_model(model, bits), tokenizer)
    with atomic_directory(directory) as temporary:
        save(spec, temporary, compute_type)
        for name in ("source.spm",) if tokenizer.shared else ("source.spm", "target.spm"):
            (temporary / name).write_bytes((tokenizer.directory / name).read_bytes())
        manifest: ExportManifest = {
            "format": 1,
            "compute_type": compute_type,
            "max_positions": model.config.max_position_embeddings,
        }
        write_manifest(temporary, manifest)


def save(spec: Any, directory: Path, compute_type: str) -> None:
    """Write CTranslate2's own files of a model into an existing directory.

    Raises:
        UserError: the type is unknown.
    """
    if compute_type not in TYPES:
        raise UserError(f"export type {compute_type!r} is unknown: use one of {', '.join(TYPES)}")
    spec.validate()
    spec.optimize(quantization=None if compute_type == "float32" else compute_type)
    spec.save(str(directory))


def specification(model: MarianMTModel, tokenizer: Tokenizer, end: str = "</s>") -> Any:
    """CTranslate2's description of the model, with both vocabularies; `end` is the name of its `</s>`.

    CTranslate2's own converter uses one vocabulary for both sides; here each side registers its own. `<pad>` is
    removed: Marian's decoder starts from a zero vector, for which CTranslate2 has an option.
    """
    loader = MarianMTLoader()
    model = copy.deepcopy(model)  # the loader changes the configuration, and quantization changes the weights
    spec = loader.get_model_spec(model)
    spec.register_source_vocabulary([end, *tokenizer.source.tokens[1:-1]])
    spec.register_target_vocabulary([end, *tokenizer.target.tokens[1:-1]])
    spec.config.eos_token = end
    spec.config.unk_token = "<unk>"
    spec.config.bos_token = end
    spec.config.decoder_start_token = end
    spec.config.add_source_eos = False
    spec.decoder.alignment_heads = np.int16(0)  # attention is returned as the mean of all heads, not of the first only
    return spec


@dataclass(frozen=True)
class CTranslate2Exporter:
    """CTranslate2 in one type, the format that every run writes."""

    compute_type: ComputeType = "float32"

    @property
    def suffix(self) -> str:
        """Empty for float32, `-int8` for int8."""
        return type_suffix(self.compute_type)

    def check(self, config: RunConfig) -> None:
        """As `Exporter.check`."""
        require_packages("ctranslate2", ("ctranslate2", "sentencepiece"))

    def export(self, trained: TrainedModel, path: Path, config: ExportConfig) -> None:
        """As `Exporter.export`."""
        export(trained.network, trained.tokenizer, path, self.compute_type)
        write_card(path, trained.card, self.form)

    @property
    def form(self) -> Form:
        """The format as model cards name it."""
        return Form(f"CTranslate2, {self.compute_type}", "ctranslate2", USE)

    def translate(self, path: Path, texts: Sequence[str]) -> Mapping[str, list[str]]:
        """With `Translator`."""
        return {"": Translator(path, threads=1).translate(texts, beam_size=1)}
