import json
from dataclasses import replace

import numpy as np
import pytest
from helpers import toy
from helpers.examples import example_count
from hypothesis import given, settings
from hypothesis import strategies as st

from distilmt.config import TokenizerConfig
from distilmt.data import tokenizer as tokenizers
from distilmt.data.cleaning import normalize
from distilmt.utils.errors import UserError

# U+2581 is how SentencePiece writes a space: it comes back as one.
TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\u2581"), max_size=60)


@given(TEXT)
@settings(max_examples=example_count(150), deadline=None)
def test_any_text_comes_back(shared_tokenizer, split_tokenizer, text):
    text = normalize(text)
    for tokenizer in (shared_tokenizer, split_tokenizer):
        for side in (tokenizer.source, tokenizer.target):
            ids = side.encode([text])
            assert side.decode(ids) == [text]
            assert tokenizers.UNK not in ids[0]


def test_ids_follow_marians_convention(tokenizer):
    for side in (tokenizer.source, tokenizer.target):
        assert side.tokens[0] == "</s>" and side.tokens[1] == "<unk>" and side.tokens[-1] == "<pad>"
        assert len(set(side.tokens)) == len(side.tokens)
        ids = side.encode(["badeba.", ""])
        assert ids[0][-1] == 0 and len(ids[0]) > 1 and ids[1] == [0]
        assert max(max(line) for line in ids) < len(side.tokens) - 1
    assert tokenizer.pad == tokenizer.source_pad == len(tokenizer.target.tokens) - 1


def test_sharing_follows_the_scripts(shared_tokenizer, split_tokenizer):
    assert shared_tokenizer.shared and not split_tokenizer.shared
    assert shared_tokenizer.source.tokens == shared_tokenizer.target.tokens
    assert any("山" in piece for piece in split_tokenizer.target.tokens)
    assert not any("山" in piece for piece in split_tokenizer.source.tokens)
    assert not tokenizers.should_split_vocabulary(["the house"], ["la casa"])
    assert tokenizers.should_split_vocabulary(["the house"], ["房子"])
    assert tokenizers.should_split_vocabulary(["the house"], ["дом"])
    assert not tokenizers.should_split_vocabulary(["家がある"], ["有房子"])
    assert not tokenizers.should_split_vocabulary(["123"], ["..."])


@pytest.mark.parametrize(("sharing", "shared"), [("shared", True), ("split", False)])
def test_sharing_can_be_forced(tmp_path, sharing, shared):
    result = tokenizers.train(*toy.pairs(60), TokenizerConfig(vocab_size=350, vocab_sharing=sharing), tmp_path, 1)
    tokenizer = tokenizers.load(tmp_path)
    assert result.shared is shared is tokenizer.shared
    assert result.sizes == [len(tokenizer.source.tokens)] * (1 if shared else 2)


@pytest.mark.parametrize("turned", [False, True])
def test_split_vocabularies_are_of_one_size(tmp_path, turned):
    """Marian knows one id of <pad>: a small text on one side only must not shift it."""
    few, many = ["ba", "de", "ba de", "de ba ba"] * 4, toy.pairs(300, chinese=True)[1]
    sides = (many, few) if turned else (few, many)
    tokenizers.train(*sides, TokenizerConfig(vocab_size=500, vocab_sharing="split"), tmp_path, 1)
    tokenizer = tokenizers.load(tmp_path)
    assert tokenizer.pad == tokenizer.source_pad
    small = tokenizer.target if turned else tokenizer.source
    filled = [piece for piece in small.tokens if piece.startswith("<unused")]
    assert filled and small.tokens[-1 - len(filled) : -1] == filled
    assert small.decode(small.encode(few)) == few

    from distilmt.models.architectures import new_model
    from distilmt.models.batch import make_batch

    model = new_model(toy.MICRO, tokenizer, 0.0, 1)
    source, target = (
        side.encode([text[0]])[0] for side, text in zip((tokenizer.source, tokenizer.target), sides, strict=True)
    )
    sides = [(np.array(ids), np.array([len(ids)])) for ids in (source, target)]
    batch = make_batch(*sides[0], *sides[1], tokenizer.pad)
    assert model.decoder_states(batch).isfinite().all()


def test_vocabularies_of_two_sizes_are_refused(tmp_path, split_tokenizer):
    split_tokenizer.copy_to(tmp_path)
    vocabulary = json.loads((tmp_path / "vocab.json").read_text())
    last = vocabulary.pop("<pad>")
    (tmp_path / "vocab.json").write_text(json.dumps(vocabulary | {"<more>": last, "<pad>": last + 1}))
    with pytest.raises(UserError, match="equal numbers on both sides"):
        tokenizers.load(tmp_path)


