"""The main table of a comparison."""

import json
from pathlib import Path

from distilmt.report import comparison_table
from distilmt.report.languages import translation

RESULTS = Path(__file__).parents[2] / "benchmarks" / "results" / "compare-multi30k.json"


def test_token_metrics_of_older_files_are_shown():
    older = json.loads(RESULTS.read_text())["teacher"]
    metrics = older["words"]
    today = {key: value for key, value in older.items() if key != "words"} | {"token_metrics": metrics}
    tables = [
        comparison_table.rows({"methods": [], "baseline": "references", "teacher": teacher}, translation("en"))
        for teacher in (older, today)
    ]
    assert tables[0] == tables[1]
    assert tables[0][0][-1] == f"{100 * metrics['mode_mass']:.1f}"
