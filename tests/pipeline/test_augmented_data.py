"""`student.augmentation` reaches the training of student and baseline."""

from dataclasses import replace

import numpy as np
import pytest

from distilmt.config import AugmentationConfig, RunConfig
from distilmt.data import tokenizer as tokenizers
from distilmt.pipeline.steps.augmented_data import augmented
from distilmt.pipeline.steps.signature import signature
from distilmt.pipeline.steps.train import student_job


@pytest.fixture(scope="module")
def config(finished_run):
    return RunConfig.from_yaml(finished_run / "config.yaml")


def with_augmentation(config, **fractions):
    return replace(config, student=replace(config.student, augmentation=AugmentationConfig(**fractions)))


def job_of(config):
    return student_job(config, config.paths, tokenizers.load(config.paths.tokenizer))[0]


def test_by_default_the_data_are_as_ever(config):
    job = job_of(config)
    assert job.augmentation is None and job.data_in_epoch(1) is job.data
    data, augmentation = augmented(config, job.data, lambda: pytest.fail("read"), None)
    assert data is job.data and augmentation is None
    assert "augmentation" not in signature(config)


def test_disturbed_and_added_sentences_are_trained_on(config):
    plain, job = job_of(config), job_of(with_augmentation(config, typos=0.5, joined=0.25, copies=0.1))
    count = len(plain.data.source)
    assert len(job.data.source) == count + round(0.25 * count) + round(0.1 * count)
    assert len(job.data.hypothesis.usable) == len(job.data.reference.usable) == len(job.data.source)
    first, second = (job.data_in_epoch(epoch).source.flat for epoch in (0, 1))
    assert not np.array_equal(first, second)
    assert "augmentation:typos0.5+copies0.1+joined0.25" in signature(
        with_augmentation(config, typos=0.5, joined=0.25, copies=0.1)
    )


def test_additions_alone_need_no_epochs(config):
    job = job_of(with_augmentation(config, joined=0.1))
    assert job.augmentation is None and len(job.data.source) > len(job_of(config).data.source)


def test_what_is_copied_is_not_disturbed(config):
    job = job_of(with_augmentation(config, typos=1.0, copies=0.5))
    begin = len(job_of(config).data.source)
    assert len(job.augmentation.texts) == begin < len(job.data.source)
    clean, disturbed = (data.source.flat[data.source.offsets[begin] :] for data in (job.data, job.data_in_epoch(0)))
    assert np.array_equal(clean, disturbed)
    assert not np.array_equal(job.data.source.flat, job.data_in_epoch(0).source.flat)
