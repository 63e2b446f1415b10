"""The whole: students of every kind follow their teacher, in scikit-learn's company."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor, RandomForestClassifier
from sklearn.feature_extraction.text import HashingVectorizer, TfidfVectorizer
from sklearn.linear_model import LogisticRegression, Ridge, SGDClassifier
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.naive_bayes import BernoulliNB, ComplementNB, MultinomialNB
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, SVR, LinearSVC, LinearSVR
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor
from torch import nn

from distilmt.classification import (
    ClassifierFromRegressor,
    Distilled,
    NetworkClassifier,
    TorchTeacher,
    baseline_of,
    probabilities,
)
from distilmt.classification.targets import NO_LABEL, DistillationTargets

FOREST = RandomForestClassifier(50, random_state=0)
NETWORK = NetworkClassifier((32,), epochs=20, learning_rate=0.01)
REGRESSORS = [
    DecisionTreeRegressor(max_depth=6),
    Ridge(),
    LinearSVR(max_iter=20_000),
    SVR(),
    HistGradientBoostingRegressor(max_iter=15, min_samples_leaf=5),
    KNeighborsRegressor(),
]
STUDENTS = [
    *REGRESSORS,
    NETWORK,
    LogisticRegression(),
    LinearSVC(),
    SVC(),
    SVC(kernel="linear"),
    SGDClassifier(),
    DecisionTreeClassifier(max_depth=6),
    HistGradientBoostingClassifier(max_iter=15, min_samples_leaf=5),
    BernoulliNB(),
    make_pipeline(StandardScaler(), LogisticRegression()),
    make_pipeline(StandardScaler(), NETWORK),
]


def names(students) -> list[str]:
    return [str(student)[:40] for student in students]


@pytest.mark.parametrize("student", REGRESSORS, ids=names(REGRESSORS))
def test_regressors_learn_logits_too(data, student):
    X, y, X_test, y_test = data
    result = Distilled(FOREST, student, alpha=0.2, regress="logits", random_state=0).fit(X, y)
    assert result.score(X_test, y_test) > 0.75
    assert (result.predict(X_test) == result.teacher_.predict(X_test)).mean() > 0.75


@pytest.mark.parametrize("student", STUDENTS, ids=names(STUDENTS))
def test_every_kind_of_student_follows_the_teacher(data, student):
    X, y, X_test, y_test = data
    result = Distilled(FOREST, student, alpha=0.2, random_state=0).fit(X, y)
    assert result.score(X_test, y_test) > 0.75
    assert (result.predict(X_test) == result.teacher_.predict(X_test)).mean() > 0.75
    if hasattr(result, "predict_proba"):
        probabilities = result.predict_proba(X_test)
        np.testing.assert_allclose(probabilities.sum(1), 1)
        assert (result.classes_[probabilities.argmax(1)] == result.predict(X_test)).mean() > 0.95


@pytest.mark.parametrize("student", [MultinomialNB(), ComplementNB(), NETWORK, LinearSVC(), Ridge()], ids=str)
def test_students_of_sparse_text(texts, student):
    output, colours = texts
    teacher = make_pipeline(TfidfVectorizer(), LogisticRegression(C=10)).fit(output, colours)
    X = HashingVectorizer(n_features=64, alternate_sign=False).transform(output)
    # The teacher of sparse rows, and inside a pipeline on texts, both.
    inside = make_pipeline(
        HashingVectorizer(n_features=64, alternate_sign=False), Distilled(LogisticRegression(), student)
    )
    assert inside.fit(output[:200], colours[:200]).score(output[200:], colours[200:]) > 0.9
    outside = Distilled(teacher, make_pipeline(HashingVectorizer(n_features=64, alternate_sign=False), student))
    assert outside.fit(output[:200], colours[:200]).score(output[200:], colours[200:]) > 0.9
    assert outside.teacher_ is teacher
    assert Distilled(LogisticRegression(), student).fit(X[:200].tocoo(), colours[:200]).n_features_in_ == 64


def test_a_naive_bayes_student_is_exact_in_the_weights(texts):
    output, colours = texts
    X = HashingVectorizer(n_features=64, alternate_sign=False, norm=None).transform(output)
    teacher = LogisticRegression().fit(X, colours)
    result = Distilled(teacher, MultinomialNB(), alpha=0.0, keep=1.0).fit(X)
    np.testing.assert_allclose(result.student_.class_count_, teacher.predict_proba(X).sum(0))
    np.testing.assert_allclose(result.student_.feature_count_, teacher.predict_proba(X).T @ X)


def test_a_hugging_face_teacher_of_texts(bert, texts):
    output, colours = texts
    student = make_pipeline(HashingVectorizer(n_features=64), LogisticRegression(C=100))
    result = Distilled(str(bert), student, alpha=0.0).fit(output[:150])
    assert result.classes_.tolist() == ["blue", "green", "red"]
    requests, names_of_columns = probabilities(bert, output[150:])
    order = np.argsort(names_of_columns)
    assert np.abs(result.predict_proba(output[150:]) - requests[:, order]).mean() < 0.02
    labelled = Distilled(bert, student, alpha=0.9).fit(output[:150], colours[:150])
    assert labelled.score(output[150:], colours[150:]) > 0.9


def test_a_torch_teacher_and_a_torch_student(data):
    X, y, X_test, _ = data
    fitted = NetworkClassifier((64,), epochs=20, learning_rate=0.01, random_state=0).fit(X, y)
    module: nn.Module = fitted.network_
    result = Distilled(module, NETWORK, temperature=2.0, alpha=0.0, random_state=1).fit(X, y)
    assert (result.predict(X_test) == fitted.predict(X_test)).mean() > 0.9
    assert np.abs(result.predict_proba(X_test) - fitted.predict_proba(X_test)).mean() < 0.05


def test_alpha_one_is_the_student_without_a_teacher(data):
    X, y, X_test, _ = data
    alone = LogisticRegression().fit(X, y).predict_proba(X_test)
    result = Distilled(DummyClassifier(), LogisticRegression(), alpha=1.0, transfer=X_test).fit(X, y)
    np.testing.assert_allclose(result.predict_proba(X_test), alone, atol=1e-4)


def test_alpha_zero_needs_no_labels_but_another_does(data):
    X, y, *_ = data
    teacher = LogisticRegression().fit(X, y)
    assert Distilled(teacher, Ridge(), alpha=0).fit(X).classes_.tolist() == ["x", "y", "z"]
    with pytest.raises(ValueError, match=r"requires y to be passed.*alpha=0"):
        Distilled(teacher, Ridge()).fit(X)
    with pytest.raises(ValueError, match="not fitted and y is None"):
        Distilled(LogisticRegression(), Ridge(), alpha=0).fit(X)


def test_a_class_without_rows_is_learnt_from_the_teacher(data):
    """Hinton et al. 2015, section 3: a digit that the student never saw."""
    X, y, X_test, y_test = data
    teacher = LogisticRegression().fit(X, y)
    result = Distilled(teacher, LogisticRegression(), alpha=0.1).fit(X[y != "z"], y[y != "z"])
    assert result.classes_.tolist() == ["x", "y", "z"]
    more = Distilled(teacher, LogisticRegression(), alpha=0.1, transfer=X_test).fit(X[y != "z"], y[y != "z"])
    of_z = X_test[y_test == "z"]
    assert (
        (more.predict(of_z) == "z").mean()
        > 0.5
        > baseline_of(more).fit(X[y != "z"], y[y != "z"]).score(of_z, y_test[y_test == "z"])
    )


def test_a_class_that_the_teacher_lacks_is_learnt_from_labels(data):
    X, y, X_test, y_test = data
    teacher = LogisticRegression().fit(X[y != "z"], y[y != "z"])
    result = Distilled(teacher, LogisticRegression(), alpha=0.9).fit(X, y)
    assert (result.predict(X_test[y_test == "z"]) == "z").mean() > 0.5
    with pytest.raises(ValueError, match="does not know class 'z'"):
        Distilled(teacher, LogisticRegression(), alpha=0).fit(X, y)


def test_names_that_have_nothing_in_common_are_a_mistake(data, bert, texts):
    X, y, *_ = data
    with pytest.raises(ValueError, match="nothing in common with 'x', 'y', 'z'"):
        Distilled(LogisticRegression().fit(X, np.unique(y, return_inverse=True)[1]), Ridge()).fit(X, y)


def test_columns_of_teacher_and_labels_are_aligned(data):
    X, y, X_test, _ = data
    module = NetworkClassifier((32,), epochs=15, learning_rate=0.01, random_state=0).fit(X, y).network_
    turned = {"x": "c", "y": "a", "z": "b"}
    other = np.array([turned[name] for name in y])
    teacher = TorchTeacher(module, classes=["c", "a", "b"])
    result = Distilled(teacher, LogisticRegression(), alpha=0).fit(X, other)
    plain = Distilled(module, LogisticRegression(), alpha=0).fit(X, y)
    assert [turned[name] for name in plain.predict(X_test)] == result.predict(X_test).tolist()


def test_grid_search_over_nested_settings(data):
    X, y, X_test, _ = data
    teacher = LogisticRegression().fit(X, y)
    grid = {"student__max_depth": [1, 5], "alpha": [0.0, 0.5], "temperature": [1, 2]}
    search = GridSearchCV(Distilled(teacher, DecisionTreeClassifier(random_state=0)), grid, cv=3).fit(X, y)
    assert search.best_params_["student__max_depth"] == 5
    assert search.best_estimator_.teacher_ is teacher  # used as it is, not fitted anew on a fold
    search = GridSearchCV(
        Distilled(LogisticRegression(), make_pipeline(StandardScaler(), DecisionTreeRegressor())),
        {"teacher__C": [0.1, 1], "student__decisiontreeregressor__max_depth": [3], "regress": ["logits"]},
        cv=2,
    ).fit(X, y)
    assert search.predict(X_test).shape == (100,)


def test_settings_of_a_teacher_that_is_used_as_it_is_are_refused(data):
    X, y, *_ = data
    result = Distilled(LogisticRegression().fit(X, y), Ridge())
    with pytest.raises(
        ValueError, match="teacher__C: the teacher is fitted and used as it is; give refit_teacher=True"
    ):
        result.set_params(teacher__C=3)
    assert result.set_params(refit_teacher=True, teacher__C=3).teacher.C == 3


def test_clones_share_what_is_used_as_it_is(data):
    X, y, *_ = data
    ready, raw = LogisticRegression().fit(X, y), LogisticRegression()
    copy = clone(Distilled([ready, raw], Ridge(), transfer=X))
    assert copy.teacher[0] is ready and copy.teacher[1] is not raw and copy.transfer is X
    assert clone(Distilled(ready, Ridge(), refit_teacher=True)).teacher is not ready


def test_equal_seeds_make_equal_students(data):
    X, y, X_test, _ = data
    make = Distilled(RandomForestClassifier(10), NETWORK, cv=3, random_state=7)
    one, other = clone(make).fit(X, y), clone(make).fit(X, y)
    np.testing.assert_array_equal(one.predict_proba(X_test), other.predict_proba(X_test))
    different = clone(make).set_params(random_state=8).fit(X, y)
    assert (one.predict_proba(X_test) != different.predict_proba(X_test)).any()


def test_data_frames_keep_their_columns(data):
    pd = pytest.importorskip("pandas")
    X, y, *_ = data
    frame = pd.DataFrame(X, columns=list("abcdefgh"))
    result = Distilled(LogisticRegression(), DecisionTreeClassifier(), transfer=frame[:5]).fit(frame, pd.Series(y))
    assert result.feature_names_in_.tolist() == list("abcdefgh") and result.student_.feature_names_in_.tolist() == list(
        "abcdefgh"
    )


def test_students_that_take_no_weights_are_named(data):
    X, y, *_ = data
    with pytest.raises(ValueError, match=r"KNeighborsClassifier takes no sample_weight.*KNeighborsRegressor"):
        Distilled("no/such/place", make_pipeline(StandardScaler(), KNeighborsClassifier())).fit(X, y)  # before all else
    with pytest.raises(ValueError, match=r"KNeighborsRegressor takes no sample_weight.*alpha=0"):
        Distilled(FOREST, KNeighborsRegressor(), transfer=X[:9]).fit(X, y)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"alpha": 1.1}, "alpha is 1.1"),
        ({"temperature": 0}, "temperature is 0"),
        ({"keep": 0}, "keep is 0"),
        ({"student": object()}, "has no fit"),
        ({"regress": "logit"}, "regress is 'logit': use 'logits' or 'probabilities'"),
    ],
)
def test_settings_out_of_range_are_named(data, settings, message):
    with pytest.raises(ValueError, match=message):
        Distilled(**({"teacher": FOREST, "student": LogisticRegression()} | settings)).fit(*data[:2])


def test_only_what_the_student_has_is_there():
    assert not hasattr(Distilled(FOREST, LinearSVC()), "predict_proba")
    assert not hasattr(Distilled(FOREST, DecisionTreeClassifier()), "decision_function")
    assert hasattr(Distilled(FOREST, Ridge()), "predict_proba")
    assert hasattr(Distilled(FOREST, make_pipeline(StandardScaler(), LinearSVC())), "decision_function")


def test_regression_by_hand():
    soft = np.array([[0.8, 0.2], [0.2, 0.8], [0.5, 0.5]])
    targets = DistillationTargets(np.array(["n", "y"]), soft, np.full(3, NO_LABEL), 0.0)
    X = np.array([[-1.0], [1.0], [0.0]])
    for on, slope in (("logits", np.log(2)), ("probabilities", 0.3)):
        result = ClassifierFromRegressor(Ridge(alpha=1e-9), on).fit_soft(X, targets)
        assert result.regressor_.coef_ == pytest.approx(slope)
        np.testing.assert_allclose(result.predict_proba(X), soft, atol=1e-6)
        assert result.predict([[2.0]]) == "y" and result.decision_function([[2.0]]) > 0


def test_the_baseline_has_the_student_the_seeds_and_the_updates(data):
    X, y, X_test, _ = data
    result = Distilled(FOREST, make_pipeline(StandardScaler(), NETWORK), transfer=X_test, random_state=3).fit(X, y)
    baseline = baseline_of(result).fit(X, y)
    assert isinstance(baseline, Pipeline)
    assert baseline[-1].n_updates_ == result.student_[-1].n_updates_ == 20 * 7
    assert baseline[-1].random_state == result.student_[-1].random_state is not None
    sgd = Distilled(FOREST, SGDClassifier(tol=None, max_iter=10), transfer=X_test, random_state=3).fit(X, y)
    assert sgd.student_.t_ <= baseline_of(sgd).fit(X, y).t_ < sgd.student_.t_ + len(X)  # in whole passes
    assert isinstance(baseline_of(Distilled(FOREST, Ridge()).fit(X, y)), ClassifierFromRegressor)


def test_cross_validation_of_the_whole(data):
    X, y, *_ = data
    assert cross_val_score(Distilled(FOREST, Ridge(), cv=2), X, y, cv=3).mean() > 0.7
