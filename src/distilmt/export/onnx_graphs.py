"""PyTorch modules to ONNX files with dynamic dimensions, in float32 and in int8; decoders with a cache."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from distilmt.export.graphs import DECODER, cache_names
from distilmt.export.quantize import quantize

# The examples' lengths all differ and none is 1: the exporter would treat equal lengths, and 1, as fixed.
BATCH, SOURCE = 2, 7
_PAST, _CURRENT, _PAST_SOURCE = 4, 3, 5


@dataclass
class Graph:
    """The exporter's arguments: an example of every input, its name, and its dynamic dimensions."""

    name: str
    module: nn.Module
    examples: tuple[Any, ...]
    shapes: dict[str, Any]
    inputs: list[str]
    outputs: list[str]


def dimensions(*names: str) -> dict[int, Any]:
    """The dynamic dimensions of a tensor by their names; a dimension without a name is fixed."""
    return {side: torch.export.Dim(name) for side, name in enumerate(names) if name}


def decoder_graph(decoder: nn.Module, memory_inputs: dict[str, Tensor], config: Any) -> Graph:
    """The graph of a decoder with a cache.

    Args:
        decoder: called with ids [B, T], the inputs of `memory_inputs`, and a list of the cache's tensors.
        memory_inputs: examples of what comes from the encoder, [batch, source, …], by their names.
        config: the model's, of transformers.
    """
    batch = "batch_size"
    heads, width = config.decoder_attention_heads, config.d_model // config.decoder_attention_heads
    past_sides = dimensions(batch, "", "past_decoder_sequence_length")
    past_source_sides = dimensions(batch, "", "past_encoder_sequence_length")
    source = dimensions(batch, "encoder_sequence_length")
    shapes = {
        "input_ids": dimensions(batch, "decoder_sequence_length"),
        **dict.fromkeys(memory_inputs, source),
        "past": [past_sides, past_sides, past_source_sides, past_source_sides] * config.decoder_layers,
    }
    # Each is a separate tensor: the exporter would merge two inputs that are the same tensor.
    lengths = [_PAST, _PAST, _PAST_SOURCE, _PAST_SOURCE] * config.decoder_layers
    past = [torch.zeros(BATCH, heads, length, width) for length in lengths]
    names = cache_names(config.decoder_layers)
    return Graph(
        DECODER,
        decoder,
        (torch.zeros(BATCH, _CURRENT, dtype=torch.long), *memory_inputs.values(), past),
        shapes,
        ["input_ids", *memory_inputs, *(f"past_key_values.{name}" for name in names)],
        ["logits", *(f"present.{name}" for name in names)],
    )


def write_graphs(graphs: Sequence[Graph], directory: Path) -> None:
    """Write each graph as `NAME.onnx` in float32 and as `NAME_quantized.onnx` in int8 into a new directory."""
    directory.mkdir()
    for graph in graphs:
        path = directory / f"{graph.name}.onnx"
        with _quietly():
            _write(graph, path)
            quantize(path, path.with_name(f"{graph.name}_quantized.onnx"))


@torch.no_grad()
def _write(graph: Graph, path: Path) -> None:
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
