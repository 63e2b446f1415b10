"""Limits per client: API keys, and texts per minute."""

from __future__ import annotations

import hashlib
import hmac
import os
import time
from collections import OrderedDict
from pathlib import Path

from distilmt.serving.errors import ApiError
from distilmt.utils.errors import UserError

_VARIABLE = "DISTILMT_API_KEYS"
_CLIENTS = 10_000  # maximum number of stored clients; a removed client starts with a full bucket


class ApiKeys:
    """API keys; without any key, all clients are admitted."""

    def __init__(self, path: str | None) -> None:
        """Read keys from a file, one per line (`#` starts a comment), and from DISTILMT_API_KEYS.

        Raises:
            UserError: the file cannot be read or has no key, or the variable is set and has none: a missing secret must
                not open the server.
        """
        variable = os.environ.get(_VARIABLE)
        keys = [key.strip() for key in (variable or "").split(",")]
        if variable is not None and not any(keys):
            raise UserError(f"{_VARIABLE} is set but has no key: set it to keys separated by commas, or unset it")
        if path:
            keys += _lines(Path(path))
        self._digests = [_digest(key) for key in keys if key]

    def __bool__(self) -> bool:
        return bool(self._digests)

    def check(self, key: str | None) -> None:
        """Check a key. All keys are compared, each in constant time, against timing attacks.

        Raises:
            ApiError: a key is required and missing (400) or wrong (403), as in LibreTranslate.
        """
        if not self._digests:
            return
        if not key:
            raise ApiError(400, "Please contact the server operator to get an API key")
        given, fits = _digest(key), False
        for digest in self._digests:
            fits |= hmac.compare_digest(digest, given)
        if not fits:
            raise ApiError(403, "Invalid API key")


def _lines(path: Path) -> list[str]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"api_keys: {path} cannot be read ({error}): use a text file with one key per line") from None
    keys = [line.strip() for line in lines if line.strip() and not line.startswith("#")]
    if not keys:
        raise UserError(f"api_keys: {path} has no key: write one key per line")
    return keys


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).digest()


class RateLimiter:
    """Token buckets: `per_minute` texts per client, at once or spread over the minute."""

    def __init__(self, per_minute: int) -> None:
        self._per_minute = per_minute
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def consume(self, client: str, texts: int) -> None:
        """Count texts of a client.

        Raises:
            ApiError: the client has exceeded its rate (429).
        """
        if not self._per_minute:
            return
        now = time.monotonic()
        left, then = self._buckets.pop(client, (float(self._per_minute), now))
        left = min(self._per_minute, left + (now - then) * self._per_minute / 60)
        cost = min(texts, self._per_minute)
        fits = cost <= left
        self._buckets[client] = (left - cost if fits else left, now)
        if len(self._buckets) > _CLIENTS:
            self._buckets.popitem(last=False)
        if not fits:
            wait = (cost - left) * 60 / self._per_minute
            raise ApiError(429, f"Slowdown: {self._per_minute} per 1 minute", wait)
