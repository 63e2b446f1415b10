"""JSON: string values are translated; keys, numbers and layout stay unchanged."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from distilmt.documents import Translate, report_of
from distilmt.documents.program_strings import ProgramString, translate_strings
from distilmt.utils.errors import UserError

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\]:,]')
# A single word that is not readable text: an identifier, a path, a version, a color.
_CODE = re.compile(r"\S*[\w)][_/\\.:#@=<>&|\d+-]\S*\w\S*|\S*\d\S*|[./#@$]\S*|\w*[a-z][A-Z]\w*", re.ASCII)
_LONGEST_WORD = 200  # longer ones are data
_SURROGATE = re.compile("[\ud800-\udfff]")
_DEEPEST = 200


def translate_json(text: str, translate: Translate, keys: tuple[str, ...] = ()) -> str:
    """Translate a JSON text.

    Strings that message tools do not show stay unchanged: all below keys that begin with `@` (ARB, JSON-LD), and all
    but `message` in a catalog of Chrome.

    Args:
        text: the file.
        translate: as in `translate_document`.
        keys: only strings below one of these are translated; if empty, all strings that are not code.

    Raises:
        UserError: it is not JSON, or is nested too deep.
    """
    is_chrome = _is_chrome(_checked(text))
    spans, strings = [], []
    for path, (start, end) in _values(text):
        string = str(json.loads(text[start:end], strict=False))
        shown = not any(key.startswith("@") for key in path) and not (is_chrome and path[1:] != ["message"])
        if set(keys) & set(path) if keys else shown and not _is_code(string):
            spans.append((start, end))
            strings.append(ProgramString(string, place=f"key {'.'.join(path)[:60]}" if path else ""))
        elif not keys and shown and any(c.isalpha() for c in string):
            report_of(translate).skip("a word that looks like an identifier, a path or a number", ".".join(path)[:60])
    parts, end = [], 0
    for (a, b), source, translation in zip(spans, strings, translate_strings(strings, translate), strict=True):
        changed = bool(translation) and translation != source.text
        parts += [text[end:a], _dumped(str(translation), text[a:b]) if changed else text[a:b]]
        end = b
    return "".join([*parts, text[end:]])


def _dumped(translation: str, raw: str) -> str:
    """A string as JSON, in ASCII if its source is ASCII; a lone surrogate can only be written in this way."""
    written = json.dumps(translation, ensure_ascii=raw.isascii() and "\\u" in raw)
    if "\\/" in raw and raw.count("/") == raw.count("\\/"):
        written = written.replace("/", "\\/")
    return _SURROGATE.sub(lambda match: f"\\u{ord(match[0]):04x}", written)


def _is_code(string: str) -> bool:
    if not string or any(c.isspace() for c in string):
        return False
    return len(string) > _LONGEST_WORD or _CODE.fullmatch(string) is not None


def _is_chrome(value: object) -> bool:
    """Whether it is the message catalog of a browser extension: each entry has a `message`."""
    entries = list(value.values()) if isinstance(value, dict) else []
    return bool(entries) and all(isinstance(e, dict) and isinstance(e.get("message"), str) for e in entries)


def _checked(text: str) -> object:
    """Parse a JSON text."""
    depth = deepest = 0
    for match in _TOKEN.finditer(text):
        depth += (match[0] in "{[") - (match[0] in "}]")
        deepest = max(deepest, depth)
    if deepest > _DEEPEST:
        raise UserError(f"nested deeper than {_DEEPEST} levels: flatten it")
    try:
        value: object = json.loads(text, parse_int=str, parse_float=str)
        return value
    except json.JSONDecodeError as error:
        if text[error.pos : error.pos + 1] == "/":
            raise UserError(f"has a comment (line {error.lineno}), which JSON does not allow: remove it") from None
        raise UserError(f"not JSON (line {error.lineno}: {error.msg}): fix it") from None


def _values(text: str) -> Iterator[tuple[list[str], tuple[int, int]]]:
    """Every string value: the keys above it, and its span."""
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
