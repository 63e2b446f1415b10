"""Outputs of other systems are read in several forms, and checked line by line."""

import json

import pytest

from distilmt.config import EvaluationConfig
from distilmt.evaluation.other_systems import EvaluationSentences, check_files, read_outputs
from distilmt.utils.errors import UserError

TEST = EvaluationSentences(["test-0", "test-1"], ["One.", "Two."])
OUTPUT = ["Uno.", "Due."]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.txt", "Uno.\nDue.\n"),
        ("no-newline.it", "Uno.\nDue."),
        ("a.json", json.dumps(OUTPUT)),
        ("a.json", json.dumps([{"id": "test-0", "translation": "Uno."}, {"id": "test-1", "hypothesis": "Due."}])),
        ("run.json", json.dumps({"scores": {}, "translations": OUTPUT})),
        ("a.jsonl", '"Uno."\n"Due."\n'),
        (
            "translate.jsonl",
            '{"source": "One.", "translations": [{"score": 0.5, "translation": "Uno."}]}\n'
            '{"source": "Two.", "translations": ["Due."]}\n',
        ),
    ],
)
def test_forms(tmp_path, name, content):
    (tmp_path / name).write_text(content, encoding="utf-8")
    assert read_outputs({"other": str(tmp_path / name)}, TEST) == {"other": OUTPUT}


def test_empty_translations_count(tmp_path):
    (tmp_path / "a.txt").write_text("\nDue.\n")
    assert read_outputs({"x": str(tmp_path / "a.txt")}, TEST) == {"x": ["", "Due."]}


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.txt", "Uno.\n", "has 1 translations, but the test set has 2 sentences"),
        ("a.txt", "Uno.\nDue.\nTre.\n", "has 3 translations"),
        ("empty.txt", "", "has 0 translations"),
        ("a.jsonl", '"Uno."\nDue.\n', "line 2: not JSON"),
        ("a.json", '["Uno.", 5]', "translation 2: it is int, not a text"),
        ("a.json", '["Uno.", {"text": "Due."}]', "translation 2: it has no translation"),
        ("a.json", '[{"id": "test-1", "translation": "a"}, "b"]', "id is 'test-1', but in the test set it is 'test-0'"),
        ("a.json", '["a", {"source": "One.", "translation": "b"}]', r"source is 'One\.', but .* 'Two\.'"),
    ],
)
def test_what_does_not_fit_is_one_line(tmp_path, name, content, message):
    (tmp_path / name).write_text(content)
    with pytest.raises(UserError, match=message):
        read_outputs({"other": str(tmp_path / name)}, TEST)


def test_other_encodings_are_refused(tmp_path):
    (tmp_path / "a.txt").write_bytes("è\nè\n".encode("latin-1"))
    with pytest.raises(UserError, match="give a file in UTF-8"):
        read_outputs({"other": str(tmp_path / "a.txt")}, TEST)


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        (["a.txt"], "write NAME=FILE"),
        (["=a.txt"], "write NAME=FILE"),
        (["x=a.txt", "x=b.txt"], "two systems are called 'x'"),
    ],
)
def test_wrong_entries_are_one_line(entries, message):
    with pytest.raises(UserError, match=message):
        EvaluationConfig(against=entries)


def test_absent_files_are_one_line():
    files = EvaluationConfig(against=["a=absent=1.txt"]).other_outputs
    with pytest.raises(UserError, match=r"absent=1\.txt does not exist: check evaluation\.against, system 'a'"):
        check_files(files)
