"""The page that translates in the browser."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from helpers import toy
from helpers.browser import barriers, chromium, served, watched
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from distilmt.data.cleaning import normalize
from distilmt.data.sentence_splitter import ABBREVIATIONS, sentences
from distilmt.export.consumers import by_onnxruntime
from distilmt.export.npm import PACKAGES, runtime_files
from distilmt.export.onnx import export_onnx
from distilmt.export.quantize import quantize_weights
from distilmt.export.web import PAGES, export_web
from distilmt.utils.errors import UserError

needs_onnx = pytest.mark.skipif(
    any(__import__("importlib.util").util.find_spec(name) is None for name in ("onnx", "onnxruntime", "onnxscript")),
    reason="the extra onnx is not installed",
)
TEXT = st.text(
    st.sampled_from("aZé.!?… \t\u00a0\u200b\ufeff\u0000\u0085\"'”»)([。！？」你ǅßª1_-e\u0301\U0001f600")
    | st.characters()
)


@pytest.mark.skipif(shutil.which("node") is None, reason="node is not there")
@settings(max_examples=3, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.large_base_example])
@given(st.lists(TEXT, min_size=100, max_size=200))
def test_the_browser_reads_text_as_python_does(texts):
    message = [
        "A dog, e.g. Rex. It runs!  “Yes.” No.",
        "Z.B. hier. Dr. A. Meier kam.",
        "你好。他说：“好。”再见！",
        *texts,
    ]
    process = subprocess.run(
        ["node", str(Path(__file__).parent / "consumers" / "text.mjs"), str(PAGES / "browser" / "text.js")],
        input=json.dumps({"texts": message, "abbreviations": sorted(ABBREVIATIONS)}),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert process.returncode == 0, process.stderr
    for text, (line, parts, _) in zip(message, json.loads(process.stdout), strict=True):
        assert (line, parts) == (normalize(text), sentences(normalize(text))), repr(text)


def test_what_is_missing_is_named(tmp_path, monkeypatch):
    with pytest.raises(UserError, match=r"has no version of onnxruntime-web.*npm install"):
        runtime_files(str(tmp_path))
    (tmp_path / "onnxruntime-web").mkdir()
    (tmp_path / "onnxruntime-web" / "package.json").write_text('{"version": "1.0.0"}')
    with pytest.raises(UserError, match=r"has 1\.0\.0 of onnxruntime-web.*needs " + PACKAGES["onnxruntime-web"]):
        runtime_files(str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UserError, match=r"install Node\.js.*--export\.node_modules"):
        runtime_files()


@needs_onnx
def test_nothing_is_left_where_the_runtime_is_missing(tmp_path, diverse_model, shared_tokenizer, card):
    with pytest.raises(UserError):
        export_web(diverse_model(shared_tokenizer), shared_tokenizer, tmp_path / "page", card, str(tmp_path))
    assert not list(tmp_path.iterdir())


def typed(page, text):
    """The page's translation of a text, when it is complete."""
    page.locator("#text").fill(text)
    output = page.locator("#said")
    page.wait_for_timeout(200)  # longer than the page waits for another key
    output.and_(page.locator(":not(.stale)")).wait_for()
    return output.text_content()


def by_the_same_graphs(directory, texts):
    """What ONNX Runtime translates outside a browser, of a float32 export whose weights are made int8."""
    for name in ("encoder_model", "decoder_model_merged"):
        path = directory / "onnx" / f"{name}.onnx"
        before = path.stat().st_size
        quantize_weights(path, path)
        assert path.stat().st_size < 0.8 * before
    return by_onnxruntime(directory, texts)


def ready(page, url):
    page.goto(url)
    page.get_by_text("Translates as you type").wait_for()


@pytest.mark.slow
@needs_onnx
def test_npm_fetches_what_is_installed_otherwise(runtime):
    assert runtime_files() == runtime_files(runtime)


