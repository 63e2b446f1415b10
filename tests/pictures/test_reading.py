"""Picture and PDF files of every kind to pages of pixels; what is damaged or too large is refused in one line."""

from __future__ import annotations

import io
import struct
import warnings
import zlib

import numpy as np
import pytest
from helpers.examples import example_count
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("PIL")
pytest.importorskip("pypdfium2")
from helpers.pages_of_text import pdf_of, text_picture
from PIL import Image

from distilmt.pictures import reading
from distilmt.pictures.reading import pages_of, read_picture
from distilmt.utils.errors import UserError

PICTURE = text_picture(["Two men are outside."], size=(200, 60))


def encoded(image: Image.Image, form: str, **options) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


def page(data: bytes) -> np.ndarray:
    (only,) = pages_of(data, "a.png")
    return only


@pytest.mark.parametrize("form", ["PNG", "BMP", "TIFF", "GIF", "JPEG", "WEBP"])
def test_every_format_gives_the_same_page(form: str) -> None:
    pixels = page(encoded(PICTURE, form, **({"lossless": True} if form == "WEBP" else {})))
    assert pixels.shape == (60, 200, 3) and pixels.dtype == np.uint8
    assert np.abs(pixels.astype(int) - np.asarray(PICTURE.convert("RGB"))).mean() < 2


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16", "I", "F"])
def test_every_color_mode_gives_dark_text_on_white(mode: str) -> None:
    if mode.startswith(("I", "F")):
        values = np.asarray(PICTURE).astype(np.float32) * 16  # 12 bits in 16
        image = Image.fromarray(values if mode == "F" else values.astype(np.uint16 if mode == "I;16" else np.int32))
    else:
        image = PICTURE.convert(mode)
    pixels = page(encoded(image, "TIFF"))
    assert np.median(pixels) > 250 and pixels.min() < 60


@pytest.mark.parametrize(("ink", "background"), [(0, 255), (255, 0)])
def test_text_on_a_transparent_background_stays_visible(ink: int, background: int) -> None:
    gray = np.asarray(PICTURE)
    image = Image.merge("LA", (Image.new("L", PICTURE.size, ink), Image.fromarray(255 - gray)))
    pixels = page(encoded(image, "PNG"))
    assert np.median(pixels) == background and abs(int(pixels.max()) - int(pixels.min())) > 200


def test_a_photograph_is_turned_upright_by_its_metadata() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    upright = page(encoded(PICTURE, "JPEG", exif=exif, quality=95))
    assert upright.shape == (200, 60, 3)
    assert np.abs(upright.astype(int) - np.asarray(PICTURE.rotate(-90, expand=True).convert("RGB"))).mean() < 8


def test_all_pages_of_a_tiff_and_the_first_frame_of_an_animation() -> None:
    others = [Image.new("L", (50, 40), 255), Image.new("L", (30, 20), 0)]
    assert [p.shape[:2] for p in pages_of(encoded(PICTURE, "TIFF", save_all=True, append_images=others), "a.tif")] == [
        (60, 200),
        (40, 50),
        (20, 30),
    ]
    for form in ("GIF", "WEBP", "PNG"):
        frames = [Image.new("L", PICTURE.size, 0)]
        assert len([*pages_of(encoded(PICTURE, form, save_all=True, append_images=frames), "a.gif")]) == 1


def test_warnings_of_the_caller_stay_on() -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        pages = pages_of(encoded(PICTURE, "TIFF", save_all=True, append_images=[PICTURE]), "a.tif")
        for number, _ in enumerate(pages):
            warnings.warn(f"page {number}", stacklevel=1)
    assert [str(each.message) for each in caught] == ["page 0", "page 1"]


def test_pages_of_a_pdf_have_the_size_of_a_scan() -> None:
    pages = [*pages_of(pdf_of([["First page"], ["Second page"]]), "a.pdf")]
    assert [p.shape for p in pages] == [(2339, 1654, 3)] * 2  # A4 at 200 dots per inch
    assert all(np.median(p) == 255 and p.min() < 50 for p in pages) and (pages[0] != pages[1]).any()


def test_a_poster_in_a_pdf_becomes_smaller() -> None:
    for size in ((14_400, 14_400), (10, 14_400), (0.01, 0.01)):
        (poster,) = pages_of(pdf_of([["x"]], size), "a.pdf")
        assert 1 <= poster.shape[0] <= 32_000 and poster.shape[0] * poster.shape[1] < 17_000_000


def bomb_png(side: int) -> bytes:
    """A PNG file of few bytes with side² pixels."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    head = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize("side", [8_001, 12_000, 30_000, 2**31 - 1])
def test_a_bomb_is_refused_before_it_is_decoded(side: int) -> None:
    with pytest.raises(UserError, match="more than 64 million pixels: scale it down"):
        page(bomb_png(side))


def test_too_many_pages_and_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "MAX_PAGES", 2)
    small = Image.new("L", (8, 8), 255)
    for data in (pdf_of([["a"]] * 3), encoded(small, "TIFF", save_all=True, append_images=[small] * 2)):
        with pytest.raises(UserError, match=r"more than 2( pages)?: split it"):
            list(pages_of(data, "a"))
    monkeypatch.setattr(reading, "MAX_BYTES", 2**20)
    with pytest.raises(UserError, match="more than 1 MB"):
        page(bytes(2**20 + 1))


def test_what_is_no_picture_is_refused(tmp_path) -> None:
    (tmp_path / "a.png").write_text("text")
    with pytest.raises(UserError, match=r"a\.png is not a picture or PDF that can be read: use \.png"):
        next(read_picture(tmp_path / "a.png"))
    with pytest.raises(UserError, match="empty"):
        next(pages_of(b"", "a.png"))
    with pytest.raises(UserError, match="cannot be read"):
        next(read_picture(tmp_path / "b.png"))
    with pytest.raises(UserError, match="damaged"):
        next(pages_of(b"%PDF-1.7 and nothing else", "a.pdf"))
    svg = b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>'
    with pytest.raises(UserError, match="not a picture"):
        page(svg)


FILES = [encoded(PICTURE, form) for form in ("PNG", "JPEG", "WEBP", "BMP", "TIFF", "GIF")] + [pdf_of([["x"]], (60, 40))]


@settings(max_examples=example_count(150), deadline=None)
@given(st.sampled_from(FILES), st.data())
def test_damaged_files_give_a_page_or_one_line(data: bytes, draws: st.DataObject) -> None:
    end = draws.draw(st.integers(1, len(data)))
    damaged = bytearray(data[:end])
    for position in draws.draw(st.lists(st.integers(0, end - 1), max_size=8)):
        damaged[position] = draws.draw(st.integers(0, 255))
    try:
        for pixels in pages_of(bytes(damaged), "a.png"):
            assert pixels.ndim == 3 and pixels.dtype == np.uint8 and pixels.size
    except UserError as error:
        assert str(error).startswith("a.png") and "\n" not in str(error)
