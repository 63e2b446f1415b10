"""A run directory made of the toy model, and a server of it in a process of its own."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from helpers.browser import chromium
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


@pytest.fixture(scope="session")
def picture_model(tmp_path_factory, picture_student) -> Path:
    """A model that reads pictures, with a card that tells its languages."""
    from distilmt.export.card import Form, ModelCard, write_card

    directory = tmp_path_factory.mktemp("served") / "reader"
    shutil.copytree(picture_student, directory)
    write_card(directory, ModelCard("en", "it", "student"), Form("CTranslate2", "ctranslate2", ""))
    return directory


@pytest.fixture(scope="module")
def engine():
    """A browser, for tests without an event loop of their own: Playwright has one."""
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="session")
def speech_model(tmp_path_factory, speech_student) -> Path:
    """A model that reads speech, with a card that tells its languages."""
    from distilmt.export.card import Form, ModelCard, write_card

    directory = tmp_path_factory.mktemp("served") / "listener"
    shutil.copytree(speech_student, directory)
    write_card(directory, ModelCard("en", "it", "student"), Form("CTranslate2", "ctranslate2", ""))
    return directory
