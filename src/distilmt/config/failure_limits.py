"""Limits of failure rates on the challenge sets: `--max-failures 0.05 capitals=0.2`."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from distilmt.config.fields import FLAG, Flag
from distilmt.utils.errors import UserError

ALL = "all"
"""Name of the limit of those sets that have none of their own."""
FAILURE_LIMITS = {FLAG: Flag(separated=True, literal=True, repeated=True)}
"""Metadata of a key with such limits: `--max-failures 0.05,capitals=0.2`."""


@dataclass(frozen=True)
class FailureLimits:
    """Maximum shares of failures, 0 to 1, by challenge set."""

    general: float | None = None
    """Limit of those sets that have none of their own; None: they have no limit."""
    by_set: Mapping[str, float] = field(default_factory=dict)
    """By plain name of the set."""

    def __bool__(self) -> bool:
        return self.general is not None or bool(self.by_set)

    def of(self, name: str) -> float | None:
        """The limit of a challenge set, or None."""
        return self.by_set.get(plain_set_name(name), self.general)

    def as_dict(self) -> dict[str, float]:
        """All limits by name, for a report."""
        return ({} if self.general is None else {ALL: self.general}) | dict(self.by_set)


def plain_set_name(name: str) -> str:
    """The name of a challenge set, in which `no_full_stop` and `No-full-stop` are `no full stop`."""
    return re.sub(r"[-_\s]+", " ", name).strip().lower()


def parse_failure_limits(texts: Sequence[str]) -> FailureLimits:
    """Limits from texts such as `0.05`, for all sets, and `capitals=0.2`, for one.

    Raises:
        UserError: a text is neither, a share is not between 0 and 1, or a set has two limits.
    """
    limits: dict[str, float] = {}
    for text in texts:
        name, sign, share = text.rpartition("=")
        name = plain_set_name(name)
        if sign and not name:
            raise UserError(f"max_failures is {text!r}: name a challenge set before the =, or leave it out")
        name = name or ALL
        if name in limits:
            raise UserError(f"max_failures has two limits of {name}: give one")
        limits[name] = _share(text, share)
    general = limits.pop(ALL, None)
    return FailureLimits(general, limits)


def _share(text: str, share: str) -> float:
    try:
        value = float(share)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise UserError(
            f"max_failures is {text!r}: write a share from 0 to 1, such as 0.05, or one of a challenge set, NAME=0.05"
        )
    return value
