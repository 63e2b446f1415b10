"""The door: what is too big, too much or too late is turned away before anybody works on it."""

from __future__ import annotations

import json
import time
from collections.abc import Collection
from typing import Any

from distilmt.serving.errors import ApiError
from distilmt.serving.metrics import Metrics

Scope = dict[str, Any]
_SECURE = [
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
]
_BUFFERED = 16  # bodies of the biggest size that may be in memory at a time


class _ClientDisconnected(Exception):
    """The client left before it had asked."""


class RequestLimitMiddleware:
    """ASGI middleware: reads bodies whole within limits, counts, and says `Connection: close` once it is closing.

    HEAD is answered as GET without the body.
    """

    def __init__(self, app: Any, metrics: Metrics, paths: Collection[str], body_limit: int) -> None:
        """Wrap an app.

        Args:
            app: the ASGI app behind the door.
            metrics: told of every request.
            paths: the paths that are counted each for itself.
            body_limit: bytes of a request at most.
        """
        self._app, self._metrics, self._paths, self._body_limit = app, metrics, paths, body_limit
        self._buffered = 0
        self.closing = False

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun, status, is_head = time.perf_counter(), 0, scope["method"] == "HEAD"
        scope = scope | {"path": _path(scope["path"]), "method": "GET" if is_head else scope["method"]}
        self._metrics.in_flight.inc()

        async def send_with_headers(message: dict[str, Any]) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                extra = [*_SECURE, (b"connection", b"close")] if self.closing else _SECURE
                message = message | {"headers": [*message.get("headers", []), *extra]}
            elif is_head:
                message = message | {"body": b""}
            await send(message)

        taken = 0
        try:
            body = await self._body(scope, receive)
            taken = len(body)
            await self._app(scope, _replay(body, receive), send_with_headers)
        except ApiError as error:
            await _send_error(error, send_with_headers)
        except _ClientDisconnected:
            status = 499
        finally:
            self._buffered -= taken
            self._metrics.in_flight.dec()
            path = scope["path"] if scope["path"] in self._paths else "other"
            self._metrics.requests.labels(path, str(status)).inc()
            self._metrics.seconds.labels(path).observe(time.perf_counter() - begun)

    async def _body(self, scope: Scope, receive: Any) -> bytes:
        """The whole body; counted as buffered until the request is answered.

        Raises:
            Refused: it is too long (413), or there is no room (503).
        """
        if scope["method"] in ("GET", "HEAD", "OPTIONS"):
            return b""
        for name, value in scope["headers"]:
            if name == b"content-length" and int(value) > self._body_limit:
                raise ApiError(413, f"Invalid request: more than {self._body_limit} bytes")
        parts: list[bytes] = []
        size = 0
        try:
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise _ClientDisconnected
                part = message.get("body", b"")
                size += len(part)
                self._buffered += len(part)
                if size > self._body_limit:
                    raise ApiError(413, f"Invalid request: more than {self._body_limit} bytes")
                if self._buffered > self._body_limit * _BUFFERED:
                    raise ApiError(503, "The server is busy: try again later", 5.0)
                parts.append(part)
                if not message.get("more_body", False):
                    return b"".join(parts)
        except BaseException:
            self._buffered -= size
            raise


def _path(path: str) -> str:
    """A path as the routes have it: clients put addresses together of parts that end and begin with a slash."""
    return "/" + path.strip("/")


def _replay(body: bytes, receive: Any) -> Any:
    """A `receive` that gives the body at once, and after it whatever comes."""
    is_sent = False

    async def receive_body() -> dict[str, Any]:
        nonlocal is_sent
        if is_sent:
            return dict(await receive())
        is_sent = True
        return {"type": "http.request", "body": body, "more_body": False}

    return receive_body


async def _send_error(error: ApiError, send: Any) -> None:
    """Answer without having read the rest, which the connection therefore cannot be used for any more."""
    body = json.dumps({"error": error.message}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    headers += [(name.encode(), value.encode()) for name, value in error.headers.items()]
    headers.append((b"connection", b"close"))
    await send({"type": "http.response.start", "status": error.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
