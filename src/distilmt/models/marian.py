"""The Marian transformer: post-norm, sinusoidal positions, tied output layer. The only architecture of OPUS-MT.

Its files are those of transformers' `MarianMTModel`, which exporters read; `marian_forward` computes it.
"""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from transformers import MarianConfig, MarianMTModel

from distilmt.config import ModelConfig
from distilmt.data.tokenizer import EOS, Tokenizer
from distilmt.models import marian_forward
from distilmt.models.bart_layers import layer_views, stack_dimensions, stack_settings
from distilmt.models.base import (
    STACKS,
    Dimensions,
    Embeddings,
    LayerView,
    OutputLayer,
    Seq2SeqModel,
    SpecialIds,
    StackName,
)
from distilmt.models.batch import Batch, States
from distilmt.models.dropout import NO_DROPOUT, DropoutPool
from distilmt.models.marian_checkpoint import generation_config, read_marian, zero_pad
from distilmt.models.presets import shape
from distilmt.utils.errors import UserError


class MarianModel(Seq2SeqModel):
    """A `MarianMTModel` behind the interface."""

    architecture = "marian"
    records_attention = True

    def __init__(self, network: MarianMTModel) -> None:
        """Wrap a model of transformers; it is not copied."""
        super().__init__()
        self.network = network

    @classmethod
    def create(cls, config: ModelConfig, tokenizer: Tokenizer, dropout: float) -> MarianModel:
        """As `Seq2SeqModel.create`."""
        network = MarianMTModel(marian_config(config, tokenizer, dropout))
        # Marian's and fairseq's initialization: learns faster than BERT's normal(0.02) when updates are few.
        for module in network.modules():
            if isinstance(module, nn.Linear) and module is not network.lm_head:
                nn.init.xavier_uniform_(module.weight)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
        _scale_by_depth(network)
        for embedding in (network.model.encoder.embed_tokens, network.model.decoder.embed_tokens):
            nn.init.normal_(embedding.weight, std=network.config.d_model**-0.5)
        zero_pad(network)
        return cls(network)

    @classmethod
    def load(cls, directory: Path) -> MarianModel:
        """As `Seq2SeqModel.load`."""
        return cls(read_marian(directory))

    def save(self, directory: Path) -> None:
        """Write the files of transformers' `save_pretrained`, so that its `generate` decodes as exports do."""
        self.network.generation_config = generation_config(self.network, beams=4)
        self.network.save_pretrained(directory)

    @property
    def dimensions(self) -> Dimensions:
        """As `Seq2SeqModel.dimensions`."""
        c = self.network.config
        return Dimensions(
            d_model=c.d_model,
            encoder=stack_dimensions(c, "encoder"),
            decoder=stack_dimensions(c, "decoder"),
            vocabulary=c.decoder_vocab_size or c.vocab_size,
            max_positions=c.max_position_embeddings,
        )

    @property
    def special_ids(self) -> SpecialIds:
        """As `Seq2SeqModel.special_ids`."""
        c: Any = self.network.config
        return SpecialIds(pad=c.pad_token_id, end=c.eos_token_id, start=c.decoder_start_token_id)

    def encode(self, batch: Batch, drop: DropoutPool = NO_DROPOUT, states: States | None = None) -> Tensor:
        """As `Seq2SeqModel.encode`: [source rows, d], in the batch's packing."""
        return marian_forward.encode(self.network, batch, drop, states)

    def decode(
        self, memory: Tensor, batch: Batch, drop: DropoutPool = NO_DROPOUT, states: States | None = None
    ) -> Tensor:
        """As `Seq2SeqModel.decode`."""
        return marian_forward.decode(self.network, memory, batch, drop, states)

    def output_layer(self) -> OutputLayer:
        """Weight and bias; only OPUS-MT models have a bias that is not zero."""
        return OutputLayer(self.network.lm_head.weight, self.network.final_logits_bias[0])  # [1, V + 1] -> [V + 1]

    def embeddings(self) -> Embeddings:
        """As `Seq2SeqModel.embeddings`."""
        return Embeddings(self.network.model.encoder.embed_tokens, self.network.model.decoder.embed_tokens)

    def layers(self, stack: StackName) -> list[LayerView]:
        """As `Seq2SeqModel.layers`."""
        return layer_views(self.network, stack)

    def resized(self, dimensions: Dimensions) -> MarianModel:
        """As `Seq2SeqModel.resized`."""
        before, pad = self.network.config, dimensions.vocabulary - 1
        changes = stack_settings(dimensions) | {"max_position_embeddings": dimensions.max_positions}
        ids: dict[str, Any] = {}
        if dimensions.vocabulary != self.dimensions.vocabulary:
            ids = {"pad_token_id": pad, "decoder_start_token_id": pad}
            changes |= ids | {"vocab_size": dimensions.vocabulary, "decoder_vocab_size": dimensions.vocabulary}
        network = MarianMTModel(type(before).from_dict(before.to_dict() | changes))
        network.generation_config = copy.deepcopy(self.network.generation_config)
        network.generation_config.update(**ids)
        if ids and network.generation_config.bad_words_ids:  # OPUS-MT's configuration excludes <pad>
            network.generation_config.bad_words_ids = [[pad]]
        return MarianModel(network)

    def call_modules(self) -> None:
        """As `Seq2SeqModel.call_modules`: the fused feed-forward block knows only `nn.ReLU`."""
        for stack in STACKS:
            for layer in getattr(self.network.model, stack).layers:
                layer.activation_fn = _HookableActivation(layer.activation_fn)

    def copy_settings(self, teacher: Seq2SeqModel) -> None:
        """Take over the activation (OPUS-MT: swish) and the embedding scale."""
        assert isinstance(teacher, MarianModel)
        config, other = self.network.config, teacher.network.config
        config.activation_function, config.scale_embedding = other.activation_function, other.scale_embedding
        for stack in STACKS:
            own_stack, other_stack = getattr(self.network.model, stack), getattr(teacher.network.model, stack)
            own_stack.embed_scale = other_stack.embed_scale
            for layer in own_stack.layers:
                layer.activation_fn = other_stack.layers[0].activation_fn

    def matrices(self) -> list[nn.Parameter]:
        """As `Seq2SeqModel.matrices`; transformers keeps the fixed table of positions as a parameter."""
        return [p for name, p in self.named_parameters() if p.dim() == 2 and "embed_positions" not in name]


