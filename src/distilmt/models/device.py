"""Device, number format and CPU threads of a training."""

from __future__ import annotations

import ctypes
import os
from contextlib import suppress
from pathlib import Path

import torch

from distilmt.utils.errors import UserError
from distilmt.utils.hardware import cores, free_cores

# Values of a batch's states. Below this, a second thread saves at most a tenth (`benchmarks/threads.py`).
_SHARED_VALUES = 150_000


def pick_device() -> torch.device:
    """The first GPU, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def pick_dtype(precision: str, device: torch.device) -> torch.dtype:
    """The dtype to compute in.

    Args:
        precision: `auto`, `bf16` or `fp32`.
        device: the model's device.

    Raises:
        UserError: `precision` is none of these.
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
    """CPU threads that the user set: `count`, else OMP_NUM_THREADS, else 0. Never more than there are cores."""
    given = os.environ.get("OMP_NUM_THREADS", "")
    return min(count or int(given if given.isdecimal() else 0), os.cpu_count() or 1)


def use_threads(count: int = 0) -> None:
    """Let torch compute with `count` CPU threads (0: OMP_NUM_THREADS, else one per core).

    Call it again after each use of CTranslate2, which sets the OpenMP threads of the calling thread to its own
    `intra_threads`. Torch uses the same setting: without this call, training continues with one thread after the
    first validation.
    """
    torch.set_num_threads(configured_threads(count) or cores())


def training_threads(values: int) -> int:
    """CPU threads for a training if the user did not set them.

    OpenMP's threads spin while they wait for each other after every operation. If another program occupies one of the
    cores, two threads are several times slower than one (`benchmarks/threads.py`). If the cores are free, sleeping
    instead of spinning costs more than it saves. So there are as many threads as free cores. A small model gains little
    from a second thread: it always gets one, and so its weights do not depend on the load of the machine.

    Args:
        values: size of a batch's states: its tokens times the model's width.
    """
    if values < _SHARED_VALUES or cores() == 1:
        return 1
    return max(1, min(cores(), int(free_cores() + 0.5)))


def keep_memory() -> None:
    """Let the C library retain freed memory instead of returning it to the system after every tensor.

    The system zeroes new memory page by page, which costs as much as computing on it. Does nothing unless the C library
    is glibc.
    """
    mmap_threshold, trim_threshold, top_pad = -3, -1, -2  # M_MMAP_THRESHOLD, M_TRIM_THRESHOLD, M_TOP_PAD of malloc.h
    with suppress(OSError, AttributeError):
        libc = ctypes.CDLL(None)
        for option, size in ((mmap_threshold, 32 << 20), (trim_threshold, (1 << 31) - 1), (top_pad, 64 << 20)):
            libc.mallopt(option, size)
