"""A study of text classification: which of ten sections of Debian a package description belongs to.

Students have 1,024 hashed features. Each is trained on labels only, with a network on the same features as teacher, and
with a teacher that has more features: words and pairs of words. Soft targets are cross-fitted: on its own training
texts, a teacher's predictions are little more than the labels.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.base import clone
from sklearn.feature_extraction.text import HashingVectorizer, TfidfTransformer, TfidfVectorizer
from sklearn.linear_model import SGDClassifier
from sklearn.naive_bayes import MultinomialNB
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from distilmt.classification.evaluate import ClassifierScores, compare
from distilmt.classification.network import NetworkClassifier
from distilmt.classification.rows import as_rows
from distilmt.classification.students import SoftTargetSettings, as_classifier, fit_student
from distilmt.classification.targets import DistillationTargets
from distilmt.classification.teachers import crossfitted
from distilmt.classification.types import Estimator, Rows
from distilmt.data.readers.debian_sections import LabeledText

FEATURES, FOLDS = 1024, 5


@dataclass(frozen=True)
class Student:
    """An estimator for soft targets, and its counterpart for labels."""

    name: str
    distilled: Estimator
    baseline: Estimator
    alpha: float = 0.3
    """Weight of the labels."""


@dataclass(frozen=True)
class StudyRow:
    """Scores of a student with and without a teacher; or of a teacher (`student` is then the teacher's name)."""

    teacher: str
    student: str
    seed: int
    scores: ClassifierScores
    without: ClassifierScores | None
    """None for a teacher."""
    fit_seconds: float
    """Without the time of the teacher's predictions."""


def hashed() -> Pipeline:
    """A vectorizer with 1,024 hashed features."""
    counts = HashingVectorizer(n_features=FEATURES, alternate_sign=False, stop_words="english", norm=None)
    return make_pipeline(counts, TfidfTransformer(sublinear_tf=True))


def network(hidden: tuple[int, ...], seed: int, dropout: float = 0.3) -> NetworkClassifier:
    """A network trained by SGD; without a hidden layer it needs a higher learning rate."""
    rate = 0.1 if hidden else 1.0
    return NetworkClassifier(hidden, epochs=15, optimizer="sgd", learning_rate=rate, dropout=dropout, random_state=seed)


def teachers(seed: int) -> dict[str, Estimator]:
    """Unfitted teachers by name; their input is text."""
    words = TfidfVectorizer(ngram_range=(1, 2), min_df=2, sublinear_tf=True, stop_words="english")
    return {
        "network 512": make_pipeline(hashed(), network((512,), seed, dropout=0.5)),
        "word pairs": make_pipeline(words, SGDClassifier(loss="log_loss", alpha=1e-5, random_state=seed)),
    }


def students(seed: int) -> list[Student]:
    """Unfitted students; their input is hashed features."""
    networks = {f"network {size}": network((size,), seed) for size in (256, 64, 16)} | {"linear": network((), seed)}
    svm, tree = LinearSVC(C=0.3, random_state=seed), {"max_depth": 8, "random_state": seed}
    return [
        *(Student(name, model, model) for name, model in networks.items()),
        Student("linear SVM", svm, svm),
        # A tree chooses its splits by its targets: it gains most from the teacher's probabilities only.
        Student("tree of depth 8", DecisionTreeRegressor(**tree), DecisionTreeClassifier(**tree), alpha=0.0),
        Student("naive Bayes", MultinomialNB(alpha=0.1), MultinomialNB(alpha=0.1)),
    ]


def study(train: Sequence[LabeledText], test: Sequence[LabeledText], seed: int) -> Iterator[StudyRow]:
    """Fit all students on one split; yields each row when it is finished.

    Args:
        train: the training set.
        test: the test set, from other source packages.
        seed: random seed.
    """
    (X, y), (X_test, y_test) = _columns(train), _columns(test)
    for name, unfitted in teachers(seed).items():
        begin = time.perf_counter()
        teacher = clone(unfitted).fit(X, y)
        fit_seconds = time.perf_counter() - begin
        yield StudyRow(name, name, seed, compare({name: teacher}, X_test, y_test)[0], None, fit_seconds)
        soft, classes = crossfitted(unfitted, X, y, FOLDS, seed)
        labels = np.searchsorted(classes, y)
        for student in students(seed):
            targets = DistillationTargets(classes, soft, labels, student.alpha, 1.0)
            begin = time.perf_counter()
            distilled = _distil(student, X, targets)
            fit_seconds = time.perf_counter() - begin
            plain = make_pipeline(hashed(), clone(student.baseline)).fit(X, y)
            scores = compare(
                {"without": plain, student.name: distilled}, X_test, y_test, baseline="without", teacher=teacher
            )
            yield StudyRow(name, student.name, seed, scores[1], scores[0], fit_seconds)


def _distil(student: Student, X: Rows, targets: DistillationTargets) -> Estimator:
    settings = SoftTargetSettings("probabilities", 0.98)
    model = make_pipeline(hashed(), clone(student.distilled))
    return fit_student(as_classifier(model, settings), X, targets, settings)


def _columns(examples: Sequence[LabeledText]) -> tuple[Rows, np.ndarray]:
    return as_rows([example.text for example in examples]), np.array([example.label for example in examples])
