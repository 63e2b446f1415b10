"""What was left is counted by reason, and the first places are named."""

from dataclasses import replace

from distilmt.documents import TranslateWithAttention, report_of
from distilmt.documents.document_report import DocumentReport


def test_lines_name_reasons_counts_and_places():
    report = DocumentReport()
    assert report.lines() == [] and report.left == 0
    report.skip("a placeholder got lost", "line 3")
    report.skip("the time of a cue cannot be read", count=2)
    for line in range(10):
        report.skip("marked as code", f"line {line}")
    assert report.left == 13
    assert report.lines() == [
        "1 text left unchanged: a placeholder got lost (line 3)",
        "2 texts left unchanged: the time of a cue cannot be read",
        "10 texts left unchanged: marked as code (line 0, line 1, line 2, line 3, line 4, ...)",
    ]


def test_each_document_has_a_report_of_its_own():
    model = TranslateWithAttention(list, lambda texts, translations: [[] for _ in texts])
    report_of(model).skip("x")
    assert model.report.left == 1 and replace(model, report=DocumentReport()).report.left == 0
    report_of(list).skip("nobody reads it")
