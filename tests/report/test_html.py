import json
import math
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from distilmt.evaluation.challenge_runner import BATCH_INVARIANCE
from distilmt.evaluation.challenge_sets import CHALLENGES
from distilmt.report.challenges import challenge_names
from distilmt.report.html import render, write_report
from distilmt.report.languages import languages, translation
from distilmt.utils.errors import UserError

VOID = {"meta", "br", "input", "circle", "line", "polyline"}


class Checker(HTMLParser):
    """Follows the tags; a browser would forgive what this does not."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict]] = []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open.pop() == tag


def parse(page: str) -> Checker:
    checker = Checker()
    checker.feed(page)
    assert checker.open == []
    return checker


def strict(text: str):
    def refuse(constant: str):
        raise AssertionError(f"{constant} is not JSON")

    return json.loads(text, parse_constant=refuse)


@pytest.mark.parametrize(("language", "tag"), [("en", "en"), ("zh", "zh-CN")])
def test_page_is_whole_and_well_formed(italian, language, tag):
    page = render(italian, language)
    checker = parse(page)
    assert ("html", {"lang": tag}) in checker.tags
    assert sum(name == "svg" for name, _ in checker.tags) == 4
    assert all(attrs.get("aria-label") for name, attrs in checker.tags if name == "svg")
    assert all(attrs.get("scope") for name, attrs in checker.tags if name == "th")
    assert sum(name == "article" for name, _ in checker.tags) == 4
    assert "student-int8" in page and italian["signature"] in page and "Example CPU" in page


@pytest.mark.parametrize(("language", "failed", "numbers"), [("en", "failed", "numbers not"), ("zh", "未通过", "数字")])
def test_challenges_and_their_verdicts(italian, language, failed, numbers):
    page = render(italian, language)
    row = page[page.index(numbers) :].split("</tr>")[0]
    assert f"<strong>{failed}</strong>" in row and "<td>22 %</td><td>5 %</td>" in row and "&lt;euro&gt;" in row
    assert page.count(f"<strong>{failed}</strong>") == 1
    older = {("examination" if key == "challenge_sets" else key): value for key, value in italian.items()}
    assert render(older, language) == page
    del italian["challenge_sets"]
    assert f"<strong>{failed}</strong>" not in render(italian, language)


@pytest.mark.parametrize("language", languages())
def test_every_challenge_has_a_name(language):
    assert challenge_names(translation(language)).keys() == {*CHALLENGES, BATCH_INVARIANCE}


def test_page_needs_nothing_from_outside(italian):
    page = render(italian, "en")
    assert not re.search(r"https?://|url\(|@import|src=|<script|<link", page)


def test_headline_is_the_heading(italian):
    page = render(italian, "en")
    heading = re.search(r"<h1>(.*?)</h1>", page).group(1)
    assert heading.startswith("The int8 student is 13.1 times smaller and 8.2 times faster than the teacher")


def test_text_from_data_cannot_become_markup(italian):
    bad = "<script>alert('&')</script>\x00\x1b[31m\u202e\"><img src=x>"
    italian["signature"] = italian["pair"]["target"] = italian["date"] = bad
    italian["systems"][0]["name"] = bad
    italian["examples"][0] = {"source": bad, "reference": bad, "translations": {"student-int8": bad + "x", bad: bad}}
    italian["corpus"]["dropped"] = {bad: {"count": 1, "examples": [{"source": bad, "target": bad}]}}
    italian["curves"] = {bad: [{"update": 1, "train_loss": 2.0}]}
    italian["steps"][0]["name"] = italian["labels"][bad] = italian["machine"]["cpu"] = bad
    italian["config"] = {bad: bad}
    page = render(italian, "en")
    checker = parse(page)
    assert not {"script", "img"} & {name for name, _ in checker.tags}
    assert "\x00" not in page and "\x1b" not in page
    assert "&lt;script&gt;" in page


TEXTS = st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from("<>&\"'"), max_size=20)


@given(source=TEXTS, translation_=TEXTS, name=TEXTS, script=st.sampled_from(["<script>", "</style>", "<!--", "<svg>"]))
def test_no_text_of_a_corpus_becomes_markup(source, translation_, name, script):
    source, translation_, name = (f"{script}{text}" for text in (source, translation_, name))
    systems = {"teacher": source, "student-int8": translation_, name: translation_}
    failure = {"source": source, "translation": translation_}
    challenge = {"name": name, "cases": 2, "student": 1, "teacher": 0, "p_value": 0.5, "passed": True}
    dropped = {name: {"count": 1, "examples": [{"source": source, "target": translation_}]}}
    stored = {
        "pair": {"source": name, "target": name},
        "systems": [{"name": name, "bleu": 1.0, "sentences_per_second": {"batch_1": 1.0}} for name in systems],
        "examples": [{"source": source, "reference": translation_, "translations": systems, "chosen": "random"}],
        "corpus": {"dropped": dropped},
        "curves": {name: [{"update": 1, "bleu": 2.0}]},
        "challenge_sets": {name: [{**challenge, "examples": [failure]}]},
        "config": {name: source},
    }
    page = render(stored, "en")
    tags = [tag for tag, _ in parse(page).tags]
    assert not {"script", "img", "iframe"} & set(tags)
    assert tags.count("style") == 1 and tags.count("svg") == 2 and tags.count("article") == 1
    assert page.count(script) == (1 if script == "</style>" else 0)


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize(
    "key",
    [
        "signature",
        "pair",
        "test",
        "systems",
        "comparisons",
        "steps",
        "curves",
        "examples",
        "corpus",
        "labels",
        "machine",
        "config",
        "date",
    ],
)
def test_any_part_may_be_missing(italian, key, language):
    del italian[key]
    page = render(italian, language)
    parse(page)
    assert not re.search(r"\bnan\b|\bNone\b", page.partition("<body>")[2], re.IGNORECASE)


@pytest.mark.parametrize("key", ["parameters", "file_bytes", "bleu", "chrf", "sentences_per_second", "latency_ms"])
@pytest.mark.parametrize("value", [None, math.nan])
def test_any_number_may_be_missing(italian, key, value, tmp_path):
    for system in italian["systems"][::2]:
        system[key] = {"batch_1": value, "p50": value} if key.endswith(("second", "ms")) else value
    write_report(italian, tmp_path, "en")
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    parse(page)
    page = page.partition("<body>")[2]
    assert "<td>–</td>" in page
    assert not re.search(r"\bnan\b|\bNone\b", page, re.IGNORECASE)


def test_nothing_at_all_makes_a_page_too():
    page = render({}, "en")
    parse(page)
    assert "There are no student and teacher to compare." in page


def test_written_json_is_strict_and_complete(italian, tmp_path):
    italian["curves"]["student"][0]["bleu"] = math.nan
    italian["curves"]["student"][1]["bleu"] = math.inf
    italian["examples"][0]["source"] = "lone \ud800 surrogate"
    write_report(italian, tmp_path, "zh")
    result = strict((tmp_path / "report.json").read_text(encoding="utf-8"))
    assert result["curves"]["student"][0]["bleu"] is None
    assert result["curves"]["student"][1]["bleu"] is None
    assert result["examples"][0]["source"] == "lone \ufffd surrogate"
    assert result["systems"] == italian["systems"]
    assert sorted(path.name for path in Path(tmp_path).iterdir()) == ["report.html", "report.json"]


def test_an_unknown_language_is_refused_before_anything_is_written(italian, tmp_path):
    with pytest.raises(UserError, match="'fr'"):
        write_report(italian, tmp_path, "fr")
    assert list(tmp_path.iterdir()) == []


def test_translations_carry_their_language(chinese):
    page = render(chinese, "en")
    assert '<dd dir="auto" lang="zh">' in page and '<dd dir="auto" lang="en">' in page


def test_cleaning_of_several_parts_is_shown_part_by_part(italian):
    part = italian["corpus"]
    summary = {"train": 77_123, "dropped": {"duplicate": 20_411}, "cleaning": {"training": part, "testing": part}}
    for italian["corpus"] in (summary, {"train": 77_123, "training": part, "testing": part}):
        page = render(italian, "en")
        assert "<h3>training</h3>" in page and "<h3>testing</h3>" in page
        assert page.count("20,411") == 2 and page.count("77,123") == 1
