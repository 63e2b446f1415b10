"""Description of the machine for reports, without anything that identifies its owner."""

from __future__ import annotations

import os
import platform
import sys
from pathlib import Path
from typing import TypedDict

from distilmt.utils.hardware import cores
from distilmt.utils.run_dir import versions

# What CTranslate2's int8 and float32 speeds depend on most.
_INSTRUCTIONS = (
    "avx2",
    "avx512f",
    "avx512_vnni",
    "avx_vnni",
    "avx512_bf16",
    "amx_int8",
    "asimd",
    "asimddp",
    "i8mm",
)


class MachineInfo(TypedDict):
    """Description of a machine in reports; null for what cannot be determined."""

    cpu: str
    architecture: str
    instructions: list[str]
    gpu: str | None
    cores: int
    memory_bytes: int | None
    system: str
    python: str
    versions: dict[str, str]


def machine() -> MachineInfo:
    """Processor, GPU (if torch is imported), cores, memory in bytes, system and versions; no host or user names."""
    package_versions = versions()
    return {
        "cpu": _cpu_field("model name") or platform.processor() or platform.machine(),
        "architecture": platform.machine(),
        "instructions": _instructions(),
        "gpu": _gpu(),
        "cores": cores(),
        "memory_bytes": _memory(),
        "system": platform.system(),
        "python": package_versions.pop("python"),
        "versions": package_versions,
    }


def _gpu() -> str | None:
    torch = sys.modules.get("torch")  # already imported if a GPU is used; importing it only for a name is slow
    return str(torch.cuda.get_device_name()) if torch is not None and torch.cuda.is_available() else None


def _cpu_field(name: str) -> str | None:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return None
    values = (line.split(":", 1)[1].strip() for line in lines if line.split(":")[0].strip() == name)
    return next(values, None)


def _instructions() -> list[str]:
    flags = (_cpu_field("flags") or _cpu_field("Features") or "").split()
    return [name for name in _INSTRUCTIONS if name in flags]


def _memory() -> int | None:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return None
