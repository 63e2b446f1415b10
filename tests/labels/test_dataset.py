from dataclasses import replace

import numpy as np
import pytest
from helpers import toy

from distilmt.config import LabelConfig, ObjectiveConfig, TrainingConfig
from distilmt.labels.dataset import load_label_dataset
from distilmt.labels.rows import LabelRow
from distilmt.labels.store import LabelStore
from distilmt.labels.store_writer import LabelWriter
from distilmt.training.batching import TrainingSet, collate, epoch_batches

SOURCES, TARGETS = toy.pairs(6, seed=2)


def top(tokens, k=3):
    ids = (np.array(tokens)[:, None] + np.arange(k)) % 300
    return ids, np.log(np.array([[0.7, 0.2, 0.05]])).repeat(len(tokens), 0)


def written(directory, tokenizer, hypotheses, scored="both"):
    """A store with these hypotheses (ids) beside the toy's references."""
    header = {"teacher": "t", "tokenizer": "f", "decoding": {}, "target_vocab_size": len(tokenizer.target.tokens)}
    writer = LabelWriter(directory, header, 3 if scored != "none" else 0)
    rows = []
    for i, tokens in enumerate(hypotheses):
        reference = tokenizer.target.encode([TARGETS[i]])[0]
        rows.append(
            LabelRow(
                id=str(i),
                source=SOURCES[i],
                reference=TARGETS[i],
                hypotheses=[("text", tokens, -1.0)] if tokens else [],
                top=top(tokens) if tokens and scored in ("both", "hypothesis") else None,
                reference_tokens=reference if scored in ("both", "reference") else None,
                reference_top=top(reference) if scored in ("both", "reference") else None,
            )
        )
    writer.write_shard(rows)
    writer.finish()
    return LabelStore(directory)


@pytest.fixture
def hypotheses(shared_tokenizer):
    good = [ids for ids in shared_tokenizer.target.encode(TARGETS)]
    return [good[0], [0], [5] * 30 + [0], [], [9, 8, 7] * 30 + [0], good[5]]


@pytest.mark.parametrize("scored", ["both", "hypothesis", "reference", "none"])
def test_a_store_becomes_a_training_set(tmp_path, shared_tokenizer, hypotheses, scored):
    result = load_label_dataset(
        written(tmp_path, shared_tokenizer, hypotheses, scored), shared_tokenizer, LabelConfig(), 64
    )
    assert result.hypothesis.usable.tolist() == [True, False, False, False, False, True]
    assert sum(result.dropped.values()) == 4 and result.dropped["empty"] == 2
    assert result.reference.usable.all() and len(result.source) == 6
    encoded = shared_tokenizer.target.encode(TARGETS)
    for i in range(6):
        rows = np.array([i])
        source = result.source.flat[result.source.positions(rows)].tolist()
        assert source == shared_tokenizer.source.encode([SOURCES[i]])[0]
        assert result.reference.tokens.flat[result.reference.tokens.positions(rows)].tolist() == encoded[i]
        if hypotheses[i]:
            at = result.hypothesis.tokens.positions(rows)
            assert result.hypothesis.tokens.flat[at].tolist() == hypotheses[i]
            if scored in ("both", "hypothesis"):
                assert np.array_equal(result.hypothesis.top_ids[at], top(hypotheses[i])[0])
    assert (result.hypothesis.top_ids is not None) == (scored in ("both", "hypothesis"))
    assert (result.reference.top_ids is not None) == (scored in ("both", "reference"))


@pytest.mark.parametrize("scored", ["both", "hypothesis", "reference"])
def test_every_kind_of_store_can_be_trained_on(tmp_path, shared_tokenizer, hypotheses, scored):
    """Where the teacher scored one kind of target only, the other has tokens all the same: its own."""
    from distilmt.models.architectures import new_model
    from distilmt.training.train_step import Stepper

    result = load_label_dataset(
        written(tmp_path, shared_tokenizer, hypotheses, scored), shared_tokenizer, LabelConfig(), 64
    )
    pad = shared_tokenizer.pad
    data = TrainingSet(result.source, result.reference, result.hypothesis, pad, 0.5, 64)
    # A word at the very end of the vocabulary, as real text has.
    data.reference.tokens.flat[0] = pad - 1
    config = TrainingConfig(precision="fp32", max_steps=10, dropout=0.0)
    stepper = Stepper(new_model(toy.MICRO, shared_tokenizer, 0.0, 1), config, ObjectiveConfig(), 1)
    for rows, references in epoch_batches(data, 200, 1, 0):
        statistics = stepper.update(1, *collate(data, rows, references))
        assert all(np.isfinite(float(value)) for value in (statistics.nll, statistics.distillation, statistics.entropy))
        assert float(statistics.distillation) > float(statistics.entropy) >= 0


def test_limits_are_the_configurations(tmp_path, shared_tokenizer, hypotheses):
    store = written(tmp_path, shared_tokenizer, hypotheses)
    lax = replace(LabelConfig(), max_repetition=1000, max_length_ratio=1000.0)
    assert load_label_dataset(store, shared_tokenizer, lax, 1000).hypothesis.usable.tolist() == [
        True,
        False,
        True,
        False,
        True,
        True,
    ]
    assert load_label_dataset(store, shared_tokenizer, lax, 64).dropped["too_long"] == 1
