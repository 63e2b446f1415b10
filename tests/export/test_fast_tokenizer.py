import json

import pytest
import tokenizers as library
from helpers import toy
from helpers.examples import example_count
from hypothesis import example, given, settings
from hypothesis import strategies as st

from distilmt.config import TokenizerConfig
from distilmt.data import tokenizer as tokenizers
from distilmt.data.cleaning import normalize

pytest.importorskip("google.protobuf")
from distilmt.export.fast_tokenizer import write_fast_tokenizer

KINDS = ("unigram", "bpe")


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    """For either algorithm the tokenizer and its file, opened."""
    result = {}
    for kind in KINDS:
        directory = tmp_path_factory.mktemp(kind)
        tokenizers.train(*toy.pairs(300), TokenizerConfig(vocab_size=400, model_type=kind), directory, seed=1)
        tokenizer = tokenizers.load(directory)
        write_fast_tokenizer(tokenizer.source, directory / "tokenizer.json")
        result[kind] = tokenizer, library.Tokenizer.from_file(str(directory / "tokenizer.json"))
    return result


@pytest.fixture(scope="module")
def reading(tmp_path_factory):
    """For either algorithm, with bytes to fall back on and without, a tokenizer that knows the characters of `</s>`."""
    texts, targets = toy.pairs(300)
    texts = [f"{text} <p> 0x4{i % 10} A/B </a> und </s {text}" for i, text in enumerate(texts)]
    result = []
    for kind in KINDS:
        for fallback in (True, False):
            directory = tmp_path_factory.mktemp(kind)
            tokenizers.train(texts, targets, TokenizerConfig(vocab_size=450, model_type=kind), directory, seed=1)
            if not fallback:
                without_bytes(directory, "/" if kind == "unigram" else "")
            tokenizer = tokenizers.load(directory)
            write_fast_tokenizer(tokenizer.source, directory / "tokenizer.json")
            result.append((tokenizer, library.Tokenizer.from_file(str(directory / "tokenizer.json"))))
    return result


def without_bytes(directory, unknown):
    """Change SentencePiece's models as those are that know no bytes, nor some characters."""
    from sentencepiece import sentencepiece_model_pb2 as model

    for file in directory.glob("*.spm"):
        proto = model.ModelProto.FromString(file.read_bytes())
        proto.trainer_spec.byte_fallback = False
        for piece in proto.pieces:
            if piece.type == piece.BYTE or (piece.type == piece.NORMAL and unknown and unknown in piece.piece):
                piece.type = piece.UNUSED
        file.write_bytes(proto.SerializeToString())


SPELLED = st.lists(
    st.sampled_from(["</s>", "<unk>", "<pad>", "<s>", "<0x41>", "<0x", "<", "/", "s>", " ", "ba", "pad", "unk", "é"]),
    max_size=8,
).map("".join)


@settings(max_examples=example_count(60), deadline=None)
@given(text=SPELLED)
@example("</s>")
@example("<unk>")
@example("<pad>")
@example("ba </s> ri")
@example("a<pad>b</s>")
@example("<0x41>")
def test_special_pieces_in_a_text_are_text(both, reading, text):
    text = normalize(text)
    for tokenizer, fast in [*both.values(), *reading]:
        ids, expected = fast.encode(text).ids, tokenizer.source.encode([text])[0]
        assert ids.count(0) == 1 and ids[-1] == 0 and tokenizer.pad not in ids
        if "<0x41>" not in text:  # a piece of SentencePiece's may reach over the place where it is cut
            assert ids == expected
        if tokenizers.UNK not in expected:
            assert fast.decode(ids) == tokenizer.source.decode([expected])[0]
            assert fast.decode([tokenizer.pad, *ids, tokenizer.pad]) == fast.decode(ids)


WORDS = st.lists(st.sampled_from([*toy.SOURCE_WORDS, *toy.LATIN_WORDS]), max_size=12).map(" ".join)


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=example_count(150), deadline=None)
@given(text=st.one_of(WORDS, st.text(max_size=30), st.text("banRez.12<>x0é–€山 ", max_size=20)))
def test_it_cuts_as_sentencepiece_does(both, kind, text):
    tokenizer, fast = both[kind]
    text = normalize(text)
    assert fast.encode(text).ids == tokenizer.source.encode([text])[0]


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=example_count(100), deadline=None)
@given(text=st.one_of(WORDS, st.text(max_size=30)))
def test_it_reads_what_it_wrote(both, kind, text):
    tokenizer, fast = both[kind]
    text = normalize(text)
    ids = tokenizer.target.encode([text])[0]
    assert fast.decode(ids, skip_special_tokens=True) == tokenizer.target.decode([ids])[0] == text


def test_one_vocabulary_over_two_models(tmp_path, opus_tokenizer):
    """Cut by the source's pieces alone, and read with both's."""
    write_fast_tokenizer(opus_tokenizer.source, tmp_path / "tokenizer.json")
    fast = library.Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    sources, targets = toy.pairs(200, seed=5)
    ours = opus_tokenizer.source.encode(sources)
    assert [encoded.ids for encoded in fast.encode_batch(sources)] == ours
    output = opus_tokenizer.target.encode(targets)
    assert fast.decode_batch(output, skip_special_tokens=True) == targets == opus_tokenizer.target.decode(output)
    only = set(opus_tokenizer.target.tokens) - {piece for ids in ours for piece in map(str, ids)}
    assert only, "a target without pieces of its own shows nothing"


def test_transformers_js_gets_no_unknown_words_for_digits(tmp_path, both):
    """Its Unigram has no bytes to fall back on: the normaliser spells what is common and in no piece."""
    tokenizer, _ = both["unigram"]
    assert not any("7" in piece for piece in tokenizer.source.tokens if not piece.startswith("<"))
    write_fast_tokenizer(tokenizer.source, tmp_path / "tokenizer.json")
    written = json.loads((tmp_path / "tokenizer.json").read_text())
    written["model"]["byte_fallback"] = False
    without = library.Tokenizer.from_str(json.dumps(written))
    for text in ("ban 7 den", "x0<>A9", "fir – «ü» 50 €"):
        assert without.encode(text).ids == tokenizer.source.encode([text])[0]
        assert tokenizers.UNK not in without.encode(text).ids