@pytest.mark.parametrize("name", ["source.spm", "target.spm", "vocab.json"])
def test_missing_files_are_named(tmp_path, shared_tokenizer, name):
    with pytest.raises(UserError, match=r"has no source\.spm"):
        tokenizers.load(tmp_path / "nothing")
    shared_tokenizer.copy_to(tmp_path)
    tokenizers.load(tmp_path)
    (tmp_path / name).unlink()
    with pytest.raises(UserError, match=f"has no {name}"):
        tokenizers.load(tmp_path)


def test_other_conventions_are_refused(tmp_path, shared_tokenizer):
    shared_tokenizer.copy_to(tmp_path)
    vocabulary = json.loads((tmp_path / "vocab.json").read_text())
    vocabulary["<pad>"], vocabulary["</s>"] = 0, vocabulary["<pad>"]
    (tmp_path / "vocab.json").write_text(json.dumps(vocabulary))
    with pytest.raises(UserError, match="Marian's convention"):
        tokenizers.load(tmp_path)


@pytest.mark.parametrize("spoil", [b"", b"not a model", None])
def test_damaged_files_are_reported(tmp_path, shared_tokenizer, spoil):
    shared_tokenizer.copy_to(tmp_path)
    (tmp_path / ("vocab.json" if spoil is None else "source.spm")).write_bytes(spoil or b'{"</s>": 0')
    with pytest.raises(UserError, match="damaged"):
        tokenizers.load(tmp_path)


def test_transformers_reads_the_directory(tokenizer):
    from transformers import AutoTokenizer, MarianTokenizer

    reference = AutoTokenizer.from_pretrained(tokenizer.directory)
    assert isinstance(reference, MarianTokenizer)
    chinese = not tokenizer.shared
    sources, targets = toy.pairs(30, seed=7, chinese=chinese)
    odd = ["Zürich 12 кот", "", "a (b) c?!"]
    assert reference([*sources, *odd]).input_ids == tokenizer.source.encode([*sources, *odd])
    assert reference(text_target=targets).input_ids == tokenizer.target.encode(targets)
    assert reference.pad_token_id == tokenizer.pad and reference.eos_token_id == 0 and reference.unk_token_id == 1
    ids = tokenizer.target.encode(targets)
    assert reference.batch_decode(ids, skip_special_tokens=True) == tokenizer.target.decode(ids) == targets


def test_fingerprint_stands_for_the_pieces(tmp_path, shared_tokenizer, split_tokenizer):
    shared_tokenizer.copy_to(tmp_path / "copy")
    assert tokenizers.load(tmp_path / "copy").fingerprint == shared_tokenizer.fingerprint
    assert shared_tokenizer.fingerprint != split_tokenizer.fingerprint


def test_same_seed_same_pieces(tmp_path):
    config = TokenizerConfig(vocab_size=350)
    prints = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        tokenizers.train(*toy.pairs(60), config, tmp_path / name, 1)
        prints.append(tokenizers.load(tmp_path / name).fingerprint)
    assert prints[0] == prints[1]


def test_bpe_learns_too(tmp_path):
    tokenizers.train(*toy.pairs(200), TokenizerConfig(vocab_size=330, model_type="bpe"), tmp_path, 1)
    tokenizer = tokenizers.load(tmp_path)
    assert tokenizer.source.decode(tokenizer.source.encode(["bande Ω"])) == ["bande Ω"]


def test_vocabulary_too_small_for_the_bytes_is_reported(tmp_path):
    for size in (20, 258):
        with pytest.raises(UserError, match="vocab_size"):
            tokenizers.train(*toy.pairs(60), replace(TokenizerConfig(), vocab_size=size), tmp_path, 1)


def test_a_vocabulary_that_does_not_fit_its_model_is_refused(tmp_path, shared_tokenizer):
    shared_tokenizer.copy_to(tmp_path)
    size = len(shared_tokenizer.target.tokens)
    (tmp_path / "config.json").write_text(json.dumps({"pad_token_id": size - 1}))
    assert len(tokenizers.load(tmp_path).target.tokens) == size
    (tmp_path / "config.json").write_text(json.dumps({"pad_token_id": size + 99}))
    with pytest.raises(
        UserError, match=rf"vocab\.json has {size} tokens, but the model in .* has {size + 100}: copy both"
    ):
        tokenizers.load(tmp_path)
