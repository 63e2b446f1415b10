"""HTTP client: concurrent requests with a rate limit and retries."""

from __future__ import annotations

import email.utils
import http.client
import io
import json
import os
import random
import re
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
import zlib
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from itertools import islice
from typing import TypeVar

from distilmt.teachers.rejection import Rejection, rejection_of
from distilmt.utils.errors import UserError
from distilmt.utils.json_types import JsonMapping, JsonObject

T = TypeVar("T")
R = TypeVar("R")
_TRANSIENT_STATUSES = {408, 409, 425, 429, 500, 502, 503, 504, 520, 521, 522, 523, 524, 529}
FIRST_WAIT_SECONDS, _LONGEST_WAIT = 0.5, 60.0
_ERROR_BYTES, MAX_RESPONSE_BYTES = 20_000, 32 << 20
_MODERATED = re.compile(r"moderat|flagged|content.?(?:policy|filter)|safety", re.IGNORECASE)


class RequestRejected(Exception):
    """The server rejects this request permanently."""

    def __init__(self, rejection: Rejection) -> None:
        super().__init__(str(rejection))
        self.rejection = rejection


class _NotJSON(Exception):
    """The response is not JSON but a web page: a retry does not help."""


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """urllib would repeat a POST as a GET and send the key to the other host."""

    def redirect_request(self, *_: object) -> None:
        return None


class Endpoint:
    """A server with JSON requests and responses."""

    def __init__(self, settings: JsonMapping) -> None:
        """Read the fields of `config.EndpointConfig`.

        Raises:
            UserError: the variable with the key is not set, or has characters that a header cannot contain.
        """
        self.concurrent, self.retries = int(settings["max_concurrency"]), int(settings["max_retries"])
        self.timeout = float(settings["timeout"])
        self.min_interval = 60.0 / (settings["requests_per_minute"] or float("inf"))
        self.requests, self._slot, self._lock = 0, 0.0, threading.Lock()
        self.stop = threading.Event()
        self._opener = urllib.request.build_opener(_NoRedirects)
        variable = settings["api_key_env"]
        self.key = os.environ.get(variable, "").strip() if variable else None
        if variable and not self.key:
            raise UserError(f"teacher.endpoint.api_key_env is {variable}, which is not set: export {variable}=… first")
        if self.key and not (self.key.isascii() and self.key.isprintable()):
            raise UserError(f"{variable} contains characters that an API key cannot have: copy the key again")

    def post(self, url: str, body: JsonObject) -> JsonObject:
        """Send JSON and return the JSON response, as a rule an object: the caller must expect another value.

        Raises:
            RequestRejected: the server rejects the request.
            UserError: the server does not exist, requires a key, or failed too often.
        """
        reason, address = "", _quoted_url(url)
        for number in range(self.retries + 1):
            self._wait_for_slot()
            try:
                return self._send(address, body)
            except urllib.error.HTTPError as error:
                rejection = rejection_of(error.code, _body_of(error), str(error.reason))
                _raise_if_permanent(url, rejection, error.headers.get("Location"))
                reason = str(rejection)
                if error.code not in _TRANSIENT_STATUSES:
                    raise RequestRejected(rejection) from None
                self.wait_before_retry(number, error.headers.get("Retry-After"))
            except _NotJSON as error:
                raise UserError(
                    f"{url} returned {error} instead of JSON: check teacher.url (most end in /v1)"
                ) from None
            except (OSError, http.client.HTTPException, ValueError, RecursionError) as error:
                # no connection, a timeout, half a response
                reason = str(getattr(error, "reason", error)) or type(error).__name__
                self.wait_before_retry(number, None)
        raise UserError(
            f"{url} failed {self.retries + 1} times ({reason}): check that it runs, then repeat the command to resume"
        )

    def _send(self, url: str, body: JsonObject) -> JsonObject:
        headers = {"Content-Type": "application/json", "User-Agent": "distilmt"}
        headers |= {"Authorization": f"Bearer {self.key}"} if self.key else {}
        request = urllib.request.Request(url, json.dumps(body).encode(), headers)
        with self._opener.open(request, timeout=self.timeout) as response:
            response_bytes = _unpacked(response.read(MAX_RESPONSE_BYTES + 1), response.headers.get("Content-Encoding"))
        content = _content_of(response_bytes)
        error = content.get("error") if isinstance(content, dict) and len(content) < 4 else None
        # Some proxies send an error with status 200.
        if error and not content.keys() & {"choices", "translatedText"}:
            code = error.get("code") if isinstance(error, dict) else None
            status = code if isinstance(code, int) and 400 <= code < 600 else 400
            raise urllib.error.HTTPError(url, status, "", http.client.HTTPMessage(), io.BytesIO(response_bytes))
        return content

    def _wait_for_slot(self) -> None:
        """Wait until the rate limit allows another request."""
        with self._lock:
            now = time.monotonic()
            start = max(now, self._slot)
            self._slot = start + self.min_interval
            self.requests += 1
        if self.stop.wait(start - now):
            raise UserError("stopped")

    def wait_before_retry(self, number: int, retry_after: str | None) -> None:
        """Wait before a retry: as long as Retry-After demands, else with exponential backoff."""
        if number == self.retries:
            return
        required = retry_after_seconds(retry_after)
        backoff = min(FIRST_WAIT_SECONDS * 2**number * random.uniform(0.75, 1.25), _LONGEST_WAIT)
        if self.stop.wait(backoff if required is None else min(required, 10 * _LONGEST_WAIT)):
            raise UserError("stopped")

    def map_concurrently(self, work: Callable[[T], R], items: Iterable[T]) -> Iterator[tuple[T, R]]:
        """Run `work` on every item concurrently; yields results as they finish. Closing the iterator cancels it."""
        item_iterator = iter(items)
        running: dict[Future[R], T] = {}
        with ThreadPoolExecutor(self.concurrent) as pool:
            try:
                while True:
                    for item in islice(item_iterator, self.concurrent - len(running)):
                        running[pool.submit(work, item)] = item
                    if not running:
                        return
                    for future in wait(running, return_when=FIRST_COMPLETED).done:
                        yield running.pop(future), future.result()
            finally:
                if running:
                    self.stop.set()
                pool.shutdown(cancel_futures=True)


