import numpy as np
import pytest
import torch
from helpers.examples import example_count
from hypothesis import given, settings
from hypothesis import strategies as st

from distilmt.models.batch import make_batch
from distilmt.training.batching import (
    Ragged,
    TargetSide,
    TrainingSet,
    collate,
    epoch_batches,
    token_batches,
)

PAD, VOCABULARY, K = 60, 60, 3


def sequences(random, count, longest=30):
    """Every token identifies its sentence only together with its neighbours: all are random."""
    return [[*random.integers(2, VOCABULARY, n).tolist(), 0] for n in random.integers(0, longest, count)]


def side(random, count, usable=0.9, top=False, longest=30):
    tokens = Ragged.of(sequences(random, count, longest))
    result = TargetSide(tokens, random.random(count) < usable)
    if top:
        result.top_ids = (tokens.flat[:, None] + np.arange(K)).astype(np.uint16) % VOCABULARY
        result.top_logprobs = np.log(np.array([0.6, 0.3, 0.05]))[None].repeat(len(tokens.flat), 0).astype(np.float16)
    return result


def training_set(seed=0, count=200, reference=True, hypothesis=True, **settings):
    random = np.random.default_rng(seed)
    return TrainingSet(
        Ragged.of(sequences(random, count)),
        side(random, count, top=settings.pop("reference_top", False)) if reference else None,
        side(random, count, 0.8, top=settings.pop("hypothesis_top", False)) if hypothesis else None,
        PAD,
        **{"reference_share": 0.5, "max_length": 25} | settings,
    )


def sample(data, tokens=200, seed=1, epoch=0):
    """Row to whether its reference is the target, over a whole epoch."""
    result = [pair for rows, refs in epoch_batches(data, tokens, seed, epoch) for pair in zip(rows, refs, strict=True)]
    assert len(result) == len(dict(result))
    return {int(row): bool(reference) for row, reference in result}


def fits(data, name):
    of = getattr(data, name)
    if of is None:
        return np.zeros(len(data.source), bool)
    return of.usable & (of.tokens.lengths <= data.max_length)


@given(st.integers(0, 10_000), st.integers(1, 300), st.integers(1, 400), st.sampled_from([0.0, 0.3, 1.0]))
@settings(max_examples=example_count(60), deadline=None)
def test_every_usable_row_once_within_the_bound(seed, count, tokens, share):
    data = training_set(seed, count, reference_share=share)
    result = sample(data, tokens, seed)
    usable = (fits(data, "reference") | fits(data, "hypothesis")) & (data.source.lengths <= data.max_length)
    assert set(result) == set(np.flatnonzero(usable))
    for rows, references in epoch_batches(data, tokens, seed, 0):
        longer = max(data.lengths(rows, references).sum(), data.source.lengths[rows].sum())
        assert len(rows) == 1 or longer <= tokens


def test_targets_that_cannot_be_used_are_replaced():
    data = training_set(4)
    for share, first, second in ((1.0, "reference", "hypothesis"), (0.0, "hypothesis", "reference")):
        data.reference_share = share
        for row, reference in sample(data).items():
            chosen = first if fits(data, first)[row] else second
            assert reference == (chosen == "reference")
            assert fits(data, chosen)[row]
    assert any(not fits(data, "hypothesis")[row] for row in sample(data))


def test_share_of_references_is_sampled_anew_every_epoch():
    data = training_set(2, 2000, reference_share=0.25)
    both = fits(data, "reference") & fits(data, "hypothesis")
    epochs = [{row: ref for row, ref in sample(data, epoch=e).items() if both[row]} for e in range(2)]
    for result in epochs:
        assert np.mean(list(result.values())) == pytest.approx(0.25, abs=0.04)
    assert epochs[0] != epochs[1]


@pytest.mark.parametrize("kind", ["reference", "hypothesis"])
def test_one_kind_of_target_is_enough(kind):
    data = training_set(5, reference=kind == "reference", hypothesis=kind == "hypothesis")
    result = sample(data)
    assert len(result) > 100 and set(result.values()) == {kind == "reference"}


def test_same_seed_same_batches():
    def plan(seed, epoch):
        result = epoch_batches(training_set(1), 150, seed, epoch)
        return [(rows.tolist(), refs.tolist()) for rows, refs in result]

    assert plan(1, 0) == plan(1, 0)
    assert plan(1, 0) != plan(2, 0)
    assert plan(1, 0) != plan(1, 1)


