"""A real Chromium, held off every network but this machine's own; what needs it is skipped where it is missing."""

from __future__ import annotations

import functools
import http.server
import shutil
import subprocess
import tarfile
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

# Names are not resolved: not by pages, not by their workers, and not by the browser itself.
_ALONE = ["--no-sandbox", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"]


@contextmanager
def chromium(*flags: str) -> Iterator[Any]:
    """Playwright's `Browser`, with more flags of the command line."""
    path = shutil.which("chromium") or shutil.which("google-chrome")
    if path is None:
        pytest.skip("chromium is not there")
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as running:
        browser = running.chromium.launch(executable_path=path, args=[*_ALONE, *flags])
        yield browser
        browser.close()


@contextmanager
def watched(browser: Any, **settings: Any) -> Iterator[Any]:
    """A page that must load from nowhere but 127.0.0.1, and whose scripts must not fail."""
    with browser.new_context(**settings) as context:
        page, requests, failures = context.new_page(), [], []
        page.on("request", lambda request: requests.append(request.url))
        page.on("pageerror", lambda error: failures.append(str(error)))
        page.on("console", lambda message: failures.append(message.text) if message.type == "error" else None)
        yield page
        assert requests and all(url.startswith(("http://127.0.0.1:", "data:", "blob:")) for url in requests), requests
        assert not failures, failures


@contextmanager
def served(directory: Path) -> Iterator[str]:
    """The address of a directory, by Python's plain server of static files."""
    handler = functools.partial(_Silent, directory=str(directory))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


class _Silent(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        pass


@functools.cache
def _axe() -> str:
    """The source of axe-core, got by npm."""
    if shutil.which("npm") is None:
        pytest.skip("npm is not there")
    with tempfile.TemporaryDirectory() as temporary:
        command = ["npm", "pack", "--silent", "--prefer-offline", "axe-core@4.11.0"]
        process = subprocess.run(command, cwd=temporary, capture_output=True, text=True, timeout=300, check=False)
        if process.returncode:
            pytest.skip(f"npm cannot fetch axe-core: {process.stderr[-200:]}")
        with tarfile.open(Path(temporary) / process.stdout.split()[-1]) as archive:
            file = archive.extractfile("package/axe.min.js")
            assert file is not None
            return file.read().decode()


def barriers(page: Any) -> list[str]:
    """What axe-core finds wrong with a page as it stands: WCAG 2.2 AA and its best practices."""
    page.evaluate(_axe())
    result = page.evaluate("axe.run()")
    assert len(result["passes"]) > 10
    return [
        f"{each['id']}: {node['html']} {node['failureSummary']}"
        for each in result["violations"]
        for node in each["nodes"]
    ]
