"""Scores against scikit-learn's and by hand."""

import numpy as np
import pytest
from scipy.stats import binomtest
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import accuracy_score, f1_score
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier
from torch import nn

from distilmt.classification import Distilled, NetworkClassifier, baseline_of, compare, markdown, probabilities, save
from distilmt.utils.errors import UserError
from distilmt.utils.statistics import expected_calibration_error


@pytest.fixture(scope="module")
def systems(data):
    X, y, *_ = data
    student = Distilled(LogisticRegression(), DecisionTreeClassifier(max_depth=4, random_state=0)).fit(X, y)
    return {
        "teacher": student.teacher_,
        "student": student,
        "baseline": baseline_of(student).fit(X, y),
        "stump": DecisionTreeClassifier(max_depth=1).fit(X, y),
        "svm": LinearSVC().fit(X, y),
    }


def test_scores_are_scikit_learns(data, systems):
    X, y = data[2:]
    result = compare(systems, X, y, baseline="baseline", teacher="teacher", samples=200)
    assert [one.name for one in result] == list(systems)
    for one in result:
        predicted = systems[one.name].predict(X)
        assert one.accuracy.value == pytest.approx(accuracy_score(y, predicted))
        assert one.macro_f1.value == pytest.approx(f1_score(y, predicted, average="macro"))
        assert one.accuracy.low <= one.accuracy.value <= one.accuracy.high
        assert one.agreement == pytest.approx((predicted == systems["teacher"].predict(X)).mean())
        assert one.latency_ms > 0 and one.rows_per_second > 0 and 0 <= one.ece <= 1
        assert (one.against is None) == (one.name == "baseline")


def test_differences_are_paired(data, systems):
    X, y = data[2:]
    by_name = {one.name: one for one in compare(systems, X, y, baseline="baseline", samples=500)}
    right = {name: systems[name].predict(X) == y for name in ("stump", "baseline")}
    only, lost = (right["stump"] & ~right["baseline"]).sum(), (~right["stump"] & right["baseline"]).sum()
    against = by_name["stump"].against
    assert against.accuracy.value == pytest.approx((only - lost) / len(y))
    assert against.accuracy.low <= against.accuracy.value <= against.accuracy.high < 0
    assert against.mcnemar_p == pytest.approx(binomtest(int(only), int(only + lost)).pvalue)
    assert against.accuracy_p < 0.05 and against.macro_f1_p < 0.05
    assert by_name["stump"].agreement is None
    same = compare({"a": systems["svm"], "b": systems["svm"]}, X, y, baseline="b", samples=50)[0].against
    assert (same.accuracy_p, same.macro_f1_p, same.mcnemar_p) == (1, 1, 1)


def test_the_interval_is_the_binomials_for_many_resamples(data, systems):
    X, y = data[2:]
    result = compare({"student": systems["student"]}, X, y, samples=3000)[0].accuracy
    spread = 1.96 * np.sqrt(result.value * (1 - result.value) / len(y))
    assert result.high - result.value == pytest.approx(spread, rel=0.25)
    again = compare({"student": systems["student"]}, X, y, samples=3000)[0].accuracy
    assert result == again


def test_calibration_by_hand():
    confidence = np.array([0.95, 0.95, 0.6, 0.6])
    assert expected_calibration_error(confidence, np.array([True, True, True, False])) == pytest.approx(0.075)
    assert expected_calibration_error(np.array([1.0]), np.array([True])) == 0


def test_the_error_of_calibration_is_of_the_responses_given(data, systems):
    X, y = data[2:]
    result, classes = probabilities(systems["student"], X)
    expected = expected_calibration_error(result.max(1), classes[result.argmax(1)] == y)
    assert compare({"s": systems["student"]}, X, y, samples=1)[0].ece == pytest.approx(expected)


def test_any_teacher_can_be_a_system(data, bert, texts, tmp_path):
    X, y, X_test, y_test = data
    network = NetworkClassifier((8,), epochs=2, random_state=0).fit(X, y)
    result = compare(
        {"module": network.network_, "both": [network, network], "net": network},
        X_test,
        y_test,
        teacher=network.network_,
        samples=10,
    )
    assert [one.agreement for one in result] == [1, 1, 1]
    save(network, tmp_path / "net")
    size = sum(path.stat().st_size for path in (tmp_path / "net").iterdir())
    assert result[2].bytes == pytest.approx(size, abs=40) and result[1].bytes == 2 * result[2].bytes
    assert result[0].bytes == 4 * (8 * 8 + 8 + 8 * 3 + 3)
    output, colours = texts
    one = compare({"bert": str(bert)}, output[:30], colours[:30], samples=10)[0]
    assert one.bytes == sum(path.stat().st_size for path in bert.iterdir())


def test_a_student_that_cannot_be_saved_has_no_size(data):
    class Own(LogisticRegression):
        """Somebody's own."""

    X, y, *_ = data
    assert compare({"own": Own().fit(X, y)}, X, y, samples=1)[0].bytes is None


def test_what_has_neither_probabilities_nor_margins_has_no_calibration(data):
    class Bare:
        def predict(self, X):
            return np.full(len(X), "x")

    X, y, *_ = data
    result = compare({"bare": Bare(), "net": nn.Linear(8, 3)}, X, y, samples=1)
    assert result[0].ece is None and result[1].ece is not None


def test_names_and_numbers_that_are_wrong(data, systems):
    X, y = data[2:]
    with pytest.raises(UserError, match="'base' is not one of the systems: use one of teacher, student"):
        compare(systems, X, y, baseline="base")
    with pytest.raises(UserError, match="0 samples"):
        compare(systems, X, y, samples=0)


def test_the_table_has_a_line_a_system(data, systems):
    X, y = data[2:]
    lines = markdown(compare(systems, X, y, baseline="baseline", teacher="teacher", samples=20)).splitlines()
    assert len(lines) == 2 + len(systems)
    assert len({line.count("|") for line in lines}) == 1
    assert lines[2].startswith("| teacher | ") and "100.0" in lines[2]


def test_regressors_are_saved_and_measured(data):
    X, y, X_test, y_test = data
    result = Distilled(LogisticRegression(), Ridge()).fit(X, y)
    assert compare({"s": result}, X_test, y_test, samples=1)[0].bytes > 1000
