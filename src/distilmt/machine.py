"""What this machine offers."""

from __future__ import annotations

import os


def cores() -> int:
    """CPU cores this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on macOS, where threads can be counted but not kept to cores
        return min(os.cpu_count() or 1, int(os.environ.get("OMP_NUM_THREADS") or 1_000))


def use_cores(share: int, shares: int) -> None:
    """Keep this process to one of several equal shares of the cores it may use.

    To be called before torch is imported, which looks once.

    Args:
        share: which, from 0.
        shares: how many there are, at most one per core.
    """
    if hasattr(os, "sched_setaffinity"):
        mine = sorted(os.sched_getaffinity(0))[share::shares]
        os.sched_setaffinity(0, mine)
    else:
        mine = list(range(max(1, cores() // shares)))
    os.environ["OMP_NUM_THREADS"] = str(len(mine))
