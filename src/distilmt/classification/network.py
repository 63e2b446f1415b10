"""A feed-forward network as a scikit-learn classifier that can also learn from soft targets."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np
import torch
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import check_random_state
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data
from torch import Tensor, nn

from distilmt.classification.neural import dense
from distilmt.classification.targets import NO_LABEL, DistillationTargets, of_labels, softmax
from distilmt.classification.types import Labels, RandomState, Rows, RowsLike
from distilmt.config import Divergence, ObjectiveConfig
from distilmt.losses.cross_entropy import label_cross_entropy
from distilmt.losses.divergences import DIVERGENCES, cross_entropy_soft, divergence, parameter_values, soften, widened
from distilmt.models.device import pick_device

if TYPE_CHECKING:
    from sklearn.utils import Tags

_READ = 1 << 24
"""Maximum number of values that are made dense at a time: 64 MB in float32."""
_SKEW = 0.5
"""`skew_alpha` of the divergences that have it: teacher and student have equal parts in the mixture."""


class Mixture(NamedTuple):
    """Settings of `mixture_loss`."""

    alpha: float
    temperature: float = 1.0
    divergence: Divergence = "kl"


def mixture_loss(logits: Tensor, soft: Tensor, labels: Tensor, mixture: Mixture) -> Tensor:
    """α · CE(y, p) + (1 − α) · T² · D(q_T, p_T) of every row (Hinton et al. 2015, section 2).

    D is the cross-entropy for `kl`, which has the same gradients, else the divergence. A row without a label has only
    the second term.

    Args:
        logits: [n, K] of the student.
        soft: [n, K] the teacher's probabilities at temperature 1.
        labels: [n] indices, -1 for rows without a label.
        mixture: the weights.

    Returns:
        Nats per row, [n].
    """
    loss = logits.new_zeros(len(logits))
    if mixture.alpha > 0:
        hard = label_cross_entropy(logits, labels.clamp_min(0))
        loss = loss + mixture.alpha * torch.where(labels == NO_LABEL, 0.0, hard)
    if mixture.alpha < 1:
        loss = loss + (1 - mixture.alpha) * _soft_loss(logits, soft, mixture.temperature, mixture.divergence)
    return loss


def _soft_loss(logits: Tensor, soft: Tensor, temperature: float, kind: Divergence) -> Tensor:
    if kind == "kl":
        return cross_entropy_soft(logits, soft, temperature)
    log_student = torch.log_softmax(widened(logits) / temperature, dim=-1)
    parameters = parameter_values(ObjectiveConfig(divergence=kind, skew_alpha=_SKEW))
    return temperature**2 * divergence(kind, log_student, soften(soft, temperature), *parameters)


class NetworkClassifier(ClassifierMixin, BaseEstimator):
    """A network of ReLU layers, trained by Adam or SGD on batches; sparse rows are made dense one batch at a time.

    Scale dense features first, as for any network (`make_pipeline(StandardScaler(), NetworkClassifier())`).

    Attributes after fitting: `classes_`, `n_features_in_`, `network_` (a torch module: float32 rows in, logits out),
    `n_updates_`, `loss_curve_` (mean loss of each pass over the rows, nats), `n_iter_` (passes begun).
    """

    def __init__(
        self,
        hidden: tuple[int, ...] = (256,),
        *,
        epochs: int = 20,
        updates: int | None = None,
        batch_size: int = 64,
        learning_rate: float = 1e-3,
        optimizer: Literal["adam", "sgd"] = "adam",
        momentum: float = 0.9,
        weight_decay: float = 0.0,
        dropout: float = 0.0,
        divergence: Divergence = "kl",
        random_state: RandomState = None,
    ) -> None:
        """Set the architecture and the training.

        Args:
            hidden: units of each hidden layer; `()` is multinomial logistic regression.
            epochs: passes over the rows.
            updates: number of updates; replaces `epochs`.
            batch_size: rows per update.
            learning_rate: initial learning rate, with cosine decay to zero.
            optimizer: `adam` or `sgd`.
            momentum: momentum of `sgd`.
            weight_decay: decoupled for `adam` (AdamW), an L2 penalty for `sgd`.
            dropout: dropout probability of hidden units.
            divergence: between teacher and student, one of `distilmt.losses.divergences`; `js`, `skewed_kl` and
                `skewed_reverse_kl` use the skew 0.5.
            random_state: for the weights, the order of rows and dropout.
        """
        self.hidden = hidden
        self.epochs = epochs
        self.updates = updates
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.optimizer = optimizer
        self.momentum = momentum
        self.weight_decay = weight_decay
        self.dropout = dropout
        self.divergence = divergence
        self.random_state = random_state

    def fit(
        self, X: RowsLike, y: Labels, sample_weight: Sequence[float] | np.ndarray | None = None
    ) -> NetworkClassifier:
        """Learn hard labels.

        Args:
            X: [n, features], dense or sparse.
            y: [n] labels.
            sample_weight: [n], weights of the rows in the loss.
        """
        rows, column = validate_data(self, X, y, accept_sparse="csr", dtype=np.float32)
        check_classification_targets(column)
        classes, labels = np.unique(column, return_inverse=True)
        weights = None
        if sample_weight is not None:
            weights = _check_sample_weight(sample_weight, rows, ensure_non_negative=True)
        return self._learn(rows, of_labels(labels, classes), weights)

    def fit_soft(self, X: RowsLike, targets: DistillationTargets) -> NetworkClassifier:
        """Learn soft targets mixed with hard labels by `mixture_loss`.

        Args:
            X: [N, features], dense or sparse.
            targets: targets of the same rows.
        """
        rows: Rows = validate_data(self, X, accept_sparse="csr", dtype=np.float32)
        return self._learn(rows, targets)

    def _learn(
        self, X: Rows, targets: DistillationTargets, sample_weight: np.ndarray | None = None
    ) -> NetworkClassifier:
        self._check_settings()
        self.classes_ = targets.classes
        seed = int(check_random_state(self.random_state).randint(np.iinfo(np.int32).max))
        device = pick_device()
        with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
            torch.manual_seed(seed)
            self.network_ = self.build().to(device).train()
            self._train(X, targets, sample_weight, np.random.default_rng(seed))
        self.network_ = self.network_.cpu().eval().requires_grad_(False)
        return self

    def _check_settings(self) -> None:
        choices_by_name = {"optimizer": ("adam", "sgd"), "divergence": tuple(DIVERGENCES)}
        for name, choices in choices_by_name.items():
            if getattr(self, name) not in choices:
                raise ValueError(f"{name} is {getattr(self, name)!r}: use one of {', '.join(choices)}")
        for name in ("epochs", "batch_size", "learning_rate"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} is {getattr(self, name)!r}: it must be above 0")
        if self.updates is not None and self.updates < 1:
            raise ValueError(f"updates is {self.updates}: it must be ≥ 1, or None for {self.epochs} epochs")

    def build(self) -> nn.Sequential:
        """A new network with weights from torch's random generator."""
        layers: list[nn.Module] = []
        width = self.n_features_in_
        for units in self.hidden:
            layers += [nn.Linear(width, units), nn.ReLU()]
            layers += [nn.Dropout(self.dropout)] if self.dropout else []
            width = units
        return nn.Sequential(*layers, nn.Linear(width, len(self.classes_)))

    def _train(
        self, X: Rows, targets: DistillationTargets, weights: np.ndarray | None, random: np.random.Generator
    ) -> None:
        updates = self.updates or self.epochs * math.ceil(X.shape[0] / self.batch_size)
        optimizer = self._optimizer()
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, updates)
        mixture, losses = Mixture(targets.alpha, targets.temperature, self.divergence), []
        for rows in _batches(X.shape[0], self.batch_size, updates, random):
            loss = self._loss(X, targets.rows(rows), rows, mixture, weights)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            losses.append(loss.detach())
        each = math.ceil(X.shape[0] / self.batch_size)
        values = torch.stack(losses).cpu().tolist()
        self.n_updates_, self.n_iter_ = updates, math.ceil(updates / each)
        self.loss_curve_ = [float(np.mean(values[b : b + each])) for b in range(0, updates, each)]

    def _optimizer(self) -> torch.optim.Optimizer:
        parameters = self.network_.parameters()
        if self.optimizer == "adam":
            return torch.optim.AdamW(parameters, self.learning_rate, weight_decay=self.weight_decay)
        return torch.optim.SGD(parameters, self.learning_rate, self.momentum, weight_decay=self.weight_decay)

    def _loss(
        self, X: Rows, targets: DistillationTargets, rows: np.ndarray, mixture: Mixture, weights: np.ndarray | None
    ) -> Tensor:
        device = next(self.network_.parameters()).device
        soft = torch.from_numpy(targets.soft.astype(np.float32)).to(device)
        labels = torch.from_numpy(targets.labels).to(device)
        each = mixture_loss(self.network_(dense(X[rows]).to(device)), soft, labels, mixture)
        if weights is not None:
            each = each * torch.from_numpy(weights[rows]).to(device, each.dtype)
        return each.mean()

    def decision_function(self, X: RowsLike) -> np.ndarray:
        """Logits [n, K]; for two classes the difference of second and first, [n]."""
        logits = self._logits(X)
        return logits[:, 1] - logits[:, 0] if len(self.classes_) == 2 else logits

    def predict_proba(self, X: RowsLike) -> np.ndarray:
        """Probabilities, [n, K], at temperature 1."""
        return softmax(self._logits(X))

    def predict(self, X: RowsLike) -> np.ndarray:
        """The most likely class of each row, [n]."""
        best = self._logits(X).argmax(axis=1)
        return self.classes_[best]

    @torch.inference_mode()
    def _logits(self, X: RowsLike) -> np.ndarray:
        check_is_fitted(self)
        rows: Rows = validate_data(self, X, accept_sparse="csr", dtype=np.float32, reset=False)
        size = max(1, _READ // rows.shape[1])
        parts = [self.network_(dense(rows[b : b + size])) for b in range(0, rows.shape[0], size)]
        return torch.cat(parts).double().numpy()

    def __sklearn_tags__(self) -> Tags:
        """Tags: accepts sparse rows."""
        tags: Tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags


def _batches(rows: int, size: int, updates: int, random: np.random.Generator) -> Iterator[np.ndarray]:
    """`updates` batches of row indices, in a new random order for every pass over the rows."""
    while True:
        order = random.permutation(rows)
        for begin in range(0, rows, size):
            if updates == 0:
                return
            updates -= 1
            yield order[begin : begin + size]
