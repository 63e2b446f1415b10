"""int8 quantization of ONNX models: ONNX Runtime's dynamic quantization with shared embeddings, or weights only."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

_LARGEST = 63  # 7 bits: with 8-bit weights, int8 sums overflow on processors without VNNI


def quantize(source: Path, target: Path) -> None:
    """Write an int8 copy of a model: weights in int8 per column, activations quantized at run time.

    If the output matrix is also the embedding, ONNX Runtime would store a second copy of it, in float32 or in int8 with
    one scale for all tokens; here both use the same integers.
    """
    import onnx
    from onnxruntime.quantization import QuantType, quantize_dynamic

    quantize_dynamic(
        source,
        target,
        op_types_to_quantize=["MatMul"],
        per_channel=True,
        reduce_range=True,
        weight_type=QuantType.QInt8,
    )
    model = onnx.load(target)
    _quantize_embedding(model.graph)
    onnx.save(model, target)


def _quantize_embedding(graph: Any) -> None:
    """Gather token embeddings from the integers of the matrix `words` [d, V], and remove its float32 copy."""
    from onnx import helper, numpy_helper

    stored = {tensor.name: tensor for tensor in graph.initializer}
    if "words" not in stored:
        return  # an encoder of frames
    index, gather = next((i, n) for i, n in enumerate(graph.node) if n.op_type == "Gather" and n.input[0] == "words")
    if "words_quantized" not in stored:
        integers, scales = _by_column(numpy_helper.to_array(stored["words"]), _LARGEST)
        graph.initializer.append(numpy_helper.from_array(integers, "words_quantized"))
        graph.initializer.append(numpy_helper.from_array(scales, "words_scale"))
    nodes = [
        helper.make_node("Gather", ["words_quantized", gather.input[1]], ["words_chosen"], axis=1),
        helper.make_node("Cast", ["words_chosen"], ["words_cast"], to=1),
        helper.make_node("Gather", ["words_scale", gather.input[1]], ["words_chosen_scale"], axis=0),
        helper.make_node("Mul", ["words_cast", "words_chosen_scale"], [gather.output[0]]),
    ]
    graph.node.remove(gather)
    for node in reversed(nodes):
        graph.node.insert(index, node)
    graph.initializer.remove(stored["words"])


def quantize_weights(source: Path, target: Path) -> None:
    """Write a copy of a model with matrices stored in int8 per column and computation in float32.

    Cast and scaling are on constants, so that ONNX Runtime computes them once at load time. WebAssembly has no fast
    integer products: there this is several times faster than `quantize`, at the same size.
    """
    import onnx
    from onnx import helper, numpy_helper

    model = onnx.load(source)
    graph = model.graph
    matrix_names = {name for node in graph.node if node.op_type == "MatMul" for name in node.input} | {"words"}
    nodes = []
    for stored in [tensor for tensor in graph.initializer if tensor.name in matrix_names and len(tensor.dims) == 2]:
        integers, scales = _by_column(numpy_helper.to_array(stored), 127)
        names = [f"{stored.name}_{part}" for part in ("integers", "scales", "cast")]
        nodes.append(helper.make_node("Cast", [names[0]], [names[2]], to=onnx.TensorProto.FLOAT))
        nodes.append(helper.make_node("Mul", [names[2], names[1]], [stored.name]))
        graph.initializer.extend(map(numpy_helper.from_array, (integers, scales), names[:2]))
        graph.initializer.remove(stored)
    for node in reversed(nodes):
        graph.node.insert(0, node)
    onnx.save(model, target)


def _by_column(words: np.ndarray, largest: int) -> tuple[np.ndarray, np.ndarray]:
    """Integers [d, V] int8 and scales [V] float32 whose product approximates `words` [d, V]."""
    scales = np.maximum(np.abs(words).max(0), 1e-9) / largest
    return np.rint(words / scales).astype(np.int8), scales.astype(np.float32)
