"""Error bodies of HTTP servers: the message, and the request field that caused it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from distilmt.utils.json_types import JsonObject

_UNSUPPORTED = re.compile(
    r"unsupported|not (?:be )?(?:support|permit|allow|accept|valid|available|recogni[sz]ed|implement|use|set)"
    r"|n't support|unknown|unrecogni[sz]ed|unexpected|extra|invalid|only the default|must be|deprecated|cannot"
    r"|no longer|removed|forbidden|illegal|does not exist|ignored|incompatible",
    re.IGNORECASE,
)
_OF_THIS_TEXT = re.compile(r"context.{0,20}(?:length|window)|context_length|too (?:large|long)|maximum", re.IGNORECASE)
_QUOTA = re.compile(
    r"insufficient[_ ](?:quota|credit|balance|funds)|billing|exceeded your current quota", re.IGNORECASE
)


@dataclass(frozen=True)
class Rejection:
    """Content of an error response."""

    status: int
    message: str
    """One line, at most 200 characters."""
    fields: tuple[str, ...] = ()
    """Request fields named in `error.param` or `detail[].loc`."""
    code: str = ""

    def __str__(self) -> str:
        return f"status {self.status}: {self.message}"

    @property
    def is_quota(self) -> bool:
        """Whether the account's quota is used up, so that a retry does not help."""
        return bool(_QUOTA.search(f"{self.code} {self.message}"))

    def unsupported(self, optional: Iterable[str]) -> str | None:
        """The optional request field that the server does not accept; None if the response names none."""
        optional = list(optional)
        named = next((name for name in self.fields if name in optional), None)
        if _OF_THIS_TEXT.search(f"{self.code} {self.message}") and not re.search("unsupported", self.code):
            return None  # the text is too long: others of the run are not
        if named or not _UNSUPPORTED.search(f"{self.code} {self.message}"):
            return named
        positions = {name: match.start() for name in optional if (match := _mention(name).search(self.message))}
        return min(positions, key=lambda name: positions[name], default=None)


def _mention(name: str) -> re.Pattern[str]:
    """Pattern of a field's name in a message; a short one (`n`, `stop`) only in quotation marks."""
    quoted = rf"[\"'`‘“]{re.escape(name)}[\"'`’”]"
    return re.compile(quoted if len(name) < 5 else rf"{quoted}|(?<![\w.]){re.escape(name)}(?!\w)")


def rejection_of(status: int, body: bytes, reason: str = "") -> Rejection:
    """Parse the body of an error response: OpenAI's format, FastAPI's `detail`, plain text or a web page."""
    text = body.decode(errors="replace").strip()
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        title = re.search(r"<title[^>]*>(.*?)</title>", text, re.IGNORECASE | re.DOTALL)
        page = text.startswith("<")
        return Rejection(status, _line(title.group(1) if title else reason if page else text) or reason)
    error = _error_object(content)
    message = next((str(error[key]) for key in ("message", "msg", "error", "detail") if error.get(key)), text)
    code = " ".join(str(error[key]) for key in ("code", "type") if error.get(key))
    return Rejection(status, _line(message) or reason, tuple(_fields(error)), code)


def _error_object(content: object) -> JsonObject:
    """The innermost object that describes the error."""
    for key in ("error", "detail", "errors", "message"):
        inner = content.get(key) if isinstance(content, dict) else None
        inner = inner[0] if isinstance(inner, list) and inner else inner
        if isinstance(inner, dict):
            return inner
    return content if isinstance(content, dict) else {"message": content}


def _fields(error: JsonObject) -> Iterator[str]:
    locations = [error.get("param"), *(error["loc"] if isinstance(error.get("loc"), list) else [])]
    for location in locations:
        yield from re.split(r"[.\[]", location)[:1] if isinstance(location, str) else ()


def _line(text: str) -> str:
    return " ".join(text.split())[:200]
