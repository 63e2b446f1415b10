"""Asks the teacher on the machines of a Ray cluster.

Every shard is a task of Ray's. What a task answers depends on its shard alone, so it may be done anywhere and, where
its worker died, again: Ray sees to that. Machines need share no disk: the teacher's files go to the workers through
Ray's object store, shards come back as the bytes of their files, and the driver alone writes the label store.
"""

from __future__ import annotations

import logging
import os
import signal
import tempfile
import threading
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import torch

from distilmt.config import LabelConfig
from distilmt.data import tokenizer as tokenizers
from distilmt.labels.ensemble import NARROW, LabelingTask, TeacherEnsemble
from distilmt.labels.labeling import Labeler
from distilmt.labels.rows import Shard
from distilmt.utils.errors import UserError
from distilmt.utils.extras import install_command
from distilmt.utils.hardware import cores
from distilmt.utils.run_dir import STEP_FILE, versions

RETRIES = 20
_CHECKED_PACKAGES = ("distilmt", "ctranslate2", "sentencepiece")


@dataclass
class WorkerPayload:
    """What makes a worker an `Labeler`."""

    name: str
    settings: dict[str, Any]
    """Of the `LabelingTask`, but for what is among the files."""
    ensemble: int
    """More teachers."""
    files: dict[str, Any]
    """By its path the reference to every file's bytes."""
    versions: dict[str, str]


def label_shards(
    shards: Iterable[tuple[int, pa.Table]], job: LabelingTask, directory: Path
) -> Iterator[tuple[int, Shard]]:
    """Label shards on a cluster.

    At most twice as many shards as there are workers are under way: memory stays bounded, and no worker waits.

    Args:
        shards: the sentences of shards, with their numbers.
        job: who is asked, and what; `job.config` names the cluster.
        directory: the store, which keeps the exported teacher.

    Returns:
        Shards in the order in which they are done.

    Raises:
        UserError: Ray is missing, the cluster cannot be reached or has no room, or a shard was given up.
    """
    shard_iterator, pending = iter(shards), dict[Any, int]()
    waiting = next(shard_iterator, None)
    if waiting is None:
        return
    with _connected(job.config) as ray:
        need = _worker_resources(ray, job.config)
        # A worker serves many shards (max_calls=0); one that dies costs the shard it was at.
        label = ray.remote(**need, max_retries=RETRIES, max_calls=0)(_label)
        payload = ray.put(_payload_of(ray, job, directory))
        try:
            while waiting or pending:
                max_pending = job.config.max_workers or 2 * max(1, _worker_capacity(ray, need))
                while waiting and len(pending) < max_pending:
                    pending[label.remote([payload], waiting[1])] = waiting[0]
                    waiting = next(shard_iterator, None)
                done = ray.wait(list(pending), num_returns=1)[0][0]
                yield pending[done], _fetch_shard(ray, done, pending[done])
                del pending[done]
        finally:
            for reference in pending:
                ray.cancel(reference, force=True)


@contextmanager
def _connected(config: LabelConfig) -> Iterator[Any]:
    """Ray, connected as `config.address` says; left as it was found."""
    try:
        import ray
    except ImportError:
        raise UserError(f"labels.executor is ray, which is not installed: {install_command('ray')}") from None
    if ray.is_initialized():
        yield ray
        return
    alone = config.ray_address == "local"
    own: dict[str, Any] = {"num_cpus": cores(), "include_dashboard": False} if alone else {}
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # a Ray of our own sends nothing anywhere,
    os.environ.setdefault("RAY_worker_niceness", "0")  # and its workers run at our priority, not at the lowest
    on_main = threading.current_thread() is threading.main_thread()
    handler = signal.getsignal(signal.SIGTERM)
    try:
        ray.init(address=config.ray_address, log_to_driver=False, logging_level=logging.ERROR, **own)
    except (ConnectionError, RuntimeError, ValueError, ray.exceptions.RayError) as error:
        raise UserError(
            f"labels.ray_address {config.ray_address!r}: no Ray cluster of this Ray and Python ({_line(error)}): "
            "start one with `ray start --head`, set RAY_AUTH_MODE=token if it asks for a token, or set the address to "
            "local"
        ) from None
    if on_main:
        signal.signal(signal.SIGTERM, handler)  # Ray has put its own there
    try:
        yield ray
    finally:
        ray.shutdown()


def _worker_resources(ray: Any, config: LabelConfig) -> dict[str, float]:
    """What a worker is given, in Ray's terms."""
    gpus = config.num_gpus
    if gpus is None:
        gpus = 1.0 if ray.cluster_resources().get("GPU") else 0.0
    if gpus > 1 and gpus % 1:
        raise UserError(f"labels.num_gpus is {gpus:g}: above 1 it must be a whole number")
    need = {"num_cpus": config.num_cpus, "num_gpus": gpus}
    if not _worker_capacity(ray, need):
        raise UserError(
            f"no machine of the Ray cluster has the {config.num_cpus} cores and {gpus:g} GPUs of a worker: "
            "set labels.num_cpus and labels.num_gpus to less, or add a machine"
        )
    return need


