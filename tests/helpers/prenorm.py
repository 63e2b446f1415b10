"""An architecture besides Marian, as a stranger would add it: pre-norm, GELU, sinusoidal positions, no fast path."""

from __future__ import annotations

import math
from dataclasses import asdict, replace
from pathlib import Path

import safetensors.torch
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from distilmt.config import ModelConfig
from distilmt.data.tokenizer import EOS, Tokenizer
from distilmt.models.base import (
    AttentionHeads,
    Dimensions,
    Embeddings,
    FeedForward,
    LayerView,
    OutputLayer,
    Seq2SeqModel,
    SpecialIds,
    StackDimensions,
    StackName,
)
from distilmt.models.batch import Batch, States
from distilmt.models.dropout import NO_DROPOUT, DropoutPool
from distilmt.models.presets import shape
from distilmt.utils.run_dir import read_json, write_json


class Attention(nn.Module):
    def __init__(self, d: int, heads: int) -> None:
        super().__init__()
        self.heads, self.query, self.output = heads, nn.Linear(d, d), nn.Linear(d, d)
        self.key, self.value = nn.Linear(d, d), nn.Linear(d, d)

    def forward(self, x: Tensor, memory: Tensor, mask: Tensor) -> Tensor:
        """x [B, T, d] attends to memory [B, S, d] where mask [B, 1, T or 1, S] allows it: [B, T, d]."""
        q, k, v = (
            y.unflatten(-1, (self.heads, -1)).transpose(1, 2)  # [B, T, d] -> [B, heads, T, d / heads]
            for y in (self.query(x), self.key(memory), self.value(memory))
        )
        return self.output(F.scaled_dot_product_attention(q, k, v, mask).transpose(1, 2).flatten(2))


class Layer(nn.Module):
    def __init__(self, d: int, sizes: StackDimensions, cross: bool) -> None:
        super().__init__()
        self.own, self.cross = Attention(d, sizes.heads), Attention(d, sizes.heads) if cross else None
        self.norms = nn.ModuleList(nn.LayerNorm(d) for _ in range(2 + cross))
        self.inner, self.outer = nn.Linear(d, sizes.ffn_dim), nn.Linear(sizes.ffn_dim, d)

    def forward(self, x: Tensor, mask: Tensor, memory: Tensor | None, cross_mask: Tensor, drop: DropoutPool) -> Tensor:
        y = self.norms[0](x)
        x = x + drop(self.own(y, y, mask))
        if self.cross is not None:
            x = x + drop(self.cross(self.norms[1](x), memory, cross_mask))
        return x + drop(self.outer(F.gelu(self.inner(self.norms[-1](x)))))

    def view(self) -> LayerView:
        own, cross = (a and AttentionHeads(a.heads, a.output) for a in (self.own, self.cross))
        return LayerView(self, FeedForward(self.inner, self.outer), own, cross)


class PreNormModel(Seq2SeqModel):
    architecture = "prenorm"

    def __init__(self, dimensions: Dimensions, shared: bool) -> None:
        super().__init__()
        d, size = dimensions.d_model, dimensions.vocabulary
        self.sizes, self.shared = dimensions, shared
        self.source = nn.Embedding(size, d)
        self.target = self.source if shared else nn.Embedding(size, d)
        self.encoder = nn.ModuleList(Layer(d, dimensions.encoder, False) for _ in range(dimensions.encoder.layers))
        self.decoder = nn.ModuleList(Layer(d, dimensions.decoder, True) for _ in range(dimensions.decoder.layers))
        self.final = nn.ModuleDict({"encoder": nn.LayerNorm(d), "decoder": nn.LayerNorm(d)})
        for embedding in {self.source, self.target}:
            nn.init.normal_(embedding.weight, std=d**-0.5)
        angles = torch.arange(dimensions.max_positions)[:, None] / 10_000 ** (torch.arange(0, d, 2) / d)
        self.register_buffer("positions", torch.cat([angles.sin(), angles.cos()], -1), persistent=False)

    @classmethod
    def create(cls, config: ModelConfig, tokenizer: Tokenizer, dropout: float) -> PreNormModel:
        s = shape(config)
        stacks = [StackDimensions(n, s.num_heads, s.ffn_dim) for n in (s.encoder_layers, s.decoder_layers)]
        dimensions = Dimensions(s.d_model, *stacks, len(tokenizer.target.tokens), config.max_positions)
        return cls(dimensions, tokenizer.shared)

    @classmethod
    def load(cls, directory: Path) -> PreNormModel:
        facts = read_json(directory / "config.json")
        stacks = {name: StackDimensions(**facts["dimensions"].pop(name)) for name in ("encoder", "decoder")}
        model = cls(Dimensions(**facts["dimensions"], **stacks), facts["shared"])
        safetensors.torch.load_model(model, directory / "model.safetensors")
        return model

    def save(self, directory: Path) -> None:
        facts = {"model_type": self.architecture, "dimensions": asdict(self.sizes), "shared": self.shared}
        write_json(directory / "config.json", facts)
        safetensors.torch.save_model(self, str(directory / "model.safetensors"))

    @property
    def dimensions(self) -> Dimensions:
        return self.sizes

    @property
    def special_ids(self) -> SpecialIds:
        return SpecialIds(pad=self.sizes.vocabulary - 1, end=EOS, start=self.sizes.vocabulary - 1)

    def encode(self, batch: Batch, drop: DropoutPool = NO_DROPOUT, states: States | None = None) -> Tensor:
        """[B, S, d]."""
        x, mask = drop(self._embed(self.source, batch.source.padded(batch.source.ids))), batch.source.mask()
        for layer in self.encoder:
            x = layer(x, mask, None, mask, drop)
            if states is not None:
                states.encoder.append(batch.source.flat(x))
        return self.final["encoder"](x)

    def decode(
        self, memory: Tensor, batch: Batch, drop: DropoutPool = NO_DROPOUT, states: States | None = None
    ) -> Tensor:
        x = drop(self._embed(self.target, batch.target.padded(batch.decoder_input)))  # [B, T, d]
        causal = torch.ones(x.shape[1], x.shape[1], dtype=torch.bool, device=x.device).tril()  # [T, T]
        cross, mask = batch.source.mask(), batch.target.mask() & causal
        for layer in self.decoder:
            x = layer(x, mask, memory, cross, drop)
            if states is not None:
                states.decoder.append(batch.target.flat(x))
        return batch.target.flat(self.final["decoder"](x))  # [B, T, d] -> [N, d]

    def _embed(self, embedding: nn.Embedding, ids: Tensor) -> Tensor:
        """ids [B, T] -> [B, T, d]."""
        scaled = embedding(ids) * math.sqrt(self.sizes.d_model)
        return scaled + self.positions[: ids.shape[1]].to(scaled.dtype)

    def output_layer(self) -> OutputLayer:
        return OutputLayer(self.target.weight, None)

    def embeddings(self) -> Embeddings:
        return Embeddings(self.source, self.target)

    def layers(self, stack: StackName) -> list[LayerView]:
        return [layer.view() for layer in (self.encoder if stack == "encoder" else self.decoder)]

    def resized(self, dimensions: Dimensions) -> PreNormModel:
        return PreNormModel(replace(dimensions), self.shared)
