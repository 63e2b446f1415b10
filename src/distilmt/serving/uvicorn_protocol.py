"""uvicorn with timeouts for slow and endless requests, and a graceful shutdown that completes accepted requests."""

from __future__ import annotations

import asyncio
import json
import os
import resource
import socket
import time
from contextlib import suppress
from types import FrameType

import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from distilmt.config.commands import ServeConfig
from distilmt.serving.documents import Documents
from distilmt.serving.middleware import RequestLimitMiddleware
from distilmt.utils.errors import UserError

_HEADER_BYTES = 65536
_BACKLOG = 2048
_IDLE_SECONDS = 30  # timeout of a connection between two requests
_LAST_CALL_SECONDS = 1.0  # after SIGTERM: requests in transit are still accepted
_DOCUMENT_SECONDS = 3.0  # after SIGTERM: time limit of documents in progress
_SAME_SIGNAL_SECONDS = 0.5  # a program that starts others passes on the signal that they get from the terminal, too


class TimeoutProtocol(HttpToolsProtocol):
    """uvicorn's HTTP/1.1 with timeouts: uvicorn itself waits forever for headers, bodies and slow readers."""

    patience = 30.0
    most_connections = 4096

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start the timeout for the first request."""
        super().connection_made(transport)
        self._header_bytes: int | None = 0
        self._late: asyncio.TimerHandle | None = None
        self._half_closed = False
        self._start_clock()
        if len(self.connections) > self.most_connections:
            self._reject(503, "The server is busy: try again later")

    def connection_lost(self, exc: Exception | None) -> None:
        """Cancel the timeout."""
        self._stop_clock()
        super().connection_lost(exc)

    def eof_received(self) -> bool:  # type: ignore[override]
        """The client has closed its side; it still gets the pending responses."""
        is_awaiting_response = self.cycle is not None and not self.cycle.response_complete and not self.cycle.more_body
        self._half_closed = is_awaiting_response
        return is_awaiting_response

    def on_response_complete(self) -> None:
        """Close a half-closed connection after its last response."""
        super().on_response_complete()
        if self._half_closed and (self.cycle is None or self.cycle.response_complete):
            self.transport.close()

    def data_received(self, data: bytes) -> None:
        """Read data; reject headers that are too long."""
        if self.transport.is_closing():
            return
        if self._header_bytes is not None:
            self._header_bytes += len(data)
        super().data_received(data)
        if self._header_bytes is not None and self._header_bytes > _HEADER_BYTES:
            self._reject(431, "Invalid request: its headers are too long")

    def on_message_begin(self) -> None:
        """Start the timeout of a request."""
        super().on_message_begin()
        self._header_bytes = 0
        self._start_clock()

    def on_headers_complete(self) -> None:
        """Stop counting the bytes of the headers."""
        self._header_bytes = None
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """Cancel the timeout: the request is complete."""
        self._stop_clock()
        super().on_message_complete()

    def pause_writing(self) -> None:
        """Start the timeout: the client does not read."""
        super().pause_writing()
        self._start_clock()

    def resume_writing(self) -> None:
        """Cancel the timeout: the client reads again."""
        super().resume_writing()
        self._stop_clock()

    def _start_clock(self) -> None:
        self._stop_clock()
        self._late = self.loop.call_later(self.patience, self._on_timeout)

    def _stop_clock(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None

    def _on_timeout(self) -> None:
        self._late = None
        if self.flow.read_paused and not self.flow.write_paused:
            self._start_clock()  # the server itself has paused reading, while it handles this connection's requests
        elif self.cycle is not None and self.cycle.response_started and not self.cycle.response_complete:
            self.transport.abort()
        else:
            self._reject(408, "The request took too long to arrive")

    def _reject(self, status: int, message: str) -> None:
        """Send an error without the app, and close the connection."""
        body = json.dumps({"error": message}).encode()
        retry = b"retry-after: 1\r\n" if status == 503 else b""
        head = b"HTTP/1.1 %d Refused\r\ncontent-type: application/json\r\ncontent-length: %d\r\n" % (status, len(body))
        self.transport.write(head + retry + b"connection: close\r\n\r\n" + body)
        self.transport.close()


class _Server(uvicorn.Server):
    """Shuts down in three steps: no new connections; a grace period with `Connection: close`; then the end."""

    middleware: RequestLimitMiddleware
    documents: Documents
    signaled: float | None = None

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """The first signal begins the shutdown; a later one ends the process at once, without uvicorn's traceback."""
        if self.signaled is None:
            self.signaled = time.monotonic()
            super().handle_exit(sig, frame)
        elif time.monotonic() - self.signaled > _SAME_SIGNAL_SECONDS:
            os.write(2, b"\nInterrupted: requests in progress are lost.\n")
            os._exit(128 + sig)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Complete accepted requests, then stop."""
        self.middleware.closing = True
        self.documents.stop(_DOCUMENT_SECONDS)
        for server in self.servers:
            server.close()
        end = self.loop_time() + _LAST_CALL_SECONDS
        while self.server_state.connections and self.loop_time() < end:
            await asyncio.sleep(0.02)
        await super().shutdown(sockets)

    @staticmethod
    def loop_time() -> float:
        return asyncio.get_running_loop().time()


def listen_socket(host: str, port: int) -> socket.socket:
    """A listening socket.

    Raises:
        UserError: the address is invalid or in use.
    """
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0][0]
        return socket.create_server((host, port), family=family, backlog=_BACKLOG)
    except OSError as error:
        raise UserError(f"cannot listen on {host}, port {port} ({error}): set --host and --port") from None


def serve(app: FastAPI, config: ServeConfig, listener: socket.socket) -> None:
    """Serve requests until a signal arrives."""
    _raise_file_limit(config.max_connections)
    protocol = type(
        "Protocol", (TimeoutProtocol,), {"patience": config.timeout, "most_connections": config.max_connections}
    )
    settings = uvicorn.Config(
        app.state.middleware,
        http=protocol,
        ws="none",
        lifespan="on",
        access_log=False,
        log_level="warning",
        backlog=_BACKLOG,
        server_header=False,
        proxy_headers=bool(config.trusted_proxies),
        forwarded_allow_ips=config.trusted_proxies or None,
        timeout_keep_alive=_IDLE_SECONDS,
        timeout_graceful_shutdown=int(2 * config.timeout) + 1,
    )
    server = _Server(settings)
    server.middleware, server.documents = app.state.middleware, app.state.api.documents
    with suppress(KeyboardInterrupt):  # uvicorn raises the signal again after the shutdown; the exit status stays 0
        server.run([listener])


def _raise_file_limit(connections: int) -> None:
    """Raise the soft limit of open files, which is often 1024: every connection is an open file."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    file_limit = connections + 256
    if soft < file_limit:
        with suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (min(file_limit, hard), hard))