def _worker_capacity(ray: Any, need: dict[str, float]) -> int:
    """How many workers the machines that are there now have room for."""
    requirements = [(kind, need[name]) for kind, name in (("CPU", "num_cpus"), ("GPU", "num_gpus")) if need[name]]
    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    return sum(min(int(node.get(kind, 0) // amount) for kind, amount in requirements) for node in nodes)


def _fetch_shard(ray: Any, reference: Any, number: int) -> Shard:
    """A task's answer; what went wrong with it becomes a line with the remedy where there is one."""
    try:
        shard: Shard = ray.get(reference)
        return shard
    except ray.exceptions.RayTaskError as error:
        if isinstance(error.cause, UserError):
            raise UserError(str(error.cause)) from None
        if "No module named" in str(error):
            raise UserError("a machine of the Ray cluster has no distilmt: install the same version on all") from None
        raise
    except ray.exceptions.RayError as error:
        raise UserError(
            f"shard {number} was given up after {RETRIES + 1} tries ({type(error).__name__}: {_line(error)}): if its "
            "workers ran out of memory give them more (fewer per machine), then the same command goes on"
        ) from None


def _line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0][:200].rstrip(".")


def _payload_of(ray: Any, job: LabelingTask, directory: Path) -> WorkerPayload:
    """Everything an `Labeler` reads, put into Ray's object store."""
    Labeler(replace(job, needs_top_k=False), directory)  # exports the teacher, and tells what is wrong before Ray would
    if job.config.compute_type in NARROW:
        TeacherEnsemble(replace(job, config=replace(job.config, compute_type="float32")), directory)
    folders = {"teacher": job.teacher, "tokenizer": job.tokenizer.directory}
    folders |= {f"ensemble/{i}": Path(path) for i, path in enumerate(job.config.ensemble)}
    files = {f"{name}/{path.name}": path for name, folder in folders.items() for path in folder.iterdir()}
    files = {name: path for name, path in files.items() if path.name != STEP_FILE}  # it lists files that stay here
    exported = [path for folder in directory.glob("teacher-*") for path in folder.rglob("*")]
    files |= {f"store/{path.relative_to(directory)}": path for path in exported}
    payload_files = {
        name: p for name, p in files.items() if p.is_file() and (job.needs_top_k or p.suffix != ".safetensors")
    }
    payload_files |= {name: path for name, path in files.items() if name.startswith("store/") and path.is_file()}
    settings = {name: value for name, value in vars(job).items() if name not in ("teacher", "tokenizer")}
    references = {name: ray.put(_bytes(path)) for name, path in payload_files.items()}
    cores_each = settings | {"cores": job.config.num_cpus}
    return WorkerPayload(uuid.uuid4().hex, cores_each, len(job.config.ensemble), references, versions())


def _bytes(path: Path) -> np.ndarray:
    """A file as Ray can take it without a copy in this process."""
    return np.asarray(np.memmap(path, mode="r")) if path.stat().st_size else np.empty(0, np.uint8)


# From here on: what workers do.
_loaded: dict[str, Labeler] = {}  # from shard to shard


def _label(payload: list[Any], sentences: pa.Table) -> Shard:
    """A task: label a shard. The parcel's reference is wrapped, else Ray would send it along with every shard."""
    import ray

    labeler = _load_labeler(ray.get(payload[0]))
    return labeler.shard(sentences)


def _load_labeler(payload: WorkerPayload) -> Labeler:
    """The teacher, loaded once."""
    if payload.name in _loaded:
        return _loaded[payload.name]
    import ray

    _loaded.clear()
    _check_versions(payload.versions)
    if not ray.get_gpu_ids():
        os.environ["CUDA_VISIBLE_DEVICES"] = ""
    torch.set_num_threads(payload.settings["cores"])
    # Once loaded the teacher needs its files no more, so that nothing is left to be cleaned up after a kill.
    with tempfile.TemporaryDirectory(prefix="distilmt-") as temporary:
        for name, reference in payload.files.items():
            path = Path(temporary) / name
            path.parent.mkdir(parents=True, exist_ok=True)
            ray.get(reference).tofile(path)
        _loaded[payload.name] = Labeler(_task_of(payload, Path(temporary)), Path(temporary) / "store")
    return _loaded[payload.name]


def _task_of(payload: WorkerPayload, directory: Path) -> LabelingTask:
    ensemble = [str(directory / "ensemble" / str(i)) for i in range(payload.ensemble)]
    settings = payload.settings | {"config": replace(payload.settings["config"], ensemble=ensemble)}
    return LabelingTask(teacher=directory / "teacher", tokenizer=tokenizers.load(directory / "tokenizer"), **settings)


def _check_versions(driver_versions: dict[str, str]) -> None:
    """Other versions might say something else.

    Raises:
        UserError: this machine's are not the driver's.
    """
    worker_versions = versions()
    for name in _CHECKED_PACKAGES:
        if worker_versions.get(name) != driver_versions.get(name):
            raise UserError(
                f"{os.uname().nodename} has {name} {worker_versions.get(name)}, but labelling was begun with "
                f"{driver_versions.get(name)}: install the same version on all machines of the Ray cluster"
            )
