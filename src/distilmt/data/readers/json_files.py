"""Sentence pairs from JSON: one object per line, an array of objects, or consecutive objects."""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

from distilmt.data.pairs import Pair
from distilmt.data.readers.compressed import utf8_chunks
from distilmt.data.readers.records import REGISTER, parallel_texts, register_of, score_of
from distilmt.data.readers.textlines import text_lines
from distilmt.utils.errors import UserError

MAX_RECORD_CHARS = 16 << 20
_BETWEEN = re.compile(r"[\s,\[\]\x1e\ufeff]*")
_ARRAY = re.compile(r"\s*\[\s*(\{|$)")


def read_json(path: Path, source: str, target: str, score: str | None) -> Iterator[Pair | UserError]:
    """Read objects; blank lines between them are skipped. Raises UserError as `read_pairs`."""
    lines = enumerate(text_lines(path), 1)
    head: list[tuple[int, str | UserError]] = []
    for number, text in lines:
        head.append((number, text))
        if isinstance(text, UserError) or text.strip():
            break
    first = head[-1][1] if head else ""
    if isinstance(first, str) and (_ARRAY.match(first) or _is_cut(first)):
        for number, value in enumerate(_values(path), 1):
            yield _pair(value, number, (source, target, score), f"{path}, record {number}")
        return
    for number, text in chain(head, lines):
        if isinstance(text, UserError):
            yield text
        elif text.strip():
            yield _line(text, number, (source, target, score), f"{path}, line {number}")


def _is_cut(line: str) -> bool:
    """Whether a line begins an object that continues on the next line."""
    return line.rstrip().endswith(("{", ",", "[")) and line.lstrip().startswith("{")


def _line(text: str, number: int, keys: tuple[str, str, str | None], where: str) -> Pair | UserError:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return UserError(f"{where}: is not JSON: write one object per line, such as {{...}}")
    return _pair(value, number, keys, where)


def _pair(value: object, number: int, keys: tuple[str, str, str | None], where: str) -> Pair | UserError:
    source, target, score = keys
    if not isinstance(value, dict):
        return UserError(f"{where}: is not a JSON object: write one object per line, such as {{...}}")
    try:
        left, right = parallel_texts(value, source, target, where)
        value_of_score = score_of(value.get(score), where) if score else None
        return Pair(number, left, right, value_of_score, register_of(value.get(REGISTER)))
    except UserError as error:
        return error


def _values(path: Path) -> Iterator[object]:
    """The values of an array or of a file of several values; for an object with one list of objects, its items."""
    for number, value in enumerate(_top(path)):
        inner = [each for each in value.values() if isinstance(each, list)] if isinstance(value, dict) else []
        if number == 0 and len(inner) == 1 and all(isinstance(each, dict) for each in inner[0]):
            yield from inner[0]
        else:
            yield value


def _top(path: Path) -> Iterator[object]:
    """Stream values; only one value is in memory at a time."""
    decoder, utf8 = json.JSONDecoder(), codecs.getincrementaldecoder("utf-8")()
    buffer, count = "", 0
    for chunk in chain(utf8_chunks(path), (b"",)):
        try:
            buffer += utf8.decode(chunk, final=not chunk)
        except UnicodeDecodeError:
            raise UserError(f"{path}: is not UTF-8 after record {count}: convert it to UTF-8") from None
        position = _skipped(buffer, 0)
        while position < len(buffer):
            try:
                value, position = decoder.raw_decode(buffer, position)
            except RecursionError:
                raise UserError(f"{path}, record {count + 1}: is nested too deep: flatten it") from None
            except ValueError:
                break
            count += 1
            yield value
            position = _skipped(buffer, position)
        buffer = buffer[position:]
        if len(buffer) > MAX_RECORD_CHARS:
            break
    if buffer:
        raise UserError(f"{path}: is not complete JSON after record {count}: write it again, best one object per line")


def _skipped(buffer: str, position: int) -> int:
    match = _BETWEEN.match(buffer, position)
    return match.end() if match else position
