"""A real model, small enough to be made in a second: random weights, trained pieces."""

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory) -> Path:
    from transformers import MarianConfig, MarianMTModel

    from distilmt.config import TokenizerConfig
    from distilmt.data import tokenizer
    from distilmt.export.ctranslate2 import export

    directory = tmp_path_factory.mktemp("marian")
    text = [f"the {colour} {thing}" for colour in ("red", "blue", "old") for thing in ("house", "bridge", "tree")]
    tokenizer.train(text, text, TokenizerConfig(vocab_size=300), directory, seed=1)
    pieces = tokenizer.load(directory)
    config = MarianConfig(
        vocab_size=pieces.pad + 1,
        d_model=16,
        encoder_layers=1,
        decoder_layers=1,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=32,
        decoder_ffn_dim=32,
        max_position_embeddings=64,
        pad_token_id=pieces.pad,
        eos_token_id=0,
        decoder_start_token_id=pieces.pad,
    )
    export(MarianMTModel(config), pieces, directory / "ct2", "float32")
    return directory / "ct2"
