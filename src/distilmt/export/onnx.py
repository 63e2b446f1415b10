"""Marian models as ONNX, in the layout that transformers.js and ONNX Runtime expect.

    config.json, generation_config.json, tokenizer.json, tokenizer_config.json
    onnx/encoder_model.onnx, onnx/decoder_model_merged.onnx                         float32
    onnx/encoder_model_quantized.onnx, onnx/decoder_model_merged_quantized.onnx     int8

Names of files, inputs and outputs are those of optimum's exports. The decoder needs no `use_cache_branch`: an empty
cache means the first step, a filled one any later step (`graphs.Decoder`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from transformers import MarianMTModel

from distilmt.config import ExportConfig, RunConfig
from distilmt.data.tokenizer import Tokenizer
from distilmt.export.base import TrainedModel, require_marian, require_packages
from distilmt.export.card import Form, ModelCard, write_card
from distilmt.export.consumers import by_onnxruntime
from distilmt.export.fast_tokenizer import write_fast_tokenizer
from distilmt.export.graphs import ENCODER, Decoder, Encoder
from distilmt.export.onnx_graphs import BATCH, SOURCE, Graph, decoder_graph, dimensions, write_graphs
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
        write_graphs([_encoder(model), _decoder(model)], temporary / "onnx")
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


def _encoder(model: MarianMTModel) -> Graph:
    ids = torch.zeros(BATCH, SOURCE, dtype=torch.long)
    sides = dimensions("batch_size", "encoder_sequence_length")
    shapes = {"input_ids": sides, "attention_mask": sides}
    return Graph(ENCODER, Encoder(model), (ids, torch.ones_like(ids)), shapes, list(shapes), ["last_hidden_state"])


def _decoder(model: MarianMTModel) -> Graph:
    memory_inputs = {
        "encoder_attention_mask": torch.ones(BATCH, SOURCE, dtype=torch.long),
        "encoder_hidden_states": torch.zeros(BATCH, SOURCE, model.config.d_model),
    }
    return decoder_graph(Decoder(model), memory_inputs, model.config)
