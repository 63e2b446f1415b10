"""Which device and number format a model is trained in."""

from __future__ import annotations

import ctypes
import os
from contextlib import suppress
from pathlib import Path

import torch

from distilmt.utils.errors import UserError
from distilmt.utils.hardware import cores, free_cores

# Of a batch's states: below it a second thread saves a tenth at most (`benchmarks/threads.py`).
_SHARED_VALUES = 150_000


def pick_device() -> torch.device:
    """The first GPU, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def pick_dtype(precision: str, device: torch.device) -> torch.dtype:
    """The dtype to compute in.

    Args:
        precision: `auto`, `bf16` or `fp32`.
        device: where the model lies.

    Raises:
        UserError: the name is none of these.
    """
    choices = {"bf16": torch.bfloat16, "fp32": torch.float32}
    if precision == "auto":
        return torch.bfloat16 if has_bf16(device) else torch.float32
    if precision not in choices:
        raise UserError(f"precision {precision!r} is unknown: use auto, bf16 or fp32")
    return choices[precision]


def has_bf16(device: torch.device) -> bool:
    """Whether the device multiplies bfloat16 matrices natively (elsewhere bf16 is slower than float32)."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    try:
        flags = set(Path("/proc/cpuinfo").read_text().split())
    except OSError:
        return False
    return bool(flags & {"avx512_bf16", "amx_bf16", "bf16"})


def configured_threads(count: int = 0) -> int:
    """CPU threads that somebody chose: `count`, else OMP_NUM_THREADS; 0 if nobody did. Never more than cores."""
    given = os.environ.get("OMP_NUM_THREADS", "")
    return min(count or int(given if given.isdecimal() else 0), os.cpu_count() or 1)


def use_threads(count: int = 0) -> None:
    """Let torch compute with `count` CPU threads (0: OMP_NUM_THREADS, else one per core).

    To be called again whenever CTranslate2 was used.

    CTranslate2 sets the number of OpenMP threads of the thread that calls it to its own `intra_threads`, and torch
    obeys: without this, training goes on with one thread after the first validation.
    """
    torch.set_num_threads(configured_threads(count) or cores())


def training_threads(values: int) -> int:
    """CPU threads for a training where nobody chose them.

    OpenMP's threads wait for each other after every operation, and by spinning: where another program has one of the
    cores, two threads are several times slower than one (`benchmarks/threads.py`). Sleeping instead costs more than it
    saves where the cores are free, so there are as many threads as free cores. A small model gains little by a second
    thread: it gets one, whatever others do, and so the same weights.

    Args:
        values: of the states of a batch, its tokens times the model's width.
    """
    if values < _SHARED_VALUES or cores() == 1:
        return 1
    return max(1, min(cores(), int(free_cores() + 0.5)))


def keep_memory() -> None:
    """Let the C library keep freed memory instead of handing it back to the system after every tensor.

    Memory fresh from the system is zeroed page by page, which costs as much as computing on it. Does nothing where the
    C library is not glibc.
    """
    mmap_threshold, trim_threshold, top_pad = -3, -1, -2  # M_MMAP_THRESHOLD, M_TRIM_THRESHOLD, M_TOP_PAD of malloc.h
    with suppress(OSError, AttributeError):
        libc = ctypes.CDLL(None)
        for option, size in ((mmap_threshold, 32 << 20), (trim_threshold, (1 << 31) - 1), (top_pad, 64 << 20)):
            libc.mallopt(option, size)
