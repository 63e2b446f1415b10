"""What is saved comes back the same, the student alone, and nothing strange is opened."""

import json
import sys
from pathlib import Path
from types import ModuleType
from zipfile import ZipFile

import numpy as np
import pytest
from helpers.processes import Process
from sklearn.ensemble import GradientBoostingClassifier, HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.exceptions import NotFittedError
from sklearn.feature_extraction.text import HashingVectorizer, TfidfVectorizer
from sklearn.linear_model import LogisticRegression, Ridge, SGDClassifier
from sklearn.naive_bayes import MultinomialNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.svm import SVC, LinearSVC
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor
from skops import io

from distilmt.classification import Distilled, NetworkClassifier, load, save
from distilmt.classification.storage import is_allowed_type
from distilmt.utils.errors import UserError

NETWORK = NetworkClassifier((np.int64(16), 8), epochs=3, random_state=0)
STUDENTS = [
    NETWORK,
    make_pipeline(StandardScaler(), NETWORK),
    make_pipeline(NETWORK),
    LogisticRegression(),
    LinearSVC(),
    SVC(),
    SGDClassifier(loss="log_loss"),
    DecisionTreeClassifier(),
    GradientBoostingClassifier(n_estimators=3),
    HistGradientBoostingClassifier(max_iter=3),
    Ridge(),
    DecisionTreeRegressor(),
    HistGradientBoostingRegressor(max_iter=3),
    make_pipeline(StandardScaler(), Ridge()),
]


def written(path: Path) -> str:
    """What names a file holds."""
    if path.suffix != ".skops":
        return path.read_bytes().decode("latin-1")
    with ZipFile(path) as file:
        return file.read("schema.json").decode()


@pytest.mark.parametrize("student", STUDENTS, ids=lambda student: str(student)[:40])
def test_what_comes_back_agrees(data, student, tmp_path):
    X, y, X_test, _ = data
    result = Distilled(KNeighborsClassifier(), student).fit(X, y)
    result.save(tmp_path / "saved")
    again = load(tmp_path / "saved")
    np.testing.assert_array_equal(again.predict(X_test), result.predict(X_test))
    for name in ("predict_proba", "decision_function"):
        if hasattr(result, name):
            np.testing.assert_array_equal(getattr(again, name)(X_test), getattr(result, name)(X_test))
    assert again.classes_.tolist() == ["x", "y", "z"]
    remaining = "".join(written(path) for path in (tmp_path / "saved").iterdir())
    last = student.steps[-1][1] if hasattr(student, "steps") else student
    assert "KNeighbors" not in remaining  # the teacher stays at home
    assert isinstance(last, NetworkClassifier) or type(last).__name__ in remaining
    assert not list(tmp_path.glob(".*"))


@pytest.mark.parametrize("student", [NETWORK, MultinomialNB(), Ridge()], ids=str)
@pytest.mark.parametrize("vectorizer", [TfidfVectorizer, HashingVectorizer])
def test_pipelines_of_texts_come_back(texts, student, vectorizer, tmp_path):
    output, colours = texts
    settings = {"n_features": 64, "alternate_sign": False} if vectorizer is HashingVectorizer else {}
    teacher = make_pipeline(TfidfVectorizer(), LogisticRegression()).fit(output, colours)
    result = Distilled(teacher, make_pipeline(vectorizer(**settings), student)).fit(output, colours)
    result.save(tmp_path / "saved")
    np.testing.assert_array_equal(load(tmp_path / "saved").predict_proba(output), result.predict_proba(output))


@pytest.mark.parametrize("labels", [[0, 1], [1.0, 2.0], [False, True], ["b", "ä"]], ids=str)
def test_class_names_keep_their_type(data, labels, tmp_path):
    X = data[0]
    for dtype in (None, object):
        y = np.array(labels, dtype=dtype)[(X[:, 0] > 0).astype(int)]
        if y.dtype == object and not isinstance(labels[0], str):
            continue  # scikit-learn takes texts as objects, but no numbers
        save(NetworkClassifier((4,), epochs=1).fit(X, y), tmp_path / "saved")
        result = load(tmp_path / "saved")
        assert result.classes_.tolist() == labels and result.classes_.dtype == y.dtype


def test_saving_again_replaces_but_never_what_is_not_ours(data, tmp_path):
    X, y, *_ = data
    save(NETWORK.fit(X, y), tmp_path / "saved")
    save(a_ridge_of(X, y), tmp_path / "saved")
    assert {path.name for path in (tmp_path / "saved").iterdir()} == {"model.json", "estimator.skops"}
    (tmp_path / "photos").mkdir()
    with pytest.raises(UserError, match="photos exists and is not a saved classifier"):
        save(NETWORK, tmp_path / "photos")
    with pytest.raises(NotFittedError):
        save(NetworkClassifier(), tmp_path / "other")


def a_ridge_of(X, y):
    return Distilled(LogisticRegression(), Ridge()).fit(X, y)


def a_stranger(values):
    return values


class Strange(LogisticRegression):
    """A classifier that a user has written."""


def test_types_of_others_are_refused_when_saved(data, tmp_path):
    X, y, *_ = data
    for student in (
        Strange().fit(X, y),
        make_pipeline(FunctionTransformer(a_stranger), LogisticRegression()).fit(X, y),
    ):
        with pytest.raises(UserError, match=r"has the type .*: only types of distilmt.classification, scikit-learn"):
            save(student, tmp_path / "saved")
        assert not list(tmp_path.iterdir())


