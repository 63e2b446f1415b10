"""Labels made by workers of a Ray cluster are those made here, whoever dies meanwhile."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest
from helpers.labeling import CONFIG, job, label, rows, sentences

from distilmt.labels import ray_executor
from distilmt.labels.manifest import MANIFEST
from distilmt.labels.store import LabelStore
from distilmt.utils.errors import UserError
from distilmt.utils.run_dir import read_json, versions

ON_RAY = replace(CONFIG, compute_type="int8", executor="ray")


def test_without_ray_the_extra_is_named(tmp_path, trained_model, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(UserError, match=r"pip install '\.\[ray\]'"):
        label(sentences(12), job(trained_model, ON_RAY), tmp_path)


def test_nothing_left_to_do_needs_no_cluster(tmp_path, trained_model, monkeypatch):
    label(sentences(12), job(trained_model, replace(ON_RAY, executor="local")), tmp_path)
    monkeypatch.setitem(sys.modules, "ray", None)
    result = label(sentences(12), job(trained_model, ON_RAY), tmp_path)
    assert (result.sentences, result.shards) == (12, 2)


def test_a_machine_with_other_versions_is_refused():
    ray_executor.check_versions(versions())
    with pytest.raises(UserError, match=r"has ctranslate2 .*, but labeling was started with 1\.0"):
        ray_executor.check_versions(versions() | {"ctranslate2": "1.0"})


@pytest.mark.slow
def test_two_workers_label_as_one_process(tmp_path, trained_model):
    pytest.importorskip("ray")
    label(sentences(), job(trained_model, replace(ON_RAY, executor="local")), tmp_path / "here")
    # Begun here, with a hole: what is missing is labelled there.
    label(sentences(), job(trained_model, replace(ON_RAY, executor="local")), tmp_path / "there")
    (tmp_path / "there" / "shard-00001.parquet").unlink()
    (tmp_path / "there" / "shard-00003.parquet").unlink()
    for name in ("there", "new"):
        label(sentences(), job(trained_model, replace(ON_RAY, max_workers=2)), tmp_path / name)
        LabelStore(tmp_path / name).check()
        assert rows(tmp_path / name) == rows(tmp_path / "here")
        assert read_json(tmp_path / name / MANIFEST) == read_json(tmp_path / "here" / MANIFEST)


@pytest.mark.slow
def test_a_dead_workers_shard_is_labelled_again_and_what_cannot_be_used_is_reported(tmp_path, trained_model):
    ray = pytest.importorskip("ray")
    label(sentences(), job(trained_model, replace(ON_RAY, executor="local")), tmp_path / "here")
    killed: list[int] = []

    def kill() -> None:
        while len(killed) < 2 and not over.wait(0.05):
            for place in Path("/proc").glob("[0-9]*"):
                own = place / "cmdline"
                if own.exists() and own.read_bytes().startswith(b"ray::_label") and below(int(place.name), os.getpid()):
                    os.kill(int(place.name), signal.SIGKILL)
                    killed.append(int(place.name))
                    time.sleep(1)
                    break

    with ray_executor.connected(replace(ON_RAY, ray_address="local")):
        for change, message in (({"num_cpus": 99}, "no machine .* has 99 cores"), ({"num_gpus": 1.5}, "an integer")):
            with pytest.raises(UserError, match=message):
                label(sentences(12), job(trained_model, replace(ON_RAY, **change)), tmp_path / "refused")
        over = threading.Event()
        thread = threading.Thread(target=kill)
        thread.start()
        try:
            label(sentences(), job(trained_model, replace(ON_RAY, max_workers=2)), tmp_path / "there")
        finally:
            over.set()
            thread.join()
        assert ray.is_initialized()  # it was before, so it is left running
    LabelStore(tmp_path / "there").check()
    assert killed and rows(tmp_path / "there") == rows(tmp_path / "here")
    with pytest.raises(UserError, match=r"labels\.ray_address 'auto': no Ray cluster"):
        label(sentences(12), job(trained_model, replace(ON_RAY, ray_address="auto")), tmp_path / "nowhere")


def below(process: int, other: int) -> bool:
    """Whether a process descends from another."""
    while process > 1 and process != other:
        try:
            process = int(Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            return False
    return process == other
