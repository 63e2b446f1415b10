"""Bytes: of checkpoints, model directories, exports and label stores on disk, and of tensors in memory."""

from __future__ import annotations

from distilmt.config import LabelConfig, TrainingConfig
from distilmt.planning.model_counts import ModelDims, TokenCounts, layer_matrices, parameters

_WORDS_PACKED = 0.93
"""Compression ratio of zstd for top-k ids and float16 log-probabilities."""
_NAME = 90
"""File overhead per tensor: name and shape."""
_LOGITS = 1 << 24
"""Logits that the chunked loss holds in memory at a time."""


def checkpoint_bytes(dims: ModelDims, training: TrainingConfig) -> int:
    """Bytes of a checkpoint: weights, average and momentum in float32, and second moments of Adam's parameters."""
    whole = parameters(dims)
    adam = whole - (layer_matrices(dims) if training.optimizer == "muon" else 0)
    return 4 * (3 * whole + adam)


def best_checkpoint_bytes(dims: ModelDims) -> int:
    """Bytes of the best average so far, stored with the checkpoint."""
    return 4 * parameters(dims)


def model_bytes(dims: ModelDims) -> int:
    """Bytes of `model.safetensors`: float32, with Marian's logit bias, which is not trained."""
    tensors = 16 * dims.encoder_layers + 26 * dims.decoder_layers
    return 4 * (parameters(dims) + dims.vocabulary) + _NAME * tensors


def export_bytes(dims: ModelDims, compute_type: str) -> int:
    """Bytes of CTranslate2's `model.bin`, which has no `<pad>` and no positions.

    int8 and int16 store float32 scales, int8 one per row of a matrix; biases and norms stay in float32, or are 16 bits
    wide if the type ends in `float16`.
    """
    small, other = _widths(compute_type)
    d, embedding_rows = dims.d_model, (dims.vocabulary - 1) * (1 if dims.shared else 2)
    matrices = layer_matrices(dims) + embedding_rows * d
    vectors = parameters(dims) - layer_matrices(dims) - dims.vocabulary * d * (1 if dims.shared else 2)
    rows = (
        embedding_rows
        + dims.encoder_layers * (5 * d + dims.encoder_ffn)
        + dims.decoder_layers * (9 * d + dims.decoder_ffn)
    )
    scales = 4 * rows if small == 1 else 0
    names = _NAME * (12 * dims.encoder_layers + 18 * dims.decoder_layers)
    if compute_type.startswith("int"):
        names += _NAME * (4 * dims.encoder_layers + 7 * dims.decoder_layers)
    return small * matrices + scales + other * vectors + names


def _widths(compute_type: str) -> tuple[int, int]:
    """Bytes per matrix element, and per other parameter."""
    if compute_type.startswith("int8"):
        return 1, 2 if compute_type.endswith("float16") else 4
    if compute_type == "int16":
        return 2, 4
    return (2, 2) if compute_type in ("float16", "bfloat16") else (4, 4)


def top_k_bytes(labels: LabelConfig, vocabulary: int, target_tokens: float) -> float:
    """Bytes in a store of the top-k of a sentence with this number of target tokens."""
    sequences = (labels.score_on != "reference") + (labels.score_on != "hypothesis")
    width = (2 if vocabulary <= 1 << 16 else 4) + 2
    return _WORDS_PACKED * sequences * labels.top_k * width * target_tokens


def training_memory(dims: ModelDims, load: TokenCounts, training: TrainingConfig, width: int) -> float:
    """Bytes of the tensors of a training, at the peak of an update.

    Args:
        dims: the model's.
        load: token counts of an update.
        training: its settings.
        width: bytes per number in computation, 2 in bf16.
    """
    whole = parameters(dims)
    # Master weights, gradient, the averaged model and its copy for validation; then the content of a checkpoint.
    weights = checkpoint_bytes(dims, training) + whole * (3 * 4 + width)
    d, heads = dims.d_model, dims.heads
    encoder = load.source * (9 * d + dims.encoder_ffn) + heads * load.encoder_pairs
    decoder = (
        load.target * (14 * d + dims.decoder_ffn) + 2 * d * load.source + heads * (load.causal_pairs + load.cross_pairs)
    )
    states = width * (dims.encoder_layers * encoder + dims.decoder_layers * decoder)
    logits = min(load.target * dims.vocabulary, _LOGITS) * width + 2 * width * d * dims.vocabulary
    return weights + states + logits


def labeling_memory(dims: ModelDims, load: TokenCounts, labels: LabelConfig, width: int) -> float:
    """Bytes of tensors and rows in labeling: the teacher twice, logits of a part of a batch, the rows of a shard.

    Args:
        dims: the teacher's.
        load: token counts of a sentence.
        labels: settings of the labels.
        width: bytes per number in computation, 2 in bf16.
    """
    teacher = parameters(dims) * (4 + width) + export_bytes(dims, labels.compute_type)
    logits = 512 * dims.vocabulary * (width + 4) if labels.top_k else 0
    rows = labels.shard_size * load.target * (28 + 12 * labels.top_k)
    return teacher + logits + rows