def test_types_of_others_are_refused_when_opened(data, tmp_path):
    X, y, *_ = data
    from numpy.testing import rundocs
    from sklearn.utils import murmurhash3_32

    save(LogisticRegression().fit(X, y), tmp_path / "saved")
    strangers = (
        Strange(),
        FunctionTransformer(Path.unlink),
        FunctionTransformer(rundocs),
        FunctionTransformer(murmurhash3_32),
    )
    for stranger in strangers:  # a function of NumPy's may run what it is given: only classes are opened
        io.dump(stranger, tmp_path / "saved" / "estimator.skops")
        with pytest.raises(UserError, match=r"estimator.skops has the type"):
            load(tmp_path / "saved")


def test_a_bare_name_is_scikit_learns_only_if_it_is_the_very_module(monkeypatch):
    """Compiled modules of scikit-learn before 1.8 call themselves `_loss`; anybody may have a file of that name."""
    import sklearn._loss._loss as compiled

    forged = type("CyHalfMultinomialLoss", (), {"__module__": "sklearn._loss._loss"})
    stranger = ModuleType("_loss")
    stranger.CyHalfMultinomialLoss = forged
    for module, allowed in ((compiled, True), (stranger, False), (None, False)):
        monkeypatch.setitem(sys.modules, "_loss", module)
        assert is_allowed_type("_loss.CyHalfMultinomialLoss") is allowed
    monkeypatch.setitem(sys.modules, "_loss", compiled)
    monkeypatch.setattr(compiled, "run", Path.unlink, raising=False)
    monkeypatch.setattr(compiled, "Path", Path, raising=False)
    assert not is_allowed_type("_loss.run") and not is_allowed_type("_loss.Path")


def test_a_boosted_student_opens_in_another_process(data, tmp_path):
    X, y, X_test, _ = data
    student = HistGradientBoostingClassifier(max_iter=3).fit(X, y)
    save(student, tmp_path / "saved")
    np.save(tmp_path / "x.npy", X_test)
    program = (
        "import sys, numpy; from distilmt.classification import load; "
        "print(*load(sys.argv[1]).predict(numpy.load(sys.argv[2])))"
    )
    done = Process(tmp_path / "saved", tmp_path / "x.npy", program=program).completed()
    assert done.stdout.decode().split() == student.predict(X_test).tolist(), done.stderr[-2000:]


def test_what_is_damaged_or_foreign_is_one_line(data, tmp_path):
    X, y, *_ = data
    with pytest.raises(UserError, match="is not a classifier of format 1"):
        load(tmp_path / "nothing")
    place = tmp_path / "saved"
    save(NETWORK.fit(X, y), place)
    about = json.loads((place / "model.json").read_text())
    weights = place / "network.safetensors"
    whole = weights.read_bytes()
    weights.write_bytes(whole[:-9])
    with pytest.raises(UserError, match="cannot be opened"):
        load(place)
    weights.write_bytes(whole)
    about["network"]["features"] = 5
    (place / "model.json").write_text(json.dumps(about))
    with pytest.raises(UserError, match="cannot be opened"):
        load(place)
    about["format"] = 9
    (place / "model.json").write_text(json.dumps(about))
    with pytest.raises(UserError, match="format 1"):
        load(place)
    save(LogisticRegression().fit(X, y), tmp_path / "other")
    (tmp_path / "other" / "estimator.skops").write_bytes(b"PK nothing")
    with pytest.raises(UserError, match="cannot be opened"):
        load(tmp_path / "other")


def test_a_damaged_member_is_one_line(data, tmp_path):
    """The directory of the archive is whole; zlib alone meets the damage."""
    X, y, *_ = data
    save(LogisticRegression().fit(X, y), tmp_path / "one")
    file = tmp_path / "one" / "estimator.skops"
    with ZipFile(file) as archive:
        member = archive.getinfo("schema.json")
    content = bytearray(file.read_bytes())
    start = member.header_offset + 30 + len(member.filename)
    content[start : start + member.compress_size] = b"\xff" * member.compress_size
    file.write_bytes(content)
    with pytest.raises(UserError, match="cannot be opened"):
        load(tmp_path / "one")


_LAZY = """
import sys
from types import ModuleType

def part(name):
    raise AttributeError(name) if name.startswith("__") else ERROR(f"no part {name}")

class Lazy(ModuleType):
    def __getattr__(self, name):
        return part(name)

# Loaded before all that skops seeks, as transformers is: its image processors want torchvision.
others = dict(sys.modules)
sys.modules.clear()
for module in (Lazy("alone"), ModuleType("alone.inner")):
    sys.modules[module.__name__] = module
module.__getattr__ = part
sys.modules.update(others)

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from distilmt.classification import load, save

X, y = np.arange(1.0, 21).reshape(10, 2), np.arange(10) % 2
student = make_pipeline(FunctionTransformer(np.log1p), LogisticRegression()).fit(X, y)
save(student, sys.argv[1])
assert (load(sys.argv[1]).predict(X) == student.predict(X)).all()
assert sys.modules["alone.inner"] is module
"""


@pytest.mark.parametrize("error", ["ModuleNotFoundError", "NameError", "RuntimeError"])
def test_loaded_modules_that_cannot_load_their_parts_do_no_harm(tmp_path, error):
    """skops seeks functions in all loaded modules, in the order of loading."""
    program = _LAZY.replace("ERROR", error)
    done = Process(tmp_path / "saved", program=program).completed()
    assert done.returncode == 0, done.stderr[-2000:]
