"""The server's page, in a real browser, over a real server."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from helpers import toy
from helpers.browser import barriers, watched
from helpers.servers import distilmt_server
from hypothesis import given, settings
from hypothesis import strategies as st

from distilmt.export.card import Form, ModelCard, write_card
from distilmt.export.ctranslate2 import export
from distilmt.export.web import PAGES
from distilmt.inference.translator import Translator
from distilmt.utils.run_dir import write_json

TEXT = st.lists(st.sampled_from(["a", "bb", "Ümlaut", "山水", " ", ",", "."]), max_size=12).map("".join)


@pytest.mark.skipif(shutil.which("node") is None, reason="node is not there")
@settings(max_examples=3, deadline=None)
@given(st.lists(st.tuples(TEXT, TEXT), min_size=50, max_size=100))
def test_words_that_differ_are_those_outside_the_common_ones(pairs):
    message = [("the red house", "the house, red"), ("same here", "same here"), *pairs]
    process = subprocess.run(
        ["node", str(Path(__file__).parent / "consumers" / "diff.mjs"), str(PAGES / "server" / "diff.js")],
        input=json.dumps(message),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert process.returncode == 0, process.stderr
    sides = json.loads(process.stdout)
    assert [part for part, differs in sides[0][0] if differs] == ["red"]
    assert [part for part, differs in sides[0][1] if differs] == [",", "red"]
    for texts, both in zip(message, sides, strict=True):
        assert tuple("".join(part for part, _ in side) for side in both) == texts
        common = [[part for part, differs in side if not differs and part.strip()] for side in both]
        assert common[0] == common[1]
        assert texts[0] != texts[1] or not any(differs for side in both for _, differs in side)


@pytest.fixture(scope="module")
def run(tmp_path_factory, shared_tokenizer, diverse_model):
    """A run directory as far as a server reads it: a teacher and a student that differ, and a report."""
    directory = tmp_path_factory.mktemp("runs") / "toy"
    for seed, (name, role) in enumerate({"teacher": "teacher", "student-int8": "student"}.items()):
        path = directory / "exports" / name
        export(diverse_model(shared_tokenizer, seed=seed), shared_tokenizer, path, "float32")
        write_card(path, ModelCard("en", "it", role), Form("CTranslate2", "ctranslate2", ""))
    write_json(directory / "config.yaml", {"corpus": {"source": "en", "target": "it"}})  # JSON is YAML
    (directory / "report.html").write_text("<!doctype html><title>Report</title><h1>Report of toy</h1>")
    return directory


@pytest.fixture(scope="module")
def diverse_model():
    from helpers.marian import new_network

    def make(tokenizer, seed):
        model = new_network(toy.MICRO, tokenizer, 0.0, seed).eval()
        for parameter in model.parameters():
            parameter.data.mul_(2.0)
        return model

    return make


@pytest.fixture(scope="module")
def address(run):
    """Of `distilmt serve`."""
    with distilmt_server(run, "--char_limit", "500") as (_, port):
        yield f"http://127.0.0.1:{port}"


def settled(page, text):
    """Type a text and wait for all that is shown of it."""
    page.get_by_role("textbox", name=re.compile("Text|文本")).fill(text)
    page.wait_for_timeout(350)  # longer than the page waits for another key
    page.locator(".said.stale:visible").first.wait_for(state="detached") if text else None
    page.wait_for_load_state("networkidle")


def opened(page, address):
    page.goto(address)
    page.locator("#source option[value=en]").wait_for(state="attached")


@pytest.mark.slow
def test_it_translates_as_one_types(engine, address, run):
    expected = Translator(run / "exports" / "student-int8").translate(["lun ban den.", "fir."])
    with watched(engine, locale="en-GB") as page:
        opened(page, address)
        assert page.evaluate("document.activeElement.id") == "text"
        page.keyboard.type("lun ban den.")
        page.get_by_text("student-int8 ·").wait_for()
        settled(page, "lun ban den.\nfir.")
        output = page.get_by_role("region", name="Translation")
        assert output.text_content() == "\n".join(expected) and output.get_attribute("aria-live") == "polite"
        assert re.fullmatch(r"toy/student-int8 · \d\.\d MB · [\d,]+ ms", page.locator("#facts").text_content())
        assert page.locator("#count").text_content() == "17 of 500 characters"
        assert page.get_by_role("button", name="Swap").is_disabled(), "nothing translates from Italian"
        page.get_by_label("From").select_option("auto")
        page.get_by_text("was detected").wait_for()
        page.get_by_role("button", name="Clear").click()
        page.locator("#said:empty").wait_for()


@pytest.mark.slow
def test_teacher_and_student_side_by_side(engine, address, run):
    text = "lun ban den fir."
    expected = [Translator(run / "exports" / name).translate([text])[0] for name in ("teacher", "student-int8")]
    with watched(engine, locale="en") as page:
        opened(page, address)
        settled(page, text)
        page.get_by_role("button", name="Compare models").click()
        page.get_by_text("words differ").wait_for()
        panes = page.locator(".compared")
        assert [pane.locator(".said").text_content() for pane in panes.all()] == expected
        assert panes.locator("select").first.input_value() == "toy/teacher"
        assert panes.locator("mark").count() > 1
        facts = panes.locator(".foot span").all_text_contents()
        assert re.fullmatch(r"teacher · \d\.\d MB · [\d,]+ ms", facts[0]) and facts[1].startswith("student")
        panes.locator("select").first.select_option("toy/student-int8")
        page.get_by_text("Both say the same").wait_for()
        assert panes.locator("mark").count() == 0
        panes.get_by_role("link").first.click()
        assert page.get_by_role("heading").text_content() == "Report of toy"


@pytest.mark.slow
def test_errors_are_one_line(engine, address):
    with engine.new_context(locale="en") as context:
        page = context.new_page()
        opened(page, address)
        page.locator("#text").fill("ban " * 200)
        status = page.get_by_text("exceeds text limit (500)")
        status.wait_for()
        assert "\n" not in status.text_content()
        context.set_offline(True)
        page.locator("#text").fill("ban.")
        page.get_by_text("The server does not answer").wait_for()
        context.set_offline(False)
        settled(page, "ban. ")
        page.get_by_text("student-int8 ·").wait_for()


@pytest.mark.slow
def test_files_are_dropped_and_fetched(engine, address, tmp_path):
    pytest.importorskip("distilmt.documents")
    (tmp_path / "note.txt").write_text("lun ban den.\n")
    with watched(engine, locale="en") as page:
        opened(page, address)
        page.get_by_label("Choose a file").set_input_files(tmp_path / "note.txt")
        with page.expect_download() as chosen:
            page.get_by_role("link", name="Download note_it.txt").click()
        data = page.evaluate_handle(
            "() => { const d = new DataTransfer(); d.items.add(new File(['fir ban.'], 'two.txt')); return d; }"
        )
        page.dispatch_event("#files", "drop", {"dataTransfer": data})
        with page.expect_download() as dropped:
            page.get_by_role("link", name="Download two_it.txt").click()
        for download in (chosen, dropped):
            assert Path(download.value.path()).read_text().strip()


@pytest.mark.slow
@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("language", ["en", "zh-CN"])
def test_nobody_is_preserved_out(engine, address, theme, language):
    with watched(engine, locale=language, color_scheme=theme) as page:
        opened(page, address)
        assert page.locator("html").get_attribute("lang") == language
        settled(page, "lun ban den.")
        assert barriers(page) == []
        page.get_by_role("button", name=re.compile("Compare|比较")).click()
        page.locator(".compared mark").first.wait_for()
        assert barriers(page) == []


@pytest.mark.slow
def test_the_keyboard_is_enough(engine, address):
    with watched(engine, locale="en") as page:
        opened(page, address)
        page.keyboard.type("lun ban den.")
        page.get_by_text("student-int8 ·").wait_for()
        backwards = [focused(page, "Shift+Tab") for _ in range(7)]
        assert backwards == ["clear", "compare", "target", "source", "theme", "language", "skip"], "no swap: disabled"
        page.keyboard.press("Enter")
        assert page.evaluate("document.activeElement.id") == "text"
        assert [focused(page, "Tab") for _ in range(2)] == ["copy", "said"]
        for _ in range(4):
            focused(page, "Shift+Tab")
        page.keyboard.press("Enter")
        page.get_by_text("words differ").wait_for()
        page.keyboard.press("Enter")
        page.get_by_role("region", name="Translation").wait_for()
        page.get_by_role("button", name="Dark").focus()
        page.keyboard.press("Space")
        assert page.get_by_role("button", name="Dark").get_attribute("aria-pressed") == "true"


def focused(page, key):
    """What has the focus after a key, and shows so."""
    page.keyboard.press(key)
    result = page.evaluate("document.activeElement.id || document.activeElement.className")
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineWidth")
    assert outline == "3px", f"{result} does not show that it has the focus"
    return result
