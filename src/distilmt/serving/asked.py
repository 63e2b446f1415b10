"""What a request asks: from JSON, a form or the query to checked values."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from starlette.datastructures import FormData, Headers, UploadFile
from starlette.formparsers import FormParser, MultiPartException, MultiPartParser
from starlette.requests import Request

from distilmt.commands import ServeConfig
from distilmt.serving.errors import Refused

Values = Mapping[str, Any]


@dataclass
class Question:
    """Texts to translate."""

    texts: list[str]
    is_list: bool
    source: str
    target: str
    html: bool = False
    alternatives: int = 0
    details: bool = False
    """Whether sentences with their scores are wanted: distilmt's own, LibreTranslate has no such thing."""


async def values(request: Request, body_limit: int) -> Values:
    """All that was sent, by name: of a JSON object, or of a form and the query.

    Args:
        request: its body is no longer than `body_limit`.
        body_limit: bytes; files of a form stay in memory.

    Raises:
        Refused: the body is not what its content type says.
    """
    kind = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if kind == "application/json" or (kind.startswith("application/") and kind.endswith("+json")):
        return _json(await request.body())
    query = dict(request.query_params)
    if kind == "multipart/form-data":
        return query | await _multipart(request, body_limit)
    if kind == "application/x-www-form-urlencoded":
        return query | _plain(await FormParser(request.headers, request.stream()).parse())
    if await request.body():
        raise Refused(415, "Send JSON or a form: the content type is neither")
    return query


def _json(body: bytes) -> Values:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        raise Refused(400, "Invalid JSON format") from None
    if not isinstance(found, dict):
        raise Refused(400, "Invalid JSON format")
    return found


async def _multipart(request: Request, body_limit: int) -> dict[str, Any]:
    parser = MultiPartParser(
        Headers(raw=request.headers.raw), request.stream(), max_files=1, max_fields=16, max_part_size=body_limit
    )
    parser.spool_max_size = body_limit + 1
    try:
        return _plain(await parser.parse())
    except (MultiPartException, KeyError, UnicodeError) as error:
        raise Refused(400, f"Invalid form: {error}") from None


def _plain(form: FormData) -> dict[str, Any]:
    """The first value of each name, as LibreTranslate takes them; lines end in LF, however the form wrote them."""
    found: dict[str, Any] = {}
    for name, value in form.multi_items():
        if name not in found:
            found[name] = value if isinstance(value, UploadFile) else "\n".join(value.splitlines())
    return found


def question(asked: Values, limits: ServeConfig) -> Question:
    """A request of `/translate`, checked.

    Raises:
        Refused: something is missing, of the wrong kind, or more than is allowed (400).
    """
    found = texts(asked, limits)
    form = asked.get("format") or "text"
    if form not in ("text", "html"):
        raise Refused(400, f"{form} format is not supported")
    return Question(
        found,
        isinstance(asked["q"], list),
        word(asked, "source"),
        word(asked, "target"),
        form == "html",
        _number(asked, "alternatives", limits.alternatives_limit),
        _yes(asked, "details"),
    )


def texts(asked: Values, limits: ServeConfig) -> list[str]:
    """The texts of a request, one or more.

    Raises:
        Refused: there are none, or more or longer ones than is allowed (400).
    """
    q = asked.get("q")
    if not q:
        raise Refused(400, "Invalid request: missing q parameter")
    found = q if isinstance(q, list) else [q]
    if not all(isinstance(text, str) for text in found):
        raise Refused(400, "Invalid request: q parameter is neither a text nor a list of texts")
    if len(found) > limits.batch_limit:
        raise Refused(400, f"Invalid request: request ({len(found)}) exceeds text limit ({limits.batch_limit})")
    longest = max(map(len, found))
    if longest > limits.char_limit:
        raise Refused(400, f"Invalid request: request ({longest}) exceeds text limit ({limits.char_limit})")
    return [whole(text) for text in found]


def whole(text: str) -> str:
    """A text without halves of characters (lone surrogates, which JSON can hold and UTF-8 cannot)."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


def word(asked: Values, name: str) -> str:
    """A parameter that must be there and short, such as a language.

    Raises:
        Refused: it is missing, or no text (400).
    """
    value = asked.get(name)
    if not value:
        raise Refused(400, f"Invalid request: missing {name} parameter")
    if not isinstance(value, str):
        raise Refused(400, f"Invalid request: {name} parameter is not a text")
    return whole(value[:64])


def _number(asked: Values, name: str, most: int) -> int:
    value = asked.get(name) or 0
    try:
        number = max(0, int(value))
    except (TypeError, ValueError, OverflowError):
        raise Refused(400, f"Invalid request: {name} parameter is not a number") from None
    if number > most:
        raise Refused(400, f"Invalid request: {name} parameter must be <= {most}")
    return number


def _yes(asked: Values, name: str) -> bool:
    value = str(asked.get(name) or "false").lower()
    if value not in ("0", "1", "false", "true"):
        raise Refused(400, f"Invalid request: {name} parameter is neither true nor false")
    return value in ("1", "true")
