"""Energy of the processor, where available: Intel's and AMD's RAPL counters on Linux."""

from __future__ import annotations

from pathlib import Path

_COUNTERS = Path("/sys/class/powercap")


class EnergyMeter:
    """Energy of all processor packages since construction, including other programs."""

    def __init__(self, counters: Path = _COUNTERS) -> None:
        """Start measuring; `counters` is the kernel's directory of counters."""
        # A package is `intel-rapl:0`; it includes its subzones, such as `intel-rapl:0:1`.
        self._packages = [package for package in sorted(counters.glob("intel-rapl:*")) if package.name.count(":") == 1]
        self._begin = [_read(package / "energy_uj") for package in self._packages]

    def joules(self) -> float | None:
        """Joules since construction; None if there are no counters or only root can read them."""
        end = [_read(package / "energy_uj") for package in self._packages]
        if not end or None in (*end, *self._begin):
            return None
        return sum(_since(*pair) for pair in zip(self._packages, self._begin, end, strict=True)) / 1e6


def _since(package: Path, begin: int | None, end: int | None) -> int:
    """Microjoules between two readings of a counter that wraps around (after minutes, under load)."""
    microjoules = (end or 0) - (begin or 0)
    return microjoules if microjoules >= 0 else microjoules + (_read(package / "max_energy_range_uj") or 0)


def _read(file: Path) -> int | None:
    try:
        return int(file.read_text())
    except (OSError, ValueError):
        return None
