"""Marian models as transformers' own class, for what reads its modules: exporters and comparisons with transformers."""

from __future__ import annotations

from transformers import MarianMTModel

from distilmt.config import ModelConfig
from distilmt.data.tokenizer import Tokenizer
from distilmt.models.architectures import new_model
from distilmt.models.marian import marian_network


def new_network(config: ModelConfig, tokenizer: Tokenizer, dropout: float, seed: int) -> MarianMTModel:
    """A model with random weights."""
    return marian_network(new_model(config, tokenizer, dropout, seed))
