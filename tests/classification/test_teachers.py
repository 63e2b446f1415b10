"""Every kind of teacher predicts what it predicts by itself, in the order of its classes."""

import json

import numpy as np
import pytest
import torch
from scipy.special import expit, softmax
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression, Perceptron
from sklearn.model_selection import KFold, ShuffleSplit
from sklearn.neighbors import KNeighborsClassifier
from sklearn.svm import SVC, LinearSVC
from torch import nn
from transformers import (
    AutoModelForSequenceClassification,
    AutoTokenizer,
    RobertaConfig,
    RobertaForSequenceClassification,
)

from distilmt.classification import HuggingFaceTeacher, TorchTeacher, probabilities
from distilmt.classification.teachers import as_teacher, crossfitted, fitted, is_ready
from distilmt.utils.errors import UserError


def test_probabilities_are_taken_as_they_are(data):
    X, y, X_test, _ = data
    teacher = LogisticRegression().fit(X, y)
    result, classes = probabilities(teacher, X_test)
    np.testing.assert_array_equal(result, teacher.predict_proba(X_test))
    assert classes.tolist() == ["x", "y", "z"]


def test_margins_go_through_softmax_or_sigmoid(data):
    X, y, X_test, _ = data
    many = LinearSVC().fit(X, y)
    np.testing.assert_allclose(probabilities(many, X_test)[0], softmax(many.decision_function(X_test), axis=1))
    two = Perceptron().fit(X, y == "x")
    np.testing.assert_allclose(probabilities(two, X_test)[0][:, 1], expit(two.decision_function(X_test)))


def test_one_against_one_is_refused(data):
    X, y, *_ = data
    four = np.concatenate([y[:200], np.full(100, "w")])
    teacher = SVC(decision_function_shape="ovo").fit(X, four)
    with pytest.raises(ValueError, match=r"6 outputs for the 4 classes .*decision_function_shape='ovr'"):
        probabilities(teacher, X)


def test_torch_modules_give_logits(data):
    X, y, *_ = data
    module = nn.Sequential(nn.Linear(8, 3), nn.Dropout(0.5))
    result, classes = probabilities(module, X, np.unique(y))
    with torch.no_grad():
        expected = module[0](torch.tensor(X, dtype=torch.float32)).softmax(-1)
    np.testing.assert_allclose(result, expected.numpy(), atol=1e-6)
    assert module.training and classes.tolist() == ["x", "y", "z"]
    assert probabilities(TorchTeacher(module, classes=["z", "x", "y"]), X)[1].tolist() == ["z", "x", "y"]
    with pytest.raises(ValueError, match="3 outputs for the 2 classes"):
        probabilities(module, X, np.array([0, 1]))


def test_torch_modules_with_one_output_mean_the_second_class(data):
    X = data[0]
    module = nn.Linear(8, 1)
    result, _ = probabilities(module, X, np.array([0, 1]))
    with torch.no_grad():
        expected = torch.sigmoid(module(torch.tensor(X, dtype=torch.float32)))[:, 0]
    np.testing.assert_allclose(result[:, 1], expected.numpy(), atol=1e-6)


def test_hugging_face_reads_texts_in_batches_as_one_by_one(bert, texts):
    model = AutoModelForSequenceClassification.from_pretrained(bert).eval()
    tokenizer = AutoTokenizer.from_pretrained(bert)
    some = [*texts[0][:20], "red", " ".join(["tree"] * 40)]
    with torch.no_grad():
        each = [model(**tokenizer(t, truncation=True, max_length=16, return_tensors="pt")).logits[0] for t in some]
    expected = torch.stack(each).softmax(-1).numpy()
    for teacher in (bert, str(bert), (model, tokenizer), HuggingFaceTeacher(bert, batch_size=3)):
        result, classes = probabilities(teacher, some)
        np.testing.assert_allclose(result, expected, atol=1e-6)
        assert classes.tolist() == ["red", "green", "blue"]
    assert probabilities(bert, some, np.array([0, 1, 2]))[1].tolist() == [0, 1, 2]


