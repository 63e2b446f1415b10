"""Damaged shards cost themselves, and dropped hypotheses are reported."""

import shutil

import numpy as np
import pytest

from distilmt import cli
from distilmt.labels.dataset import LabelDataset, check_dropped
from distilmt.labels.store import LabelStore
from distilmt.training.batching import Ragged, TargetSide
from distilmt.utils.errors import UserError


def labels(total: int, dropped: int) -> LabelDataset:
    ragged = Ragged(np.zeros(total, np.int32), np.arange(total + 1))
    usable = np.arange(total) >= dropped
    return LabelDataset(
        ragged, TargetSide(ragged, usable), TargetSide(ragged, usable), {"repetition": dropped} if dropped else {}
    )


def test_a_teacher_of_no_use_is_refused(messages):
    with pytest.raises(UserError, match=r"3,701 of 3,701 hypotheses of the teacher are dropped \(repetition 3,701\)"):
        check_dropped(labels(3701, 3701), 0.5)
    check_dropped(labels(100, 100), 1.0)
    assert "100 of 100" in messages[0]


@pytest.mark.parametrize(("dropped", "loud"), [(0, False), (30, False), (31, True), (99, True)])
def test_many_dropped_hypotheses_are_reported(messages, dropped, loud):
    check_dropped(labels(100, dropped), 0.5)
    assert bool(messages) == loud


def damage(path, how: str) -> None:
    content = path.read_bytes()
    if how == "missing":
        path.unlink()
    elif how == "cut":
        path.write_bytes(content[:-100])
    elif how == "empty":
        path.write_bytes(b"")
    else:
        middle = len(content) // 2
        path.write_bytes(content[:middle] + bytes([content[middle] ^ 255]) + content[middle + 1 :])


@pytest.mark.parametrize("how", ["missing", "cut", "empty", "flipped"])
def test_a_damaged_shard_is_detected(finished_run, tmp_path, how):
    store = shutil.copytree(finished_run / "labels", tmp_path / "labels")
    assert LabelStore(store).damaged() == []
    damage(store / "shard-00001.parquet", how)
    assert LabelStore(store).damaged() == ["shard-00001.parquet"]
    with pytest.raises(UserError, match="it labels only this shard again"):
        LabelStore(store).check()


def test_run_labels_a_damaged_shard_alone_again(finished_run, tmp_path, capsys):
    run = shutil.copytree(finished_run, tmp_path / "run")
    before = LabelStore(run / "labels").hypotheses()
    others = {p.name: p.stat().st_mtime_ns for p in (run / "labels").glob("shard-*") if "00001" not in p.name}
    student = (run / "student" / "step.json").read_bytes()
    damage(run / "labels" / "shard-00001.parquet", "cut")
    assert cli.main(["run", str(finished_run.parent / "run.yaml"), "--run_dir", str(run)]) == 0
    assert "shard-00001.parquet missing or damaged: only their sentences" in " ".join(capsys.readouterr().err.split())
    assert LabelStore(run / "labels").hypotheses() == before
    assert others == {name: (run / "labels" / name).stat().st_mtime_ns for name in others}
    assert (run / "student" / "step.json").read_bytes() == student
