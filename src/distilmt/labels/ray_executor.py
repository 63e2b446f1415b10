"""Labels on the machines of a Ray cluster.

Every shard is a Ray task. Its result depends only on the shard, so it can run anywhere, and Ray repeats it if a worker
dies. The machines need no shared disk: the teacher's files go to the workers through Ray's object store, shards come
back as the bytes of their files, and only the driver writes the label store.
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
from types import ModuleType
from typing import TYPE_CHECKING

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
from distilmt.utils.json_types import JsonObject
from distilmt.utils.run_dir import STEP_FILE, versions

if TYPE_CHECKING:
    from ray import ObjectRef

RETRIES = 20
_CHECKED_PACKAGES = ("distilmt", "ctranslate2", "sentencepiece")


@dataclass
class WorkerPayload:
    """Everything a worker needs to build a `Labeler`."""

    name: str
    settings: JsonObject
    """Fields of the `LabelingTask`, except those that are in the files."""
    ensemble: int
    """Number of additional teachers."""
    files: dict[str, ObjectRef[np.ndarray]]
    """Path of every file to the reference of its bytes."""
    versions: dict[str, str]


def label_shards(
    shards: Iterable[tuple[int, pa.Table]], job: LabelingTask, directory: Path
) -> Iterator[tuple[int, Shard]]:
    """Label shards on a cluster.

    At most two shards per worker are in flight: memory stays bounded, and no worker waits.

    Args:
        shards: numbers and sentences of the shards.
        job: teacher and settings; `job.config` gives the cluster.
        directory: the store, which also contains the exported teacher.

    Returns:
        Shards in order of completion.

    Raises:
        UserError: Ray is missing, the cluster cannot be reached or is too small, or a shard failed permanently.
    """
    shard_iterator = iter(shards)
    pending: dict[ObjectRef[Shard], int] = {}
    waiting = next(shard_iterator, None)
    if waiting is None:
        return
    with connected(job.config) as ray:
        need = _worker_resources(ray, job.config)
        # A worker labels many shards (max_calls=0); if it dies, only its current shard is lost.
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
def connected(config: LabelConfig) -> Iterator[ModuleType]:
    """Connect to Ray at `config.ray_address`; an existing connection is used and left open."""
    try:
        import ray
    except ImportError:
        raise UserError(f"labels.executor is ray, which is not installed: {install_command('ray')}") from None
    if ray.is_initialized():
        yield ray
        return
    alone = config.ray_address == "local"
    settings: JsonObject = {"num_cpus": cores(), "include_dashboard": False} if alone else {}
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # a local Ray sends no usage statistics,
    os.environ.setdefault("RAY_worker_niceness", "0")  # and its workers run at normal priority, not at the lowest
    on_main = threading.current_thread() is threading.main_thread()
    handler = signal.getsignal(signal.SIGTERM)
    try:
        ray.init(address=config.ray_address, log_to_driver=False, logging_level=logging.ERROR, **settings)
    except (ConnectionError, RuntimeError, ValueError, ray.exceptions.RayError) as error:
        raise UserError(
            f"labels.ray_address {config.ray_address!r}: no Ray cluster of this Ray and Python ({_line(error)}): "
            "start one with `ray start --head`, set RAY_AUTH_MODE=token if it requires a token, or set the address "
            "to local"
        ) from None
    if on_main:
        signal.signal(signal.SIGTERM, handler)  # Ray replaced it
    try:
        yield ray
    finally:
        ray.shutdown()


def _worker_resources(ray: ModuleType, config: LabelConfig) -> dict[str, float]:
    """Resources of a worker, in Ray's terms."""
    gpus = config.num_gpus
    if gpus is None:
        gpus = 1.0 if ray.cluster_resources().get("GPU") else 0.0
    if gpus > 1 and gpus % 1:
        raise UserError(f"labels.num_gpus is {gpus:g}: above 1 it must be an integer")
    need = {"num_cpus": config.num_cpus, "num_gpus": gpus}
    if not _worker_capacity(ray, need):
        raise UserError(
            f"no machine of the Ray cluster has {config.num_cpus} cores and {gpus:g} GPUs for a worker: "
            "reduce labels.num_cpus or labels.num_gpus, or add a machine"
        )
    return need


