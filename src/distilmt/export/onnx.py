"""Marian models as ONNX, in the layout that transformers.js and ONNX Runtime expect.

    config.json, generation_config.json, tokenizer.json, tokenizer_config.json
    onnx/encoder_model.onnx, onnx/decoder_model_merged.onnx                         float32
    onnx/encoder_model_quantized.onnx, onnx/decoder_model_merged_quantized.onnx     int8

Names of files, inputs and outputs are those of optimum's exports. The decoder needs no `use_cache_branch`: an empty
cache means the first step, a filled one any later step (`graphs.Decoder`).
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import MarianMTModel

from distilmt.config import ExportConfig, RunConfig
from distilmt.data.tokenizer import Tokenizer
from distilmt.export.base import TrainedModel, require_marian, require_packages
from distilmt.export.card import Form, ModelCard, write_card
from distilmt.export.consumers import by_onnxruntime
from distilmt.export.fast_tokenizer import write_fast_tokenizer
from distilmt.export.graphs import Decoder, Encoder, cache_names
from distilmt.export.quantize import quantize
from distilmt.models.checkpoint import write_tokenizer
from distilmt.models.marian_checkpoint import generation_config
from distilmt.utils.run_dir import atomic_directory

_PACKAGES = ("onnx", "onnxruntime", "onnxscript")
_SHARED = """
```js
import { env, pipeline } from "@huggingface/transformers";

env.localModelPath = "./"; env.allowRemoteModels = false;
const translate = await pipeline("translation", "DIRECTORY", { dtype: "q8" });
console.log(await translate("Text to translate."));
```
"""
_SPLIT = """
The two languages have separate vocabularies: `tokenizer.json` encodes the source, `target/tokenizer.json` decodes the
target.

```js
import { env, AutoTokenizer, AutoModelForSeq2SeqLM } from "@huggingface/transformers";

env.localModelPath = "./"; env.allowRemoteModels = false;
const source = await AutoTokenizer.from_pretrained("DIRECTORY");
const target = await AutoTokenizer.from_pretrained("DIRECTORY/target");
const model = await AutoModelForSeq2SeqLM.from_pretrained("DIRECTORY", { dtype: "q8" });
const ids = await model.generate(await source("Text to translate."));
console.log(target.batch_decode(ids, { skip_special_tokens: true }));
```
"""


def export_onnx(model: MarianMTModel, tokenizer: Tokenizer, directory: Path, card: ModelCard) -> None:
    """Write a directory for transformers.js and ONNX Runtime, in float32 and int8, atomically.

    Args:
        model: a Marian model in float32, in eval mode.
        tokenizer: the tokenizer it was trained with.
        directory: the export directory; an older export there is replaced.
        card: facts for the model card.

    Raises:
        UserError: the extra `onnx` is not installed.
    """
    check_installed()
    with atomic_directory(directory) as temporary:
        (temporary / "onnx").mkdir()
        for graph in (_encoder(model), _decoder(model)):
            path = temporary / "onnx" / f"{graph.name}.onnx"
            _write(graph, path)
            with _quietly():
                quantize(path, path.with_name(f"{graph.name}_quantized.onnx"))
        model.config.save_pretrained(temporary)
        generation_config(model, beams=1).save_pretrained(temporary)
        _write_tokenizers(tokenizer, temporary, int(model.config.max_position_embeddings))
        write_card(temporary, card, Form("ONNX", "transformers.js", _SHARED if tokenizer.shared else _SPLIT))


def check_installed(name: str = "onnx") -> None:
    """Check that the packages for writing ONNX are installed; `name` is the format that needs them.

    Raises:
        UserError: one is missing.
    """
    require_packages(name, _PACKAGES, "onnx")


class OnnxExporter:
    """ONNX graphs in float32 and int8."""

    suffix = "-onnx"

    def check(self, config: RunConfig) -> None:
        """As `Exporter.check`."""
        require_marian("onnx", config)
        check_installed()

    def export(self, trained: TrainedModel, path: Path, config: ExportConfig) -> None:
        """As `Exporter.export`."""
        export_onnx(trained.network, trained.tokenizer, path, trained.card)

    def translate(self, path: Path, texts: Sequence[str]) -> Mapping[str, list[str]]:
        """With ONNX Runtime, in float32 and int8."""
        return {"": by_onnxruntime(path, texts), "-int8": by_onnxruntime(path, texts, quantized=True)}


EXPORTER = OnnxExporter()


def _write_tokenizers(tokenizer: Tokenizer, directory: Path, max_positions: int) -> None:
    write_tokenizer(tokenizer, directory, max_positions)
    write_fast_tokenizer(tokenizer.source, directory / "tokenizer.json")
    if not tokenizer.shared:
        write_fast_tokenizer(tokenizer.target, directory / "target" / "tokenizer.json")
        config = (directory / "tokenizer_config.json").read_bytes()
        (directory / "target" / "tokenizer_config.json").write_bytes(config)


@dataclass
class _Graph:
    """The exporter's arguments: an example of every input, its name, and its dynamic dimensions."""

    name: str
    module: nn.Module
    examples: tuple[Any, ...]
    shapes: dict[str, Any]
    inputs: list[str]
    outputs: list[str]


