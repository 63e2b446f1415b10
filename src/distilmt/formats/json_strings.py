"""JSON: the strings that are values, with keys, numbers and layout as they stood."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from distilmt.errors import UserError
from distilmt.formats import Translate
from distilmt.formats.inline import translate_units
from distilmt.formats.tags import tagged
from distilmt.formats.units import text_of

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\]:,]')
# One word that no one reads: an identifier, a path, a version, a colour.
_CODE = re.compile(r"\S*[\w)][_/\\.:#@=<>&|\d+-]\S*\w\S*|\S*\d\S*|[./#@$]\S*|\w*[a-z][A-Z]\w*", re.ASCII)
_DEEPEST = 200


def translate_json(text: str, translate: Translate, keys: tuple[str, ...] = ()) -> str:
    """Translate a JSON text.

    Args:
        text: the file.
        translate: as in `translate_document`.
        keys: only strings below one of these are translated; all that are no code, if there are none.

    Raises:
        UserError: it is not JSON, or nested too deep.
    """
    _check(text)
    places = [span for path, span in _values(text) if not keys or set(keys) & set(path)]
    strings = [str(json.loads(text[a:b], strict=False)) for a, b in places]
    units = [[] if not keys and _CODE.fullmatch(s) else tagged(s) for s in strings]
    made, end = [], 0
    for (a, b), string, unit in zip(places, strings, translate_units(units, translate), strict=True):
        said = text_of(unit) or string
        raw = text[a:b]
        made += [text[end:a], raw if said == string else json.dumps(said, ensure_ascii=raw.isascii() and "\\u" in raw)]
        end = b
    return "".join([*made, text[end:]])


def _check(text: str) -> None:
    depth = deepest = 0
    for match in _TOKEN.finditer(text):
        depth += (match[0] in "{[") - (match[0] in "}]")
        deepest = max(deepest, depth)
    if deepest > _DEEPEST:
        raise UserError(f"nested deeper than {_DEEPEST} levels: flatten it")
    try:
        json.loads(text, parse_int=str, parse_float=str)
    except json.JSONDecodeError as error:
        raise UserError(f"not JSON (line {error.lineno}: {error.msg}): mend it") from None


def _values(text: str) -> Iterator[tuple[list[str], tuple[int, int]]]:
    """Every string that is a value: the keys above it, and where it stands."""
    path: list[str] = []
    opened: list[int] = []
    tokens = list(_TOKEN.finditer(text))
    for number, token in enumerate(tokens):
        if token[0] in "{[":
            opened.append(len(path))
        elif token[0] in "}]":
            del path[opened.pop() :]
        elif token[0] == ",":
            del path[opened[-1] :]
        elif token[0].startswith('"'):
            if number + 1 < len(tokens) and tokens[number + 1][0] == ":":
                path.append(str(json.loads(token[0])))
            else:
                yield list(path), token.span()
