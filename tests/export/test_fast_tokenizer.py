import json

import pytest
import tokenizers as library
import toy
from hypothesis import given, settings
from hypothesis import strategies as st

from distilmt import tokenizer as tokenizers
from distilmt.config import TokenizerConfig
from distilmt.corpora.cleaning import normalise

pytest.importorskip("google.protobuf")
from distilmt.export.fast_tokenizer import write_fast_tokenizer

KINDS = ("unigram", "bpe")


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    """For either algorithm the tokenizer and its file, opened."""
    found = {}
    for kind in KINDS:
        directory = tmp_path_factory.mktemp(kind)
        tokenizers.train(*toy.pairs(300), TokenizerConfig(vocab_size=400, model_type=kind), directory, seed=1)
        tokenizer = tokenizers.load(directory)
        write_fast_tokenizer(tokenizer.source, directory / "tokenizer.json")
        found[kind] = tokenizer, library.Tokenizer.from_file(str(directory / "tokenizer.json"))
    return found


WORDS = st.lists(st.sampled_from([*toy.SOURCE_WORDS, *toy.LATIN_WORDS]), max_size=12).map(" ".join)


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=150, deadline=None)
@given(text=st.one_of(WORDS, st.text(max_size=30), st.text("banRez.12<>x0é–€山 ", max_size=20)))
def test_it_cuts_as_sentencepiece_does(both, kind, text):
    tokenizer, fast = both[kind]
    text = normalise(text)
    assert fast.encode(text).ids == tokenizer.source.encode([text])[0]


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=100, deadline=None)
@given(text=st.one_of(WORDS, st.text(max_size=30)))
def test_it_reads_what_it_wrote(both, kind, text):
    tokenizer, fast = both[kind]
    text = normalise(text)
    ids = tokenizer.target.encode([text])[0]
    assert fast.decode(ids, skip_special_tokens=True) == tokenizer.target.decode([ids])[0] == text


def test_one_vocabulary_over_two_models(tmp_path, opus_tokenizer):
    """Cut by the source's pieces alone, and read with both's."""
    write_fast_tokenizer(opus_tokenizer.source, tmp_path / "tokenizer.json")
    fast = library.Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    sources, targets = toy.pairs(200, seed=5)
    ours = opus_tokenizer.source.encode(sources)
    assert [encoded.ids for encoded in fast.encode_batch(sources)] == ours
    said = opus_tokenizer.target.encode(targets)
    assert fast.decode_batch(said, skip_special_tokens=True) == targets == opus_tokenizer.target.decode(said)
    only = set(opus_tokenizer.target.pieces) - {piece for ids in ours for piece in map(str, ids)}
    assert only, "a target without pieces of its own shows nothing"


def test_transformers_js_gets_no_unknown_words_for_digits(tmp_path, both):
    """Its Unigram has no bytes to fall back on: the normaliser spells what is common and in no piece."""
    tokenizer, _ = both["unigram"]
    assert not any("7" in piece for piece in tokenizer.source.pieces if not piece.startswith("<"))
    write_fast_tokenizer(tokenizer.source, tmp_path / "tokenizer.json")
    written = json.loads((tmp_path / "tokenizer.json").read_text())
    written["model"]["byte_fallback"] = False
    without = library.Tokenizer.from_str(json.dumps(written))
    for text in ("ban 7 den", "x0<>A9", "fir – «ü» 50 €"):
        assert without.encode(text).ids == tokenizer.source.encode([text])[0]
        assert tokenizers.UNK not in without.encode(text).ids
