"""The contamination of a corpus and the parts of a test set, in the page of a run."""

from distilmt.data.contamination import Inspector
from distilmt.data.pairs import Pair
from distilmt.evaluation.score_slices import slice_scores
from distilmt.report.contamination import contamination_view
from distilmt.report.html import render
from distilmt.report.languages import translation
from distilmt.report.schema import complete
from distilmt.report.slices import slices_view

WORDS = [
    "river",
    "garden",
    "window",
    "bottle",
    "forest",
    "letter",
    "mountain",
    "pencil",
    "kitchen",
    "engine",
    "market",
    "ladder",
    "bridge",
    "table",
]
REFERENCES = [" ".join(WORDS[(row + step) % 14] for step in range(3 + row % 5)) for row in range(60)]
REGISTERS = ["chat" if row % 3 == 0 else "news" for row in range(60)]


def corpus() -> dict[str, object]:
    inspector = Inspector()
    pairs = [Pair(line, f"girl number {line}", f"MÃ¤dchen <b> Nummer {line}") for line in range(1, 21)]
    assert len(list(inspector.watch(pairs))) == 20
    contamination = {"overlap": {"dropped": 7, "remaining": 2}, "sources": {"train": inspector.contamination()}}
    return {"train": 20, "contamination": contamination, "registers": {"chat": 20, "news": 1400}}


def report() -> dict[str, object]:
    student = [
        text.replace("e", "x") if label == "chat" else text for text, label in zip(REFERENCES, REGISTERS, strict=True)
    ]
    lines = {"teacher": REFERENCES, "student-int8": student}
    rows = slice_scores(lines, REFERENCES, {"register": REGISTERS}, ("student-int8", "teacher"))
    systems = [{"name": name, "bleu": 30.0, "chrf": 50.0, "file_bytes": 10} for name in lines]
    return {"pair": {"source": "en", "target": "de"}, "systems": systems, "slices": rows, "corpus": corpus()}


def test_the_part_that_loses_more_than_the_mean_is_named() -> None:
    _ = translation("en")
    view = slices_view(complete(report()), _)
    (table,) = view.tables
    assert [row[:2] for row in table.rows] == [["chat", "20"], ["news", "40"]]
    assert table.rows[0][5].endswith("▼") and "▼" not in table.rows[1][5]
    assert "chat (−" in view.finding and "news" not in view.finding
    assert slices_view(complete({}), _) is None


def test_contamination_by_source() -> None:
    view = contamination_view(corpus(), translation("en"))
    assert view.table.rows == [["train", "20", "20 (100.0 %)", "0", "0", "0", "–"]]
    assert view.examples[0] == ("girl number 1 → MÃ¤dchen <b> Nummer 1", "Mädchen <b> Nummer 1")
    assert view.overlap.startswith("7 training pairs") and "2 such pairs are trained on" in view.overlap
    assert contamination_view({"train": 20}, translation("en")) is None


def test_both_are_in_the_page() -> None:
    page, chinese = (render(report(), language) for language in ("en", "zh"))
    for text in ("Parts of the test set", "Contamination", "chat 20, news 1,400", "Mädchen &lt;b&gt;", "▼"):
        assert text in page
    assert "测试集的各部分" in chinese and "语料污染" in chinese
