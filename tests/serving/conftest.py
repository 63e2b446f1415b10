"""A run directory made of the toy model, and a server of it in a process of its own."""

from __future__ import annotations

import json
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
import toy


@pytest.fixture(scope="session")
def run(tmp_path_factory, exported) -> Path:
    """Looks like a finished run: a student, a teacher and a baseline, which are all the toy model."""
    directory = tmp_path_factory.mktemp("served") / "toys"
    for name in ("student-int8", "teacher-int8", "baseline"):
        place = directory / "exports" / name
        shutil.copytree(exported, place)
        facts = {"source": "en", "target": "it", "role": name.split("-")[0], "scores": {"test bleu": 12.5}}
        (place / "card.json").write_text(json.dumps(facts | {"parameters": 7}))
    (directory / "config.yaml").write_text("corpus: {source: en, target: it}\n")
    (directory / "report.html").write_text("<!doctype html><title>Report</title>")
    return directory


@contextmanager
def serving(*arguments: object):
    """`distilmt serve` in a process; gives it and its port, and stops it with SIGTERM if it still runs."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    command = [sys.executable, "-m", "distilmt", "serve", *map(str, arguments), "--port", str(port)]
    process = subprocess.Popen(command, env=toy.environment(), stderr=subprocess.PIPE)
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


@pytest.fixture(scope="session")
def server(run):
    """The port of a server of the run, with room for small requests only."""
    with serving(run, "--body-limit", "100KB", "--timeout", "2", "--threads", "1") as (_, port):
        yield port
