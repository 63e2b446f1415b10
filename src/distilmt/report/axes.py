"""Scales and ticks of plots."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Axis:
    """Maps values from `low` to `high` onto pixels from `start` to `end`, linearly or logarithmically."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def __call__(self, value: float) -> float:
        """Pixel of a value."""
        low, high, value = (math.log10(v) if self.log else v for v in (self.low, self.high, value))
        return self.start + (self.end - self.start) * (value - low) / (high - low)

    def ticks(self, most: int = 6) -> list[float]:
        """Round values between low and high, at most about `most`."""
        candidates = log_ticks(self.low, self.high) if self.log else even_ticks(self.low, self.high, most)
        return [tick for tick in candidates if self.low <= tick <= self.high]


def even_axis(values: Sequence[float], start: float, end: float, room: float = 0.08) -> Axis:
    """An axis with room around the values, as a share of their range."""
    low, high = min(values), max(values)
    margin = room * (high - low) or max(abs(high) * 0.05, 0.5)
    return Axis(low - margin, high + margin, start, end)


def log_axis(values: Sequence[float], start: float, end: float) -> Axis:
    """A logarithmic axis with room around the (positive) values."""
    low, high = min(values), max(values)
    room = max(1.5, (high / low) ** 0.12)
    return Axis(low / room, high * room, start, end, log=True)


def even_ticks(low: float, high: float, most: int) -> list[float]:
    """Multiples of 1, 2 or 5 times a power of ten that cover the range."""
    raw = (high - low) / most
    power = 10 ** math.floor(math.log10(raw))
    step = next(m * power for m in (1, 2, 5, 10) if m * power >= raw * (1 - 1e-9))
    first = math.ceil(low / step)
    return [round(i * step, 10) for i in range(first, math.floor(high / step) + 1)]


def log_ticks(low: float, high: float) -> list[float]:
    """1, 2, 5 times powers of ten; only powers of ten over a wide range."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    factors = (1, 2, 5) if math.log10(high / low) < 3 else (1,)
    return [factor * 10.0**power for power in powers for factor in factors]


def tick_label(value: float) -> str:
    """A tick's value, short: `0.5`, `1k`."""
    if abs(value) >= 1000:
        return f"{value / 1000:g}k"
    return f"{value:g}".replace("-", "−")
