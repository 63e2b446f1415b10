"""The variables of CTranslate2's `model.bin`, in float32: the inverse of `ModelSpec.save`.

The file is a list of variables (name, shape, type, bytes), then a list of aliases: two names for equal values. The
rows of an int8 matrix are rounded multiples of their own scale, `NAME_scale`, which divides them; an int16 matrix has
one scale.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod

import numpy as np

_TYPES = ("float32", "int8", "int16", "int32", "float16", "bfloat16")
"""CTranslate2's types by their number in the file."""
_BYTES = {"float32": 4, "int8": 1, "int16": 2, "int32": 4, "float16": 2, "bfloat16": 2}
_VERSION = 6
_MAX_DIMENSIONS = 4
_SCALE = "_scale"


@dataclass(frozen=True)
class Variables:
    """A model's variables."""

    specification: str
    """CTranslate2's name of the architecture, such as `TransformerSpec`."""
    values: Mapping[str, np.ndarray]
    """Weights in float32, flags and sizes in their own type, by name; an alias is a name of its own."""

    def number(self, name: str, default: float = 0.0) -> float:
        """A flag or a size; the default where the file has none of that name."""
        value = self.values.get(name)
        return default if value is None or value.size != 1 else float(value.reshape(()))


def read_variables(content: bytes) -> Variables:
    """All variables of a `model.bin`.

    Raises:
        ValueError: it is cut off or damaged, or of another version of the format.
    """
    reader = _Reader(content)
    version = reader.integer("I")
    if version != _VERSION:
        raise ValueError(f"its format is version {version}, not {_VERSION}")
    specification = reader.text()
    reader.integer("I")  # the revision of the layout, which the names show
    raw = dict(reader.variable() for _ in range(reader.integer("I")))
    aliases = [(reader.text(), reader.text()) for _ in range(reader.integer("I"))]
    values = {name: _in_float32(value, raw.get(name + _SCALE)) for name, value in raw.items() if not _is_scale(name)}
    for alias, name in aliases:
        if name not in values:
            raise ValueError(f"{alias} is another name of {name}, which is missing")
        values[alias] = values[name]
    return Variables(specification, values)


def _is_scale(name: str) -> bool:
    return name.endswith(f"weight{_SCALE}")


def _in_float32(value: np.ndarray, scale: np.ndarray | None) -> np.ndarray:
    """Weights in float32; values without a scale that are whole numbers stay as they are.

    Raises:
        ValueError: a scale has no value per row, or is not above 0.
    """
    if scale is None:
        return value.astype(np.float32) if value.dtype.kind == "f" else value
    scale = scale.astype(np.float32)
    if scale.size not in (1, len(value)) or not (np.isfinite(scale) & (scale > 0)).all():
        raise ValueError("a scale does not belong to its matrix")
    return value.astype(np.float32) / scale.reshape(-1, *[1] * (value.ndim - 1))


class _Reader:
    """Reads one item after the other."""

    def __init__(self, content: bytes) -> None:
        self._content, self._place = content, 0

    def _take(self, count: int) -> bytes:
        part = self._content[self._place : self._place + count]
        if len(part) < count:
            raise ValueError("it is cut off")
        self._place += count
        return part

    def integer(self, kind: str) -> int:
        """The next number: `B`, `H` or `I`, of 1, 2 or 4 bytes."""
        (value,) = struct.unpack(f"<{kind}", self._take(struct.calcsize(f"<{kind}")))
        return int(value)

    def text(self) -> str:
        """The next name, which ends in a zero byte."""
        return self._take(self.integer("H"))[:-1].decode("utf-8")

    def variable(self) -> tuple[str, np.ndarray]:
        """The next variable: its name and value, as it is stored; bfloat16 as float32."""
        name = self.text()
        dimensions = self.integer("B")
        if dimensions > _MAX_DIMENSIONS:
            raise ValueError(f"{name} has {dimensions} dimensions")
        shape = [self.integer("I") for _ in range(dimensions)]
        number = self.integer("B")
        if number >= len(_TYPES):
            raise ValueError(f"{name} is of an unknown type")
        kind, size = _TYPES[number], self.integer("I")
        if size != prod(shape) * _BYTES[kind]:
            raise ValueError(f"{name} has {size} bytes, which is not its shape")
        return name, _array(self._take(size), kind).reshape(shape)


def _array(data: bytes, kind: str) -> np.ndarray:
    if kind != "bfloat16":
        return np.frombuffer(data, np.dtype(kind).newbyteorder("<"))
    # bfloat16 is the upper half of float32.
    return (np.frombuffer(data, "<u2").astype(np.uint32) << 16).view(np.float32)
