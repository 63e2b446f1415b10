"""A CTranslate2 export is read back as the model that it was made of."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers import toy
from transformers import MarianMTModel

from distilmt.compression.pruning import drop_layers, narrow_ffn
from distilmt.data import tokenizer as tokenizers
from distilmt.data.tokenizer import Tokenizer
from distilmt.export.ctranslate2 import TYPES, export
from distilmt.export.ctranslate2_reading import write_trainable
from distilmt.export.pack import pack
from distilmt.inference.manifest import load_manifest, write_manifest
from distilmt.models.batch import make_batch
from distilmt.models.checkpoint import load_model
from distilmt.models.marian import MarianModel, marian_config, marian_network
from distilmt.models.marian_checkpoint import zero_pad
from distilmt.utils import pretrained
from distilmt.utils.errors import UserError
from distilmt.utils.run_dir import write_json

_LARGEST_ERROR = {"float32": 0.0, "bfloat16": 1 / 256, "float16": 1 / 2048, "int16": 1 / 1024}
"""Of a weight, relative to the largest of its matrix; others are int8."""


def new_model(tokenizer: Tokenizer, **changes: object) -> MarianModel:
    """Two layers a stack, with biases and norms that do something."""
    config = marian_config(replace(toy.MICRO, encoder_layers=2, decoder_layers=2), tokenizer, 0.1)
    for key, value in changes.items():
        setattr(config, key, value)
    torch.manual_seed(5)
    model = MarianModel(MarianMTModel(config))
    for parameter in model.parameters():
        if parameter.requires_grad:
            parameter.data.add_(torch.randn_like(parameter) * 0.1)
    zero_pad(model.network)
    return model


def read_back(path: Path) -> MarianModel:
    directory = path.with_name(f"{path.name}-read")
    directory.mkdir()
    write_trainable(path, directory)
    model = load_model(directory)
    assert isinstance(model, MarianModel)
    return model


@torch.no_grad()
def logits(model: MarianModel, tokenizer: Tokenizer) -> torch.Tensor:
    """Logits of a few sentences with random targets."""
    sources, targets = (
        [np.array(line) for line in side.encode(texts)]
        for side, texts in zip((tokenizer.source, tokenizer.target), toy.pairs(8, seed=9), strict=True)
    )
    batch = make_batch(
        np.concatenate(sources),
        np.array([len(line) for line in sources]),
        np.concatenate(targets),
        np.array([len(line) for line in targets]),
        tokenizer.pad,
    )
    return model.logits(model.decoder_states(batch))


@pytest.mark.parametrize("compute_type", TYPES)
def test_every_type_gives_the_weights_back(tmp_path, tokenizer, compute_type):
    model = new_model(tokenizer)
    export(marian_network(model), tokenizer, tmp_path / "ct2", compute_type)
    again = read_back(tmp_path / "ct2")
    assert again.dimensions == model.dimensions
    before, after = model.state_dict(), again.state_dict()
    share = _LARGEST_ERROR.get(compute_type, 0.5 / 127)
    for name, value in before.items():
        assert float((value - after[name]).abs().max()) <= share * float(value.abs().max()) * 1.01, name
    own = tokenizers.load(tmp_path / "ct2-read")
    assert (own.source.tokens, own.target.tokens) == (tokenizer.source.tokens, tokenizer.target.tokens)
    texts = toy.pairs(20, seed=3, chinese=not tokenizer.shared)[0]
    assert own.source.encode(texts) == tokenizer.source.encode(texts) and own.shared == tokenizer.shared


def test_int8_loses_no_more_than_its_rounding_and_is_the_same_file_again(tmp_path, tokenizer):
    model = new_model(tokenizer)
    export(marian_network(model), tokenizer, tmp_path / "ct2", "int8")
    again = read_back(tmp_path / "ct2")
    before, after = logits(model, tokenizer), logits(again, tokenizer)
    assert float((before - after).abs().max()) < 0.05 * float(before.std())
    export(marian_network(again), tokenizer, tmp_path / "again", "int8")
    assert (tmp_path / "again" / "model.bin").read_bytes() == (tmp_path / "ct2" / "model.bin").read_bytes()


def test_the_built_in_student_is_the_same_file_again(tmp_path):
    write_trainable(pretrained.STUDENT, tmp_path)
    model = load_model(tmp_path)
    export(marian_network(model), tokenizers.load(tmp_path), tmp_path / "ct2", "int8")
    assert (tmp_path / "ct2" / "model.bin").read_bytes() == (pretrained.STUDENT / "model.bin").read_bytes()


def test_what_opus_models_and_compressed_students_have_is_read_too(tmp_path, shared_tokenizer):
    model = new_model(shared_tokenizer, activation_function="swish", scale_embedding=False, encoder_layers=3)
    model.network.final_logits_bias[0, :-1] = torch.linspace(-1, 1, len(shared_tokenizer.target.tokens) - 1)
    units = {stack: [torch.rand(64) for _ in range(layers)] for stack, layers in (("encoder", 2), ("decoder", 2))}
    pruned = narrow_ffn(drop_layers(model, [0, 2], [0, 1]), 48, 32, units)
    assert isinstance(pruned, MarianModel)
    export(pruned.network, shared_tokenizer, tmp_path / "ct2", "int8_float16")
    pack(tmp_path / "ct2")
    again = read_back(tmp_path / "ct2")
    assert again.dimensions == pruned.dimensions
    before, after = logits(pruned, shared_tokenizer), logits(again, shared_tokenizer)
    assert float((before - after).abs().max()) < 0.05 * float(before.std())


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"tokenizer": "subword-nmt"}, "its text becomes Moses' tokens and BPE, not SentencePiece's"),
        ({"tokenizer": "huggingface"}, "its text becomes another program's tokenizer"),
        ({"source_end": False}, "tokens by rules of its own"),
        ({"input": "image"}, "reads pictures, not text"),
    ],
)
def test_exports_of_other_kinds_are_one_line(tmp_path, shared_tokenizer, changes, reason):
    path = tmp_path / "ct2"
    export(marian_network(new_model(shared_tokenizer)), shared_tokenizer, path, "int8")
    write_manifest(path, {**load_manifest(path), **changes})
    with pytest.raises(UserError, match=rf"^{path} .*{reason}"):
        write_trainable(path, tmp_path)


def test_files_that_do_not_fit_each_other_are_one_line(tmp_path, shared_tokenizer):
    path = tmp_path / "ct2"
    export(marian_network(new_model(shared_tokenizer)), shared_tokenizer, path, "float32")
    whole, content = json.loads((path / "shared_vocabulary.json").read_bytes()), (path / "model.bin").read_bytes()
    for tokens, reason in (
        (whole[:-5], "embeddings for"),
        (whole[1:], "does not begin with </s> and <unk>"),
        ([*whole[:-1], whole[5]], "has a token twice"),
        ({"a": 1}, "is not a list of tokens"),
    ):
        write_json(path / "shared_vocabulary.json", tokens)
        with pytest.raises(UserError, match=rf"^{path} .*{reason}"):
            write_trainable(path, tmp_path)
    write_json(path / "shared_vocabulary.json", whole)
    for name, other, reason in (
        (b"layer_1/ffn/linear_1/bias", b"layer_1/ffn/linear_1/bise", "layer_1/ffn/linear_1/bise is no weight"),
        (b"encoder/num_heads", b"encoder/num_hands", "heads that do not divide its width"),
        (b"start_from_zero", b"start_from_nine", "does not begin with a zero vector"),
    ):
        (path / "model.bin").write_bytes(content.replace(name, other))
        with pytest.raises(UserError, match=rf"^{path} cannot be trained \(.*{reason}"):
            write_trainable(path, tmp_path)
