import shutil
import subprocess

import pytest

from distilmt import cli
from distilmt.cli.command import COMMANDS
from distilmt.cli.completion import SHELLS, script

# Calls the function as bash does when the user presses the tabulator key at the end of a line.
_PROGRAM = """
source "$0"
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMP_LINE="$*"; COMP_POINT=${#COMP_LINE}
_shtab_distilmt 2>/dev/null
echo "${COMPREPLY[*]}"
"""


@pytest.fixture(scope="module")
def bash_script(tmp_path_factory):
    path = tmp_path_factory.mktemp("completion") / "distilmt"
    path.write_text(script("bash"), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("line", "completions"),
    [
        ("", list(COMMANDS)),
        ("comp", ["compare", "compress", "completion"]),
        ("translate --beam", ["--beam_size"]),
        ("run run.yaml --student.model.preset t", ["tiny", "teacher", "teacher-big"]),
        ("plan run.yaml --min_", ["--min_gain"]),
        ("compare x.yaml --on", ["--only"]),
        ("labels ", ["check", "info", "merge", "split", "select"]),
        ("completion ", list(SHELLS)),
        ("compress runs/demo --metric ", ["bleu", "chrf"]),
        ("cost run.yaml --corpus.sources.h", []),
        ("cost run.yaml --corpus.cleanin", [f"--corpus.cleaning.{name}" for name in ("min_words", "max_words")]),
    ],
)
def test_bash_completes(bash_script, line, completions):
    words = ["distilmt", *line.split(" ")]
    command = ["bash", "--norc", "-c", _PROGRAM, str(bash_script), *words]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    given = done.stdout.split()
    if line.endswith("cleanin"):  # sections hold many keys
        assert set(completions) <= set(given) and all(name.startswith("--corpus.cleaning.") for name in given)
    else:
        assert given == completions


def test_bash_completes_files(bash_script, tmp_path):
    (tmp_path / "a-run").mkdir()
    command = ["bash", "--norc", "-c", _PROGRAM, str(bash_script), "distilmt", "translate", "a-"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=tmp_path)
    assert done.stdout.split() == ["a-run"]


@pytest.mark.skipif(shutil.which("fish") is None, reason="fish is not installed")
def test_fish_completes(tmp_path):
    lines = ["comp", "translate --beam", "run run.yaml --student.model.preset t", "completion "]
    calls = "".join(f'; echo; complete -C"distilmt {line}"' for line in lines)
    (tmp_path / "script").write_text(script("fish"), encoding="utf-8")
    command = ["fish", "--no-config", "-c", f"source {tmp_path}/script{calls}"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=tmp_path)
    words = [[line.split("\t")[0] for line in part.splitlines()] for part in done.stdout.split("\n\n")]
    expected = [["compare", "completion", "compress"], ["--beam_size"], ["tiny", "teacher", "teacher-big"], [*SHELLS]]
    assert [{word for word in given if word} for given in words] == [*map(set, expected)]


@pytest.mark.parametrize("shell", SHELLS)
def test_every_shell_has_a_script_with_all_commands(capsys, tmp_path, shell):
    assert cli.main(["completion", shell]) == 0
    text = capsys.readouterr().out
    for command in COMMANDS:
        assert command in text
    assert "student.training.max_steps" in text
    if program := shutil.which(shell):
        (tmp_path / "script").write_text(text, encoding="utf-8")
        done = subprocess.run([program, "-n", str(tmp_path / "script")], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("arguments", [["tcsh"], ["bash", "zsh"]])
def test_other_shells_are_refused(capsys, arguments):
    assert cli.main(["completion", *arguments]) == 2
    assert "takes the name of a shell: bash, zsh, fish" in capsys.readouterr().err
