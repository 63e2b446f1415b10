"""Rows that only the teacher labels: transfer sets, cross-fitting, missing classes and supervised steps."""

import numpy as np
import pytest
from scipy import sparse
from sklearn.ensemble import RandomForestClassifier
from sklearn.feature_extraction.text import HashingVectorizer, TfidfVectorizer
from sklearn.feature_selection import SelectKBest
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.tree import DecisionTreeRegressor

from distilmt.classification import Distilled

FOREST = RandomForestClassifier(50, random_state=0)


def test_crossfitting_keeps_the_teacher_from_repeating_labels(data):
    X, y, X_test, y_test = data
    random = np.random.default_rng(0)
    noisy = np.where(random.random(len(y)) < 0.3, random.choice(np.unique(y), len(y)), y)
    teacher, student = KNeighborsClassifier(5, weights="distance"), DecisionTreeRegressor(random_state=0)
    plain = Distilled(teacher, student, alpha=0).fit(X, noisy)
    crossed = Distilled(teacher, student, alpha=0, cv=5, random_state=0).fit(X, noisy)
    assert plain.score(X, noisy) == 1  # the teacher repeats its labels, and the tree learns these by heart
    assert crossed.score(X_test, y_test) > plain.score(X_test, y_test) + 0.05


def test_transfer_adds_rows_of_the_teachers(data):
    X, y, X_test, _ = data
    few, names_of_few = X[:30], y[:30]
    teacher = LogisticRegression().fit(X, y)

    def shaken(rows):
        return rows + np.random.default_rng(0).normal(size=rows.shape)

    for transfer, more in ((X[30:], 270), (shaken, 30), ((X[30:], shaken), 270 + 30 + 0)):
        result = Distilled(teacher, KNeighborsRegressor(3), alpha=0, transfer=transfer).fit(few, names_of_few)
        assert (result.n_samples_, result.student_.regressor_.n_samples_fit_) == (30, 30 + result.n_transfer_)
        assert result.n_transfer_ >= more
    alone = Distilled(teacher, LogisticRegression(), alpha=0).fit(few, names_of_few)
    result = Distilled(teacher, LogisticRegression(), alpha=0, transfer=X[30:]).fit(few, names_of_few)
    agreement = [(one.predict(X_test) == teacher.predict(X_test)).mean() for one in (alone, result)]
    assert agreement[1] >= agreement[0]


def test_transfer_of_texts_and_sparse_rows(texts):
    output, colours = texts
    teacher = make_pipeline(TfidfVectorizer(), LogisticRegression()).fit(output, colours)
    student = make_pipeline(TfidfVectorizer(), LogisticRegression())
    result = Distilled(teacher, student, transfer=output[20:]).fit(output[:20], colours[:20])
    assert (result.n_samples_, result.n_transfer_) == (20, len(output) - 20)
    assert len(result.student_[0].vocabulary_) == 10
    X = sparse.csr_matrix(HashingVectorizer(n_features=32).transform(output))
    assert (
        Distilled(LogisticRegression(), Ridge(), alpha=0.3, transfer=X[20:]).fit(X[:20], colours[:20]).n_transfer_
        == 220
    )
    with pytest.raises(ValueError, match="transfer has rows of shape"):
        Distilled(LogisticRegression(), Ridge(), transfer=X[:, :7]).fit(X[:20], colours[:20])


def test_supervised_steps_of_a_pipeline_see_the_likeliest_class(data):
    X, y, *_ = data
    result = Distilled(FOREST, make_pipeline(SelectKBest(k=3), LogisticRegression()), transfer=X[200:]).fit(
        X[:200], y[:200]
    )
    assert result.student_[0].get_support().sum() == 3 and result.student_[-1].n_features_in_ == 3
