"""The pieces of a SentencePiece model file: read and removed without the protobuf package.

Such a file is a protobuf message (sentencepiece_model.proto). Only these fields are used: 1, a message for
every piece (1 its text, 2 its score, 3 its kind); 2, the training settings (3 the type of model); 4, samples for a
self-test, which fail once pieces are removed.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from typing import NamedTuple

NORMAL, BPE = 1, 2
_PIECES, _TRAINER, _SELF_TEST = 1, 2, 4


class SentencePieceEntry(NamedTuple):
    """A piece; its kind is `NORMAL` unless it is `<unk>`, `</s>`, a byte or user-defined."""

    text: str
    score: float
    kind: int


class _Field(NamedTuple):
    number: int
    value: bytes | int
    raw: bytes


def read_entries(model: bytes) -> list[SentencePieceEntry]:
    """All pieces, in the order of SentencePiece's ids."""
    return [_read_entry(field.value) for field in _fields(model) if field.number == _PIECES]


def is_bpe(model: bytes) -> bool:
    """Whether the model merges pairs (BPE) instead of finding the most probable segmentation (unigram)."""
    trainer = next((field.value for field in _fields(model) if field.number == _TRAINER), b"")
    return any(number == 3 and value == BPE for number, value, _ in _fields(trainer))


def remove_entries(model: bytes, drop: Callable[[SentencePieceEntry], bool]) -> bytes:
    """The file without some pieces; the others keep their order and score."""
    chunks = (
        field.raw
        for field in _fields(model)
        if field.number != _SELF_TEST and not (field.number == _PIECES and drop(_read_entry(field.value)))
    )
    return b"".join(chunks)


def _read_entry(message: bytes | int) -> SentencePieceEntry:
    values = {field.number: field.value for field in _fields(message)}
    text, score, kind = values[1], values.get(2, b"\0\0\0\0"), values.get(3, NORMAL)
    assert isinstance(text, bytes) and isinstance(score, bytes) and isinstance(kind, int)
    return SentencePieceEntry(text.decode("utf-8"), struct.unpack("<f", score)[0], kind)


def _fields(message: bytes | int) -> Iterator[_Field]:
    """The fields of a message, in their order."""
    assert isinstance(message, bytes)
    begin = 0
    while begin < len(message):
        key, at = _varint(message, begin)
        value: bytes | int
        if key & 7 == 0:
            value, end = _varint(message, at)
        else:
            if key & 7 == 2:
                size, at = _varint(message, at)
            else:
                size = {1: 8, 5: 4}[key & 7]
            value, end = message[at : at + size], at + size
        yield _Field(key >> 3, value, message[begin:end])
        begin = end


def _varint(message: bytes, at: int) -> tuple[int, int]:
    """A varint and its end: seven bits per byte, lowest first; the highest bit is set on all bytes but the last."""
    value = shift = 0
    while True:
        value |= (message[at] & 127) << shift
        at, shift = at + 1, shift + 7
        if message[at - 1] < 128:
            return value, at
