"""The interface of a translation model with encoder and decoder: what training, scoring, pruning and decoding need.

An architecture is one subclass of `Seq2SeqModel` and one line in `models.architectures`. Everything above this package
uses the interface. Only exporters read an architecture's modules, those of the one whose format they write.

Shapes: N target tokens of a batch, V tokens that can be generated, d the model's width.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn

from distilmt.config import ModelConfig
from distilmt.data.tokenizer import Tokenizer
from distilmt.models.batch import Batch, States
from distilmt.models.dropout import NO_DROPOUT, DropoutPool

StackName = Literal["encoder", "decoder"]
STACKS: tuple[StackName, StackName] = ("encoder", "decoder")


@dataclass(frozen=True)
class StackDimensions:
    """Dimensions of the encoder or of the decoder; all its layers have the same."""

    layers: int
    heads: int
    ffn_dim: int


@dataclass(frozen=True)
class Dimensions:
    """Dimensions of a model."""

    d_model: int
    encoder: StackDimensions
    decoder: StackDimensions
    vocabulary: int
    """Tokens of each side, with `<pad>`: V + 1."""
    max_positions: int
    """Longest sequence in tokens, with `</s>`."""

    def stack(self, name: StackName) -> StackDimensions:
        """Dimensions of one stack."""
        return self.encoder if name == "encoder" else self.decoder

    def with_stack(self, name: StackName, stack: StackDimensions) -> Dimensions:
        """These dimensions with other ones of one stack."""
        return replace(self, encoder=stack) if name == "encoder" else replace(self, decoder=stack)


@dataclass(frozen=True)
class SpecialIds:
    """Ids of the tokens that are no text; `<pad>` is the last id of the vocabulary."""

    pad: int
    end: int
    start: int
    """The decoder's first input."""


@dataclass(frozen=True)
class OutputLayer:
    """The map from the decoder's last states to logits."""

    weight: Tensor
    """[V + 1, d]; the last row, that of `<pad>`, is never generated."""
    bias: Tensor | None
    """[V + 1], not trained."""


@dataclass(frozen=True)
class FeedForward:
    """The feed-forward block of a layer: its units are the outputs of `inner` after the activation."""

    inner: nn.Linear
    """Weight [ffn_dim, d], bias [ffn_dim]."""
    outer: nn.Linear
    """Weight [d, ffn_dim], bias [d]."""


@dataclass(frozen=True)
class AttentionHeads:
    """The heads of an attention, as its output projection reads them."""

    heads: int
    output: nn.Linear
    """Weight [d, d]: head h is in the columns from h · d / heads."""

    def columns(self, head: int) -> slice:
        """The columns of `output.weight` that read a head."""
        width = self.output.in_features // self.heads
        return slice(head * width, (head + 1) * width)


@dataclass(frozen=True)
class LayerView:
    """The parts of a layer that pruning, initialization and importance scores read and change."""

    module: nn.Module
    """The whole layer."""
    feed_forward: FeedForward
    self_attention: AttentionHeads
    cross_attention: AttentionHeads | None = None
    """None in an encoder."""


@dataclass(frozen=True)
class Embeddings:
    """The token embeddings, weights [V + 1, d]; both sides may share one module, and the output layer its weight."""

    source: nn.Embedding
    target: nn.Embedding