def test_positions_of_roberta_begin_behind_the_padding(bert):
    config = RobertaConfig(
        vocab_size=15, hidden_size=8, num_hidden_layers=1, num_attention_heads=1, intermediate_size=8,
        max_position_embeddings=12, pad_token_id=1, num_labels=3,
    )  # fmt: skip
    tokenizer = AutoTokenizer.from_pretrained(bert, model_max_length=10**30)
    result, _ = probabilities((RobertaForSequenceClassification(config), tokenizer), ["tree " * 40, "dog"])
    assert result.shape == (2, 3)


def test_hugging_face_opens_safetensors_of_classifiers_only(bert, tmp_path):
    with pytest.raises(UserError, match="is not a directory"):
        as_teacher("no/such/place")
    (tmp_path / "config.json").write_text((bert / "config.json").read_text())
    torch.save({}, tmp_path / "pytorch_model.bin")
    with pytest.raises(UserError, match="cannot be loaded from safetensors"):
        as_teacher(tmp_path)
    model = AutoModelForSequenceClassification.from_pretrained(bert, num_labels=1, ignore_mismatched_sizes=True)
    with pytest.raises(UserError, match="1 outputs"):
        as_teacher((model, None))


def test_code_of_a_model_is_not_run(bert, tmp_path):
    config = json.loads((bert / "config.json").read_text())
    config |= {"model_type": "strange", "auto_map": {"AutoConfig": "evil.Evil"}}
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "evil.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\n")
    with pytest.raises(UserError):
        as_teacher(tmp_path)
    assert not (tmp_path / "ran").exists()


def test_an_ensemble_is_the_mean_over_all_classes(data):
    X, y, X_test, _ = data
    one, other = LogisticRegression().fit(X, y), LogisticRegression().fit(X[y != "y"], y[y != "y"])
    result, classes = probabilities([one, other], X_test)
    expected = one.predict_proba(X_test)
    expected[:, [0, 2]] += other.predict_proba(X_test)
    np.testing.assert_allclose(result, expected / 2)
    assert classes.tolist() == ["x", "y", "z"]


def test_what_is_fitted_stays_and_what_is_not_is_cloned(data):
    X, y, *_ = data
    ready, raw = LogisticRegression().fit(X, y), LogisticRegression()
    assert is_ready(ready) and not is_ready(raw) and not is_ready([ready, raw]) and is_ready(nn.Linear(1, 2))
    remaining, instance = fitted([ready, raw], X, y)
    assert remaining is ready and instance is not raw and not is_ready(raw) and is_ready(instance)
    assert fitted(ready, X, y, refit=True) is not ready
    with pytest.raises(ValueError, match="LogisticRegression is not fitted and y is None"):
        fitted(raw, X, None)


def test_crossfitting_requests_clones_that_did_not_see_the_row(data):
    X, y, *_ = data
    # Of the row itself, the nearest neighbour always has its label; of the others it does not.
    teacher = KNeighborsClassifier(1).fit(X, y)
    assert (probabilities(teacher, X)[0].argmax(1) == np.unique(y, return_inverse=True)[1]).all()
    result, classes = crossfitted(teacher, X, y, KFold(3))
    expected = np.empty_like(y)
    for train, held in KFold(3).split(X):
        expected[held] = clone(teacher).fit(X[train], y[train]).predict(X[held])
    np.testing.assert_array_equal(classes[result.argmax(1)], expected)
    assert 0.5 < (expected == y).mean() < 1


def test_rows_of_a_class_that_a_fold_lacks_take_their_labels(data):
    X, labels = data[0], np.repeat([0, 1, 2], 100)
    with pytest.warns(UserWarning, match="300 rows of these classes are learned from their labels only"):
        result, _ = crossfitted(LogisticRegression(), X, labels, KFold(3))
    assert (result[np.arange(300), labels] == 1).all()
    np.testing.assert_allclose(result.sum(1), 1)


def test_what_cannot_be_crossfitted_is_named(data, bert):
    X, y, *_ = data
    with pytest.raises(ValueError, match="unlike HuggingFaceTeacher: set cv=None"):
        crossfitted(as_teacher(bert), X, y, 3)
    with pytest.raises(ValueError, match="each row once"):
        crossfitted(LogisticRegression(), X, y, ShuffleSplit(2))


def test_what_is_no_teacher_is_named():
    with pytest.raises(ValueError, match="neither predict_proba nor decision_function"):
        as_teacher(type("Nothing", (), {})())
    with pytest.raises(ValueError, match="empty list"):
        as_teacher([])
