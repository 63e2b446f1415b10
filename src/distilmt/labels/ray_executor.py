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
from distilmt.labels.ensemble import NARROW, LabelJob, Speakers
from distilmt.labels.labeling import Asker
from distilmt.labels.rows import Shard
from distilmt.utils.errors import UserError
from distilmt.utils.extras import install_command
from distilmt.utils.hardware import cores
from distilmt.utils.run_dir import STEP_FILE, versions

RETRIES = 20
_MUST_AGREE = ("distilmt", "ctranslate2", "sentencepiece")


@dataclass
class Parcel:
    """What makes a worker an `Asker`."""

    name: str
    settings: dict[str, Any]
    """Of the `LabelJob`, but for what is among the files."""
    ensemble: int
    """More teachers."""
    files: dict[str, Any]
    """By its path the reference to every file's bytes."""
    versions: dict[str, str]


def ask(shards: Iterable[tuple[int, pa.Table]], job: LabelJob, directory: Path) -> Iterator[tuple[int, Shard]]:
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
    rest, under_way = iter(shards), dict[Any, int]()
    waiting = next(rest, None)
    if waiting is None:
        return
    with _connected(job.config) as ray:
        need = _need(ray, job.config)
        # A worker serves many shards (max_calls=0); one that dies costs the shard it was at.
        label = ray.remote(**need, max_retries=RETRIES, max_calls=0)(_label)
        parcel = ray.put(_packed(ray, job, directory))
        try:
            while waiting or under_way:
                most = job.config.workers or 2 * max(1, _room(ray, need))
                while waiting and len(under_way) < most:
                    under_way[label.remote([parcel], waiting[1])] = waiting[0]
                    waiting = next(rest, None)
                done = ray.wait(list(under_way), num_returns=1)[0][0]
                yield under_way[done], _answer(ray, done, under_way[done])
                del under_way[done]
        finally:
            for reference in under_way:
                ray.cancel(reference, force=True)


@contextmanager
def _connected(config: LabelConfig) -> Iterator[Any]:
    """Ray, connected as `config.address` says; left as it was found."""
    try:
        import ray
    except ImportError:
        raise UserError(f"labels.engine is ray, which is not installed: {install_command('ray')}") from None
    if ray.is_initialized():
        yield ray
        return
    alone = config.address == "local"
    own: dict[str, Any] = {"num_cpus": cores(), "include_dashboard": False} if alone else {}
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # a Ray of our own sends nothing anywhere,
    os.environ.setdefault("RAY_worker_niceness", "0")  # and its workers run at our priority, not at the lowest
    on_main = threading.current_thread() is threading.main_thread()
    handler = signal.getsignal(signal.SIGTERM)
    try:
        ray.init(address=config.address, log_to_driver=False, logging_level=logging.ERROR, **own)
    except (ConnectionError, RuntimeError, ValueError, ray.exceptions.RayError) as error:
        raise UserError(
            f"labels.address {config.address!r}: no Ray cluster of this Ray and Python ({_line(error)}): start one "
            "with `ray start --head`, set RAY_AUTH_MODE=token if it asks for a token, or set the address to local"
        ) from None
    if on_main:
        signal.signal(signal.SIGTERM, handler)  # Ray has put its own there
    try:
        yield ray
    finally:
        ray.shutdown()


def _need(ray: Any, config: LabelConfig) -> dict[str, float]:
    """What a worker is given, in Ray's terms."""
    gpus = config.worker_gpus
    if gpus is None:
        gpus = 1.0 if ray.cluster_resources().get("GPU") else 0.0
    if gpus > 1 and gpus % 1:
        raise UserError(f"labels.worker_gpus is {gpus:g}: above 1 it must be a whole number")
    need = {"num_cpus": config.worker_cores, "num_gpus": gpus}
    if not _room(ray, need):
        raise UserError(
            f"no machine of the Ray cluster has the {config.worker_cores} cores and {gpus:g} GPUs of a worker: "
            "set labels.worker_cores and labels.worker_gpus to less, or add a machine"
        )
    return need


