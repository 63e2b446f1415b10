"""Targets: by hand, and what holds for any."""

import numpy as np
import pytest
from helpers.examples import example_count
from hypothesis import given, settings
from hypothesis import strategies as st

from distilmt.classification.targets import NO_LABEL, DistillationTargets, aligned, centred_logits, expand, of_labels

CLASSES = np.array(["a", "b", "c"])


def targets(alpha: float = 0.5, temperature: float = 1.0) -> DistillationTargets:
    soft = np.array([[0.64, 0.32, 0.04], [0.0, 1.0, 0.0]])
    return DistillationTargets(CLASSES, soft, np.array([1, NO_LABEL]), alpha, temperature)


def test_mixed_by_hand():
    np.testing.assert_allclose(targets(alpha=0.25).mixed(), [[0.48, 0.49, 0.03], [0.0, 0.75, 0.0]])


def test_temperature_two_takes_square_roots():
    roots = np.sqrt([0.64, 0.32, 0.04])
    np.testing.assert_allclose(targets(0.0, 2.0).mixed()[0], roots / roots.sum())


def test_labels_alone_are_one_hot():
    np.testing.assert_array_equal(targets(alpha=1.0, temperature=3.0).mixed(), [[0, 1, 0], [0, 0, 0]])
    np.testing.assert_array_equal(of_labels(np.array([2, 0]), CLASSES).mixed(), [[0, 0, 1], [1, 0, 0]])


def test_one_class_is_no_choice():
    with pytest.raises(ValueError, match=r"1 class\(es\), \['a'\]"):
        DistillationTargets(CLASSES[:1], np.ones((2, 1)), np.zeros(2, int), 0.5)


def test_expansion_by_hand():
    result = expand(np.array([[0.7, 0.2, 0.1], [0.0, 0.5, 0.0]]), keep=0.85)
    assert result.rows.tolist() == [0, 0, 0, 1]  # c is kept where it weighs most, though 0.9 were enough
    assert result.labels.tolist() == [0, 1, 2, 1]
    np.testing.assert_allclose(result.weights, [0.7, 0.2, 0.1, 0.5])
    result = expand(np.array([[0.7, 0.2, 0.1], [0.1, 0.2, 0.7]]), keep=0.85)
    assert result.rows.tolist() == [0, 0, 1, 1]
    np.testing.assert_allclose(result.weights, [7 / 9, 2 / 9, 2 / 9, 7 / 9])


def test_logits_by_hand():
    np.testing.assert_allclose(centred_logits(np.array([[0.8, 0.2]])), [[np.log(2), -np.log(2)]])
    assert np.abs(centred_logits(np.array([[1.0, 0.0]]))).max() == pytest.approx(np.log(1e4) / 2)


def test_columns_go_to_their_classes():
    result = aligned(np.array([[0.9, 0.1]]), np.array(["c", "a"]), CLASSES)
    np.testing.assert_array_equal(result, [[0.1, 0.0, 0.9]])


@st.composite
def any_targets(draw) -> DistillationTargets:
    rows, classes = draw(st.integers(1, 8)), draw(st.integers(2, 6))
    random = np.random.default_rng(draw(st.integers(0, 10_000)))
    soft = random.dirichlet(np.full(classes, draw(st.sampled_from([0.05, 1.0, 20.0]))), rows)
    labels = random.integers(-1, classes, rows)
    return DistillationTargets(
        np.arange(classes), soft, labels, draw(st.sampled_from([0.0, 0.3, 1.0])), draw(st.sampled_from([0.5, 1.0, 4.0]))
    )


@settings(deadline=None, max_examples=example_count(100))
@given(any_targets())
def test_rows_weigh_one_with_a_label_and_the_teachers_share_without(result):
    expected = np.where(result.labels == NO_LABEL, 1 - result.alpha, 1.0)
    np.testing.assert_allclose(result.mixed().sum(1), expected, atol=1e-12)


@settings(deadline=None, max_examples=example_count(100))
@given(any_targets(), st.floats(0.01, 1.0))
def test_expansion_keeps_weights_classes_and_likeliest(result, keep):
    mixed = result.mixed()
    copies = expand(mixed, keep)
    assert (copies.weights > 0).all()
    back = np.zeros_like(mixed)
    back[copies.rows, copies.labels] = copies.weights
    np.testing.assert_allclose(back.sum(1), mixed.sum(1), atol=1e-12)
    assert set(copies.labels) == set(np.flatnonzero(mixed.sum(0) > 0))
    best = mixed.max(1)
    assert np.all(back[np.arange(len(mixed)), mixed.argmax(1)] >= best - 1e-12)
    remaining = np.where(back > 0, mixed, 0).sum(1)
    assert np.all(remaining >= keep * mixed.sum(1) - 1e-9)


@settings(deadline=None, max_examples=50)
@given(any_targets())
def test_expansion_of_everything_is_the_target(result):
    mixed = result.mixed()
    copies = expand(mixed)
    back = np.zeros_like(mixed)
    back[copies.rows, copies.labels] = copies.weights
    np.testing.assert_allclose(back, mixed, atol=1e-9)


@settings(deadline=None, max_examples=50)
@given(any_targets())
def test_logits_go_back_to_the_distribution(result):
    distribution = np.maximum(result.soft, 1e-3)
    distribution /= distribution.sum(1, keepdims=True)
    logits = centred_logits(distribution)
    back = np.exp(logits)
    np.testing.assert_allclose(back / back.sum(1, keepdims=True), distribution)
    np.testing.assert_allclose(logits.sum(1), 0, atol=1e-9)
