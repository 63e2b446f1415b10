"""The report of distilled classifiers, of made-up figures."""

import json

import pytest

from distilmt.report import classification
from distilmt.utils.errors import UserError


def scores(name: str, accuracy: float, against: float | None) -> dict:
    interval = {"value": accuracy, "low": accuracy - 0.02, "high": accuracy + 0.02}
    difference = None if against is None else {"accuracy": interval, "accuracy_p": against}
    return {
        "name": name, "accuracy": interval, "macro_f1": interval, "ece": 0.05, "agreement": 0.9, "bytes": 70_000,
        "latency_ms": 1.5, "rows_per_second": 900.0, "against": difference,
    }  # fmt: skip


def row(teacher: str, student: str, accuracy: float, without: float | None, p: float = 0.01) -> dict:
    alone = without is None
    return {
        "teacher": teacher, "student": student, "seed": 1, "fit_seconds": 2.5,
        "scores": scores(student, accuracy, None if alone else p),
        "without": None if alone else scores("without", without, None),
    }  # fmt: skip


def result(language: str = "en") -> dict:
    rows = [
        row("big <one>", "big <one>", 0.8, None),
        row("big <one>", "small", 0.71, 0.68),
        row("big <one>", "tree", 0.4, 0.41, 0.3),
    ]
    return {
        "distilmt_version": "0.1.0", "date": "2026-11-26", "language": language, "machine": {}, "seed": 1,
        "texts": {"train": 100, "test": 25}, "sections": {"games": 80, "net": 45}, "deployed": "small", "rows": rows,
    }  # fmt: skip


@pytest.mark.parametrize(("language", "message"), [("en", "1 of 2 students improve"), ("zh", "2 个学生中有 1 个更好")])
def test_it_is_written_in_three_forms(tmp_path, language, message):
    classification.write(result(language), tmp_path)
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    text = (tmp_path / "report.md").read_text(encoding="utf-8")
    assert json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))["texts"]["train"] == 100
    assert message in text and message in page and "+3.0" in text
    assert "big &lt;one&gt;" in page and "<one>" not in page and page.count("<svg") == 1
    assert "| small | big <one> | 71.0 | 68.0 | +3.0 | 0.010 |" in text


def test_another_language_is_refused(tmp_path):
    with pytest.raises(UserError, match="xx"):
        classification.write(result("xx"), tmp_path)
    assert not list(tmp_path.iterdir())
