"""What this machine offers."""

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
    except AttributeError:  # not on macOS, where threads can be counted but not kept to cores
        return min(os.cpu_count() or 1, int(os.environ.get("OMP_NUM_THREADS") or 1_000))


def free_cores(seconds: float = 0.2) -> float:
    """How many of the cores this process may use others leave free, measured while this one sleeps.

    Where the system does not tell (no /proc), all are.
    """
    before = _idle_ticks()
    time.sleep(seconds)
    after = _idle_ticks()
    tick_pairs = [(b, a) for b, a in zip(before, after, strict=False) if a[1] > b[1]]
    return sum((a[0] - b[0]) / (a[1] - b[1]) for b, a in tick_pairs) if tick_pairs else float(cores())


def _idle_ticks() -> list[tuple[int, int]]:
    """Ticks without work, and all ticks, of each core that this process may use."""
    try:
        lines = Path("/proc/stat").read_text().splitlines()
        core_names = {f"cpu{number}" for number in os.sched_getaffinity(0)}
    except (OSError, AttributeError):
        return []
    counted = [[int(ticks) for ticks in line.split()[1:9]] for line in lines if line.split(" ", 1)[0] in core_names]
    return [(ticks[3] + ticks[4], sum(ticks)) for ticks in counted]


def world_size() -> int:
    """Processes that torchrun, or what does as it does, started to train together; 1 without it."""
    return int(os.environ["WORLD_SIZE"]) if {"RANK", "WORLD_SIZE"} <= set(os.environ) else 1


def rank() -> int:
    """Which of them this one is, from 0."""
    return int(os.environ.get("RANK") or 0)


def use_cores(share: int, shares: int) -> None:
    """Keep this process to one of several equal shares of the cores it may use.

    To be called before torch is imported, which looks once.

    Args:
        share: which, from 0.
        shares: how many there are, at most one per core.
    """
    if hasattr(os, "sched_setaffinity"):
        core_ids = sorted(os.sched_getaffinity(0))[share::shares]
        os.sched_setaffinity(0, core_ids)
    else:
        core_ids = list(range(max(1, cores() // shares)))
    os.environ["OMP_NUM_THREADS"] = str(len(core_ids))


def loads_cublas() -> bool:
    """Whether CTranslate2 finds the library it computes with on a GPU, that of CUDA 12; loads it.

    `pip install nvidia-cublas-cu12` puts it where the system does not look. PyTorch brings it, or that of CUDA 13.
    """
    places = [Path(place) / "nvidia" / "cublas" / "lib" / _CUBLAS for place in site.getsitepackages()]
    for name in (_CUBLAS, *(str(place) for place in places if place.exists())):
        with suppress(OSError):
            ctypes.CDLL(name, mode=ctypes.RTLD_GLOBAL)
            return True
    return os.name == "nt"  # whose search path is another's: CTranslate2 itself will tell