def _room(ray: Any, need: dict[str, float]) -> int:
    """How many workers the machines that are there now have room for."""
    wanted = [(kind, need[name]) for kind, name in (("CPU", "num_cpus"), ("GPU", "num_gpus")) if need[name]]
    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    return sum(min(int(node.get(kind, 0) // much) for kind, much in wanted) for node in nodes)


def _answer(ray: Any, reference: Any, number: int) -> Shard:
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


def _packed(ray: Any, job: LabelJob, directory: Path) -> Parcel:
    """Everything an `Asker` reads, put into Ray's object store."""
    Asker(replace(job, wants_words=False), directory)  # exports the teacher, and tells what is wrong before Ray would
    if job.config.compute_type in NARROW:
        Speakers(replace(job, config=replace(job.config, compute_type="float32")), directory)
    places = {"teacher": job.teacher, "tokenizer": job.tokenizer.directory}
    places |= {f"ensemble/{i}": Path(path) for i, path in enumerate(job.config.ensemble)}
    files = {f"{name}/{path.name}": path for name, place in places.items() for path in place.iterdir()}
    files = {name: path for name, path in files.items() if path.name != STEP_FILE}  # it lists files that stay here
    exported = [path for place in directory.glob("teacher-*") for path in place.rglob("*")]
    files |= {f"store/{path.relative_to(directory)}": path for path in exported}
    kept = {name: p for name, p in files.items() if p.is_file() and (job.wants_words or p.suffix != ".safetensors")}
    kept |= {name: path for name, path in files.items() if name.startswith("store/") and path.is_file()}
    settings = {name: value for name, value in vars(job).items() if name not in ("teacher", "tokenizer")}
    references = {name: ray.put(_bytes(path)) for name, path in kept.items()}
    cores_each = settings | {"cores": job.config.worker_cores}
    return Parcel(uuid.uuid4().hex, cores_each, len(job.config.ensemble), references, versions())


def _bytes(path: Path) -> np.ndarray:
    """A file as Ray can take it without a copy in this process."""
    return np.asarray(np.memmap(path, mode="r")) if path.stat().st_size else np.empty(0, np.uint8)


# From here on: what workers do.
_loaded: dict[str, Asker] = {}  # from shard to shard


def _label(parcel: list[Any], sentences: pa.Table) -> Shard:
    """A task: label a shard. The parcel's reference is wrapped, else Ray would send it along with every shard."""
    import ray

    asker = _asker(ray.get(parcel[0]))
    return asker.shard(sentences)


def _asker(parcel: Parcel) -> Asker:
    """The teacher, loaded once."""
    if parcel.name in _loaded:
        return _loaded[parcel.name]
    import ray

    _loaded.clear()
    _check_versions(parcel.versions)
    if not ray.get_gpu_ids():
        os.environ["CUDA_VISIBLE_DEVICES"] = ""
    torch.set_num_threads(parcel.settings["cores"])
    # Once loaded the teacher needs its files no more, so that nothing is left to be cleaned up after a kill.
    with tempfile.TemporaryDirectory(prefix="distilmt-") as place:
        for name, reference in parcel.files.items():
            path = Path(place) / name
            path.parent.mkdir(parents=True, exist_ok=True)
            ray.get(reference).tofile(path)
        _loaded[parcel.name] = Asker(_unpacked(parcel, Path(place)), Path(place) / "store")
    return _loaded[parcel.name]


def _unpacked(parcel: Parcel, place: Path) -> LabelJob:
    ensemble = [str(place / "ensemble" / str(i)) for i in range(parcel.ensemble)]
    settings = parcel.settings | {"config": replace(parcel.settings["config"], ensemble=ensemble)}
    return LabelJob(teacher=place / "teacher", tokenizer=tokenizers.load(place / "tokenizer"), **settings)


def _check_versions(wanted: dict[str, str]) -> None:
    """Other versions might say something else.

    Raises:
        UserError: this machine's are not the driver's.
    """
    found = versions()
    for name in _MUST_AGREE:
        if found.get(name) != wanted.get(name):
            raise UserError(
                f"{os.uname().nodename} has {name} {found.get(name)}, but labelling was begun with "
                f"{wanted.get(name)}: install the same version on all machines of the Ray cluster"
            )