def test_batches_are_full_and_mixed():
    data = training_set(3, 3000)
    plan = epoch_batches(data, 1000, 1, 0)
    sizes = [max(data.lengths(*batch).sum(), data.source.lengths[batch[0]].sum()) for batch in plan]
    # What does not fit any more has at most 24 words: nothing longer than max_length, 25, is drawn.
    assert min(sizes[:-1]) > 1000 - 25
    spread = [data.lengths(*batch).std() for batch in plan[:-1]]
    assert np.mean(spread) == pytest.approx(np.concatenate([data.lengths(*batch) for batch in plan]).std(), rel=0.05)


@given(st.lists(st.tuples(st.integers(1, 30), st.integers(0, 30)), max_size=40), st.integers(1, 100))
@settings(deadline=None)
def test_cut_takes_as_much_as_fits(lengths, tokens):
    source, target = np.array(lengths, dtype=np.int64).reshape(-1, 2).T
    parts = token_batches(source, target, tokens)
    assert [i for part in parts for i in range(len(lengths))[part]] == list(range(len(lengths)))
    for part in parts:
        sides = source[part].sum(), target[part].sum()
        assert part.stop == part.start + 1 or max(sides) <= tokens
        if part.stop < len(lengths):
            assert max(sides[0] + source[part.stop], sides[1] + target[part.stop]) > tokens


@given(st.integers(0, 10_000), st.booleans(), st.booleans(), st.sampled_from([0.0, 0.5, 1.0]))
@settings(max_examples=example_count(80), deadline=None)
def test_collate_keeps_words_and_labels_together(seed, reference_top, hypothesis_top, share):
    data = training_set(seed, 60, reference_share=share, reference_top=reference_top, hypothesis_top=hypothesis_top)
    for rows, references in epoch_batches(data, 200, seed, 0):
        batch, targets = collate(data, rows, references)
        order = [*rows[references], *rows[~references]]
        kinds = [data.reference] * int(references.sum()) + [data.hypothesis] * int((~references).sum())
        assert torch.equal(batch.target.ids, targets.ids)
        begin = 0
        for i, (row, kind) in enumerate(zip(order, kinds, strict=True)):
            source, target = (r.flat[r.positions(np.array([row]))].tolist() for r in (data.source, kind.tokens))
            assert batch.source.ids[batch.source.sentences == i].tolist() == source
            assert batch.target.ids[batch.target.sentences == i].tolist() == target
            assert batch.decoder_input[batch.target.sentences == i].tolist() == [PAD, *target[:-1]]
            end = begin + len(target)
            assert targets.ids[begin:end].tolist() == target
            if targets.top_ids is not None:
                check_top(targets, kind, row, begin, end)
            begin = end
        assert begin == len(targets.ids)
        assert (targets.top_ids is not None) == (reference_top or hypothesis_top)


def check_top(targets, kind, row, begin, end):
    ids, logprobs = targets.top_ids[begin:end], targets.top_logprobs[begin:end]
    assert all(len(set(line)) == K for line in ids.tolist())
    assert int(ids.min()) >= 0 and int(ids.max()) < VOCABULARY
    if kind.top_ids is None:  # no teacher: all probability is on the reference token
        assert ids[:, 0].tolist() == targets.ids[begin:end].tolist()
        assert logprobs.exp().tolist() == [[1.0, 0.0, 0.0]] * (end - begin)
    else:
        at = kind.tokens.positions(np.array([row]))
        assert ids.tolist() == kind.top_ids[at].tolist()
        torch.testing.assert_close(logprobs, torch.from_numpy(kind.top_logprobs[at].astype(np.float32)))


def test_ragged_positions():
    ragged = Ragged.of([[1, 2, 3], [], [4], [5, 6]])
    assert len(ragged) == 4 and ragged.lengths.tolist() == [3, 0, 1, 2]
    assert ragged.flat[ragged.positions(np.array([3, 0, 1, 2]))].tolist() == [5, 6, 1, 2, 3, 4]


def test_make_batch():
    batch = make_batch(np.array([5, 0, 0]), np.array([2, 1]), np.array([0, 7, 0]), np.array([1, 2]), 9)
    assert batch.source.ids.tolist() == [5, 0, 0] and batch.source.positions.tolist() == [0, 1, 0]
    assert batch.target.ids.tolist() == [0, 7, 0] and batch.target.sentences.tolist() == [0, 1, 1]
    assert batch.decoder_input.tolist() == [9, 9, 7]
    assert batch.blocks == [(4, 32)]
