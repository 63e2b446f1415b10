"""Request limits: reject oversized, excess or expired requests early."""

from __future__ import annotations

import json
import time
from collections.abc import Collection

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from distilmt.serving.errors import ApiError, error_body
from distilmt.serving.metrics import Metrics

_SECURE = [
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
]
_BUFFERED = 16  # bodies of the maximum size that may be in memory at the same time


class _ClientDisconnected(Exception):
    """The client disconnected before the request was complete."""


class RequestLimitMiddleware:
    """ASGI middleware: reads whole bodies within limits, counts requests, and sends `Connection: close` at shutdown.

    HEAD is handled as GET without the body.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics, paths: Collection[str], body_limit: int) -> None:
        """Wrap an app.

        Args:
            app: the wrapped ASGI app.
            metrics: counts every request.
            paths: the paths with separate counters.
            body_limit: maximum bytes of a request.
        """
        self._app, self._metrics, self._paths, self._body_limit = app, metrics, paths, body_limit
        self._buffered = 0
        self.closing = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun, status, is_head = time.perf_counter(), 0, scope["method"] == "HEAD"
        scope = {**scope, "path": _path(scope["path"]), "method": "GET" if is_head else scope["method"]}
        self._metrics.in_flight.inc()

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                extra = [*_SECURE, (b"connection", b"close")] if self.closing else _SECURE
                message = {**message, "headers": [*message.get("headers", []), *extra]}
            elif is_head:
                message = {**message, "body": b""}
            await send(message)

        taken = 0
        try:
            body = await self._body(scope, receive)
            taken = len(body)
            await self._app(scope, _replay(body, receive), send_with_headers)
        except ApiError as error:
            await _send_error(scope["path"], error, send_with_headers)
        except _ClientDisconnected:
            status = 499
        finally:
            self._buffered -= taken
            self._metrics.in_flight.dec()
            path = scope["path"] if scope["path"] in self._paths else "other"
            self._metrics.requests.labels(path, str(status)).inc()
            self._metrics.seconds.labels(path).observe(time.perf_counter() - begun)

    async def _body(self, scope: Scope, receive: Receive) -> bytes:
        """The whole body; it counts as buffered until the response is sent.

        Raises:
            ApiError: it is too long (413), or too many bodies are buffered (503).
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
    """A path in the form of the routes: clients may join URLs with doubled or trailing slashes."""
    return "/" + path.strip("/")


def _replay(body: bytes, receive: Receive) -> Receive:
    """A `receive` that returns the whole body first, then passes through later messages."""
    is_sent = False

    async def receive_body() -> Message:
        nonlocal is_sent
        if is_sent:
            return dict(await receive())
        is_sent = True
        return {"type": "http.request", "body": body, "more_body": False}

    return receive_body


async def _send_error(path: str, error: ApiError, send: Send) -> None:
    """Send an error without reading the rest of the request; the connection must therefore be closed."""
    body = json.dumps(error_body(path, error.status, error.message)).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    headers += [(name.encode(), value.encode()) for name, value in error.headers.items()]
    headers.append((b"connection", b"close"))
    await send({"type": "http.response.start", "status": error.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
