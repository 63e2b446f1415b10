"""Targets of registers in the training text: `news=20000 chat=0.3`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from distilmt.config.bounds import MAX_COUNT
from distilmt.utils.errors import UserError


@dataclass(frozen=True)
class RegisterTargets:
    """By register: numbers of rows in the training text, or shares of it."""

    rows: Mapping[str, int] = field(default_factory=dict)
    shares: Mapping[str, float] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.rows or self.shares)

    @property
    def names(self) -> list[str]:
        """All registers with a target."""
        return [*self.rows, *self.shares]


def parse_register_targets(texts: Sequence[str]) -> RegisterTargets:
    """Targets from `NAME=NUMBER`: a whole number of rows, or a share of the training text below 1.

    Raises:
        UserError: a text has another form, a register has two targets, or the shares have a sum above 1.
    """
    rows: dict[str, int] = {}
    shares: dict[str, float] = {}
    for text in texts:
        name, sign, amount = text.rpartition("=")
        name = name.strip()
        if not (sign and name):
            raise UserError(f"corpus.registers {text!r}: write NAME=ROWS or NAME=SHARE, such as chat=20000 or chat=0.3")
        if name in rows or name in shares:
            raise UserError(f"corpus.registers: {name!r} has two targets: give one")
        value = _amount(text, amount)
        if value < 1:
            shares[name] = value
        else:
            rows[name] = int(value)
    if sum(shares.values()) > 1 + 1e-9:
        raise UserError(f"corpus.registers: the shares have a sum of {sum(shares.values()):g}: at most 1 is possible")
    return RegisterTargets(rows, shares)


def _amount(text: str, amount: str) -> float:
    try:
        value = float(amount)
    except ValueError:
        value = -1.0
    if not 0 < value <= MAX_COUNT or (value >= 1 and value != int(value)):
        raise UserError(f"corpus.registers {text!r}: write a whole number of rows, or a share below 1")
    return value
