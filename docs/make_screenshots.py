"""The pictures of README and docs, taken of a run in Chromium: python docs/make_screenshots.py RUN_DIR

RUN_DIR is a finished run with its report; the page that translates in the browser is taken where the run has one
(`--export.formats [web]`). The run's test sentences are what is translated. Needs pip's `playwright`, and Chromium.
"""

from __future__ import annotations

import argparse
import functools
import http.server
import json
import shutil
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from playwright.sync_api import Page, sync_playwright

IMAGES = Path(__file__).parent / "images"
_PORT = 5098
_PATIENCE = 30.0


@contextmanager
def server(run: Path) -> Iterator[str]:
    """The address of `distilmt serve` with a run."""
    process = subprocess.Popen([sys.executable, "-m", "distilmt", "serve", str(run), "--port", str(_PORT), "--quiet"])
    address, end = f"http://127.0.0.1:{_PORT}", time.monotonic() + _PATIENCE
    try:
        while True:
            with suppress(OSError), urllib.request.urlopen(f"{address}/health", timeout=5):
                break
            if process.poll() is not None or time.monotonic() > end:
                sys.exit(f"the server of {run} does not start")
            time.sleep(0.1)
        yield address
    finally:
        process.terminate()
        process.wait()


@contextmanager
def files(directory: Path) -> Iterator[str]:
    """The address of a directory of static files."""
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(directory))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as served:
        threading.Thread(target=served.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{served.server_port}/"
        served.shutdown()


def sentences(run: Path, count: int) -> str:
    """Test sentences of middling length, a line each."""
    texts = pq.read_table(run / "corpus" / "test.parquet")["source"].to_pylist()
    return "\n".join([text for text in texts if 40 < len(text) < 90][:count])


def translated(page: Page, text: str, places: str) -> None:
    """Type a text, and wait until it stands translated in all these places."""
    page.fill("#text", text)
    lines = len(text.splitlines())
    page.wait_for_function(
        "([places, lines]) => [...document.querySelectorAll(places)]"
        ".every(place => place.innerText.trim().split('\\n').length >= lines)",
        arg=[places, lines],
        timeout=1000 * _PATIENCE,
    )
    page.wait_for_timeout(800)  # for the times in the feet


def of_the_server(page: Page, run: Path) -> None:
    """web.png and web-compare.png."""
    with server(run) as address:
        page.set_viewport_size({"width": 960, "height": 680})
        page.goto(address)
        translated(page, sentences(run, 3), "#said")
        page.screenshot(path=IMAGES / "web.png")
        page.click("#compare")
        translated(page, sentences(run, 2), ".compared .said")
        page.screenshot(path=IMAGES / "web-compare.png")


def of_the_browser(page: Page, run: Path) -> None:
    """browser.png."""
    with files(run / "exports" / "student-web") as address:
        page.set_viewport_size({"width": 960, "height": 500})
        page.goto(address)
        page.wait_for_function("!document.querySelector('#text').disabled", timeout=1000 * _PATIENCE)
        translated(page, sentences(run, 3), "#said")
        page.screenshot(path=IMAGES / "browser.png")


def of_the_report(page: Page, run: Path) -> None:
    """report.png."""
    page.set_viewport_size({"width": 1200, "height": 1500})
    page.goto((run / "report.html").resolve().as_uri())
    page.screenshot(path=IMAGES / "report.png")


def main() -> None:
    """Take them all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("--chromium", default=shutil.which("chromium"), help="where Chromium is")
    given = parser.parse_args()
    if not (given.run / "report.html").exists():
        sys.exit(f"{given.run} has no report.html: name a finished run")
    with sync_playwright() as running:
        options: dict[str, Any] = {"executable_path": given.chromium, "args": ["--no-sandbox"]}
        browser = running.chromium.launch(**options)
        page = browser.new_page(color_scheme="light", locale="en")
        of_the_report(page, given.run)
        of_the_server(page, given.run)
        if (given.run / "exports" / "student-web").is_dir():
            of_the_browser(page, given.run)
        browser.close()
    print(json.dumps(sorted(path.name for path in IMAGES.glob("*.png"))))


if __name__ == "__main__":
    main()
