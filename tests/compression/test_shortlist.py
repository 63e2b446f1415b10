"""A shortlist keeps to its promises, and CTranslate2 reads it as it is meant."""

import json
import sys
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from helpers import toy
from helpers.marian import new_network
from hypothesis import given, settings
from hypothesis import strategies as st

from distilmt.compression import shortlist
from distilmt.compression.shortlist import Shortlist
from distilmt.config import ShortlistConfig
from distilmt.export.ctranslate2 import export
from distilmt.inference.base import DecodingOptions
from distilmt.inference.translator import Translator
from distilmt.labels.rows import LabelRow
from distilmt.labels.store import LabelStore
from distilmt.labels.store_writer import LabelWriter
from distilmt.utils.errors import UserError

CONFIG = ShortlistConfig(best=5, frequent=10)


def pairs(tokenizer, count=300):
    sources, targets = toy.pairs(count, seed=7, chinese=not tokenizer.shared)
    return list(zip(tokenizer.source.encode(sources), tokenizer.target.encode(targets), strict=True))


def named(tokenizer, result):
    sides = tokenizer.source.tokens, tokenizer.target.tokens
    return [tuple([side[i] for i in ids] for side, ids in zip(sides, pair, strict=True)) for pair in result]


@pytest.fixture(scope="module")
def built(tokenizer):
    pytest.importorskip("thot")
    return shortlist.build(pairs(tokenizer), tokenizer, CONFIG)


@pytest.fixture(scope="module", params=["shared", "split"])
def tokenizer(request, shared_tokenizer, split_tokenizer):
    return shared_tokenizer if request.param == "shared" else split_tokenizer


@pytest.fixture
def model(tmp_path, tokenizer):
    """Random weights: they generate any token, so that a restriction is seen."""
    student = new_network(toy.MICRO, tokenizer, 0.0, 4).eval()
    for parameter in student.parameters():
        if parameter.requires_grad:
            parameter.data.mul_(2.0)
    export(student, tokenizer, tmp_path / "ct2", "float32")
    return tmp_path / "ct2"


def everything(tokenizer):
    return Shortlist(tokenizer.target.tokens[:-1], {}, CONFIG)


def output(translator, tokenizer, beam_size, count=40):
    texts = toy.pairs(count, seed=5, chinese=not tokenizer.shared)[0]
    result = translator.hypotheses(texts, DecodingOptions(beam_size=beam_size, batch_size=1))
    return list(zip(translator.tokenize(texts), [response[0].tokens for response in result], strict=True))


def test_every_piece_may_be_copied_with_all_its_parts(built, tokenizer):
    target = set(tokenizer.target.tokens[2:-1])
    for piece in tokenizer.source.tokens[2:-1]:
        allowed, bare = built.allowed([piece]), piece.removeprefix("▁")
        copies = {piece} if piece.startswith("<0x") else {piece, bare, "▁" + bare, *bare, bare[1:], bare[:-1]}
        assert copies & target <= allowed


def test_digits_punctuation_and_bytes_that_were_stated_are_always_allowed(built, tokenizer):
    target = set(tokenizer.target.tokens)
    assert set("0123456789.,;:!?。，「」-▁") & target <= set(built.always)
    assert {f"<0x{ord(c):02X}>" for c in "0123456789 .,()%-+/"} & target <= set(built.always)
    assert built.allowed([]) == {*built.always, "</s>", "<unk>"}
    pytest.importorskip("thot")
    rare = list(zip(tokenizer.source.encode(["Ω"]), tokenizer.target.encode(["œ"]), strict=True))
    output = shortlist.build([*pairs(tokenizer, 20), *rare], tokenizer, replace(CONFIG, frequent=0)).always
    assert {"<0xC5>", "<0x93>"} <= set(output) and not {"<0xCE>", "<0xA9>"} & set(output)


@settings(deadline=None, max_examples=50)
@given(data=st.data())
def test_a_sentence_may_use_what_its_pieces_may(built, tokenizer, data):
    pieces = data.draw(st.lists(st.sampled_from([*tokenizer.source.tokens, "unknown", ""]), max_size=8))
    assert built.allowed(pieces) == built.allowed([]).union(*(built.allowed([piece]) for piece in pieces))


