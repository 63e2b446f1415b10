"""The network: its loss by hand and by torch, and that it learns."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from sklearn.base import clone
from torch.nn import functional as F

from distilmt.classification import NetworkClassifier
from distilmt.classification.network import Mixture, mixture_loss
from distilmt.classification.targets import NO_LABEL, DistillationTargets

LOGITS = torch.tensor([[2.0, 0.0, -1.0], [0.5, 0.5, 0.0]], dtype=torch.float64)
SOFT = torch.tensor([[0.7, 0.2, 0.1], [0.1, 0.1, 0.8]], dtype=torch.float64)
LABELS = torch.tensor([1, NO_LABEL])


def test_loss_is_hintons():
    result = mixture_loss(LOGITS, SOFT, LABELS, Mixture(0.3, 2.0))
    softened = (SOFT.log() / 2).softmax(-1)
    soft = -4 * (softened * (LOGITS / 2).log_softmax(-1)).sum(-1)
    hard = torch.stack([F.cross_entropy(LOGITS[0], LABELS[0]), torch.tensor(0.0)])
    torch.testing.assert_close(result, 0.3 * hard + 0.7 * soft)


def test_extremes_of_alpha_leave_the_other_term_out():
    torch.testing.assert_close(
        mixture_loss(LOGITS, SOFT, LABELS, Mixture(1.0, 2.0))[0], F.cross_entropy(LOGITS[0], LABELS[0])
    )
    torch.testing.assert_close(
        mixture_loss(LOGITS, SOFT, LABELS, Mixture(0.0)), -(SOFT * LOGITS.log_softmax(-1)).sum(-1)
    )


@settings(deadline=None, max_examples=20)
@given(st.sampled_from(["reverse_kl", "js", "tv", "symmetric_kl", "skewed_kl"]), st.floats(0.5, 5.0))
def test_divergences_are_zero_at_the_teacher(kind, temperature):
    result = mixture_loss(SOFT.log() + 3, SOFT, LABELS, Mixture(0.0, temperature, kind))
    assert result.abs().max() < 1e-9
    assert mixture_loss(LOGITS, SOFT, LABELS, Mixture(0.0, temperature, kind)).min() > 1e-6


def test_kl_has_the_gradients_of_the_divergence():
    logits = LOGITS.clone().requires_grad_()
    (one,) = torch.autograd.grad(mixture_loss(logits, SOFT, LABELS, Mixture(0.0, 3.0)).sum(), logits)
    entropy = F.kl_div((logits / 3).log_softmax(-1), (SOFT.log() / 3).softmax(-1), reduction="sum") * 9
    (other,) = torch.autograd.grad(entropy, logits)
    torch.testing.assert_close(one, other)


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_learns_labels_densely_and_sparsely_alike(data, optimizer):
    X, y, X_test, y_test = data
    rate = 0.01 if optimizer == "adam" else 0.05
    network = NetworkClassifier((32,), epochs=15, learning_rate=rate, optimizer=optimizer, random_state=0)
    first = network.fit(X, y).predict_proba(X_test)
    assert network.score(X_test, y_test) > 0.85
    assert network.loss_curve_[-1] < network.loss_curve_[0] / 2
    assert (network.n_updates_, network.n_iter_, len(network.loss_curve_)) == (75, 15, 15)
    again = clone(network).fit(sparse.csr_matrix(X), y).predict_proba(sparse.csr_matrix(X_test))
    np.testing.assert_allclose(first, again, atol=1e-5)


@pytest.mark.parametrize("kind", ["kl", "reverse_kl", "js", "tv"])
def test_soft_targets_alone_are_reproduced(data, kind):
    X = data[0]
    soft = np.stack([1 / (1 + np.exp(-X[:, 0])), 1 / (1 + np.exp(X[:, 0]))], axis=1)
    targets = DistillationTargets(np.array([0, 1]), soft, np.full(len(X), NO_LABEL), 0.0)
    network = NetworkClassifier((), epochs=60, learning_rate=0.05, divergence=kind, random_state=0)
    result = network.fit_soft(X, targets).predict_proba(X)
    assert np.abs(result - soft).mean() < 0.05


def test_temperature_does_not_move_the_optimum(data):
    X = data[0]
    soft = np.stack([1 / (1 + np.exp(-X[:, 0])), 1 / (1 + np.exp(X[:, 0]))], axis=1)
    targets = DistillationTargets(np.array([0, 1]), soft, np.full(len(X), NO_LABEL), 0.0, temperature=4.0)
    network = NetworkClassifier((), epochs=60, learning_rate=0.05, random_state=0).fit_soft(X, targets)
    assert np.abs(network.predict_proba(X) - soft).mean() < 0.05


def test_updates_can_be_given(data):
    X, y, *_ = data
    network = NetworkClassifier((4,), updates=7, batch_size=100).fit(X, y)
    assert (network.n_updates_, network.n_iter_, len(network.loss_curve_)) == (7, 3, 3)


def test_weights_of_zero_leave_rows_out(data):
    X, y, X_test, y_test = data
    wrong = np.where(np.arange(len(y)) % 2 == 0, "x", y)
    weights = (np.arange(len(y)) % 2).astype(float)
    network = NetworkClassifier((32,), epochs=30, learning_rate=0.01, random_state=0)
    assert network.fit(X, wrong, sample_weight=weights).score(X_test, y_test) > 0.85


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"optimizer": "lion"}, "optimizer is 'lion': use one of adam, sgd"),
        ({"divergence": "mse"}, "divergence is 'mse'"),
        ({"epochs": 0}, "epochs is 0"),
        ({"updates": 0}, "updates is 0"),
    ],
)
def test_settings_out_of_range_are_named(data, settings, message):
    with pytest.raises(ValueError, match=message):
        NetworkClassifier(**settings).fit(*data[:2])
