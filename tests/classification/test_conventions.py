"""scikit-learn's own checks, and that distilmt works without it."""

import subprocess
import sys

import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor
from sklearn.utils.estimator_checks import parametrize_with_checks

from distilmt.classification import ClassifierFromRegressor, Distilled, NetworkClassifier

NETWORK = NetworkClassifier((16,), epochs=10, learning_rate=0.02)
FAILING = {
    "NetworkClassifier": {
        name: "rows are drawn in batches: a row of weight two is not the same as two rows, as with any such training"
        for name in (
            "check_sample_weight_equivalence_on_dense_data",
            "check_sample_weight_equivalence_on_sparse_data",
        )
    }
    | {"check_methods_subset_invariance": "float32 products differ in the last digit with the number of rows"},
    "DecisionTreeClassifier": {
        "check_estimators_nan_inf": "a tree predicts from NaN; the teacher, which does not, predicts nothing then"
    },
}


def expected(estimator) -> dict[str, str]:
    """Checks that fail, and why."""
    own = type(getattr(estimator, "student", estimator)).__name__
    result = dict(FAILING.get(own, {}))
    if isinstance(estimator, Distilled):
        for name in list(result):
            if "sample_weight" in name:
                del result[name]  # it takes none
    return result


@parametrize_with_checks(
    [
        NETWORK,
        ClassifierFromRegressor(DecisionTreeRegressor(random_state=0)),
        Distilled(LogisticRegression(), LinearSVC(), cv=2),
        Distilled(RandomForestClassifier(5), Ridge()),
    ],
    expected_failed_checks=expected,
)
def test_estimator_checks(estimator, check):
    check(estimator)


@pytest.mark.slow
@parametrize_with_checks(
    [
        ClassifierFromRegressor(Ridge(), on="logits"),
        Distilled(LogisticRegression(), DecisionTreeClassifier()),
        Distilled(LogisticRegression(), NETWORK),
    ],
    expected_failed_checks=expected,
)
def test_estimator_checks_of_other_parts(estimator, check):
    check(estimator)


WITHOUT = """
import sys
class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "{missing}":
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Missing())
import importlib.util
real = importlib.util.find_spec
importlib.util.find_spec = lambda name, package=None: None if name == "{missing}" else real(name, package)
import distilmt.cli, distilmt.pipeline
try:
    import distilmt.classification
except Exception as error:
    print(type(error).__name__, error)
"""


@pytest.mark.parametrize("missing", ["sklearn", "skops"])
def test_without_the_extra_there_is_one_clear_line(missing):
    process = subprocess.run([sys.executable, "-c", WITHOUT.format(missing=missing)], capture_output=True, text=True)
    assert process.stdout.strip() == (
        "UserError distilling classifiers needs scikit-learn and skops: "
        "pip install '.[classify]' in a clone of distilmt"
    ), process.stderr
