import re

import pytest

from distilmt.report import format
from distilmt.report.html import render


@pytest.mark.parametrize(("language", "heading", "flops"), [("en", "Cost", "784.5 T"), ("zh", "成本", "784.5 T")])
def test_costs_stand_in_a_table_of_their_own(italian, costs, language, heading, flops):
    page = render(italian | {"cost": costs}, language)
    section = page[page.index('id="cost-heading"') :].split("</section>")[0]
    assert section.startswith(f'id="cost-heading">{heading}</h2>')
    row = section[section.index(">teacher<") :].split("</tr>")[0]
    for cell in ("14.7 M", "4.0 M", "3.0 M", "2.1 M", flops, "1 h 27 min", "1.10 GB", "58.8 MB"):
        assert cell in row, cell
    assert section.count("<table>") == 2 and "evaluation" in section  # and the steps
    exports = section[section.index(">exports<") :].split("</tr>")[0]
    assert "<td>–</td>" in exports and "97.0 MB" in exports


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_report_that_does_not_count_shows_its_steps_alone(italian, language):
    assert "cost" not in italian
    page = render(italian, language)
    section = page[page.index('id="cost-heading"') :].split("</section>")[0]
    assert section.count("<table>") == 1 and "baseline" in section


def test_whatever_is_missing_is_left_out(italian, costs):
    for row in costs:
        row["macs_per_token"] = row["flops"] = None
    del costs[0]["bytes"]
    page = render(italian | {"cost": costs}, "en").partition("<body>")[2]
    assert "Multiply-adds per source token" not in page and not re.search(r"\bnan\b|\bNone\b", page, re.IGNORECASE)


@pytest.mark.parametrize(
    ("value", "written"), [(950, "950"), (4.2e9, "4.2 G"), (7.845e14, "784.5 T"), (2e15, "2.0 P"), (None, "–")]
)
def test_operations_as_written(value, written):
    assert format.operations(value) == written
