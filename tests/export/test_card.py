import hashlib
import json
from dataclasses import replace

import pytest

from distilmt.export.card import Form, ModelCard, add_scores, write_card
from distilmt.utils.errors import UserError

FORM = Form("ONNX", "transformers.js", "Run DIRECTORY.")


@pytest.fixture
def directory(tmp_path):
    (tmp_path / "onnx").mkdir()
    (tmp_path / "onnx" / "model").write_bytes(b"weights")
    (tmp_path / "vocab.json").write_text("{}")
    return tmp_path


def card_of(directory):
    return json.loads((directory / "card.json").read_text()), (directory / "README.md").read_text()


def test_sizes_and_checksums_are_the_files(directory, card):
    write_card(directory, card, FORM)
    facts, text = card_of(directory)
    assert facts["files"] == {
        "onnx/model": {"bytes": 7, "sha256": hashlib.sha256(b"weights").hexdigest()},
        "vocab.json": {"bytes": 2, "sha256": hashlib.sha256(b"{}").hexdigest()},
    }
    assert facts["bytes"] == 9 and facts["parameters"] == 12345
    for part in ("12,345 parameters, 9 bytes", "teacher:trained|seed:1", "en → it", "validation bleu: 31.25", "Run"):
        assert part in text
    assert hashlib.sha256(b"weights").hexdigest() in text


def test_what_is_not_recognized_is_stated(directory):
    write_card(directory, ModelCard("en", "it"), FORM)
    facts, text = card_of(directory)
    assert facts["licenses"] == {"teacher": None, "data": None} and not facts["non_commercial"]
    assert text.count(": not stated") == 2 and "No scores were measured." in text and "unknown parameters" in text


@pytest.mark.parametrize(
    ("license", "forbidden"),
    [
        ("CC-BY-NC-4.0", True),
        ("cc-by-nc-sa 4.0", True),
        ("non-commercial research", True),
        ("CC-BY-4.0", False),
        ("Apache-2.0", False),
        ("NCSA", False),
    ],
)
def test_non_commercial_licenses_are_flagged(directory, card, license, forbidden):
    for changed in ({"teacher_license": license}, {"data_license": license}):
        write_card(directory, replace(card, **changed), FORM)
        facts, text = card_of(directory)
        assert facts["non_commercial"] == forbidden == ("Not for commercial use" in text) and license in text


def test_a_card_with_the_former_spelling_is_still_read(directory, card):
    write_card(directory, replace(card, teacher_license="MIT"), FORM)
    former = (directory / "card.json").read_text().replace('"licenses"', '"licences"')
    (directory / "card.json").write_text(former)
    add_scores(directory, {"test bleu": 40.0})
    facts, text = card_of(directory)
    assert facts["licenses"] == {"teacher": "MIT", "data": None} and "licences" not in facts
    assert "- teacher: MIT" in text


def test_scores_come_later(directory, card):
    write_card(directory, card, FORM)
    files = card_of(directory)[0]["files"]
    add_scores(directory, {"test bleu": 40.0})
    facts, text = card_of(directory)
    assert facts["scores"] == {"validation bleu": 31.25, "test bleu": 40.0} and facts["files"] == files
    assert "test bleu: 40.00" in text and "Run DIRECTORY." in text
    (directory / "card.json").unlink()
    with pytest.raises(UserError, match=r"card\.json is missing"):
        add_scores(directory, {})
