"""Distilling classifiers, in scikit-learn's conventions; needs the extra `classify`.

    from distilmt.classification import Distilled, NetworkClassifier, baseline_of, compare, load, save

No other package of distilmt imports this one, so that distilmt works without scikit-learn.
"""

from importlib.util import find_spec

from distilmt.utils.errors import UserError
from distilmt.utils.extras import install_command

for _name in ("sklearn", "skops"):
    if find_spec(_name) is None:
        raise UserError(f"distilling classifiers needs scikit-learn and skops: {install_command('classify')}")

from distilmt.classification.baseline import baseline_of  # noqa: E402
from distilmt.classification.distilled import Distilled  # noqa: E402
from distilmt.classification.evaluate import ClassifierScores, Interval, PairedDifference, compare, markdown  # noqa: E402
from distilmt.classification.network import NetworkClassifier  # noqa: E402
from distilmt.classification.neural import HuggingFaceTeacher, TorchTeacher  # noqa: E402
from distilmt.classification.regression import ClassifierFromRegressor  # noqa: E402
from distilmt.classification.storage import load, save  # noqa: E402
from distilmt.classification.teachers import probabilities  # noqa: E402

__all__ = [
    "ClassifierFromRegressor",
    "ClassifierScores",
    "Distilled",
    "HuggingFaceTeacher",
    "Interval",
    "NetworkClassifier",
    "PairedDifference",
    "TorchTeacher",
    "baseline_of",
    "compare",
    "load",
    "markdown",
    "probabilities",
    "save",
]
