"""The two texts and the score of a record (a row or a JSON object)."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

from distilmt.data.readers.language_tags import language_columns
from distilmt.utils.errors import UserError

REGISTER = "register"
"""Name of the column with the kind of text."""
_LONGEST_LABEL = 64
_UNSTORABLE = re.compile("[\0\ud800-\udfff]")


def parallel_texts(record: Mapping[str, object], source: str, target: str, where: str) -> tuple[str, str]:
    """The two texts of a record: under the language codes, `source` and `target`, or `translation`.

    Args:
        record: values of one row or JSON line.
        source: language code of the source.
        target: language code of the target.
        where: file and line, for messages.

    Raises:
        UserError: there are no such keys, or their values are not text.
    """
    nested = record.get("translation")
    for values in (record, nested if isinstance(nested, Mapping) else {}):
        if named := language_columns(map(str, values), source, target):
            left, right = named
            return _text(values[left], f"{where}, {left!r}"), _text(values[right], f"{where}, {right!r}")
    names = ", ".join(map(repr, list(record)[:12])) or "nothing"
    raise UserError(
        f"{where}: no columns {source!r} and {target!r}, 'source' and 'target', or 'translation' with both languages"
        f" (found {names}): rename the columns, or name other languages with corpus.source and corpus.target"
    )


def score_of(value: object, where: str) -> float | None:
    """A score as a number; None if there is none.

    Raises:
        UserError: the value is not a number.
    """
    if value is None or value == "":
        return None
    try:
        number = float(value) if isinstance(value, int | float | str) else math.nan
    except (ValueError, OverflowError):
        number = math.nan
    if not math.isfinite(number):
        raise UserError(f"{where}: the score {str(value)[:40]!r} is not a number: correct it, or name another column")
    return number


def register_of(value: object) -> str | None:
    """The label in a column named `register`: a text or a number; None without one."""
    label = "" if value is None or isinstance(value, bool | float | list | dict) else str(value).strip()
    return label[:_LONGEST_LABEL] or None


def _text(value: object, where: str) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        raise UserError(f"{where}: has {type(value).__name__} instead of text: make it a string")
    if bad := _UNSTORABLE.search(value):
        raise UserError(f"{where}: has U+{ord(bad[0]):04X}, which is not text: remove it")
    return value
