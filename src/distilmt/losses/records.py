"""What the terms of the objective are computed from, and dimensions of the two models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from torch import Tensor


@dataclass(frozen=True)
class RowOutcomes:
    """Columns of N rows: what a term within token-level distillation is computed from."""

    logits: Tensor
    """[N, k + 1]: the student's logits of the teacher's top-k tokens, and the logsumexp of all others."""
    total: Tensor
    """[N]: logsumexp of all logits."""
    runner_up: Tensor | None
    """[N]: the student's highest logit outside the top k; None if no term needs it."""
    teacher: Tensor
    """[N, k + 1]: the teacher's softened probabilities of the same outcomes."""


class RecordedAttention(Protocol):
    """Attention of one kind, as a forward pass records it."""

    @property
    def biases(self) -> Sequence[Tensor]:
        """For every block [rows, 1, width, width]: 0 where attention is allowed, else the most negative number."""

    @property
    def scores(self) -> Sequence[Sequence[Tensor]]:
        """For every layer and block [rows, heads, width, width]: scores before the softmax."""


class RecordedStates(Protocol):
    """Hidden states and attention, as a forward pass records them."""

    @property
    def encoder(self) -> Sequence[Tensor]:
        """[source tokens, d] after every layer."""

    @property
    def decoder(self) -> Sequence[Tensor]:
        """[N, d] after every layer."""

    @property
    def attention(self) -> Mapping[str, RecordedAttention] | None:
        """By kind: `encoder`, `decoder` and `cross`; None if attention was not recorded."""


@dataclass(frozen=True)
class ModelDimensions:
    """Dimensions of an encoder-decoder that its states and attention have."""

    d_model: int
    encoder_layers: int
    decoder_layers: int
    encoder_heads: int
    decoder_heads: int

    def heads(self) -> dict[str, tuple[int, int]]:
        """Number of layers and of heads per layer, for every kind of attention."""
        encoder, decoder = (self.encoder_layers, self.encoder_heads), (self.decoder_layers, self.decoder_heads)
        return {"encoder": encoder, "decoder": decoder, "cross": decoder}


@dataclass(frozen=True)
class FeatureRecords:
    """States of the student and its teacher on one batch, and what maps one to the other."""

    student: RecordedStates
    teacher: RecordedStates
    """Without gradients."""
    encoder_map: Sequence[int]
    """For every encoder layer of the student, the teacher's layer that it is compared with."""
    decoder_map: Sequence[int]
    """The same for the decoder."""
    parameters: Mapping[str, Tensor]
    """Projections that are trained with the student: `LossTerm.parameters` of all terms."""


@dataclass(frozen=True)
class Reading:
    """States of the encoder over B pictures or recordings, and the characters that are in them."""

    states: Tensor
    """[B, S, d]: the encoder's last states, or equal parts of them: each can name a character."""
    state_lengths: Tensor
    """[B]: states of each source."""
    characters: Tensor
    """[M]: the classes of all characters, one source after the other, from 1."""
    character_lengths: Tensor
    """[B]."""
    weight: Tensor
    """[classes, d]: the projection to blank and characters, trained with the student."""
    bias: Tensor
    """[classes]."""


@dataclass(frozen=True)
class BatchStates:
    """Forward passes over a batch of N target tokens: what a term outside the token-level losses is computed from."""

    hidden: Tensor
    """[N, d]: the decoder's last states."""
    output_weight: Tensor
    """[V, d]: the output projection."""
    vocabulary: int
    """Number of tokens; the other rows of the projection are never generated."""
    second_hidden: Tensor | None = None
    """[N, d]: those of a second pass with other dropout masks; None if no term needs one."""
    features: FeatureRecords | None = None
    """None if no term needs the teacher's states or attention."""
    reading: Reading | None = None
    """None if no term needs the characters of pictures."""
