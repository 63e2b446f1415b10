"""Bounds of numbers, declared in the metadata of their dataclass fields."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import NamedTuple, TypeAlias, TypeVar

from distilmt.utils.errors import UserError

T = TypeVar("T")
Metadata: TypeAlias = dict[str, object]
"""Metadata of a dataclass field, by the names of the modules' constants (`BOUNDS`, `effects.EFFECT`)."""

BOUNDS = "bounds"
MAX_SEED = 2**32 - 1
"""Largest seed that every library accepts (SentencePiece and CTranslate2 take 32 bits)."""
MAX_COUNT = 10**9
"""Bound of numbers that are counted but not allocated at once, such as updates and sentences."""
MAX_BEAM = 256
MAX_THREADS = 1024
MAX_TOP_K = 1024


class Bounds(NamedTuple):
    """Smallest and largest value of a number, or of every number of a list; both are inclusive and finite."""

    minimum: float
    maximum: float

    def __contains__(self, value: object) -> bool:
        return isinstance(value, int | float) and self.minimum <= value <= self.maximum  # NaN is in no interval

    def __str__(self) -> str:
        return f"{number_text(self.minimum)} to {number_text(self.maximum)}"


def bounds(minimum: float, maximum: float) -> Metadata:
    """Metadata of a dataclass field; other metadata may be merged into it."""
    return {BOUNDS: Bounds(minimum, maximum)}


def bounded(default: T, minimum: float, maximum: float, metadata: Metadata | None = None) -> T:
    """A dataclass field that holds a number, or None where the default or the annotation allows it.

    Args:
        default: value when nothing is given.
        minimum: smallest value that works.
        maximum: largest value that works or is useful.
        metadata: further metadata of the field.
    """
    return dataclasses.field(default=default, metadata={**bounds(minimum, maximum), **(metadata or {})})


def check_bounds(config: object, prefix: str = "") -> None:
    """Reject a dataclass with a number out of bounds, including nested dataclasses and lists.

    Args:
        config: an instance.
        prefix: prefix of the names of its fields, such as `labels.`.

    Raises:
        UserError: a number is out of bounds; the message has its name and bounds.
    """
    for name, limits, value in _numbers(config, prefix):
        if limits is not None and value not in limits:
            low, high = map(number_text, limits)
            raise UserError(f"{name} is {value}: it must be at least {low} and at most {high}")


def _numbers(config: object, prefix: str) -> Iterator[tuple[str, Bounds | None, int | float]]:
    if not dataclasses.is_dataclass(config):
        return
    for field in dataclasses.fields(config):
        value = getattr(config, field.name)
        for item in value if isinstance(value, list) else [value]:
            if dataclasses.is_dataclass(item):
                yield from _numbers(item, f"{prefix}{field.name}.")
            elif isinstance(item, int | float) and not isinstance(item, bool):
                yield f"{prefix}{field.name}", field.metadata.get(BOUNDS), item


def number_text(number: float) -> str:
    """`1,000,000`, `0.001`: whole numbers with separators, others in their shortest exact form."""
    if number == int(number):
        return f"{int(number):,}"
    return repr(number)
