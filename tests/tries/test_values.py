"""Tries of values and of `serve`'s numbers, a test for each."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from helpers.toy import MICRO_KEYS, write_corpus

from distilmt import cli
from distilmt.config import loading
from distilmt.inference.translator import Translator
from distilmt.labels.dataset import LabelDataset, check_dropped
from distilmt.labels.store import LabelStore
from distilmt.training.batching import Ragged, TargetSide
from distilmt.utils.errors import UserError

# Without the extra `train`: its packages are not there.
_WITHOUT = """
import sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {"torch", "transformers", "pyarrow", "safetensors", "tokenizers"}:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Absent())
from distilmt.cli import main
sys.exit(main())
"""


def refused(*arguments: str) -> str:
    """The one line in which a configuration is refused."""
    with pytest.raises(UserError) as refusal:
        loading.load(list(arguments))
    text = str(refusal.value)
    assert "\n" not in text and len(text) < 300
    return text


def config_of(directory: Path, **more: object) -> Path:
    """A run on a small corpus, as a file."""
    fields = {"run_dir": str(directory / "run"), "corpus": {"train": write_corpus(directory / "corpus", 60)}}
    path = directory / "run.yaml"
    path.write_text(yaml.safe_dump(fields | more))
    return path


@pytest.mark.parametrize("command", ["run", "cost", "labels", "plan", "evaluate", "export", "compress"])
def test_c5_without_torch_a_command_that_needs_it_is_refused_in_a_line(tmp_path, command):
    given = {"labels": ["check", str(tmp_path)], "compress": [str(tmp_path)]}.get(command, [str(config_of(tmp_path))])
    if command == "compress":
        (tmp_path / "config.yaml").write_text("{}")
    ended = subprocess.run(
        [sys.executable, "-c", _WITHOUT, command, *given, "--quiet"], capture_output=True, text=True, check=False
    )
    lines = ended.stderr.splitlines()
    assert ended.returncode == 2 and len(lines) == 1 and lines[0].startswith("distilmt: error: "), ended.stderr
    assert "pip install" in lines[0] or command in ("labels", "compress"), lines


def test_c7_a_run_directory_that_cannot_be_is_one_line(tmp_path, capsys):
    (tmp_path / "file").write_text("mine")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    for place in (tmp_path / "file", tmp_path / "file" / "below", tmp_path / "loop"):
        assert cli.main(["prepare", str(config_of(tmp_path)), "--run_dir", str(place), "--quiet"]) == 2
        assert capsys.readouterr().err.count("\n") == 1
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("seed", "-1"),
        ("seed", "1000000000000000000000"),
        ("evaluation.bootstrap_samples", str(10**21)),
        ("labels.beam_size", str(10**21)),
        ("labels.top_k", "1000000"),
        ("student.training.learning_rate", "1e308"),
        ("student.training.weight_decay", "-5"),
    ],
)
def test_c8_and_w11_a_number_out_of_bounds_is_refused_with_its_key(key, value):
    assert key in refused(f"--{key}={value}")


@pytest.mark.parametrize(
    "key",
    [
        "cleaning.max_words",
        "cleaning.max_ratio",
        "tokenizer.character_coverage",
        "labels.max_length_ratio",
        "student.training.max_seconds",
        "evaluation.examples",
        "student.model.ffn_dim",
    ],
)
def test_w11_below_zero_is_refused(key):
    from distilmt.config import RunConfig, fields

    name = next(recognized for recognized in fields.bounds_of(RunConfig) if recognized.endswith(key))
    assert name in refused(f"--{name}=-1")


def test_k4_the_key_that_is_wrong_is_named():
    assert refused("--teacher.model.encoder_layers", "-1").startswith("teacher.model.encoder_layers is -1")
    assert refused("--seed=").startswith("seed is empty")
    assert "seed" not in refused("--nonsense").split("(")[0]


def test_w8_a_block_that_stands_twice_is_refused(tmp_path):
    (tmp_path / "run.yaml").write_text("corpus: {source: en}\nseed: 1\ncorpus: {target: de}\n")
    assert "'corpus' occurs twice, in lines 1 and 3" in refused(str(tmp_path / "run.yaml"))


def test_top_k_above_the_vocabulary_is_recognized_before_work(tmp_path, capsys):
    path = config_of(tmp_path, tokenizer={"vocab_size": 100})
    assert cli.main(["prepare", str(path), "--labels.top_k", "100", "--quiet"]) == 2
    line = capsys.readouterr().err
    assert "labels.top_k is 100" in line and "tokenizer.vocab_size" in line and line.count("\n") == 1
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("number", [10**4, 10**12])
def test_no_number_of_threads_outnumbers_the_cores(number):
    from distilmt.models.device import use_threads

    before = torch.get_num_threads()
    try:
        use_threads(number)
        assert torch.get_num_threads() <= (os.cpu_count() or 1)
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize(("free", "threads"), [(8.0, 8), (7.4, 7), (1.2, 1), (0.0, 1)])
def test_k1_a_training_leaves_the_cores_that_others_use(monkeypatch, free, threads):
    from distilmt.models import device

    monkeypatch.setattr(device, "cores", lambda: 8)
    monkeypatch.setattr(device, "free_cores", lambda: free)
    assert device.training_threads(1_000_000) == threads
    assert device.training_threads(32 * 1024) == 1


@pytest.mark.parametrize(("variable", "count", "given"), [(None, 0, 0), ("1", 0, 1), ("1", 2, 2), ("x", 0, 0)])
def test_k1_a_number_that_somebody_chose_is_obeyed(monkeypatch, variable, count, given):
    from distilmt.models.device import configured_threads

    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    if variable is not None:
        monkeypatch.setenv("OMP_NUM_THREADS", variable)
    assert configured_threads(count) == given


def test_threads_of_a_server_never_outnumber_the_cores(monkeypatch):
    from distilmt.config.commands import ServeConfig
    from distilmt.serving import server, service

    class Built(Exception):
        pass

    def record(_config: ServeConfig, threads: int) -> None:
        raise Built(threads)

    monkeypatch.setattr(service, "Service", record)
    with pytest.raises(Built) as built:
        server.build(ServeConfig(["model"], threads=1000))
    assert built.value.args == (os.cpu_count() or 1,)


@pytest.mark.slow
def test_w4_a_learning_rate_that_diverges_is_refused_and_leaves_no_model(tmp_path, capsys):
    """A loss that is not finite for other reasons stops the training: tests/training/test_trainer.py."""
    training = {"max_steps": 40, "eval_steps": 20, "batch_tokens": 256, "learning_rate": 1e30, "warmup_steps": 0}
    teacher = {"model": MICRO_KEYS, "training": training}
    path = config_of(tmp_path, tokenizer={"vocab_size": 80, "vocab_sharing": "shared"}, teacher=teacher)
    assert cli.main(["train-teacher", str(path), "--quiet"]) == 2
    line = capsys.readouterr().err
    assert "teacher.training.learning_rate is 1e+30" in line and line.count("\n") == 1
    assert not (tmp_path / "run" / "teacher" / "step.json").exists()


def test_w5_one_text_in_place_of_a_list_is_a_type_error(exported_model):
    translator = Translator(exported_model, threads=1)
    with pytest.raises(TypeError, match="list"):
        translator.translate("A small editor.")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="None"):
        translator.translate([None])  # type: ignore[list-item]
    with pytest.raises(ValueError, match="beam_size"):
        translator.translate(["ban."], 0)


def test_w1_a_teacher_whose_hypotheses_are_all_dropped_is_refused():
    """No student of them would be more than the baseline."""
    ragged = Ragged(np.zeros(3701, np.int32), np.arange(3702))
    side = TargetSide(ragged, np.zeros(3701, dtype=bool))
    dropped = LabelDataset(ragged, side, side, {"length_ratio": 953, "repetition": 2748})
    with pytest.raises(UserError, match="3,701 of 3,701 hypotheses of the teacher are dropped"):
        check_dropped(dropped, 0.5)


def test_d4_a_missing_shard_costs_itself(finished_run, tmp_path):
    run = shutil.copytree(finished_run, tmp_path / "run")
    lost, *others = sorted((run / "labels").glob("shard-*.parquet"))
    times = [path.stat().st_mtime_ns for path in others]
    lost.unlink()
    assert cli.main(["label", str(finished_run.parent / "run.yaml"), "--run_dir", str(run), "--quiet"]) == 0
    assert lost.exists() and times == [path.stat().st_mtime_ns for path in others]
    assert LabelStore(run / "labels").damaged() == []
