"""Pictures and PDFs of text, made in code with the font that Pillow brings along."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont


def text_picture(
    lines: list[str],
    size: tuple[int, int] = (640, 480),
    font_size: int = 24,
    left: int = 20,
    top: int = 16,
    leading: float = 1.35,
    ink: int = 0,
    background: int = 255,
) -> Image.Image:
    """Lines of text one below the other."""
    image = Image.new("L", size, background)
    write(image, lines, font_size, left, top, leading, ink)
    return image


def write(
    image: Image.Image, lines: list[str], font_size: int, left: int, top: int, leading: float = 1.35, ink: int = 0
) -> None:
    """Write lines into a picture."""
    font = ImageFont.load_default(font_size)
    for number, line in enumerate(lines):
        ImageDraw.Draw(image).text((left, top + number * leading * font_size), line, ink, font)


def pdf_of(pages: list[list[str]], size: tuple[float, float] = (595.2, 842)) -> bytes:
    """A PDF with lines of Helvetica on every page, size in points."""
    contents = [_content(lines, size[1]) for lines in pages]
    kids = " ".join(f"{4 + 2 * number} 0 R" for number in range(len(pages)))
    objects = [
        "<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} >>",
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    for number, content in enumerate(contents):
        objects.append(
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 {size[0]} {size[1]}] "
            f"/Resources << /Font << /F1 3 0 R >> >> /Contents {5 + 2 * number} 0 R >>"
        )
        objects.append(f"<< /Length {len(content)} >>\nstream\n{content}\nendstream")
    return _file(objects)


def _content(lines: list[str], height: float) -> str:
    texts = " ".join(f"({line}) Tj 0 -18 Td" for line in lines)
    return f"BT /F1 13 Tf 60 {height - 80} Td {texts} ET"


def _file(objects: list[str]) -> bytes:
    data, offsets = "%PDF-1.4\n", []
    for number, content in enumerate(objects, 1):
        offsets.append(len(data))
        data += f"{number} 0 obj\n{content}\nendobj\n"
    table = "".join(f"{offset:010d} 00000 n \n" for offset in offsets)
    count = len(objects) + 1
    trailer = f"trailer\n<< /Size {count} /Root 1 0 R >>\nstartxref\n{len(data)}\n%%EOF\n"
    return f"{data}xref\n0 {count}\n0000000000 65535 f \n{table}{trailer}".encode("latin-1")


def texture(kind: str, size: tuple[int, int] = (480, 320)) -> Image.Image:
    """A picture without text: one color, noise, a gradient, or what resembles a photograph of a landscape."""
    generator = np.random.default_rng(3)
    width, height = size
    rows = np.linspace(0, 1, height)[:, None]
    if kind == "white" or kind == "black":
        return Image.new("RGB", size, kind)
    if kind == "noise":
        return Image.fromarray(generator.integers(0, 256, (height, width, 3), dtype=np.uint8))
    if kind == "gradient":
        return Image.fromarray(np.broadcast_to((rows * 255).astype(np.uint8), (height, width)).copy())
    image = Image.fromarray(
        (np.array((150, 190, 230)) * (1 - rows[..., None] * 0.4) * np.ones((1, width, 1))).astype(np.uint8)
    )
    draw = ImageDraw.Draw(image)
    for _ in range(120):
        x, y = generator.integers(0, width), generator.integers(height // 3, height)
        radius, green = int(generator.integers(3, 40)), int(generator.integers(40, 160))
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=(green // 2, green, green // 3))
    noise = generator.normal(0, 10, (height, width, 3))
    return Image.fromarray((np.asarray(image) + noise).clip(0, 255).astype(np.uint8)).filter(
        ImageFilter.GaussianBlur(1)
    )
