"""Additional sentences: their sources and targets match, and the teacher's distributions stay at their tokens."""

import random

import numpy as np
import pytest
from helpers import toy
from helpers.examples import example_count
from hypothesis import given, settings
from hypothesis import strategies as st

from distilmt.config import AugmentationConfig
from distilmt.training.additional_sentences import with_additional_sentences, with_item
from distilmt.training.batching import Ragged, TargetSide, TrainingSet, collate, epoch_batches
from distilmt.training.copied_items import copied_items

K = 3


def training_set(tokenizer, chinese=False, count=60, top=True):
    """The teacher's log-probability of a token is its position, so that it can be recognized."""
    sources, targets = toy.pairs(count, chinese=chinese)
    tokens = Ragged.of(tokenizer.target.encode(targets))
    usable = np.arange(count) % 5 != 0
    hypothesis = TargetSide(tokens, usable)
    if top:
        hypothesis.top_ids = ((tokens.flat[:, None] + np.arange(K)) % 90).astype(np.uint16)
        hypothesis.top_logprobs = -np.arange(len(tokens.flat), dtype=np.float16)[:, None].repeat(K, 1)
    reference = TargetSide(tokens, np.ones(count, dtype=bool))
    return TrainingSet(Ragged.of(tokenizer.source.encode(sources)), reference, hypothesis, tokenizer.pad, 0.0), sources


def texts_of(side, tokenizer, begin):
    parts = np.split(side.tokens.flat, side.tokens.offsets[1:-1])[begin:]
    return tokenizer.target.decode([part.tolist() for part in parts])


def is_chinese(tokenizer):
    return not tokenizer.shared


def test_items_are_copied_on_both_sides(tokenizer):
    data, sources = training_set(tokenizer, is_chinese(tokenizer))
    result, texts, _ = with_additional_sentences(data, sources, tokenizer, AugmentationConfig(copies=0.5), 1)
    added = texts[len(sources) :]
    assert texts[: len(sources)] == sources and len(added) == 30 == len(result.source) - len(sources)
    targets = texts_of(result.hypothesis, tokenizer, len(sources))
    digits = [c for c in zip(added, targets, strict=True) if any(map(str.isdigit, c[0]))]
    assert digits
    for source, target in zip(added, targets, strict=True):
        assert sorted(c for c in source if c.isdigit()) == sorted(c for c in target if c.isdigit())


def test_distributions_stay_at_the_tokens_of_the_label(tokenizer):
    data, sources = training_set(tokenizer, is_chinese(tokenizer))
    config = AugmentationConfig(copies=0.4, joined=0.4)
    result, _, _ = with_additional_sentences(data, sources, tokenizer, config, 2)
    side, labels = result.hypothesis, data.hypothesis
    assert len(side.top_ids) == len(side.tokens.flat) == side.tokens.offsets[-1]
    new = slice(len(labels.tokens.flat), None)
    tokens, logprobs, ids = side.tokens.flat[new], side.top_logprobs[new], side.top_ids[new]
    certain = np.isneginf(logprobs[:, 1])
    assert certain.any() and not certain.all()
    assert (logprobs[certain, 0] == 0).all() and np.array_equal(ids[certain, 0], tokens[certain])
    positions = -logprobs[~certain, 0].astype(int)
    assert np.array_equal(tokens[~certain], labels.tokens.flat[positions])
    assert all(len(set(row)) == K for row in ids[certain].tolist())


def test_joined_sentences_have_both_targets(tokenizer):
    data, sources = training_set(tokenizer, is_chinese(tokenizer))
    result, texts, _ = with_additional_sentences(data, sources, tokenizer, AugmentationConfig(joined=0.5), 3)
    targets = dict(zip(sources, texts_of(data.hypothesis, tokenizer, 0), strict=True))
    for text, target in zip(texts[60:], texts_of(result.hypothesis, tokenizer, 60), strict=True):
        first, _, second = text.partition(". ")
        assert target.replace(" ", "") == (targets[first + "."] + targets[second]).replace(" ", "")
    assert not np.isneginf(result.hypothesis.top_logprobs).any()


def test_short_sentences_reach_their_fraction(shared_tokenizer):
    data, sources = training_set(shared_tokenizer, count=200)
    config = AugmentationConfig(short_sentences=0.5)
    _, texts, _ = with_additional_sentences(data, sources, shared_tokenizer, config, 1)
    short = [text for text in texts if len(text.split()) <= 3]
    assert len(short) / len(texts) == pytest.approx(0.5, abs=0.01)
    assert {*texts[200:]} <= {*sources}
    most = with_additional_sentences(data, sources, shared_tokenizer, AugmentationConfig(short_sentences=0.9), 1).texts
    assert max(most.count(text) for text in {*most}) <= 10


def test_unusable_labels_are_not_used_in_new_sentences(shared_tokenizer):
    data, sources = training_set(shared_tokenizer)
    data.reference = None
    result, _, _ = with_additional_sentences(data, sources, shared_tokenizer, AugmentationConfig(joined=1.0), 1)
    assert result.hypothesis.usable[60:].all()
    for rows, use_reference in epoch_batches(result, 300, 1, 0):
        _, targets = collate(result, rows, use_reference)
        assert len(targets.ids) == len(targets.top_ids) == len(targets.top_logprobs)


def test_without_distributions(shared_tokenizer):
    data, sources = training_set(shared_tokenizer, top=False)
    result, _, _ = with_additional_sentences(data, sources, shared_tokenizer, AugmentationConfig(copies=0.2), 1)
    assert result.hypothesis.top_ids is None and len(result.hypothesis.usable) == len(result.source)


def test_the_same_seed_adds_the_same(shared_tokenizer):
    config = AugmentationConfig(copies=0.3, joined=0.1, short_sentences=0.2)
    once, again, other = (
        with_additional_sentences(*training_set(shared_tokenizer), shared_tokenizer, config, seed).texts
        for seed in (1, 1, 2)
    )
    assert once == again != other


@given(st.integers(0, 10_000), st.integers(0, 4), st.sampled_from(["A dog runs.", "一只狗在跑。", "Why?", "no mark"]))
@settings(max_examples=example_count(100), deadline=None)
def test_a_sentence_with_an_item_has_both(seed, form, text):
    item = f"x{seed}"
    result = with_item(text, item, form)
    assert item in result
    assert set(text.rstrip(".。?")) <= set(result)


def test_items_that_the_vocabulary_can_write(shared_tokenizer):
    items = copied_items(["garden", "Straße"], shared_tokenizer, 200, random.Random(1))
    assert len({*items}) > 150
    assert shared_tokenizer.target.decode(shared_tokenizer.target.encode(items)) == items
    assert all(item == item.strip() and item.isascii() for item in items)
    assert any(item.startswith("https://") for item in items) and any("@" in item for item in items)
