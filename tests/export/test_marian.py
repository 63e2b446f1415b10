import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from helpers import commands, toy
from helpers.marian import new_network
from transformers import AutoTokenizer

from distilmt.export.consumers import greedy_translate
from distilmt.export.marian import export_marian
from distilmt.models.marian_checkpoint import load_marian
from distilmt.utils.errors import UserError

SHAPE = replace(toy.MICRO, encoder_layers=2, decoder_layers=2, ffn_dim=48)


def opened(directory):
    weights = dict(np.load(directory / "model.npz"))
    options = yaml.safe_load(bytes(weights.pop("special:model.yml")).rstrip(b"\0"))
    return weights, options


def test_names_shapes_and_options(tmp_path, tokenizer, card):
    model = new_network(SHAPE, tokenizer, 0.0, 1).eval()
    export_marian(model, tokenizer, tmp_path / "marian", card)
    weights, options = opened(tmp_path / "marian")
    sizes = [side.processor.get_piece_size() for side in (tokenizer.source, tokenizer.target)]
    assert options["dim-vocabs"] == sizes and options["tied-embeddings-all"] == tokenizer.shared
    assert (options["enc-depth"], options["dec-depth"], options["transformer-heads"]) == (2, 2, 2)
    embeddings = {name: value.shape for name, value in weights.items() if name.endswith("Wemb")}
    split = {"encoder_Wemb": (sizes[0], 32), "decoder_Wemb": (sizes[1], 32)}
    assert embeddings == ({"Wemb": (sizes[0], 32)} if tokenizer.shared else split), "without <pad> and what fills up"
    assert weights["encoder_l1_ffn_W1"].shape == (32, 48) and weights["decoder_ff_logit_out_b"].shape == (1, sizes[1])
    assert sum(name.startswith("encoder_l1_") for name in weights) == 16  # as transformers' converter counts them
    assert sum(name.startswith("decoder_l2_") for name in weights) == 26
    assert {value.dtype for value in weights.values()} == {np.dtype(np.float32)}
    ours = model.model.decoder.layers[1].encoder_attn.k_proj.weight
    assert torch.equal(torch.from_numpy(weights["decoder_l2_context_Wk"].T), ours)
    decoder = yaml.safe_load((tmp_path / "marian" / "decoder.yml").read_text())
    assert decoder["vocabs"] == ["source.spm", "target.spm"] and decoder["relative-paths"]


def test_other_numbers_need_a_list_of_pieces(tmp_path, opus_tokenizer, card):
    model = new_network(SHAPE, opus_tokenizer, 0.0, 1).eval()
    export_marian(model, opus_tokenizer, tmp_path / "marian", card)
    for name in ("source.yml", "target.yml"):
        ids = yaml.safe_load((tmp_path / "marian" / name).read_text(encoding="utf-8"))
        assert ids == {piece: i for i, piece in enumerate(opus_tokenizer.source.tokens[:-1])}
    assert "spm_encode" in (tmp_path / "marian" / "README.md").read_text()
    assert opened(tmp_path / "marian")[1]["dim-vocabs"] == [len(opus_tokenizer.source.tokens) - 1] * 2


def test_what_marian_cannot_decode_is_refused(tmp_path, shared_tokenizer, card):
    for change in ({"decoder_ffn_dim": 7}, {"encoder_attention_heads": 4}, {"activation_function": "tanh"}):
        model = new_network(SHAPE, shared_tokenizer, 0.0, 1).eval()
        model.config.update(change)
        with pytest.raises(UserError, match="export to transformers or ONNX instead"):
            export_marian(model, shared_tokenizer, tmp_path / "marian", card)
    assert not list(tmp_path.iterdir())


@pytest.fixture(scope="session")
def pymarian(tmp_path_factory):
    """A directory with pymarian, 600 MB to download."""
    if os.environ.get("DISTILMT_PYMARIAN"):
        return os.environ["DISTILMT_PYMARIAN"]  # one that was filled before
    target = tmp_path_factory.mktemp("pymarian")
    packages = ["pymarian==1.12.42", "portalocker", "requests", "urllib3", "idna", "certifi", "charset-normalizer"]
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(target), *packages]
    process = subprocess.run(install, capture_output=True, text=True, timeout=1800, check=False)
    if process.returncode:
        pytest.skip(f"pymarian cannot be installed: {process.stderr[-200:]}")
    return str(target)


def by_marian(environment, directory, texts):
    path = os.pathsep.join([environment, *filter(None, sys.path)])
    options = ["--config", str(directory / "decoder.yml"), "--beam-size", "1", "--cpu-threads", "1", "--quiet"]
    process = subprocess.run(
        [sys.executable, str(Path(__file__).parent / "consumers" / "marian.py"), *options],
        input="\n".join(texts),
        env=commands.environment() | {"PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert process.returncode == 0, process.stderr[-3000:]
    return process.stdout.removesuffix("\n").split("\n")


def with_marians_positions(model):
    """The same with Marian's sinusoids: frequencies 10000^(-i/(d/2-1)) where transformers has 10000^(-i/(d/2))."""
    half = model.config.d_model // 2
    frequencies = 10000.0 ** (-torch.arange(half) / (half - 1))
    for stack in (model.model.encoder, model.model.decoder):
        angles = torch.arange(len(stack.embed_positions.weight))[:, None] * frequencies
        stack.embed_positions.weight.data = torch.cat([angles.sin(), angles.cos()], 1)
    return model


@pytest.mark.slow
def test_marian_translates_as_transformers_does(tmp_path, pymarian, trained_model, shared_tokenizer, card):
    """But for the positions, of which Marian computes its own: that is why its translations differ now and then."""
    export_marian(load_marian(trained_model), shared_tokenizer, tmp_path / "marian", card)
    texts = [*toy.pairs(60, seed=99)[0], "Zürich 12 (a)"]
    result = by_marian(pymarian, tmp_path / "marian", texts)
    reference = greedy_translate(
        with_marians_positions(load_marian(trained_model)), AutoTokenizer.from_pretrained(trained_model), texts
    )
    assert all(map(_alike, result, reference)) and len(set(result)) > 30


@pytest.mark.slow
def test_marian_with_two_vocabularies(tmp_path, pymarian, split_tokenizer, card, diverse_model):
    model = diverse_model(split_tokenizer, SHAPE)
    export_marian(model, split_tokenizer, tmp_path / "marian", card)
    texts = toy.pairs(30, seed=9, chinese=True)[0]
    result = by_marian(pymarian, tmp_path / "marian", texts)
    tokenizer = AutoTokenizer.from_pretrained(split_tokenizer.directory)
    reference = greedy_translate(with_marians_positions(model), tokenizer, texts)
    assert all(map(_alike, result, reference)) and len(set(result)) > 10


def _alike(marians, transformers):
    """The same words. What does not end is cut at other lengths: Marian stops at three times the source's."""
    shorter = min(len(marians), len(transformers))
    return shorter > 0 and marians[:shorter] == transformers[:shorter]
