import importlib.util
import json
import sqlite3
import struct
import time
from collections.abc import Iterator
from typing import Any

import pytest
from helpers import commands, toy
from helpers.training import CONFIG, improving, job, model

from distilmt.config import RunConfig, loading
from distilmt.config.effects import keys_of
from distilmt.training.tracker import check_tracker, tracking
from distilmt.training.trainer import train
from distilmt.utils.errors import UserError

LINES = [{"update": 10, "train_loss": 4.0, "bleu": 1.5}, {"update": 20, "train_loss": 3.0, "bleu": 2.5}]


def scalars(directory) -> dict[str, list[tuple[int, float]]]:
    """The values in TensorBoard's files, read by its own reader."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(directory)).Reload()
    return {name: [(event.step, event.value) for event in events.Scalars(name)] for name in events.Tags()["scalars"]}


def test_tensorboard_has_the_log_of_a_training(tmp_path, shared_tokenizer):
    pytest.importorskip("tensorboard")
    with tracking("tensorboard", tmp_path, tmp_path / "student") as board:
        *_, log = train(model(shared_tokenizer), job(shared_tokenizer), improving(), tmp_path / "student", board.log)
    recorded = scalars(tmp_path / "tensorboard" / "student")
    assert len(log) > 1 and set(recorded) == set(log[0]) - {"update"}
    for name, values in recorded.items():
        assert [step for step, _ in values] == [line["update"] for line in log]
        assert [value for _, value in values] == pytest.approx([line[name] for line in log], rel=1e-6)


def test_tensorboard_after_an_interruption_shows_each_update_once(tmp_path):
    pytest.importorskip("tensorboard")
    for lines in (LINES, [LINES[1] | {"bleu": 9.0}]):
        with tracking("tensorboard", tmp_path, tmp_path / "student" / "round-1") as board:
            for line in lines:
                board.log(line)
    assert scalars(tmp_path / "tensorboard" / "student" / "round-1")["bleu"] == [(10, 1.5), (20, 9.0)]


def wandb_records(content: bytes) -> Iterator[Any]:
    """The records of a small file of wandb: 7 bytes before all, then checksum, length, kind and content of each."""
    from wandb.proto import wandb_internal_pb2

    position = 7
    while position < len(content):
        _, length, kind = struct.unpack_from("<IHB", content, position)
        assert kind == 1, "a record that lies in one block"
        record = vars(wandb_internal_pb2)["Record"]()
        record.ParseFromString(content[position + 7 : position + 7 + length])
        yield record
        position += 7 + length


def wandb_values(directory):
    """The values of every line of the only run."""
    (path,) = directory.glob("offline-run-*/*.wandb")
    return [
        {item.key or ".".join(item.nested_key): item.value_json for item in record.history.item}
        for record in wandb_records(path.read_bytes())
        if record.WhichOneof("record_type") == "history"
    ]


def test_wandb_offline_has_the_log(tmp_path, monkeypatch, capfd):
    pytest.importorskip("wandb")
    monkeypatch.setenv("WANDB_MODE", "offline")
    with tracking("wandb", tmp_path, tmp_path / "student") as run:
        for line in LINES:
            run.log(line)
    assert capfd.readouterr().out == ""
    deadline = time.monotonic() + 60
    while len(values := wandb_values(tmp_path / "wandb")) < 2 and time.monotonic() < deadline:
        time.sleep(0.1)  # a process of its own writes the file
    assert [row["bleu"] for row in values] == ["1.5", "2.5"] and [row["_step"] for row in values] == ["10", "20"]


def test_trackio_has_the_log(tmp_path):
    pytest.importorskip("trackio")
    program = f"""
from pathlib import Path
from distilmt.training.tracker import tracking
with tracking("trackio", Path({str(tmp_path)!r}), Path({str(tmp_path / "student")!r})) as run:
    for line in {LINES!r}:
        run.log(line)
"""
    environment = commands.environment() | {"TRACKIO_DIR": str(tmp_path / "trackio")}
    done = commands.python(program, environment)
    assert done.returncode == 0 and done.stdout == b"", done.stderr.decode()
    (path,) = (tmp_path / "trackio").glob("*.db")
    rows = sqlite3.connect(path).execute("select run_name, step, metrics from metrics order by step").fetchall()
    assert [row[:2] for row in rows] == [(f"{tmp_path.name}/student", 10), (f"{tmp_path.name}/student", 20)]
    assert [json.loads(row[2])["bleu"] for row in rows] == [1.5, 2.5]


@pytest.mark.parametrize("name", ["tensorboard", "wandb", "trackio"])
def test_a_missing_package_is_one_line_before_anything_is_done(tmp_path, monkeypatch, capsys, name):
    from distilmt import cli

    find_spec = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda module, *at: None if module == name else find_spec(module, *at)
    )
    config = toy.write_config(tmp_path / "run.yaml", toy.run_config(tmp_path))
    assert cli.main(["run", str(config), "--quiet", f"--student.training.tracker={name}"]) == 2
    error = capsys.readouterr().err
    assert f"student.training.tracker is {name}, which is not installed: pip install" in error
    assert error.count("\n") == 1 and not (tmp_path / "run" / "corpus").exists()


def test_no_tracker_needs_no_package_and_changes_no_step(monkeypatch):
    check_tracker("student.training.tracker", "none")
    keys = keys_of(RunConfig)
    for section in ("teacher", "student"):
        assert not keys[f"{section}.training.tracker"].steps
    with pytest.raises(UserError, match="tracker is mlflow: it must be one of none, tensorboard, wandb, trackio"):
        loading.load(["--teacher.training.tracker", "mlflow"])


def test_the_callback_gets_the_lines_of_the_log(tmp_path, shared_tokenizer):
    lines = []
    *_, log = train(model(shared_tokenizer), job(shared_tokenizer, CONFIG), improving(), tmp_path, lines.append)
    assert lines == log and lines