def _worker_capacity(ray: ModuleType, need: dict[str, float]) -> int:
    """Number of workers that fit on the machines of the cluster now."""
    requirements = [(kind, need[name]) for kind, name in (("CPU", "num_cpus"), ("GPU", "num_gpus")) if need[name]]
    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    return sum(min(int(node.get(kind, 0) // amount) for kind, amount in requirements) for node in nodes)


def _fetch_shard(ray: ModuleType, reference: ObjectRef[Shard], number: int) -> Shard:
    """The result of a task; known errors become a UserError with a remedy."""
    try:
        shard: Shard = ray.get(reference)
        return shard
    except ray.exceptions.RayTaskError as error:
        if isinstance(error.cause, UserError):
            raise UserError(str(error.cause)) from None
        if "No module named" in str(error):
            raise UserError(
                "a machine of the Ray cluster has no distilmt: install the same version on all machines"
            ) from None
        raise
    except ray.exceptions.RayError as error:
        raise UserError(
            f"shard {number} failed {RETRIES + 1} times ({type(error).__name__}: {_line(error)}): if its workers ran "
            "out of memory, run fewer per machine, then repeat the command to resume"
        ) from None


def _line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0][:200].rstrip(".")


def _payload_of(ray: ModuleType, job: LabelingTask, directory: Path) -> WorkerPayload:
    """Put everything that a `Labeler` reads into Ray's object store."""
    Labeler(replace(job, needs_top_k=False), directory)  # exports the teacher and reports errors early
    if job.config.compute_type in NARROW:
        TeacherEnsemble(replace(job, config=replace(job.config, compute_type="float32")), directory)
    folders = {"teacher": job.teacher, "tokenizer": job.tokenizer.directory}
    folders |= {f"ensemble/{i}": Path(path) for i, path in enumerate(job.config.ensemble)}
    files = {f"{name}/{path.name}": path for name, folder in folders.items() for path in folder.iterdir()}
    files = {name: path for name, path in files.items() if path.name != STEP_FILE}  # it lists files that are not sent
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
    """A file in a form that Ray stores without a copy in this process."""
    return np.asarray(np.memmap(path, mode="r")) if path.stat().st_size else np.empty(0, np.uint8)


# The functions below run on workers.
_loaded: dict[str, Labeler] = {}  # reused for all shards


def _label(payload: list[ObjectRef[WorkerPayload]], sentences: pa.Table) -> Shard:
    """Task: label a shard. The payload's reference is in a list, or Ray would send the payload with every shard."""
    import ray

    labeler = _load_labeler(ray.get(payload[0]))
    return labeler.shard(sentences)


def _load_labeler(payload: WorkerPayload) -> Labeler:
    """The teacher, loaded once."""
    if payload.name in _loaded:
        return _loaded[payload.name]
    import ray

    _loaded.clear()
    check_versions(payload.versions)
    if not ray.get_gpu_ids():
        os.environ["CUDA_VISIBLE_DEVICES"] = ""
    torch.set_num_threads(payload.settings["cores"])
    # The teacher does not need its files once loaded, so a killed worker leaves none behind.
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


def check_versions(driver_versions: dict[str, str]) -> None:
    """Check that the worker has the driver's package versions: others may give other labels.

    Raises:
        UserError: a version differs.
    """
    worker_versions = versions()
    for name in _CHECKED_PACKAGES:
        if worker_versions.get(name) != driver_versions.get(name):
            raise UserError(
                f"{os.uname().nodename} has {name} {worker_versions.get(name)}, but labeling was started with "
                f"{driver_versions.get(name)}: install the same version on all machines of the Ray cluster"
            )