class Seq2SeqModel(nn.Module, ABC):
    """An encoder and a decoder that write one token after the other.

    Its parameters are the weights that are trained. The forward pass uses only the weights and the given `drop`: not
    the mode (`train`, `eval`) of its modules. Modules that `layers` names are called as modules, so that hooks on them
    run; an architecture with faster paths leaves them in `call_modules`.
    """

    architecture: ClassVar[str]
    """Its name in `models.architectures`, and the `model_type` of its `config.json`."""
    records_attention: ClassVar[bool] = False
    """Whether `encode` and `decode` record attention scores in the layout of `Batch.blocks`, for their distillation."""
    reads_frames: ClassVar[bool] = False
    """Whether its sources are `Batch.frames` instead of tokens."""

    @classmethod
    @abstractmethod
    def create(cls, config: ModelConfig, tokenizer: Tokenizer, dropout: float) -> Seq2SeqModel:
        """A model with random weights from torch's current random state, float32, on the CPU.

        Raises:
            UserError: the configuration's dimensions are missing or do not go together.
        """

    @classmethod
    @abstractmethod
    def load(cls, directory: Path) -> Seq2SeqModel:
        """The model that `save` wrote, float32, on the CPU.

        Raises:
            UserError: a file is missing, damaged or of another architecture.
        """

    @abstractmethod
    def save(self, directory: Path) -> None:
        """Write `config.json` with the `model_type`, and `model.safetensors`, into an existing directory."""

    @property
    @abstractmethod
    def dimensions(self) -> Dimensions:
        """The dimensions of its weights."""

    @property
    @abstractmethod
    def special_ids(self) -> SpecialIds:
        """Ids of `<pad>`, `</s>` and the decoder's first input."""

    @abstractmethod
    def encode(self, batch: Batch, drop: DropoutPool = NO_DROPOUT, states: States | None = None) -> Tensor:
        """The encoder's last states, in the layout that `decode` reads.

        They depend on `batch.source` alone: batches with equal sources and other targets may share them.

        Args:
            batch: the sequences.
            drop: dropout, where the architecture has any.
            states: a record to fill, [source tokens, d] after every layer.
        """

    @abstractmethod
    def decode(
        self, memory: Tensor, batch: Batch, drop: DropoutPool = NO_DROPOUT, states: States | None = None
    ) -> Tensor:
        """The decoder's last states by forced decoding: position i has read the target tokens before i.

        Args:
            memory: the result of `encode`.
            batch: the sequences.
            drop: dropout, where the architecture has any.
            states: a record to fill, [N, d] after every layer.

        Returns:
            [rows, d]: the N target tokens in the batch's order, then any number of padding rows with finite values.
        """

    @abstractmethod
    def output_layer(self) -> OutputLayer:
        """Weight and bias of the logits."""

    @abstractmethod
    def embeddings(self) -> Embeddings:
        """The token embeddings of both sides."""

    @abstractmethod
    def layers(self, stack: StackName) -> list[LayerView]:
        """Views of a stack's layers, lowest first.

        Their modules read [rows, width] with the tokens of the batch first, or [B, T, width] as `PackedTokens.padded`.
        """

    @abstractmethod
    def resized(self, dimensions: Dimensions) -> Seq2SeqModel:
        """A new model with these dimensions and otherwise the same settings; its weights are random.

        With another vocabulary size, `<pad>` is again the last id.
        """

    @property
    def frame_encoder(self) -> nn.Module | None:
        """The modules that turn frames into states; None if the model reads tokens."""
        return None

    @property
    def frame_size(self) -> int:
        """Numbers in a frame; 0 if the model reads tokens."""
        return 0

    def call_modules(self) -> None:
        """Call every module of `layers` in the forward pass from now on: fused kernels would skip its hooks."""
        return  # most architectures have no fused kernels

    def copy_settings(self, teacher: Seq2SeqModel) -> None:
        """Take over what copied layers need besides their weights, such as the activation.

        Args:
            teacher: a model of the same architecture.
        """
        return  # most architectures have no such settings

    def decoder_rows(self, batch: Batch, drop: DropoutPool = NO_DROPOUT, states: States | None = None) -> Tensor:
        """`decode` of `encode`: [rows, d], the N target tokens first."""
        return self.decode(self.encode(batch, drop, states), batch, drop, states)

    def decoder_states(self, batch: Batch, drop: DropoutPool = NO_DROPOUT) -> Tensor:
        """The decoder's last states by forced decoding: [N, d] in the model's dtype."""
        return self.decoder_rows(batch, drop)[: len(batch.decoder_input)]

    def logits(self, states: Tensor) -> Tensor:
        """Float32 logits [n, V] of states [n, d]; `<pad>`, which is never generated, has none."""
        output = self.output_layer()
        logits = (states @ output.weight[: self.vocabulary_size].T).float()
        return logits if output.bias is None else logits + output.bias[: self.vocabulary_size].float()

    @property
    def vocabulary_size(self) -> int:
        """V: the tokens that can be generated, all but `<pad>`."""
        return len(self.output_layer().weight) - 1

    @property
    def device(self) -> torch.device:
        """Device of the weights."""
        return self.output_layer().weight.device

    def attentions(self, kind: str) -> list[AttentionHeads]:
        """The attentions of a kind of `batch.KINDS`, layer by layer."""
        if kind == "cross":
            return [layer.cross_attention for layer in self.layers("decoder") if layer.cross_attention is not None]
        return [layer.self_attention for layer in self.layers("encoder" if kind == "encoder" else "decoder")]

    def layer_matrices(self) -> list[nn.Parameter]:
        """The trained matrices of all layers: those that Muon updates."""
        parameters = (p for stack in STACKS for layer in self.layers(stack) for p in layer.module.parameters())
        return [p for p in parameters if p.dim() == 2 and p.requires_grad]

    def matrices(self) -> list[nn.Parameter]:
        """All trained matrices, including embeddings, whether or not gradients are on; tied ones are listed once."""
        return [p for p in self.parameters() if p.dim() == 2]
