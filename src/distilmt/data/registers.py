"""Registers of a corpus, such as news and chat: labels of its rows, and how many rows of each are trained on."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from distilmt.config.registers import RegisterTargets
from distilmt.data.pairs import Pair
from distilmt.utils.errors import UserError
from distilmt.utils.run_dir import read_json, write_json

REGISTERS = "registers.json"
"""In the directory of a corpus whose rows have registers: the label of each row of valid and test, rows in train."""
_MOST = 1000
Codes = npt.NDArray[np.uint16]
"""Number of the register of each row; 0 without one."""


class RowRegisters:
    """The registers of the clean rows, two bytes a row."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.trained: Counter[str] = Counter()
        """Rows in the training text by register."""
        self._numbers: dict[str, int] = {}
        self._codes = array("H")

    def add(self, name: str | None) -> None:
        """Take the register of the next row.

        Raises:
            UserError: there are too many different ones.
        """
        if name and name not in self._numbers:
            if len(self.names) == _MOST:
                raise UserError(
                    f"the column register has more than {_MOST} labels: a register is a kind of text, such as news; "
                    "rename the column if it has something else"
                )
            self.names.append(name)
            self._numbers[name] = len(self.names)
        self._codes.append(self._numbers[name] if name else 0)

    @property
    def codes(self) -> Codes:
        """Number of the register of each row, from 1; 0 without one."""
        return np.frombuffer(self._codes, np.uint16) if self._codes else np.zeros(0, np.uint16)

    def name_of(self, row: int) -> str | None:
        """The register of a row."""
        code = self._codes[row]
        return self.names[code - 1] if code else None

    def count(self, codes: Codes) -> None:
        """Count rows that are written to the training text."""
        for code, rows in enumerate(np.bincount(codes).tolist()):
            if code and rows:
                self.trained[self.names[code - 1]] += rows


def row_totals(
    available: Sequence[npt.NDArray[np.floating[Any]]], names: Sequence[str], targets: RegisterTargets
) -> list[npt.NDArray[np.int64]]:
    """How many rows of each source and register are written to the training text.

    A register with a target gets exactly so many rows, its sources in proportion; others get what they have.

    Args:
        available: for every source, its rows by code of the register, times its weight: [registers + 1].
        names: registers in the order of their codes, from 1.
        targets: rows or shares by register.

    Raises:
        UserError: no row has a register with a target, or the shares leave nothing for the other rows.
    """
    table = np.array(available)
    totals = table.sum(axis=0)
    codes = {name: number for number, name in enumerate(names, 1)}
    for name in targets.names:
        if name not in codes or not totals[codes[name]]:
            labels = ", ".join(names[:12]) or "none"
            raise UserError(f"corpus.registers: no training pair has the register {name!r} (there are: {labels})")
    amounts = {codes[name]: rows for name, rows in targets.rows.items()}
    amounts |= _amounts_of_shares(totals, codes, targets)
    result = np.rint(table).astype(np.int64)
    for code, amount in amounts.items():
        result[:, code] = _apportioned(table[:, code], amount)
    return list(result)


def _amounts_of_shares(
    totals: npt.NDArray[np.float64], codes: Mapping[str, int], targets: RegisterTargets
) -> dict[int, int]:
    """Rows of the registers with a share: all other rows have the share that is left."""
    shares = {codes[name]: share for name, share in targets.shares.items()}
    if not shares:
        return {}
    limited = [*shares, *(codes[name] for name in targets.rows)]
    others = np.delete(totals, limited).sum() + sum(targets.rows.values())
    whole = sum(shares.values())
    if others and whole >= 1 - 1e-9:
        raise UserError("corpus.registers: the shares have a sum of 1, but there are other rows: lower a share")
    base = others / (1 - whole) if others else totals[list(shares)].sum() / whole
    return {code: round(share * base) for code, share in shares.items()}


def _apportioned(parts: npt.NDArray[np.float64], amount: int) -> npt.NDArray[np.int64]:
    """A whole amount in proportion to parts, by largest remainders."""
    exact = parts * (amount / parts.sum())
    result: npt.NDArray[np.int64] = np.floor(exact).astype(np.int64)
    order = np.argsort(result - exact, kind="stable")
    result[order[: amount - int(result.sum())]] += 1
    return result


def write_registers(
    directory: Path,
    registers: RowRegisters,
    existing: Mapping[str, Sequence[Pair] | None],
    sampled: Mapping[str, Iterable[int]],
) -> None:
    """Write the registers of a corpus; without any, no file.

    Args:
        directory: directory of the corpus.
        registers: of all clean rows.
        existing: pairs of valid and test; None for a split that was sampled.
        sampled: numbers of the rows of a split that was sampled.
    """
    labels = {
        split: [registers.name_of(n) for n in sampled.get(split, ())] if pairs is None else [p.register for p in pairs]
        for split, pairs in existing.items()
    }
    if registers.names or any(label for split in labels.values() for label in split):
        write_json(directory / REGISTERS, {"train": dict(registers.trained), **labels})


def read_registers(directory: Path, split: str) -> list[str | None]:
    """The register of each row of `valid` or `test`; empty for a corpus without registers."""
    path = directory / REGISTERS
    return list(read_json(path)[split]) if path.exists() else []


def trained_rows(directory: Path) -> dict[str, int]:
    """Rows of the training text by register; empty for a corpus without registers."""
    path = directory / REGISTERS
    return dict(read_json(path)["train"]) if path.exists() else {}
