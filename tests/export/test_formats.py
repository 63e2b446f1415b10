"""The table of export formats: each is checked before anything is trained; a new one is one file and one line."""

from __future__ import annotations

import importlib.util
import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import get_args

import pytest
from helpers import commands, toy

import distilmt
from distilmt import cli
from distilmt.config import CorpusConfig, ExportConfig, ExportFormat, RunConfig
from distilmt.data.tokenizer import Tokenizer
from distilmt.export.formats import exporter, student_exporters
from distilmt.pipeline import runner
from distilmt.utils.errors import UserError

FORMATS = get_args(ExportFormat)
NEW_FORMAT = Path(__file__).with_name("npz_format.py")


def test_every_format_of_the_key_has_an_exporter_and_a_name_of_its_own():
    exporters = student_exporters(ExportConfig(formats=list(FORMATS)))
    names = ["student", "student-int8", "student-huggingface", "student-onnx", "student.argosmodel", "student-marian"]
    assert list(exporters) == [*names, "student-web"]
    assert len({type(exporter(name)) for name in FORMATS}) == len(FORMATS)


@pytest.mark.parametrize(
    ("name", "package"),
    [
        ("huggingface", "safetensors"),
        ("onnx", "onnxscript"),
        ("argos", "ctranslate2"),
        ("marian", "yaml"),
        ("web", "onnxruntime"),
    ],
)
def test_a_missing_package_is_one_line_before_anything_is_trained(name, package, tmp_path, monkeypatch, capsys):
    find_spec = importlib.util.find_spec
    monkeypatch.setattr("importlib.util.find_spec", lambda each: None if each == package else find_spec(each))
    config = toy.write_config(tmp_path / "run.yaml", toy.run_config(tmp_path))
    before = sorted(tmp_path.rglob("*"))
    assert cli.main(["run", str(config), "--export.formats", f"[{name}]", "--quiet"]) == 2
    line = capsys.readouterr().err
    # CTranslate2 itself is the first format that needs ctranslate2.
    format_name = "ctranslate2" if package == "ctranslate2" else name
    assert line.count("\n") == 1
    assert f"the export format '{format_name}' needs {package}: pip install" in line
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("name", ["argos"])
def test_a_tokenizer_that_a_format_does_not_support_is_one_line_before_anything_is_trained(
    name, tmp_path, split_tokenizer, monkeypatch
):
    """Only the target of this tokenizer has byte tokens."""
    without_bytes = [token.replace("<0x", "<0y") for token in split_tokenizer.source.tokens]
    damaged = replace(split_tokenizer, source=replace(split_tokenizer.source, tokens=without_bytes))
    monkeypatch.setattr("distilmt.export.argos.load_tokenizer", lambda path: damaged)
    config = toy.run_config(tmp_path, chinese=True, tokenizer={"path": str(split_tokenizer.directory)})
    file = toy.write_config(tmp_path / "run.yaml", config)
    assert isinstance(damaged, Tokenizer)
    assert cli.main(["run", str(file), "--export.formats", f"[{name}]", "--quiet"]) == 2
    assert not Path(config["run_dir"]).exists()


def test_the_runtime_of_the_page_is_checked_before_anything_is_trained(tmp_path, tmp_path_factory, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    corpus = CorpusConfig("en", "it", toy.write_corpus(tmp_path_factory.mktemp("text"), 20))
    config = RunConfig(run_dir=str(tmp_path / "run"), corpus=corpus, export=ExportConfig(formats=["web"]))
    with pytest.raises(UserError, match=r"'web' needs npm .*install Node\.js"):
        runner.run(config)
    assert not list(tmp_path.iterdir())


def test_a_new_format_is_one_file_and_one_line(finished_run, tmp_path):
    """In a copy of distilmt: the file of the format, and its name in `ExportFormat`."""
    package = tmp_path / "src" / "distilmt"
    shutil.copytree(Path(distilmt.__file__).parent, package)  # with what Python compiled: that takes seconds
    shutil.copyfile(NEW_FORMAT, package / "export" / "npz.py")
    table = package / "config" / "export.py"
    lines = table.read_text().splitlines()
    number = next(i for i, line in enumerate(lines) if line.startswith("ExportFormat = "))
    lines[number] = lines[number].replace('"web"', '"web", "npz"')
    table.write_text("\n".join(lines) + "\n")
    run = tmp_path / "run"
    shutil.copytree(finished_run, run)
    command = [sys.executable, "-m", "distilmt", "export", str(finished_run.parent / "run.yaml"), "--run_dir", str(run)]
    command += ["--export.formats", "[npz]", "--quiet"]
    environment = commands.environment() | {"PYTHONPATH": str(tmp_path / "src")}
    process = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=240, check=False)
    assert process.returncode == 0, process.stderr[-3000:]
    assert (run / "exports" / "student-npz" / "weights.npz").is_file()
    agreement = json.loads((run / "exports" / "agreement.json").read_text())
    assert agreement["exports"]["student-npz"]["different"] == 0
    assert "student-npz" in json.loads((run / "exports" / "step.json").read_text())["result"]
