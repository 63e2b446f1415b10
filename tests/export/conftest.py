import shutil
import subprocess

import pytest

from distilmt.config import TokenizerConfig
from distilmt.data import tokenizer as tokenizers
from distilmt.export.card import ModelCard
from distilmt.export.npm import PACKAGES


@pytest.fixture(scope="session")
def card():
    return ModelCard(
        "en", "it", signature="teacher:trained|seed:1", parameters=12345, scores={"validation bleu": 31.25}
    )


@pytest.fixture(scope="session")
def opus_tokenizer(tmp_path_factory):
    """One vocabulary for two SentencePiece models, as OPUS-MT has it: ids are not SentencePiece's own."""
    import json

    from helpers import toy

    halves = [tmp_path_factory.mktemp(f"half{i}") for i in range(2)]
    sources, targets = toy.pairs(300)
    directory = tmp_path_factory.mktemp("opus")
    pieces = ["</s>", "<unk>"]
    for half, text, name in zip(halves, (sources, targets), ("source.spm", "target.spm"), strict=True):
        config = TokenizerConfig(vocab_size=60, byte_fallback=False)
        tokenizers.train(text, text, config, half, seed=1)
        (directory / name).write_bytes((half / "source.spm").read_bytes())
        pieces += [p for p in tokenizers.load(half).source.tokens[2:-1][::-1] if p not in pieces]
    (directory / "vocab.json").write_text(json.dumps({p: i for i, p in enumerate([*pieces, "<pad>"])}))
    (directory / "tokenizer_config.json").write_bytes((halves[0] / "tokenizer_config.json").read_bytes())
    return tokenizers.load(directory)


@pytest.fixture(scope="session")
def diverse_model():
    """Makes random models with probabilities far apart and no byte tokens: programs join these differently."""
    from helpers import toy
    from helpers.marian import new_network

    def make(tokenizer, shape=toy.MICRO, seed=4):
        model = new_network(shape, tokenizer, 0.0, seed).eval()
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter.data.mul_(2.0)
        for i, piece in enumerate(tokenizer.target.tokens):
            if piece.startswith(("<0x", "<unused")):
                model.final_logits_bias[0, i] = -100.0
        return model

    return make


@pytest.fixture(scope="session")
def runtime(tmp_path_factory):
    """A node_modules with the runtime, got by npm itself."""
    if shutil.which("npm") is None:
        pytest.skip("npm is not there")
    directory = tmp_path_factory.mktemp("npm")
    packages = [f"{name}@{version}" for name, version in PACKAGES.items()]
    command = ["npm", "install", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline", *packages]
    process = subprocess.run(command, cwd=directory, capture_output=True, text=True, timeout=900, check=False)
    if process.returncode:
        pytest.skip(f"npm cannot install the runtime: {process.stderr[-200:]}")
    return str(directory / "node_modules")