def _quoted_url(url: str) -> str:
    """A URL that urllib can open: only http(s), so that no local file is read."""
    try:
        parts = urllib.parse.urlsplit(url)
        valid = parts.scheme in ("http", "https") and parts.hostname and (parts.port or 1) > 0
    except ValueError:
        valid = False
    if not valid or any(character.isspace() for character in url):
        raise UserError(f"teacher.url {url!r} is not a valid URL: write it as http://HOST:PORT/…")
    return urllib.parse.quote(url, safe=":/?#[]@!$&'()*+,;=%~")


def _raise_if_permanent(url: str, rejection: Rejection, location: str | None) -> None:
    """Raise if a retry or another text would be rejected too."""
    if 300 <= rejection.status < 400:
        raise UserError(f"{url} redirects to {location or 'nowhere'}: set teacher.url to the URL that it redirects to")
    of_this_text = rejection.status == 403 and _MODERATED.search(rejection.message)
    if rejection.is_quota or (rejection.status in (401, 402, 403, 404, 405) and not of_this_text):
        raise UserError(f"{url} returned {rejection}: check teacher.url (most end in /v1), the model and the key")


def _body_of(error: urllib.error.HTTPError) -> bytes:
    try:
        return _unpacked(error.read(_ERROR_BYTES), error.headers.get("Content-Encoding"))
    except (OSError, ValueError, http.client.HTTPException):
        return b""


def _unpacked(body: bytes, encoding: str | None) -> bytes:
    """The decompressed body: some proxies compress although the request did not allow it.

    Raises:
        ValueError: it is too long, damaged, or in another encoding.
    """
    if encoding in (None, "", "identity") or not body:
        unpacked = body
    elif encoding in ("gzip", "x-gzip", "deflate"):
        try:
            unpacked = zlib.decompressobj(47 if body[:1] in (b"\x1f", b"\x78") else -15).decompress(
                body, MAX_RESPONSE_BYTES + 1
            )
        except zlib.error as error:
            raise ValueError(f"{encoding} is damaged: {error}") from None
    else:
        raise ValueError(f"unsupported content encoding {encoding}")
    if len(unpacked) > MAX_RESPONSE_BYTES:
        raise ValueError(f"over {MAX_RESPONSE_BYTES >> 20} MiB")
    return unpacked


def _content_of(response_bytes: bytes) -> JsonObject:
    """The JSON value of a response, as a rule an object, or of the joined parts of an event stream."""
    text = response_bytes.strip()
    if text.startswith((b"data:", b"event:", b":", b"id:")):
        return _assembled(text.decode(errors="replace"))
    if text.startswith(b"<"):
        raise _NotJSON("a web page")
    if not text:
        raise ValueError("an empty response")
    content: JsonObject = json.loads(text)
    return content


def _assembled(events: str) -> JsonObject:
    """Join the chunks of a server that streams although the request did not allow it."""
    # Not `splitlines`: JSON may contain U+2028 and similar characters unescaped.
    lines = [line[5:].strip() for line in re.split(r"\r\n|\n|\r", events) if line.startswith("data:")]
    chunks = [json.loads(line) for line in lines if line and line != "[DONE]"]
    message: dict[str, str] = {"content": "", "reasoning_content": ""}
    reason, usage = None, None
    for chunk in (chunk for chunk in chunks if isinstance(chunk, dict)):
        usage = chunk.get("usage") or usage
        if chunk.get("error"):
            return {"error": chunk["error"]}
        for choice in (chunk.get("choices") or [])[:1]:
            delta = choice.get("delta") or choice.get("message") or {}
            reason = choice.get("finish_reason") or reason
            for key in message:
                message[key] += str(delta.get(key) or "")
    if reason is None and "[DONE]" not in lines:
        raise ValueError("an incomplete event stream")
    return {"choices": [{"message": message, "finish_reason": reason}], "usage": usage}


def retry_after_seconds(retry_after: str | None) -> float | None:
    """Retry-After: seconds or a date."""
    if not retry_after:
        return None
    try:
        return max(0.0, float(retry_after))
    except ValueError:
        pass
    try:
        return max(0.0, email.utils.parsedate_to_datetime(retry_after).timestamp() - time.time())
    except (TypeError, ValueError):
        return None
