"""Parse and validate the parameters of a request, from JSON, a form or the query."""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from email.message import Message
from typing import TypeAlias
from urllib.parse import parse_qsl

from python_multipart.exceptions import FormParserError
from starlette.datastructures import Headers, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from distilmt.config.commands import ServeConfig
from distilmt.serving.errors import ApiError
from distilmt.utils.errors import UserError
from distilmt.utils.json_types import JsonMapping, JsonObject
from distilmt.utils.texts import check_is_text, replace_surrogates

Parameters: TypeAlias = JsonMapping
"""Parameters of a client by name, before they are checked; a file of a form is an `UploadFile`."""
# Python supports many more, some of which (IDNA) are slow to decode.
_CHARSETS = re.compile(r"utf-(8|16|32)|ascii|iso8859-\d+|cp125\d|koi8-\w|gb\w+|big5|shift_jis|euc_(jp|kr)")
_PATTERNS, _PATTERN = 16, 200
_PICTURE_BODIES = ("application/pdf", "application/octet-stream")
_FIELDS = 1000  # maximum fields of a form or a query: far above the number of parameters, and cheap to parse


@dataclass
class TranslateRequest:
    """Texts to translate."""

    texts: list[str]
    is_list: bool
    source: str
    target: str
    html: bool = False
    alternatives: int = 0
    details: bool = False
    """Return sentences with scores; an extension of distilmt, not in LibreTranslate."""
    keep: tuple[str, ...] = ()
    """Regular expressions of text that is not translated; an extension of distilmt."""

    @property
    def is_formatted(self) -> bool:
        """Whether the texts are handled like documents: they have markup, or the client set `keep`."""
        return self.html or bool(self.keep)


async def read_picture_parameters(request: Request, body_limit: int) -> tuple[Parameters, bytes]:
    """Parameters and content of a picture: the file of a form, or the body, with parameters in the query.

    Raises:
        ApiError: as `read_parameters`; or there is no picture (400).
    """
    kind, _ = _content_type(request.headers.get("content-type", ""))
    parameters: Parameters
    if kind.startswith("image/") or kind in _PICTURE_BODIES:
        parameters = _query(request)
        content = await request.body()
    else:
        parameters = await read_parameters(request, body_limit)
        file = parameters.get("file")
        content = await file.read() if isinstance(file, UploadFile) else b""
    if not content:
        raise ApiError(400, "Invalid request: missing file parameter")
    return parameters, content


def _query(request: Request) -> JsonObject:
    return _first_values(_pairs(request.scope.get("query_string", b""), "utf-8"))


async def read_parameters(request: Request, body_limit: int) -> Parameters:
    """All parameters by name: of a JSON object, or of a form and the query.

    Args:
        request: its body is no longer than `body_limit`.
        body_limit: bytes; files of a form stay in memory.

    Raises:
        ApiError: the body does not match its content type (400), or the type is not supported (415).
    """
    kind, charset = _content_type(request.headers.get("content-type", ""))
    if kind == "application/json" or (kind.startswith("application/") and kind.endswith("+json")):
        return _json(await request.body())
    query = _query(request)
    if kind == "multipart/form-data":
        return query | await _multipart(request, body_limit)
    if kind == "application/x-www-form-urlencoded":
        return query | _first_values(_pairs(await request.body(), charset))
    if await request.body():
        raise ApiError(415, "Send JSON or a form: the content type is neither")
    return query


def _content_type(header: str) -> tuple[str, str]:
    """The content type in lower case, and its charset (default UTF-8)."""
    message = Message()
    message["content-type"] = header
    kind = header.split(";")[0].strip().lower()
    return kind, str(message.get_param("charset") or "utf-8")


def _pairs(body: bytes, charset: str) -> list[tuple[str, str]]:
    """Names and values of a query or an urlencoded form; bytes may be unescaped (as with `curl -d q=è`).

    Raises:
        ApiError: there are too many fields, or the charset is unknown or does not match the bytes (400).
    """
    try:
        if not _CHARSETS.fullmatch(codecs.lookup(charset).name):
            raise LookupError
        return parse_qsl(body.decode(charset), True, encoding=charset, errors="strict", max_num_fields=_FIELDS)
    except LookupError:
        raise ApiError(400, f"Invalid form: unknown charset {charset[:40]!r}") from None
    except UnicodeError:
        raise ApiError(400, f"Invalid form: it is not in {charset[:40]}") from None
    except ValueError:
        raise ApiError(400, f"Invalid form: more than {_FIELDS} fields") from None


def _json(body: bytes) -> Parameters:
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        raise ApiError(400, "Invalid JSON format") from None
    if not isinstance(content, dict):
        raise ApiError(400, "Invalid JSON format")
    return content


