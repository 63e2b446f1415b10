"""Sources that change from epoch to epoch, and trainings on them."""

import pickle
from dataclasses import replace

import numpy as np
import pytest
import torch
from helpers import toy
from helpers.examples import example_count
from helpers.training import CONFIG, improving, job, model, weights
from hypothesis import given, settings
from hypothesis import strategies as st

from distilmt.config import AugmentationConfig
from distilmt.training import trainer
from distilmt.training.augmentation import SourceAugmentation
from distilmt.training.batching import epoch_batches
from distilmt.training.trainer import train

EVERYTHING = AugmentationConfig(lower_case=0.2, title_case=0.2, capitals=0.1, no_full_stop=0.3, typos=0.5)


def augmented_job(tokenizer, config=EVERYTHING, **changes):
    task = job(tokenizer, **changes)
    texts, _ = toy.pairs(len(task.data.source), seed=changes.get("corpus_seed", 0))
    return replace(task, augmentation=SourceAugmentation(texts, tokenizer.source, "en", config))


def rows(ragged):
    return [tuple(part) for part in np.split(ragged.flat, ragged.offsets[1:-1])]


@pytest.fixture(scope="module")
def task(shared_tokenizer):
    return augmented_job(shared_tokenizer)


@given(st.integers(0, 1000), st.integers(0, 50))
@settings(max_examples=example_count(20), deadline=None)
def test_an_epoch_is_the_same_every_time(task, seed, epoch):
    first, second = (replace(task, seed=seed).data_in_epoch(epoch) for _ in range(2))
    assert np.array_equal(first.source.flat, second.source.flat)
    assert np.array_equal(first.source.offsets, second.source.offsets)
    other = replace(task, seed=seed).data_in_epoch(epoch + 1)
    assert not np.array_equal(first.source.flat, other.source.flat)
    assert first.reference is task.data.reference  # the targets stay those of the clean sentences


def test_a_row_does_not_depend_on_the_others(task):
    """The first sentences have the same disturbances when a later one differs."""
    texts = [*task.augmentation.texts[:-1], "fin lur."]
    other = replace(task, augmentation=replace(task.augmentation, texts=texts))
    a, b = (rows(each.data_in_epoch(3).source) for each in (task, other))
    assert a[:-1] == b[:-1]


def test_fractions_are_those_of_the_configuration(shared_tokenizer):
    def changed(**fractions):
        task = augmented_job(shared_tokenizer, AugmentationConfig(**fractions), count=2000)
        pairs = zip(rows(task.data.source), rows(task.data_in_epoch(0).source), strict=True)
        return np.mean([a != b for a, b in pairs])

    assert changed(no_full_stop=0.25) == pytest.approx(0.25, abs=0.04)
    assert changed(no_full_stop=1.0) == 1.0
    assert changed(typos=0.0) == 0.0
    # The text is in lower case: what changes is the first letter, of half of the sentences.
    assert changed(title_case=0.3, lower_case=0.4) == pytest.approx(0.5, abs=0.05)


def test_disturbed_sentences_fit(shared_tokenizer):
    """In capitals every letter is several tokens: a sentence that becomes too long stays clean."""
    task = augmented_job(shared_tokenizer, AugmentationConfig(capitals=1.0))
    data = replace(task.data, max_length=20)
    result = task.augmentation.in_epoch(data, 1, 0)
    clean, disturbed = rows(data.source), rows(result.source)
    assert any(a != b for a, b in zip(clean, disturbed, strict=True))
    assert any(a == b for a, b in zip(clean, disturbed, strict=True))
    assert all(len(b) <= max(20, len(a)) for a, b in zip(clean, disturbed, strict=True))
    for batch, _ in epoch_batches(result, 200, 1, 0):
        assert len(batch) == 1 or result.source.lengths[batch].sum() <= 200


def test_characters_without_a_token_stay_out(shared_tokenizer):
    class Narrow:
        """Has no token for capitals."""

        def encode(self, texts):
            return [[1 if c.isupper() else 5 for c in text] + [0] for text in texts]

    task = augmented_job(shared_tokenizer, AugmentationConfig(capitals=1.0))
    result = replace(task.augmentation, tokenizer=Narrow()).in_epoch(task.data, 1, 0)
    assert np.array_equal(result.source.flat, task.data.source.flat)


def test_several_spaces_count_as_one(tokenizer):
    """So that no disturbance for them is needed."""
    assert tokenizer.source.encode(["fin  lur    ban."]) == tokenizer.source.encode(["fin lur ban."])


def test_other_processes_have_the_same(task):
    copy = pickle.loads(pickle.dumps(task))
    assert np.array_equal(copy.data_in_epoch(2).source.flat, task.data_in_epoch(2).source.flat)


def test_by_default_nothing_changes(task):
    assert replace(task, augmentation=None).data_in_epoch(4) is task.data


def test_resumed_training_makes_the_same_weights(tmp_path, shared_tokenizer, monkeypatch):
    class Interruption(Exception):
        pass

    config = replace(CONFIG, save_interval_seconds=0.0)
    straight, *_ = train(model(shared_tokenizer), augmented_job(shared_tokenizer), improving(), tmp_path / "straight")
    plain, *_ = train(model(shared_tokenizer), job(shared_tokenizer), improving(), tmp_path / "plain")
    update = trainer.Trainer.update

    def interrupted(self, *part):
        update(self, *part)
        if self.state.update == 13:
            raise Interruption

    monkeypatch.setattr(trainer.Trainer, "update", interrupted)
    task = replace(augmented_job(shared_tokenizer), config=config)
    with pytest.raises(Interruption):
        train(model(shared_tokenizer), task, improving(), tmp_path / "cut")
    monkeypatch.setattr(trainer.Trainer, "update", update)
    resumed, *_ = train(model(shared_tokenizer, 9), task, improving(2), tmp_path / "cut")
    assert torch.equal(weights(straight), weights(resumed))
    assert not torch.equal(weights(straight), weights(plain))
