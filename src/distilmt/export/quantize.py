"""int8 for ONNX: matrices by ONNX Runtime's dynamic quantisation, embeddings by the same numbers; or weights alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

_LARGEST = 63  # seven bits: int8 sums overflow on processors without VNNI when weights take all eight


def quantize(source: Path, target: Path) -> None:
    """Write an int8 copy of a model: weights in int8 by column, activations while it runs.

    ONNX Runtime would keep a second copy of an output matrix that is also the embedding, in float32 or in int8 with
    one scale for all words; here both are the same integers.
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
    """Let the words' embeddings be gathered from the integers of the matrix `words` [d, V], and drop its floats."""
    from onnx import helper, numpy_helper

    stored = {tensor.name: tensor for tensor in graph.initializer}
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
    """Write a copy of a model whose matrices are stored in int8 by column, and computed with in float32.

    Cast and scaling are of constants, so that ONNX Runtime does them once, when it loads the model. WebAssembly has no
    fast products of integers: there this is several times faster than `quantize`, and as small.
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
    """Integers [d, V] int8 and scales [V] float32 whose product is `words` [d, V], nearly."""
    scales = np.maximum(np.abs(words).max(0), 1e-9) / largest
    return np.rint(words / scales).astype(np.int8), scales.astype(np.float32)
