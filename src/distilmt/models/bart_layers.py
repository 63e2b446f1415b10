"""Layers and sizes under the names that transformers' Marian and Whisper have from BART."""

from __future__ import annotations

from typing import Any

from distilmt.models.base import STACKS, AttentionHeads, Dimensions, FeedForward, LayerView, StackDimensions, StackName


def stack_dimensions(config: Any, stack: StackName) -> StackDimensions:
    """Dimensions of the encoder or decoder in a configuration."""
    return StackDimensions(
        layers=getattr(config, f"{stack}_layers"),
        heads=getattr(config, f"{stack}_attention_heads"),
        ffn_dim=getattr(config, f"{stack}_ffn_dim"),
    )


def stack_settings(dimensions: Dimensions) -> dict[str, Any]:
    """A configuration's keys for the width and for both stacks."""
    settings: dict[str, Any] = {"d_model": dimensions.d_model}
    for stack in STACKS:
        own = dimensions.stack(stack)
        settings |= {f"{stack}_layers": own.layers, f"{stack}_ffn_dim": own.ffn_dim}
        settings |= {f"{stack}_attention_heads": own.heads}
    return settings


def layer_views(network: Any, stack: StackName) -> list[LayerView]:
    """Views of a stack's layers, lowest first."""
    return [_view(layer) for layer in getattr(network.model, stack).layers]


def _view(layer: Any) -> LayerView:
    own, cross = layer.self_attn, getattr(layer, "encoder_attn", None)
    return LayerView(
        module=layer,
        feed_forward=FeedForward(layer.fc1, layer.fc2),
        self_attention=AttentionHeads(own.num_heads, own.out_proj),
        cross_attention=None if cross is None else AttentionHeads(cross.num_heads, cross.out_proj),
    )
