"""Hardware of this machine: cores, processes, GPU libraries."""

from __future__ import annotations

import ctypes
import os
import site
import time
from contextlib import suppress
from pathlib import Path

_CUBLAS = "libcublas.so.12"


def cores() -> int:
    """CPU cores this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # macOS can count cores but not pin threads to them
        return min(os.cpu_count() or 1, int(os.environ.get("OMP_NUM_THREADS") or 1_000))


def free_cores(seconds: float = 0.2) -> float:
    """Number of usable cores that other processes leave free, measured while this process sleeps.

    Without /proc all cores count as free.
    """
    before = idle_ticks()
    time.sleep(seconds)
    after = idle_ticks()
    tick_pairs = [(b, a) for b, a in zip(before, after, strict=False) if a[1] > b[1]]
    return sum((a[0] - b[0]) / (a[1] - b[1]) for b, a in tick_pairs) if tick_pairs else float(cores())


def idle_ticks() -> list[tuple[int, int]]:
    """Idle ticks and all ticks of each core that this process may use."""
    try:
        lines = Path("/proc/stat").read_text().splitlines()
        core_names = {f"cpu{number}" for number in os.sched_getaffinity(0)}
    except (OSError, AttributeError):
        return []
    counted = [[int(ticks) for ticks in line.split()[1:9]] for line in lines if line.split(" ", 1)[0] in core_names]
    return [(ticks[3] + ticks[4], sum(ticks)) for ticks in counted]


def world_size() -> int:
    """Number of processes that torchrun or a similar launcher started; 1 without a launcher."""
    return int(os.environ["WORLD_SIZE"]) if {"RANK", "WORLD_SIZE"} <= set(os.environ) else 1


def rank() -> int:
    """Rank of this process, from 0."""
    return int(os.environ.get("RANK") or 0)


def use_cores(share: int, shares: int) -> None:
    """Restrict this process to one of several equal shares of its usable cores.

    Must be called before the import of torch, which counts the cores once.

    Args:
        share: index of the share, from 0.
        shares: number of shares, at most one per core.
    """
    if hasattr(os, "sched_setaffinity"):
        core_ids = sorted(os.sched_getaffinity(0))[share::shares]
        os.sched_setaffinity(0, core_ids)
    else:
        core_ids = list(range(max(1, cores() // shares)))
    os.environ["OMP_NUM_THREADS"] = str(len(core_ids))


def loads_cublas() -> bool:
    """Whether CTranslate2 finds cuBLAS of CUDA 12, which it needs on a GPU; loads it.

    `pip install nvidia-cublas-cu12` installs it outside the system's search path. PyTorch has it, or that of CUDA 13.
    """
    places = [Path(place) / "nvidia" / "cublas" / "lib" / _CUBLAS for place in site.getsitepackages()]
    for name in (_CUBLAS, *(str(place) for place in places if place.exists())):
        with suppress(OSError):
            ctypes.CDLL(name, mode=ctypes.RTLD_GLOBAL)
            return True
    return os.name == "nt"  # has another search path: CTranslate2 itself reports a missing library
