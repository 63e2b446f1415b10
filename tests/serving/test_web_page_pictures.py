"""Pictures on the server's page, in a real browser, over a real server: chosen, dropped, pasted; on a phone too."""

import base64
import json
import re

import pytest
from helpers.browser import barriers, watched
from helpers.pages_of_text import text_picture
from helpers.servers import distilmt_server
from PIL import Image

pytestmark = pytest.mark.slow
PHONE = {"viewport": {"width": 360, "height": 740}, "has_touch": True}
_EVENT = """
([target, name, encoded]) => {
  const bytes = Uint8Array.from(atob(encoded), (each) => each.charCodeAt(0));
  const transfer = new DataTransfer();
  transfer.items.add(new File([bytes], `${name}.png`, { type: "image/png" }));
  const event = name === "paste"
    ? new ClipboardEvent("paste", { clipboardData: transfer, bubbles: true, cancelable: true })
    : new DragEvent("drop", { dataTransfer: transfer, bubbles: true, cancelable: true });
  document.querySelector(target).dispatchEvent(event);
}
"""


@pytest.fixture(scope="module")
def address(picture_model):
    """Of `distilmt serve` with a model that reads pictures alone."""
    pytest.importorskip("rapidocr")
    with distilmt_server(picture_model) as (_, port):
        yield f"http://127.0.0.1:{port}"


@pytest.fixture
def photo(tmp_path):
    path = tmp_path / "photo.png"
    text_picture(["A library for images", "and for other pictures."], (480, 160)).save(path)
    return path


def translated(page, address, act):
    """The response to what translates a picture, once the page shows it."""
    page.goto(address)
    page.locator("#source option[value=en]").wait_for(state="attached")
    with page.expect_response("**/translate_image", timeout=60_000) as response:
        act()
    page.get_by_text(re.compile(r"Translated in [\d,]+ ms\.|翻译用时")).wait_for()
    return json.loads(response.value.body())


@pytest.mark.parametrize("settings", [{"locale": "en"}, {"locale": "zh-CN", **PHONE}], ids=["desktop", "phone"])
def test_a_picture_is_shown_with_its_translation_in_place(engine, address, photo, settings):
    with watched(engine, **settings) as page:
        result = translated(page, address, lambda: page.locator("#picture").set_input_files(photo))
        paragraphs = result["pages"][0]["paragraphs"]
        boxes = page.locator("#stage .box")
        assert boxes.all_text_contents() == [each["translation"] for each in paragraphs] != []
        assert page.locator("#picture-text p").all_text_contents() == boxes.all_text_contents()
        image, box = page.locator("#stage img").bounding_box(), boxes.first.bounding_box()
        scale = image["width"] / 480
        left, top, right, _ = paragraphs[0]["box"]
        assert box["x"] - image["x"] == pytest.approx(left * scale, abs=1)
        assert box["y"] - image["y"] == pytest.approx(top * scale, abs=1)
        assert box["width"] == pytest.approx((right - left) * scale, abs=1)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "nothing is wider than the screen"
        assert page.locator("#camera").get_attribute("capture") == "environment"
        assert barriers(page) == []
        page.locator("#original").click()
        assert not boxes.first.is_visible()


@pytest.mark.parametrize("way", ["drop", "paste"])
def test_pictures_are_dropped_and_pasted(engine, address, photo, way):
    with watched(engine, locale="en") as page:
        encoded = base64.b64encode(photo.read_bytes()).decode()
        result = translated(page, address, lambda: page.evaluate(_EVENT, ["#text", way, encoded]))
        assert page.locator("#stage img").get_attribute("alt") == f"{way}.png"
        assert page.locator("#picture-text p").count() == len(result["pages"][0]["paragraphs"]) > 0


def test_pictures_are_dropped_where_no_files_are_translated(engine, picture_model, photo):
    encoded = base64.b64encode(photo.read_bytes()).decode()
    with distilmt_server(picture_model, "--documents", "false") as (_, port), watched(engine, locale="en") as page:
        translated(page, f"http://127.0.0.1:{port}", lambda: page.evaluate(_EVENT, ["#text", "drop", encoded]))
        assert page.locator("#stage img").get_attribute("alt") == "drop.png"
        assert not page.locator("#files").is_visible()


def test_what_the_browser_cannot_show_is_translated(engine, address, photo, tmp_path):
    """Of a TIFF with two pages, the text of both."""
    pages = [Image.open(photo), text_picture(["Two dogs run", "through the park."], (480, 160))]
    pages[0].save(tmp_path / "scan.tif", save_all=True, append_images=pages[1:])
    with watched(engine, locale="en") as page:
        page.goto(address)
        page.locator("#source option[value=en]").wait_for(state="attached")
        page.locator("#picture").set_input_files(photo)
        page.get_by_text(re.compile(r"^Translated in [\d,]+ ms\.$")).wait_for(timeout=60_000)
        with page.expect_response("**/translate_image", timeout=60_000) as response:
            page.locator("#picture").set_input_files(tmp_path / "scan.tif")
        message = page.get_by_text("This browser cannot show the picture: save it as PNG to see it.")
        message.wait_for()
        assert "bad" not in (message.get_attribute("class") or "")
        paragraphs = [each for one in json.loads(response.value.body())["pages"] for each in one["paragraphs"]]
        translations = [each["translation"] for each in paragraphs]
        assert page.locator("#picture-text p").all_text_contents() == translations and len(translations) >= 2
        assert not page.locator("#in-place").is_visible() and page.locator("#copy-picture").is_enabled()
        page.locator("#picture").set_input_files(photo)
        page.locator("#in-place").wait_for()


def test_a_broken_picture_is_one_line(engine, address, tmp_path):
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nbroken")
    with engine.new_context(locale="en") as context:
        page = context.new_page()
        page.goto(address)
        page.locator("#source option[value=en]").wait_for(state="attached")
        page.locator("#picture").set_input_files(tmp_path / "broken.png")
        status = page.get_by_text("Invalid request: the file is")
        status.wait_for(timeout=60_000)
        assert status.get_attribute("id") == "picture-status"
