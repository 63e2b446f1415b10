"""A run directory made of the toy model, and a server of it in a process of its own."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from helpers.servers import distilmt_server


@pytest.fixture(scope="session")
def run(tmp_path_factory, exported_model) -> Path:
    """Looks like a finished run: a student, a teacher and a baseline, which are all the toy model."""
    directory = tmp_path_factory.mktemp("served") / "toys"
    for name in ("student-int8", "teacher-int8", "baseline"):
        place = directory / "exports" / name
        shutil.copytree(exported_model, place)
        facts = {"source": "en", "target": "it", "role": name.split("-")[0], "scores": {"test bleu": 12.5}}
        (place / "card.json").write_text(json.dumps(facts | {"parameters": 7}))
    (directory / "config.yaml").write_text("corpus: {source: en, target: it}\n")
    (directory / "report.html").write_text("<!doctype html><title>Report</title>")
    return directory


@pytest.fixture(scope="session")
def server(run):
    """The port of a server of the run, with room for small requests only."""
    with distilmt_server(run, "--body-limit", "100KB", "--timeout", "2", "--threads", "1") as (_, port):
        yield port
