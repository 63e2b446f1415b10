"""Tries of a run whose own models were damaged on disk: one line that names the file, and a remedy that works."""

import json
import os
import shutil

import pytest

from distilmt import cli
from distilmt.utils.run_dir import STEP_FILE


def flip(path):
    content = bytearray(path.read_bytes())
    content[-len(content) // 3] ^= 64
    path.write_bytes(content)


def cut(path):
    path.write_bytes(path.read_bytes()[:-100])


def remove(path):
    path.unlink()


@pytest.fixture
def run(finished_run, tmp_path):
    return shutil.copytree(finished_run, tmp_path / "run")


@pytest.fixture
def command(finished_run, run, capsys, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")

    def call(name, *flags):
        named = [str(run)] if name == "compress" else [str(finished_run.parent / "run.yaml"), "--run_dir", str(run)]
        status = cli.main([name, *named, "--quiet", *flags])
        return status, capsys.readouterr().err

    return call


COMMANDS = {"run": [], "export": [], "evaluate": ["--health"], "compress": ["--max-drop", "90"]}
DAMAGES = [
    ("model.safetensors", flip, COMMANDS),
    ("model.safetensors", cut, ["run"]),
    ("model.safetensors", remove, ["compress"]),
    ("config.json", cut, ["run"]),
    ("config.json", remove, ["compress"]),
    ("vocab.json", remove, ["run"]),
    ("source.spm", flip, ["run"]),
]


@pytest.mark.parametrize(("name", "damage", "commands"), DAMAGES, ids=lambda value: getattr(value, "__name__", None))
@pytest.mark.parametrize("model", ["teacher", "student"])
def test_a_damaged_model_is_one_line_that_names_the_file(run, command, model, name, damage, commands):
    damage(run / model / name)
    times = {path: path.stat().st_mtime_ns for path in run.glob("*/*")}
    for step in [*commands, *(["label"] if model == "teacher" else [])]:
        status, line = command(step, *COMMANDS.get(step, []))
        assert status == 2 and line.count("\n") == 1, (step, line)
        assert str(run / model / name) in line and f"delete {run / model}" in line, (step, line)
    assert {path: path.stat().st_mtime_ns for path in times} == times


@pytest.mark.parametrize("name", ["model.safetensors", "config.json", "vocab.json"])
def test_damage_is_one_line_where_an_older_run_has_no_checksums(run, command, name):
    for model in ("teacher", "tokenizer", "student"):
        record = json.loads((run / model / STEP_FILE).read_text())
        del record["files"]
        (run / model / STEP_FILE).write_text(json.dumps(record))
    place = run / ("tokenizer" if name == "vocab.json" else "student")
    (place / name).unlink()
    status, line = command("export", "--export.student", "[float32]")
    assert status == 2 and line.count("\n") == 1
    assert str(place) in line and name in line and f"delete {place}" in line


def test_the_remedy_makes_the_damaged_model_alone_anew(run, command):
    flip(run / "student" / "model.safetensors")
    whole = {path: path.stat().st_mtime_ns for path in run.glob(f"*/{STEP_FILE}") if path.parent.name != "student"}
    shutil.rmtree(run / "student")
    assert command("run") == (0, "")
    assert (run / "student" / "model.safetensors").exists()
    assert {path: path.stat().st_mtime_ns for path in whole} == whole
    assert os.listdir(run / "exports")