async def _multipart(request: Request, body_limit: int) -> JsonObject:
    parser = MultiPartParser(
        Headers(raw=request.headers.raw), request.stream(), max_files=1, max_fields=_FIELDS, max_part_size=body_limit
    )
    parser.spool_max_size = body_limit + 1
    try:
        return _first_values((await parser.parse()).multi_items())
    except (MultiPartException, FormParserError, KeyError, ValueError) as error:
        raise ApiError(400, f"Invalid form: {error}") from None


def _first_values(pairs: Iterable[tuple[str, object]]) -> JsonObject:
    """The first value of each name, as in LibreTranslate; line ends of forms become LF."""
    first_values: JsonObject = {}
    for name, value in pairs:
        if name not in first_values:
            first_values[name] = value.replace("\r\n", "\n") if isinstance(value, str) else value
    return first_values


def translate_request(parameters: Parameters, limits: ServeConfig) -> TranslateRequest:
    """The validated parameters of `/translate`.

    Raises:
        ApiError: a parameter is missing, has the wrong type, or exceeds a limit (400).
    """
    request_texts = texts(parameters, limits)
    form = parameters.get("format") or "text"
    if form not in ("text", "html"):
        raise ApiError(400, f"{form} format is not supported")
    return TranslateRequest(
        texts=request_texts,
        is_list=isinstance(parameters["q"], list),
        source=short_text(parameters, "source"),
        target=short_text(parameters, "target"),
        html=form == "html",
        alternatives=_number(parameters, "alternatives", limits.alternatives_limit),
        details=_boolean(parameters, "details"),
        keep=patterns(parameters),
    )


def patterns(parameters: Parameters) -> tuple[str, ...]:
    """The regular expressions of `keep`, one or a list; they are compiled later, in the document process.

    Raises:
        ApiError: they are not texts, too many or too long (400).
    """
    value = parameters.get("keep") or []
    listed = value if isinstance(value, list) else [value]
    if not all(isinstance(pattern, str) for pattern in listed):
        raise ApiError(400, "Invalid request: keep parameter is neither a text nor a list of texts")
    if len(listed) > _PATTERNS or max(map(len, listed), default=0) > _PATTERN:
        raise ApiError(400, f"Invalid request: keep parameter exceeds {_PATTERNS} patterns of {_PATTERN} characters")
    for pattern in listed:
        _check_is_text("keep", pattern)
    return tuple(filter(None, listed))


def texts(parameters: Parameters, limits: ServeConfig) -> list[str]:
    """The texts of a request, one or more.

    Raises:
        ApiError: there is no text, there are too many or too long texts, or one is no text (400).
    """
    q = parameters.get("q")
    if not q:
        raise ApiError(400, "Invalid request: missing q parameter")
    text_list = q if isinstance(q, list) else [q]
    if not all(isinstance(text, str) for text in text_list):
        raise ApiError(400, "Invalid request: q parameter is neither a text nor a list of texts")
    if len(text_list) > limits.batch_limit:
        raise ApiError(400, f"Invalid request: request ({len(text_list)}) exceeds text limit ({limits.batch_limit})")
    longest = max(map(len, text_list))
    if longest > limits.char_limit:
        raise ApiError(400, f"Invalid request: request ({longest}) exceeds text limit ({limits.char_limit})")
    for text in text_list:
        _check_is_text("q", text)
    return text_list


def _check_is_text(name: str, text: str) -> None:
    try:
        check_is_text(f"{name} parameter", text)
    except UserError as error:
        raise ApiError(400, f"Invalid request: {error}") from None


def short_text(parameters: Parameters, name: str) -> str:
    """A required short parameter, such as a language.

    Raises:
        ApiError: it is missing or not a text (400).
    """
    value = parameters.get(name)
    if not value:
        raise ApiError(400, f"Invalid request: missing {name} parameter")
    if not isinstance(value, str):
        raise ApiError(400, f"Invalid request: {name} parameter is not a text")
    return replace_surrogates(value[:64])


def _number(parameters: Parameters, name: str, most: int) -> int:
    value = parameters.get(name) or 0
    try:
        number = max(0, int(value))
    except (TypeError, ValueError, OverflowError):
        raise ApiError(400, f"Invalid request: {name} parameter is not a number") from None
    if number > most:
        raise ApiError(400, f"Invalid request: {name} parameter must be <= {most}")
    return number


def _boolean(parameters: Parameters, name: str) -> bool:
    value = str(parameters.get(name) or "false").lower()
    if value not in ("0", "1", "false", "true"):
        raise ApiError(400, f"Invalid request: {name} parameter is neither true nor false")
    return value in ("1", "true")
