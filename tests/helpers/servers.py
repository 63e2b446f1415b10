"""Servers on this machine: `distilmt serve` in a process of its own, and an endpoint in a thread."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from helpers import commands


@contextmanager
def distilmt_server(*arguments: object):
    """`distilmt serve` in a process; gives it and its port, and stops it with SIGTERM if it still runs."""
    with socket.socket() as result:
        result.bind(("127.0.0.1", 0))
        port = result.getsockname()[1]
    command = [sys.executable, "-m", "distilmt", "serve", *map(str, arguments), "--port", str(port)]
    process = subprocess.Popen(command, env=commands.environment(), stderr=subprocess.PIPE)
    try:
        end = time.monotonic() + 60
        while time.monotonic() < end and process.poll() is None:
            with suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5):
                break
            time.sleep(0.05)
        yield process, port
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            process.wait(30)
        process.stderr.close()


class ScriptedServer:
    """Responds with `response(path, body)` to every request: a status and JSON, and sometimes headers."""

    def __init__(self):
        outer, self.requests, self.lock, self.headers = self, [], threading.Lock(), []
        self.response = lambda path, body: (200, {})

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                with outer.lock:
                    outer.requests.append((self.path, body))
                    outer.headers.append(dict(self.headers))
                status, response, *more = outer.response(self.path, body)
                self.send_response(status)
                for key, value in (more[0] if more else {}).items():
                    self.send_header(key, value)
                self.end_headers()
                self.wfile.write(response if isinstance(response, bytes) else json.dumps(response).encode())

            def log_message(self, *_):
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}"
        threading.Thread(target=self.http.serve_forever, args=(0.01,), daemon=True).start()
