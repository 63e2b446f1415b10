"""Models that read pictures as ONNX, in the layout of `onnx`: an encoder of frames, a decoder with a cache.

config.json, generation_config.json, tokenizer.json (of the target), distilmt.json (height and width of pictures)
onnx/encoder_model.onnx, onnx/decoder_model_merged.onnx                         float32
onnx/encoder_model_quantized.onnx, onnx/decoder_model_merged_quantized.onnx     int8
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from distilmt.config import ExportConfig, RunConfig
from distilmt.config.rendering import RenderingConfig
from distilmt.data.tokenizer import Tokenizer
from distilmt.export.base import TrainedModel
from distilmt.export.card import ModelCard, write_card
from distilmt.export.consumers import greedy_ids, onnx_sessions
from distilmt.export.ctranslate2_pictures import check_frames, manifest_of, picture_model
from distilmt.export.fast_tokenizer import write_fast_tokenizer
from distilmt.export.frame_graphs import FrameDecoder, FrameEncoder
from distilmt.export.graphs import ENCODER
from distilmt.export.onnx import check_installed
from distilmt.export.onnx_graphs import BATCH, SOURCE, Graph, decoder_graph, dimensions, write_graphs
from distilmt.export.picture_cards import picture_form
from distilmt.export.picture_texts import pictures_of
from distilmt.inference.image_translator import most_tokens
from distilmt.inference.manifest import load_manifest, write_manifest
from distilmt.models.checkpoint import write_tokenizer
from distilmt.models.frames import FRAMES_PER_POSITION
from distilmt.models.whisper import WhisperModel
from distilmt.models.whisper_checkpoint import generation_config
from distilmt.rendering.frames import frames_of
from distilmt.rendering.ink import has_ink
from distilmt.utils.run_dir import atomic_directory, read_json

_USE = """
```python
import numpy as np
import onnxruntime
from PIL import Image
from tokenizers import Tokenizer

{features}

SUFFIX = ""  # "_quantized" for int8
encoder, decoder = (
    onnxruntime.InferenceSession(f"DIRECTORY/onnx/{name}{SUFFIX}.onnx")
    for name in ("encoder_model", "decoder_model_merged")
)
tokenizer = Tokenizer.from_file("DIRECTORY/tokenizer.json")


def translate(line):
    frames = features(line)
    (states,) = encoder.run(None, {"input_features": frames})
    pad = tokenizer.token_to_id("<pad>")
    ids, tokens = [], np.array([[pad, pad + 1]])  # the first tokens of every translation
    cache = {i.name: np.zeros((1, i.shape[1], 0, i.shape[3]), np.float32) for i in decoder.get_inputs()[2:]}
    while len(ids) < most_tokens(frames):
        logits, *present = decoder.run(None, {"input_ids": tokens, "encoder_hidden_states": states, **cache})
        cache, tokens = dict(zip(cache, present)), logits[:, -1:].argmax(-1)
        if tokens[0, 0] == 0:  # </s>
            break
        ids.append(int(tokens[0, 0]))
    return tokenizer.decode(ids)


print(translate(Image.open("line.png")))
```
"""


def export_onnx_pictures(
    model: WhisperModel, tokenizer: Tokenizer, directory: Path, card: ModelCard, rendering: RenderingConfig
) -> None:
    """Write a directory for ONNX Runtime, in float32 and int8, atomically.

    Args:
        model: a model in float32, in eval mode.
        tokenizer: the tokenizer it was trained with.
        directory: the export directory; an older export there is replaced.
        card: facts for the model card.
        rendering: the pictures it was trained on.

    Raises:
        UserError: the extra `onnx` is not installed, or the model does not read such pictures.
    """
    check_installed()
    check_frames(model, rendering)
    positions = model.dimensions.max_positions
    with atomic_directory(directory) as temporary:
        write_graphs([_encoder(model), _decoder(model)], temporary / "onnx")
        model.network.config.save_pretrained(temporary)
        generation_config(model.network).save_pretrained(temporary)
        write_tokenizer(tokenizer, temporary, positions)
        write_fast_tokenizer(tokenizer.target, temporary / "tokenizer.json")
        write_manifest(temporary, manifest_of(model, "float32", rendering))
        write_card(temporary, card, picture_form("ONNX", "onnxruntime", _USE, model, rendering))


def _encoder(model: WhisperModel) -> Graph:
    config = model.network.config
    frames = torch.zeros(BATCH, config.num_mel_bins, FRAMES_PER_POSITION * SOURCE)
    shapes = {"input_features": dimensions("batch_size", "", "frames")}
    return Graph(ENCODER, FrameEncoder(model.network), (frames,), shapes, list(shapes), ["last_hidden_state"])


def _decoder(model: WhisperModel) -> Graph:
    # A translation has one token less than the model has positions; two more come before it.
    decoder = FrameDecoder(model.network, model.dimensions.max_positions + 1)
    states = torch.zeros(BATCH, SOURCE, model.dimensions.d_model)
    return decoder_graph(decoder, {"encoder_hidden_states": states}, model.network.config)


@dataclass(frozen=True)
class PictureOnnxExporter:
    """ONNX graphs in float32 and int8, of a student that reads pictures."""

    rendering: RenderingConfig
    """The pictures it reads."""
    suffix: str = "-onnx"

    def check(self, config: RunConfig) -> None:
        """As `Exporter.check`."""
        check_installed()

    def export(self, trained: TrainedModel, path: Path, config: ExportConfig) -> None:
        """As `Exporter.export`."""
        export_onnx_pictures(picture_model(trained.model), trained.tokenizer, path, trained.card, self.rendering)

    def translate(self, path: Path, texts: Sequence[str]) -> Mapping[str, list[str]]:
        """With ONNX Runtime, pictures of the texts, in float32 and int8."""
        lines = pictures_of(texts, self.rendering)
        return {"": read_by_onnxruntime(path, lines), "-int8": read_by_onnxruntime(path, lines, quantized=True)}


def read_by_onnxruntime(directory: Path, lines: Sequence[np.ndarray], quantized: bool = False) -> list[str]:
    """Translate pictures of lines with a directory of `export_onnx_pictures`, greedily, one by one.

    Args:
        directory: the export.
        lines: [columns, height] uint8 each, at most `max_columns` wide.
        quantized: use the int8 weights.
    """
    from tokenizers import Tokenizer as FastTokenizer

    config, manifest = read_json(directory / "config.json"), load_manifest(directory)
    encoder, decoder = onnx_sessions(directory, "_quantized" if quantized else "")
    tokenizer = FastTokenizer.from_file(str(directory / "tokenizer.json"))
    prompt = np.array([[config["pad_token_id"], config["pad_token_id"] + 1]])
    translations = []
    for columns in lines:
        frames = frames_of(columns, manifest["columns_per_frame"])
        most = most_tokens(manifest["columns_per_frame"], manifest["height"], len(frames))
        (states,) = encoder.run(None, {"input_features": np.ascontiguousarray(frames.T[None])})
        memory = {"encoder_hidden_states": states}
        ids = greedy_ids(decoder, config, memory, prompt, min(manifest["max_positions"] - 1, most))[0]
        translations.append(str(tokenizer.decode(ids.tolist())) if has_ink(columns) else "")
    return translations