@pytest.mark.slow
@needs_onnx
def test_it_translates_in_chromium_without_a_network(tmp_path, runtime, diverse_model, shared_tokenizer, card):
    model = diverse_model(shared_tokenizer)
    export_web(model, shared_tokenizer, tmp_path / "page", card, runtime)
    export_onnx(model, shared_tokenizer, tmp_path / "onnx", card)
    texts = toy.pairs(25, seed=99)[0]
    expected = by_the_same_graphs(tmp_path / "onnx", texts)
    with chromium() as browser, served(tmp_path / "page") as url, watched(browser, locale="en") as page:
        ready(page, url)
        result = [typed(page, text) for text in texts]
        lines = typed(page, "\n".join([*texts[:3], "", "Lun ban.", "Den fir."]))
        together = typed(page, "Lun ban. Den fir.")
        nothing = typed(page, "")
        assert barriers(page) == []
        speed = [typed(page, "lun ban den."), page.locator("#status").text_content()]
        facts = page.locator("#facts").text_content()
        page.get_by_role("button", name="Clear").click()
        page.locator("#said:empty").wait_for()
        assert page.evaluate("document.activeElement.id") == "text"
    assert sum(a != b.strip() for a, b in zip(result, expected, strict=True)) <= 2, "rounding may decide, rarely"
    assert len(set(result)) > 10
    assert lines.split("\n")[:4] == [*result[:3], ""]
    assert together == " ".join(lines.split("\n")[4:]) and nothing == ""
    assert re.fullmatch(r"\d+ ms · [\d,]+ tokens/s", speed[1]) and speed[0]
    total = sum(path.stat().st_size for path in (tmp_path / "page").rglob("*") if path.is_file())
    assert "12,345 parameters" in facts and f"{total / 1e6:.1f} MB" in facts


@pytest.mark.slow
@needs_onnx
def test_two_vocabularies_long_texts_and_the_other_settings(tmp_path, runtime, split_tokenizer, card, diverse_model):
    model = diverse_model(split_tokenizer)
    export_web(model, split_tokenizer, tmp_path / "page", card, runtime)
    export_onnx(model, split_tokenizer, tmp_path / "onnx", card)
    texts = toy.pairs(5, seed=9, chinese=True)[0]
    expected = by_the_same_graphs(tmp_path / "onnx", texts)
    dark = {"locale": "zh-CN", "color_scheme": "dark"}
    with chromium() as browser, served(tmp_path / "page") as url, watched(browser, **dark) as page:
        page.goto(url)
        page.get_by_text("输入时即时翻译").wait_for()
        result = [typed(page, text) for text in texts]
        long = typed(page, "ban den fir lun " * 60)
        assert page.locator("h1").text_content() == "英语 → 意大利语"
        assert page.locator("body").evaluate("e => getComputedStyle(e).backgroundColor") == "rgb(20, 23, 28)"
        page.locator("#theme").click()
        assert page.locator("body").evaluate("e => getComputedStyle(e).backgroundColor") == "rgb(246, 247, 249)"
        page.locator("#language").click()
        assert page.locator("h1").text_content() == "English → Italian"
        page.reload()
        page.get_by_text("Translates as you type").wait_for()
    assert sum(a != b.strip() for a, b in zip(result, expected, strict=True)) <= 1 and len(set(result)) > 3
    assert len(long) > 50


@pytest.mark.slow
@needs_onnx
def test_a_file_that_is_missing_is_named(tmp_path, runtime, diverse_model, shared_tokenizer, card):
    export_web(diverse_model(shared_tokenizer), shared_tokenizer, tmp_path / "page", card, runtime)
    (tmp_path / "page" / "student.gz").unlink()
    with chromium() as browser, served(tmp_path / "page") as url:
        page = browser.new_page(locale="en")
        page.goto(url)
        message = page.get_by_text("It cannot translate: student.gz: HTTP 404")
        message.wait_for()
        assert message.is_visible()