# The examples' lengths all differ and none is 1: the exporter would treat equal lengths, and 1, as fixed.
_BATCH, _SOURCE, _PAST, _CURRENT, _PAST_SOURCE = 2, 7, 4, 3, 5


def _dimensions(*names: str) -> dict[int, Any]:
    return {side: torch.export.Dim(name) for side, name in enumerate(names) if name}


def _encoder(model: MarianMTModel) -> _Graph:
    ids = torch.zeros(_BATCH, _SOURCE, dtype=torch.long)
    sides = _dimensions("batch_size", "encoder_sequence_length")
    shapes = {"input_ids": sides, "attention_mask": sides}
    return _Graph(
        "encoder_model", Encoder(model), (ids, torch.ones_like(ids)), shapes, list(shapes), ["last_hidden_state"]
    )


def _decoder(model: MarianMTModel) -> _Graph:
    config, batch = model.config, "batch_size"
    heads, width = config.decoder_attention_heads, config.d_model // config.decoder_attention_heads
    source = _dimensions(batch, "encoder_sequence_length")
    past_sides = _dimensions(batch, "", "past_decoder_sequence_length")
    past_source_sides = _dimensions(batch, "", "past_encoder_sequence_length")
    ids = torch.zeros(_BATCH, _CURRENT, dtype=torch.long)
    mask = torch.ones(_BATCH, _SOURCE, dtype=torch.long)
    shapes = {
        "input_ids": _dimensions(batch, "decoder_sequence_length"),
        "encoder_attention_mask": source,
        "encoder_hidden_states": source,
        "past": [past_sides, past_sides, past_source_sides, past_source_sides] * config.decoder_layers,
    }
    # Each is a separate tensor: the exporter would merge two inputs that are the same tensor.
    lengths = [_PAST, _PAST, _PAST_SOURCE, _PAST_SOURCE] * config.decoder_layers
    past = [torch.zeros(_BATCH, heads, length, width) for length in lengths]
    names = cache_names(config.decoder_layers)
    return _Graph(
        "decoder_model_merged",
        Decoder(model),
        (ids, mask, torch.zeros(_BATCH, _SOURCE, config.d_model), past),
        shapes,
        [*list(shapes)[:-1], *(f"past_key_values.{name}" for name in names)],
        ["logits", *(f"present.{name}" for name in names)],
    )


def _write(graph: _Graph, path: Path) -> None:
    with _quietly(), torch.no_grad():
        program = torch.onnx.export(
            graph.module.eval(),
            graph.examples,
            input_names=graph.inputs,
            output_names=graph.outputs,
            dynamic_shapes=graph.shapes,
            dynamo=True,
            verbose=False,
        )
        assert program is not None
        program.save(str(path), external_data=False)


@contextmanager
def _quietly() -> Iterator[None]:
    """Suppress the exporter's warnings, which would disturb the progress bar."""
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(logging.NOTSET)
