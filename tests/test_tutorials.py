"""Every line of the tutorials is run: here, by tests/test_doc_commands.py, or by what NOT_HERE names."""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from helpers import commands, pages, servers

from distilmt.utils.pretrained import PICTURE_STUDENT, STUDENT

TUTORIALS = sorted((pages.ROOT / "docs" / "tutorials").glob("*.md"))
NOT_HERE = {
    "make demo": "downloads a corpus and trains for minutes; tests/recipes/test_demo.py has its parts",
    'export PATH="$PWD/.venv/bin:$PATH"': "nothing of distilmt",
    "python examples/debian_sentences.py it mine.en": "downloads Debian's descriptions; tests/test_examples.py",
    "distilmt demo --pair en-it --train mine.en mine.it --minutes 60": "tests/recipes/test_demo.py, in two minutes",
    "distilmt translate demo-images screenshot.png": "there is no such picture; tests/test_pretrained.py reads one",
    "distilmt demo --task images": "trains for minutes; tests/recipes has its parts",
    "distilmt export runs/demo-images/config.yaml --export.formats [web]": "needs npm; test_web_pictures.py",
    "python -m http.server --directory runs/demo-images/exports/student-web 8080": "does not end; the same",
    "distilmt run configs/firefox-en-pt.yaml": "needs Mozilla's engine; tests/teachers/test_firefox_teacher.py",
}
LINES = [(page, line) for page in TUTORIALS for line in pages.shell_lines(page)]
PYTHON_LINES = sorted({line for _, line in LINES if line.startswith("python ") and line not in NOT_HERE})
SERVED = pages.of_servers(pages.PAGES)


def words_that_tests_run() -> set[tuple[str, ...]]:
    """Commands of distilmt that this module and tests/test_doc_commands.py run."""
    lists = [pages.on_a_finished_run(pages.PAGES), SERVED, *map(pages.of_whole_runs, pages.WHOLE_RUNS)]
    lists += [pages.with_a_server_as_teacher(page) for page in TUTORIALS]
    return {command.words for commands_of_kind in lists for command in commands_of_kind}


def test_no_line_is_left_out():
    run = words_that_tests_run()
    left_out = [
        f"{page.name}: {line}"
        for page, line in LINES
        if line not in NOT_HERE
        and line not in PYTHON_LINES
        and not line.startswith("pip install ")
        and tuple(shlex.split(line)) not in run
    ]
    assert len(LINES) > 20 and not left_out, "\n".join(left_out)
    assert set(NOT_HERE) <= {line for _, line in LINES}


@pytest.fixture
def runs(tmp_path, finished_run, monkeypatch):
    """The current directory, with a finished run under the names of the pages."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs").mkdir()
    for name in ("demo", "demo-images", "opus"):
        (tmp_path / "runs" / name).symlink_to(finished_run)
    (tmp_path / "examples").symlink_to(pages.ROOT / "examples")
    (tmp_path / "keys.txt").write_text("key\n")
    (tmp_path / "runs" / "images").symlink_to(PICTURE_STUDENT)
    return tmp_path


@pytest.mark.parametrize("line", PYTHON_LINES)
def test_python_from_the_shell(line, runs):
    if "labels_dataset" in line:
        pytest.importorskip("datasets")
    process = subprocess.run(
        [sys.executable, *shlex.split(line)[1:]], capture_output=True, env=commands.environment(), check=False
    )
    assert process.returncode == 0, process.stderr.decode()[-3000:]
    assert len(process.stdout.splitlines()) >= 3


@pytest.mark.slow
@pytest.mark.parametrize("command", SERVED, ids=str)
def test_servers_start(command, runs):
    pytest.importorskip("fastapi")
    arguments = [*command.words[2:]]
    if "runs/speech" in arguments:
        pytest.skip("no student of speech is installed; tests/serving/test_api_audio.py")
    if "--host" in arguments:
        arguments[arguments.index("--host") + 1] = "127.0.0.1"  # only this machine
    with servers.distilmt_server(*arguments) as (process, _):
        assert process.poll() is None, process.stderr.read().decode()[-3000:]


def test_the_model_of_the_hub_is_saved_as_a_teacher(tmp_path, monkeypatch, trained_model):
    """The first block of the second tutorial, with a directory in the place of the hub's name."""
    page = pages.ROOT / "docs" / "tutorials" / "your-own-teacher.md"
    block = pages.blocks(page, "python")[0]
    monkeypatch.chdir(tmp_path)
    name = "Helsinki-NLP/opus-mt-en-it"
    assert name in block
    exec(compile(block.replace(name, str(trained_model)), page.name, "exec"), {})
    saved = {path.name for path in Path("models/opus-mt-en-it").iterdir()}
    assert {"model.safetensors", "config.json", "source.spm", "target.spm", "vocab.json"} <= saved


def test_the_first_lines_of_the_readme(capsys):
    """The built-in student prints what the comment says; another processor may round to other words at the end."""
    if not STUDENT.exists():
        pytest.skip("the built-in student is not there")
    block = pages.blocks(pages.ROOT / "README.md", "python")[0]
    exec(compile(block, "README.md", "exec"), {})
    expected = block.partition("))  # ")[2].split()
    assert len(expected) > 4 and capsys.readouterr().out.split()[:3] == expected[:3]
