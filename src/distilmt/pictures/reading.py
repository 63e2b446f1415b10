"""Picture and PDF files to pages of pixels, within bounds: what a file expands to is checked before it is decoded."""

from __future__ import annotations

import io
import math
import threading
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from distilmt.utils.errors import TooLargeError, UserError
from distilmt.utils.extras import explained

if TYPE_CHECKING:
    from PIL import Image
    from pypdfium2 import PdfDocument, PdfPage

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff", ".gif", ".pdf")
MAX_BYTES = 256 * 2**20
MAX_PIXELS = 64_000_000
"""Of one page: a sheet of A4 has 35 million at 600 dots per inch."""
MAX_PAGES = 200
_FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "TIFF", "GIF")
_DPI, _POINTS_PER_INCH = 200, 72
_MAX_PDF_PIXELS = 16_000_000
"""Larger pages of a PDF, such as posters, are drawn at a lower resolution."""
_MAX_SIDE = 32_000
"""Pixels of the longer side of a page of a PDF, which may be a band without end."""
_PDFIUM = threading.Lock()
"""PDFium may run in one thread at a time."""


def is_picture(path: str | Path) -> bool:
    """Whether a file is a picture or PDF by its extension."""
    return Path(path).suffix.lower() in SUFFIXES


def is_pdf(data: bytes) -> bool:
    """Whether the content of a file is a PDF, which may begin with some other bytes."""
    return b"%PDF-" in data[:1024]


def read_picture(path: Path) -> Iterator[np.ndarray]:
    """The pages of a picture or PDF file, one at a time; of an animation the first picture.

    Raises:
        UserError: the file cannot be read, has too many bytes, pixels or pages, or a package is missing.
    """
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror or error}: check the file") from None
    yield from pages_of(data, str(path))


def pages_of(data: bytes, name: str) -> Iterator[np.ndarray]:
    """The pages of a picture or PDF.

    Args:
        data: content of the file; what it is decides, not the extension of its name.
        name: its name, for messages.

    Yields:
        [height, width, 3] uint8, red, green and blue.

    Raises:
        UserError: it is damaged, too large, of another format, or a package is missing.
    """
    if len(data) > MAX_BYTES:
        raise TooLargeError(f"{name} has more than {MAX_BYTES >> 20} MB: scale it down, or split it")
    if not data:
        raise UserError(f"{name} is empty: name a picture or PDF")
    with explained("reading PDFs" if is_pdf(data) else "reading pictures"):
        if is_pdf(data):
            import pypdfium2  # noqa: F401
        import PIL.Image  # noqa: F401
    pages = _pdf_pages(data, name) if is_pdf(data) else _picture_pages(data, name)
    number = 0
    while (page := _next_page(pages)) is not None:
        number += 1
        if number > MAX_PAGES:
            raise TooLargeError(f"{name} has more than {MAX_PAGES} pages: split it")
        yield page


def _next_page(pages: Iterator[np.ndarray]) -> np.ndarray | None:
    with warnings.catch_warnings():  # not around a `yield`: they would stay off for whoever reads the pages
        warnings.simplefilter("ignore")  # Pillow's on damaged metadata and on many pixels, which are counted here
        return next(pages, None)


def _picture_pages(data: bytes, name: str) -> Iterator[np.ndarray]:
    """All pages of a TIFF file, the first frame of any other."""
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(io.BytesIO(data), formats=_FORMATS) as image:
            number = 0
            while number == 0 or (image.format == "TIFF" and _seek(image, number)):
                _check_pixels(image.width, image.height, name)
                yield _rgb(image)
                number += 1
    except UserError:
        raise
    except Image.DecompressionBombError:
        raise TooLargeError(_too_large(name)) from None
    except UnidentifiedImageError:
        raise UserError(f"{name} is not a picture or PDF that can be read: use {' '.join(SUFFIXES)}") from None
    except Exception as error:  # a decoder raises anything at damaged files
        raise UserError(f"{name} is damaged ({_reason(error)}): copy it again, or save it as PNG") from None


