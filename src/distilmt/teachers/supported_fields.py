"""Requests without the fields that a server does not accept; they are read from its error messages."""

from __future__ import annotations

import logging
import threading

from distilmt.teachers.endpoint import Endpoint, RequestRejected
from distilmt.utils.json_types import JsonObject

logger = logging.getLogger(__name__)

_REQUIRED = {"model", "messages"}


class SupportedFields:
    """Sends requests to a URL, and finds out which fields it accepts."""

    def __init__(self, server: Endpoint, url: str) -> None:
        self._server, self._url, self._lock = server, url, threading.Lock()
        self._renamed: dict[str, str] = {}
        """Request fields that the server expects under another name, or (an empty name) does not accept."""

    def post(self, body: JsonObject) -> JsonObject:
        """Send a request with the fields that the server accepts.

        Raises:
            RequestRejected, UserError: as `Endpoint.post`.
        """
        for _ in range(len(body) + 1):
            fields = self._supported(body)
            try:
                return self._server.post(self._url, fields)
            except RequestRejected as reason:
                name = reason.rejection.unsupported(fields.keys() - _REQUIRED)
                if name is None:
                    raise
                self._leave_out(name, reason)
        return self._server.post(self._url, self._supported(body))

    def _supported(self, body: JsonObject) -> JsonObject:
        with self._lock:
            names = dict(self._renamed)
        fields = {names.get(key, key): value for key, value in body.items()}
        return {key: value for key, value in fields.items() if key}

    def _leave_out(self, name: str, reason: RequestRejected) -> None:
        """Store that a field is sent under its newer name, or not at all."""
        with self._lock:
            newer = "max_completion_tokens" if name == "max_tokens" else ""
            first = name not in self._renamed
            older = next((key for key, value in self._renamed.items() if value == name), None)
            self._renamed |= {name: newer} | ({older: ""} if older else {})
        if first and not newer:
            logger.info(f"{self._url} does not accept {name!r} ({reason}): requests continue without it")
