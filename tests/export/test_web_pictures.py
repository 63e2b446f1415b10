"""The page that reads pictures in the browser: the same numbers as in Python, real files in Chromium."""

from __future__ import annotations

import base64
import importlib.util
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("PIL")
from helpers.browser import barriers, chromium, served, watched
from helpers.pages_of_text import text_picture, texture
from helpers.pictures import RENDERING, new_picture_model, strokes
from PIL import Image

from distilmt.config import ExportConfig
from distilmt.export.base import TrainedModel
from distilmt.export.formats import student_exporters
from distilmt.export.quantize import quantize_weights
from distilmt.export.web import PAGES
from distilmt.inference.image_translator import most_tokens
from distilmt.rendering.drawing import scaled
from distilmt.rendering.frames import frames_of
from distilmt.rendering.ink import has_ink, split_columns

ONNX = ("onnx", "onnxruntime", "onnxscript")
needs_onnx = pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in ONNX), reason="the extra onnx is not installed"
)
needs_node = pytest.mark.skipif(shutil.which("node") is None, reason="node is not there")


def in_node(tasks: list[dict[str, Any]]) -> list[Any]:
    """What the page's modules compute, run by node."""
    script = Path(__file__).parent / "consumers" / "pictures.mjs"
    process = subprocess.run(
        ["node", str(script), str(PAGES / "pictures")],
        input=json.dumps(tasks),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert process.returncode == 0, process.stderr
    return list(json.loads(process.stdout))


def encoded(array: np.ndarray) -> str:
    return base64.b64encode(array.tobytes()).decode()


def decoded(text: str, dtype: type = np.uint8) -> np.ndarray:
    return np.frombuffer(base64.b64decode(text), dtype)


def line_pictures() -> list[np.ndarray]:
    """Pictures of lines [columns, height] and of what is no text, dark and light, of even and odd sizes."""
    generator = np.random.default_rng(5)
    lines = [strokes(width, width) for width in (1, 4, 37, 64, 101, 333)]
    lines += [255 - lines[-1], np.full((50, 16), 7, np.uint8), generator.integers(0, 256, (60, 16), dtype=np.uint8)]
    lines += [generator.integers(100, 120, (33, 15), dtype=np.uint8), np.array([[0], [255]], np.uint8)]
    gray = np.asarray(text_picture(["A library for images"], (300, 32), 20, 4, 2))
    shaded = gray * np.linspace(0.4, 1, 300)[None]
    return [*lines, np.ascontiguousarray(gray.T), np.ascontiguousarray(shaded.T.astype(np.uint8))]


@needs_node
def test_frames_are_those_of_python_bit_by_bit():
    lines, per_frame, most = line_pictures(), 4, 100
    tasks = [
        {
            "action": "line",
            "pixels": encoded(x),
            "width": len(x),
            "height": x.shape[1],
            "perFrame": per_frame,
            "most": most,
        }
        for x in lines
    ]
    for line, result in zip(lines, in_node(tasks), strict=True):
        frames = frames_of(line, per_frame)
        assert result["frames"] == len(frames)
        assert (frames == decoded(result["features"], np.float32).reshape(-1, len(frames)).T).all(), line.shape
        assert result["ink"] == has_ink(line)
        assert result["parts"] == [len(part) for part in split_columns(line, most)]
        assert result["most"] == most_tokens(1, line.shape[1], line.shape[0])
    assert {has_ink(line) for line in lines} == {True, False}


@needs_node
def test_pictures_are_scaled_as_pillow_scales_them():
    generator = np.random.default_rng(3)
    pictures = [generator.integers(0, 256, shape, dtype=np.uint8) for shape in ((7, 11), (40, 90), (61, 33))]
    pictures.append(np.asarray(text_picture(["Two dogs"], (200, 64), 30)))
    targets = [(11, 7), (23, 16), (180, 32), (1, 1), (90, 16)]
    pairs = [(picture, target) for picture in pictures for target in targets]
    tasks = [
        {"action": "scale", "pixels": encoded(p), "width": p.shape[1], "height": len(p), "target": target}
        for p, target in pairs
    ]
    for (picture, target), result in zip(pairs, in_node(tasks), strict=True):
        expected = np.asarray(scaled(Image.fromarray(picture), *target))
        assert (decoded(result).reshape(expected.shape) == expected).all(), (picture.shape, target)


def page_task(image: Any, rows: int = 32, most: int = 2048) -> dict[str, Any]:
    pixels = np.asarray(image.convert("RGBA"))
    return {
        "action": "page",
        "pixels": encoded(pixels),
        "width": image.width,
        "height": image.height,
        "rows": rows,
        "most": most,
    }


TEXTS = ["Two dogs run through the park. A", "man throws another ball, and they", "fetch it from the lake."]


@needs_node
def test_lines_of_a_clean_page_are_read_as_the_detector_reads_them():
    pytest.importorskip("cv2")
    from distilmt.pictures.joining import joined, sentences
    from distilmt.pictures.line_ink import ink_of

    image = text_picture(TEXTS, (480, 140))
    ((paragraph,), (light,), (turned,), (apart, below)) = in_node(
        [
            page_task(image),
            page_task(text_picture(TEXTS, (480, 140), ink=250, background=30)),
            page_task(image.rotate(2, fillcolor=255, resample=Image.Resampling.BICUBIC, expand=True)),
            page_task(text_picture(["Contents", "", "", "A library for images"], (480, 200))),
        ]
    )
    strips = [np.asarray(image)[16 + round(32.4 * n) : 46 + round(32.4 * n)] for n in range(3)]
    inks = [ink for strip in strips if (ink := ink_of(strip)) is not None]
    expected = sentences(joined(inks), 32, 2048)
    assert len(paragraph["boxes"]) == 3 and len(expected) == 2
    for result in (paragraph, light, turned):
        assert len(result["pictures"]) == 2
        for picture, columns in zip(result["pictures"], expected, strict=True):
            assert abs(picture["width"] - len(columns)) <= 0.06 * len(columns)
    for picture, columns in zip(paragraph["pictures"], expected, strict=True):
        pixels = decoded(picture["pixels"]).reshape(-1, 32)
        width = min(len(pixels), len(columns))
        assert np.abs(pixels[:width].astype(float) - columns[:width]).mean() < 12
    assert len(apart["boxes"]) == len(below["boxes"]) == 1


@needs_node
def test_where_there_is_no_text_none_is_read():
    blank = Image.new("RGBA", (300, 100), (0, 0, 0, 0))
    images = [texture(kind) for kind in ("white", "black", "noise", "gradient", "photo")] + [
        blank,
        Image.new("L", (1, 1)),
    ]
    assert in_node([page_task(image) for image in images]) == [[]] * len(images)


SENT = """
([way, name, type, content]) => {
  const bytes = Uint8Array.from(atob(content), (each) => each.charCodeAt(0));
  const transfer = new DataTransfer();
  transfer.items.add(new File([bytes], name, { type }));
  const event = way === "paste"
    ? new ClipboardEvent("paste", { clipboardData: transfer, bubbles: true, cancelable: true })
    : new DragEvent("drop", { dataTransfer: transfer, bubbles: true, cancelable: true });
  document.body.dispatchEvent(event);
}
"""


@pytest.fixture(scope="module")
def exports(tmp_path_factory: pytest.TempPathFactory, shared_tokenizer: Any, card: Any, runtime: str) -> Path:
    """`page`, and `onnx` with the page's weights."""
    directory = tmp_path_factory.mktemp("web-pictures")
    config = ExportConfig(student=["float32"], formats=["onnx", "web"], node_modules=runtime)
    trained = TrainedModel(new_picture_model(shared_tokenizer), shared_tokenizer, card)
    exporters = student_exporters(config, "whisper", RENDERING)
    for name, path in (("student-onnx", "onnx"), ("student-web", "page")):
        exporters[name].export(trained, directory / path, config)
    for graph in ("encoder_model", "decoder_model_merged"):
        path = directory / "onnx" / "onnx" / f"{graph}.onnx"
        quantize_weights(path, path)
    return directory


def by_the_same_graphs(export: Path, image: Any) -> str:
    """The translation of a page whose lines are one paragraph, by ONNX Runtime outside the browser."""
    from distilmt.export.onnx_pictures import read_by_onnxruntime

    ((paragraph,),) = in_node([page_task(image, RENDERING.height, RENDERING.max_columns)])
    lines = [decoded(picture["pixels"]).reshape(-1, RENDERING.height) for picture in paragraph["pictures"]]
    return " ".join(text for each in read_by_onnxruntime(export, lines) if (text := each.strip()))


def translation(page: Any, act: Any) -> str:
    """What the page shows once a picture is translated."""
    before = page.locator("#translation").get_attribute("data-id")
    act()
    page.wait_for_function("id => (document.querySelector('#translation').dataset.id ?? null) !== id", arg=before)
    return "\n".join(page.locator("#translation p").all_text_contents())


@pytest.mark.slow
@needs_onnx
@needs_node
def test_it_reads_files_in_chromium_without_a_network(exports: Path, tmp_path: Path) -> None:
    first, second = text_picture(TEXTS, (480, 140)), text_picture(["A library", "for images"], (300, 90))
    first.save(tmp_path / "first.png")
    second.save(tmp_path / "second.png")
    expected = [by_the_same_graphs(exports / "onnx", image) for image in (first, second)]
    assert all(expected) and len(set(expected)) == 2
    sent = [base64.b64encode((tmp_path / "second.png").read_bytes()).decode()]
    with chromium() as browser, served(exports / "page") as url, watched(browser, locale="en") as page:
        page.goto(url)
        page.get_by_text("Choose a picture of text.").wait_for()
        page.context.set_offline(True)
        chosen = translation(page, lambda: page.locator("#picture").set_input_files(tmp_path / "first.png"))
        assert page.locator("#stage .outline").count() == 3
        image, outline = page.locator("#stage img").bounding_box(), page.locator("#stage .outline").first.bounding_box()
        assert outline["x"] - image["x"] == pytest.approx(21 * image["width"] / 480, abs=2)
        assert barriers(page) == []
        others = [
            translation(page, lambda: page.locator("#camera").set_input_files(tmp_path / "second.png")),
            translation(page, lambda: page.evaluate(SENT, ["paste", "second.png", "image/png", *sent])),
            translation(page, lambda: page.evaluate(SENT, ["drop", "second.png", "image/png", *sent])),
        ]
        assert page.locator("#camera").get_attribute("capture") == "environment"
        assert page.locator("#facts").text_content().startswith("Model ")
    assert [chosen, *others] == [expected[0], *[expected[1]] * 3]


@pytest.mark.slow
@needs_onnx
def test_what_cannot_be_read_is_one_line(exports: Path, tmp_path: Path) -> None:
    texture("photo").save(tmp_path / "photo.png")
    text_picture(TEXTS).save(tmp_path / "scan.tif")
    Image.new("1", (9000, 8000), 1).save(tmp_path / "huge.png")
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nbroken")
    messages = {
        "photo.png": "There is no text in this picture that can be read.",
        "scan.tif": "This browser cannot show scan.tif: save it as PNG or JPEG.",
        "huge.png": "huge.png has more than 64 million pixels: scale it down.",
        "broken.png": "This browser cannot show broken.png: save it as PNG or JPEG.",
    }
    phone = {"viewport": {"width": 360, "height": 740}, "has_touch": True}
    with chromium() as browser, served(exports / "page") as url, watched(browser, locale="en", **phone) as page:
        page.goto(url)
        page.get_by_text("Choose a picture of text.").wait_for()
        for name, message in messages.items():
            page.locator("#picture").set_input_files(tmp_path / name)
            page.locator("#status").get_by_text(message).wait_for()
            assert page.locator("#translation p").count() == 0 and page.locator("#copy").is_disabled()
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "nothing is wider than the screen"
        page.locator("#language").click()
        assert page.locator("#title").text_content() == "英语 → 意大利语"
        assert page.locator("#status").text_content() == "浏览器无法显示 broken.png：请另存为 PNG 或 JPEG。"