def _seek(image: Image.Image, number: int) -> bool:
    try:
        image.seek(number)
    except EOFError:
        return False
    return True


def _check_pixels(width: int, height: int, name: str) -> None:
    if width * height > MAX_PIXELS:
        raise TooLargeError(_too_large(name))
    if width < 1 or height < 1:
        raise UserError(f"{name} has no pixels: save it again as PNG")


def _too_large(name: str) -> str:
    return f"{name} has a page of more than {MAX_PIXELS // 1_000_000} million pixels: scale it down"


def _rgb(image: Image.Image) -> np.ndarray:
    """Pixels of a picture in any color mode, upright by its EXIF data."""
    from PIL import ImageOps

    if image.mode[0] in "IF":  # 16 bits and more
        image = _in_8_bits(image)
    ImageOps.exif_transpose(image, in_place=True)
    if image.has_transparency_data:
        return _on_background(np.asarray(image.convert("RGBA")))
    return np.asarray(image if image.mode == "RGB" else image.convert("RGB"))


def _in_8_bits(image: Image.Image) -> Image.Image:
    """Brightness stretched from the darkest to the brightest pixel: 12 bits in 16 are not black."""
    from PIL import Image

    values = np.nan_to_num(np.asarray(image).astype(np.float32), nan=0.0, posinf=0.0, neginf=0.0)
    darkest, brightest = float(values.min()), float(values.max())
    values -= darkest
    values *= 255 / max(brightest - darkest, 1e-6)
    stretched = Image.fromarray(values.astype(np.uint8))
    stretched.info.update(image.info)
    return stretched


def _on_background(pixels: np.ndarray) -> np.ndarray:
    """A picture [height, width, 4] on white; on black if what is visible of it is light."""
    color, alpha = pixels[..., :3], pixels[..., 3:]
    visible = float(alpha.sum(dtype=np.int64)) or 1.0
    brightness = float((color.mean(2, dtype=np.float32) * alpha[..., 0]).sum(dtype=np.float64)) / visible
    background = 0 if brightness > 127 else 255
    weight = alpha.astype(np.uint16)
    composed: np.ndarray = ((color * weight + background * (255 - weight)) // 255).astype(np.uint8)
    return composed


def _pdf_pages(data: bytes, name: str) -> Iterator[np.ndarray]:
    from pypdfium2 import PdfDocument, PdfiumError

    try:
        with _PDFIUM:
            document = PdfDocument(data)
            count = len(document)
            document.init_forms()  # what was filled in is drawn
    except PdfiumError as error:
        is_locked = "password" in str(error).lower()
        remedy = (
            "it has a password: save it without" if is_locked else f"it is damaged ({_reason(error)}): copy it again"
        )
        raise UserError(f"{name} cannot be read: {remedy}") from None
    try:
        if count > MAX_PAGES:
            raise TooLargeError(f"{name} has {count} pages, more than {MAX_PAGES}: split it")
        if not count:
            raise UserError(f"{name} has no pages: copy it again")
        for number in range(count):
            yield _pdf_page(document, number, name)
    finally:
        with _PDFIUM:
            document.close()


def _pdf_page(document: PdfDocument, number: int, name: str) -> np.ndarray:
    from pypdfium2 import PdfiumError

    try:
        with _PDFIUM:
            page = document[number]
            try:
                bitmap = page.render(scale=_scale(page), rev_byteorder=True)
                return np.array(bitmap.to_numpy()[..., :3])
            finally:
                page.close()
    except PdfiumError as error:
        raise UserError(f"{name}, page {number + 1}, is damaged ({_reason(error)}): copy the file again") from None


def _scale(page: PdfPage) -> float:
    """Pixels in a point: the resolution of a scan, less for large pages."""
    width, height = (max(float(length), 1.0) for length in page.get_size())
    return min(_DPI / _POINTS_PER_INCH, math.sqrt(_MAX_PDF_PIXELS / (width * height)), _MAX_SIDE / max(width, height))


def _reason(error: Exception) -> str:
    return " ".join(str(error).split())[:120] or type(error).__name__