def marian_network(model: Seq2SeqModel) -> MarianMTModel:
    """The model of transformers in a Marian model, for exporters.

    Raises:
        UserError: it is a model of another architecture.
    """
    if not isinstance(model, MarianModel):
        raise UserError(f"only Marian models can be exported in this format, but this model is {model.architecture}")
    return model.network


class _HookableActivation(nn.Module):
    """An activation without a fused kernel: the forward pass then calls the modules, so that their hooks run."""

    def __init__(self, function: Any) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        """The activation of x, any shape."""
        return self.function(x)


def marian_config(config: ModelConfig, tokenizer: Tokenizer, dropout: float) -> MarianConfig:
    """Marian's configuration for a shape and a tokenizer."""
    s = shape(config)
    return MarianConfig(
        vocab_size=len(tokenizer.source.tokens),
        decoder_vocab_size=len(tokenizer.target.tokens),
        share_encoder_decoder_embeddings=tokenizer.shared,
        tie_word_embeddings=True,
        d_model=s.d_model,
        encoder_layers=s.encoder_layers,
        decoder_layers=s.decoder_layers,
        encoder_attention_heads=s.num_heads,
        decoder_attention_heads=s.num_heads,
        encoder_ffn_dim=s.ffn_dim,
        decoder_ffn_dim=s.ffn_dim,
        activation_function="relu",
        dropout=dropout,
        attention_dropout=0.0,
        activation_dropout=0.0,
        scale_embedding=True,
        max_position_embeddings=config.max_positions,
        pad_token_id=tokenizer.pad,
        eos_token_id=EOS,
        bos_token_id=EOS,
        decoder_start_token_id=tokenizer.pad,
        forced_eos_token_id=EOS,
    )


@torch.no_grad()
def _scale_by_depth(network: MarianMTModel) -> None:
    """Scale layer l's matrices by 1/√l: post-norm stacks then train at any depth (Zhang et al. 2019)."""
    for stack in (network.model.encoder, network.model.decoder):
        for depth, layer in enumerate(stack.layers, 1):
            for matrix in (p for p in layer.parameters() if p.dim() == 2):
                matrix.mul_(depth**-0.5)
