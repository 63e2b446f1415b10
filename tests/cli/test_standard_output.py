"""Standard output that ends early, is full or closed."""

import subprocess
import sys

import pytest
from helpers import commands

from distilmt.cli import main


def test_a_reader_that_has_enough_is_no_error(exported_model):
    """`distilmt translate … | head -1`"""
    command = f"yes ban. | head -2000 | {sys.executable} -m distilmt translate {exported_model} --beam_size=1 | head -1"
    process = subprocess.run(
        ["bash", "-c", command], capture_output=True, env=commands.environment(), timeout=100, check=True
    )
    assert process.stdout.count(b"\n") == 1 and process.stderr == b""


FULL = "import os, sys\nos.dup2(os.open('/dev/full', os.O_WRONLY), 1)\nfrom distilmt.cli import main\n"


@pytest.mark.parametrize(
    "arguments",
    [
        ["--version"],
        ["translate", "--help"],
        ["translate", "EXPORT", "--text", "ban."],
        ["translate", "EXPORT", "--text", "ban.", "--json"],
        ["translate", "EXPORT", "page.html"],
        ["labels", "check", "RUN/labels"],
        ["evaluate", "RUN/config.yaml"],
    ],
    ids=" ".join,
)
def test_standard_output_that_cannot_be_written_is_named(arguments, exported_model, finished_run, tmp_path):
    (tmp_path / "page.html").write_text("<p>ban.</p>")
    places = {"EXPORT": str(exported_model), "page.html": str(tmp_path / "page.html")}
    arguments = [places.get(word, word).replace("RUN", str(finished_run)) for word in arguments]
    process = commands.Process(program=f"{FULL}sys.exit(main({arguments!r}))").completed()
    last = process.stderr.decode().splitlines()[-1]
    assert last.startswith("distilmt: error: standard output cannot be written (No space left on device)"), last
    assert process.returncode == 2


def test_a_closed_standard_output_is_named(capsys, monkeypatch):
    monkeypatch.setattr(sys, "stdout", None)
    assert main(["--version"]) == 2
    assert "standard output is closed" in capsys.readouterr().err
