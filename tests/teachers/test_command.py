"""Programs that read lines and write lines, as teachers."""

import shutil
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from distilmt.errors import UserError
from distilmt.teachers.outside import Outside


def teacher(*words, answers=None):
    import shlex

    facts = {"kind": "command", "name": "it", "command": shlex.join(words), "source": "en", "target": "it"}
    return Outside(facts, answers)


def python(code):
    return teacher(sys.executable, "-c", "import sys\nfor line in sys.stdin: " + code)


def test_a_line_for_a_line(tmp_path):
    texts = ["one", "", "two  words", " ", "one"]
    assert teacher("tr", "a-z", "A-Z").translate(texts) == ["ONE", "", "TWO WORDS", "", "ONE"]
    many = [f"text {n}" for n in range(2500)]
    assert teacher("tr", "a-z", "A-Z").translate(many) == [text.upper() for text in many]


@settings(max_examples=25, deadline=None)
@given(st.lists(st.text(max_size=20), max_size=8))
def test_whatever_the_text_is_every_one_gets_its_own_line(texts):
    found = teacher("cat").translate(texts)
    assert len(found) == len(texts)
    assert all(said.split() == text.split() or not text.isprintable() for said, text in zip(found, texts, strict=True))


def test_a_line_that_becomes_two_or_none_harms_no_other():
    said = python("print('a\\nb' if 'two' in line else line.strip(), end='' if 'none' in line else '\\n')")
    texts = ["x", "two", "y", "z"]
    assert said.translate(texts) == ["x", "a b", "y", "z"]
    nothing = python("'none' in line or print(line.strip())")
    assert nothing.translate(["x", "none", "y"]) == ["x", "", "y"]


def test_one_translation_however_many_are_asked_for():
    assert [h.text for h in teacher("cat").hypotheses(["a b"], count=4)[0]] == ["a b"]


def test_what_goes_wrong_is_told_in_a_line():
    with pytest.raises(UserError, match="'no-such-program' is no program here"):
        teacher("no-such-program", "-x").translate(["a"])
    with pytest.raises(UserError, match=r"failed with status 3 \(oh no\)"):
        teacher("sh", "-c", "echo oh no >&2; exit 3").translate(["a"])
    with pytest.raises(UserError, match="close its quotes"):
        Outside({"kind": "command", "command": "sed 's/a"})


def test_answers_are_kept(tmp_path):
    file = tmp_path / "answers.sqlite"
    log = tmp_path / "log"
    words = ("sh", "-c", f"tee -a {log} | tr a-z A-Z")
    assert teacher(*words, answers=file).translate(["a", "b"]) == ["A", "B"]
    assert teacher(*words, answers=file).translate(["c", "b"]) == ["C", "B"]
    assert sorted(log.read_text().split()) == ["a", "b", "c"]


@pytest.mark.skipif(not shutil.which("apertium"), reason="apertium is not installed")
def test_apertium():
    import subprocess

    if "eng-spa" not in subprocess.run(["apertium", "-l"], capture_output=True, text=True, check=False).stdout:
        pytest.skip("apertium-eng-spa is not installed")
    found = teacher("apertium", "-u", "eng-spa").translate(["The house is white.", "", "I have two dogs."])
    assert found == ["La casa es blanca.", "", "Tengo dos perros."]