def test_it_has_learnt_what_translates_what(built, tokenizer):
    """Unseen sentences, of the pieces that it was learnt from."""
    sources, targets = toy.pairs(100, seed=8, chinese=not tokenizer.shared)
    unseen = zip(tokenizer.source.encode(sources), tokenizer.target.encode(targets), strict=True)
    result = shortlist.coverage(built, named(tokenizer, unseen))
    assert result.pieces > 0.98 and result.sentences > 0.9
    others = [piece for piece in tokenizer.target.tokens[2:-1] if not piece.startswith("<")]
    assert 2 + len(built.always) <= result.size < 2 + 256 + 0.6 * len(others)


def test_more_pieces_cover_more(tokenizer):
    pytest.importorskip("thot")
    seen, held = pairs(tokenizer), named(tokenizer, pairs(tokenizer))
    configs = [ShortlistConfig(best=best, frequent=frequent) for best, frequent in ((0, 0), (1, 0), (1, 30), (9, 30))]
    result = [shortlist.coverage(shortlist.build(seen, tokenizer, config), held) for config in configs]
    for less, more in pairwise(result):
        assert less.pieces <= more.pieces and less.sentences <= more.sentences and less.size < more.size
    assert result[0].pieces < result[-1].pieces


def test_coverage_is_counted_by_hand():
    words = Shortlist(["."], {"a": ["x", "y"], "b": ["z"]}, CONFIG)
    result = shortlist.coverage(words, [(["a", "</s>"], ["x", "."]), (["b"], ["x", "z", "w", "</s>"])])
    assert result == shortlist.Coverage(pieces=4 / 6, sentences=1 / 2, size=(5 + 4) / 2)


@pytest.mark.parametrize("beam_size", [1, 4])
def test_ctranslate2_keeps_to_it(built, model, tokenizer, beam_size):
    free = output(Translator(model), tokenizer, beam_size)
    built.write(model)
    bound = output(Translator(model), tokenizer, beam_size)
    assert any(not set(target) <= built.allowed(source) for source, target in free)
    assert all(set(target) <= built.allowed(source) for source, target in bound)
    assert output(Translator(model, shortlist=False), tokenizer, beam_size) == free


def test_a_piece_allows_what_its_line_states(model, tokenizer):
    """Two sentences of one batch share what either may use."""
    first, second = (tokenizer.source.processor.encode(text, out_type=str)[-2:] for text in ("ban", "der"))
    chosen = [piece for piece in tokenizer.target.tokens[2:-1] if not piece.startswith("<")][:40]
    lists = {piece: chosen[:20] for piece in first} | {piece: chosen[20:] for piece in second if piece not in first}
    Shortlist([], lists, CONFIG).write(model)
    translator = Translator(model)
    alone = [set(translator.hypotheses([text])[0][0].tokens) - {"<unk>"} for text in ("ban", "der")]
    together = [set(result[0].tokens) - {"<unk>"} for result in translator.hypotheses(["ban", "der"])]
    assert alone[0] and alone[0] <= set(chosen[:20])
    assert set().union(*alone, *together) <= set(chosen)


@pytest.mark.parametrize("beam_size", [1, 4])
def test_a_shortlist_of_everything_changes_nothing(model, tokenizer, beam_size):
    free = output(Translator(model), tokenizer, beam_size)
    everything(tokenizer).write(model)
    assert Translator(model).shortlist and output(Translator(model), tokenizer, beam_size) == free


def test_it_is_written_whole_or_not_at_all(built, model, monkeypatch):
    built.write(model, shortlist.Coverage(0.5, 0.25, 100.0))
    before = {path.name: path.read_bytes() for path in model.iterdir()}
    facts = json.loads(before["distilmt.json"])
    covered = {"pieces": 0.5, "sentences": 0.25, "size": 100.0}
    assert facts["shortlist"] == {"best": 5, "frequent": 10, "hypotheses": 1, "sentences": 200_000, "coverage": covered}
    assert facts["max_positions"] == 64

    def full(*_):
        raise OSError("no space left")

    with monkeypatch.context() as patched:
        patched.setattr("os.fsync", full)
        with pytest.raises(OSError, match="no space"):
            replace(built, always=[]).write(model)
    assert {path.name: path.read_bytes() for path in model.iterdir()} == before
    built.write(model)
    assert (model / "vmap.txt").read_bytes() == before["vmap.txt"], "written again it is the same"
    assert "coverage" not in json.loads((model / "distilmt.json").read_text())["shortlist"]


def test_the_file_holds_the_shortlist(built, model):
    built.write(model)
    lines = [line.split("\t") for line in (model / "vmap.txt").read_text(encoding="utf-8").split("\n")[:-1]]
    assert {source: result.split(" ") for source, result in lines} == {"": built.always} | built.by_piece


def store_of(directory, tokenizer, rows, reference=True):
    header = {"teacher": "t", "tokenizer": tokenizer.fingerprint, "decoding": {}, "target_vocab_size": 420}
    writer = LabelWriter(directory, header, 0)
    sources, targets = toy.pairs(rows, seed=6, chinese=not tokenizer.shared)
    tokens = tokenizer.target.encode(targets)
    for start in range(0, rows, 16):
        part = range(start, min(start + 16, rows))
        output = [[("", [*tokens[i][:1], n + 2, 0], -1.0) for n in range(2)] if i % 3 else [] for i in part]
        received = [tokens[i] if reference else None for i in part]
        writer.write_shard(
            [
                LabelRow(str(i), sources[i], targets[i] if reference else None, h, reference_tokens=r)
                for i, h, r in zip(part, output, received, strict=True)
            ]
        )
    writer.finish()
    return LabelStore(directory), tokenizer.source.encode(sources), tokens


def test_labels_are_read_pair_by_pair(tmp_path, tokenizer):
    labels, sources, targets = store_of(tmp_path / "labels", tokenizer, 40)
    for hypotheses in (0, 1, 5):
        expected = [
            (source, received)
            for i, (source, target) in enumerate(zip(sources, targets, strict=True))
            for received in (target, *([*target[:1], n + 2, 0] for n in range(min(hypotheses, 2) if i % 3 else 0)))
        ]
        config = replace(CONFIG, hypotheses=hypotheses)
        assert list(shortlist.label_pairs(labels, tokenizer, config)) == expected
    without = store_of(tmp_path / "without", tokenizer, 9, reference=False)[0]
    assert len(list(shortlist.label_pairs(without, tokenizer, CONFIG))) == 6


@pytest.mark.parametrize("most", [1, 7, 13, 39, 40, 1000])
def test_big_labels_are_sampled_evenly(tmp_path, shared_tokenizer, most):
    labels, sources, _ = store_of(tmp_path / "labels", shared_tokenizer, 40)
    config = replace(CONFIG, hypotheses=0, sentences=most)
    result = [source for source, _ in shortlist.label_pairs(labels, shared_tokenizer, config)]
    where = [sources.index(source) for source in result]
    assert where[0] == 0 and len(where) <= most and len(set(np.diff(where))) <= 1
    assert len(where) == 40 if most >= 40 else len(where) * 2 > min(most, 20)


def test_bad_input_is_reported_in_one_line(tmp_path, built, model, tokenizer, shared_tokenizer, split_tokenizer):
    other = split_tokenizer if tokenizer.shared else shared_tokenizer
    labels = store_of(tmp_path / "labels", other, 3)[0]
    strange = replace(built, by_piece={"▁ban": ["▁nowhere"]})
    cases = [
        (lambda: shortlist.build([], tokenizer, CONFIG), "no translations to build a shortlist from"),
        (lambda: shortlist.build([], tokenizer, replace(CONFIG, best=-1)), "shortlist best is -1"),
        (lambda: shortlist.build([], tokenizer, replace(CONFIG, frequent=-2)), "shortlist frequent is -2"),
        (lambda: shortlist.build([], tokenizer, replace(CONFIG, hypotheses=-1)), "shortlist hypotheses is -1"),
        (lambda: shortlist.build([], tokenizer, replace(CONFIG, sentences=0)), "sentences is 0: it must be ≥ 1"),
        (lambda: list(shortlist.label_pairs(labels, tokenizer, CONFIG)), "made with another tokenizer"),
        (lambda: shortlist.coverage(built, []), "no translations to measure"),
        (lambda: built.write(tmp_path), "is not an exported model"),
        (lambda: strange.write(model), "has no target token '▁nowhere'"),
        (lambda: Translator(model, shortlist=True), r"has no shortlist \(vmap.txt is missing\)"),
    ]
    for call, message in cases:
        with pytest.raises(UserError, match=message) as result:
            call()
        assert "\n" not in str(result.value)
    assert not (model / "vmap.txt").exists()


def test_without_the_aligner_it_states_what_to_install(monkeypatch, shared_tokenizer):
    monkeypatch.setitem(sys.modules, "thot.alignment", None)
    with pytest.raises(UserError, match=r"pip install '\.\[shortlist\]'"):
        shortlist.build(pairs(shared_tokenizer), shared_tokenizer, CONFIG)
