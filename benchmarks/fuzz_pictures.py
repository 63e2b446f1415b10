"""Fuzz the path of picture and PDF files: reading, finding lines, joining them.

    python benchmarks/fuzz_pictures.py --minutes 10 --seed 1

Files of every format are made in code and damaged: bytes changed, cut, repeated, spliced, numbers made extreme. Each
must give pages or one line of error. The damaged files are opened by a child process. If it dies or does not answer
within a minute, that is counted as a fault, and its seed is printed. `--reproduce SEED` writes the file of a seed.
libtiff prints what it thinks of damaged files to standard error.
"""

from __future__ import annotations

import argparse
import io
import json
import multiprocessing
import random
import resource
import sys
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from distilmt.pictures.joining import joined, sentences
from distilmt.pictures.page_lines import find_paragraphs
from distilmt.pictures.reading import pages_of
from distilmt.utils.errors import UserError

EXTREME = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
KINDS = ("pages", "refused")
READ_SHARE = 0.02
"""Of the pages that are decoded: those in which lines are looked for."""


def picture(size: tuple[int, int] = (200, 90)) -> Image.Image:
    image = Image.new("RGB", size, "white")
    for row, text in enumerate(("Two men are outside.", "They wait for a bus.")):
        ImageDraw.Draw(image).text((8, 8 + 32 * row), text, "black", ImageFont.load_default(18))
    return image


def encoded(image: Image.Image, form: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


def pdf() -> bytes:
    content = "BT /F1 14 Tf 10 50 Td (Two men are outside.) Tj ET"
    objects = [
        "<< /Type /Catalog /Pages 2 0 R >>",
        "<< /Type /Pages /Kids [4 0 R] /Count 1 >>",
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
        "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 160 70] /Resources << /Font << /F1 3 0 R >> >> /Contents 5 0 R >>",
        f"<< /Length {len(content)} >>\nstream\n{content}\nendstream",
    ]
    body = "%PDF-1.4\n" + "".join(f"{number} 0 obj\n{each}\nendobj\n" for number, each in enumerate(objects, 1))
    return f"{body}trailer\n<< /Size 6 /Root 1 0 R >>\n%%EOF\n".encode()


def corpus() -> list[bytes]:
    image, gray = picture(), picture().convert("L")
    files = [encoded(each, form) for form in ("PNG", "JPEG", "WEBP", "BMP", "GIF", "PDF") for each in (image, gray)]
    files += [
        encoded(image.convert("P"), "PNG"),
        encoded(image.convert("RGBA"), "PNG"),
        encoded(image, "PNG", optimize=True),
    ]
    files += [encoded(image.convert("CMYK"), "JPEG"), encoded(image, "JPEG", progressive=True)]
    files += [
        encoded(image, "TIFF", compression=kind) for kind in ("raw", "tiff_lzw", "tiff_deflate", "jpeg", "packbits")
    ]
    files += [encoded(gray.convert("1"), "TIFF", compression=kind) for kind in ("group3", "group4")]
    files += [encoded(gray, form, save_all=True, append_images=[gray] * 2) for form in ("TIFF", "GIF", "WEBP", "PDF")]
    high = Image.fromarray(np.asarray(gray).astype(np.uint16) * 257)
    return [*files, encoded(high, "PNG"), encoded(high, "TIFF"), pdf()]


def damaged(files: list[bytes], seed: int) -> bytes:
    """The damaged file of a seed."""
    generator = random.Random(seed)
    data = bytearray(generator.choice(files))
    for _ in range(generator.choice((1, 1, 2, 4, 16))):
        damage(data, files, generator)
    return bytes(data)


def damage(data: bytearray, files: list[bytes], generator: random.Random) -> None:
    if not data:
        return
    # Heads are damaged more often than pixels.
    position = generator.randrange(min(len(data), generator.choice((64, 512, len(data)))))
    kind = generator.randrange(6)
    if kind == 0:
        data[position] ^= 1 << generator.randrange(8)
    elif kind == 1:
        size = generator.choice((1, 2, 4))
        value = generator.choice(EXTREME) & ((1 << 8 * size) - 1)
        data[position : position + size] = value.to_bytes(size, generator.choice(("little", "big")))
    elif kind == 2:
        del data[generator.randrange(len(data)) :]
    elif kind == 3:
        del data[position : position + generator.randrange(1, 65)]
    elif kind == 4:
        data[position:position] = data[position : position + generator.randrange(1, 257)]
    else:
        other = generator.choice(files)
        start = generator.randrange(len(other))
        data[position : position + 64] = other[start : start + generator.randrange(1, 129)]


def outcome(data: bytes, seed: int) -> str:
    """`pages` or `refused`; anything else is raised."""
    generator = random.Random(-seed)
    try:
        for page in pages_of(data, "a.file"):
            assert page.ndim == 3 and page.shape[2] == 3 and page.dtype == np.uint8
            if generator.random() < READ_SHARE and page.size < 3_000_000:
                for lines in find_paragraphs(page, 1):
                    assert all(each.shape[1] == 32 for each in sentences(joined([x.ink for x in lines]), 32, 2048))
        return "pages"
    except UserError as error:
        assert str(error).startswith("a.file") and "\n" not in str(error), error
        return "refused"


def work(connection: Connection, first: int) -> None:
    report_outcomes(connection, first, corpus(), outcome)


def report_outcomes(
    connection: Connection, first: int, files: list[bytes], outcome_of: Callable[[bytes, int], str]
) -> None:
    """Send the outcome of one seed after the other, until the process is ended."""
    seed = first
    while True:
        connection.send(("start", seed, 0))
        try:
            result = outcome_of(damaged(files, seed), seed)
        except Exception as error:
            result = f"{type(error).__name__}: {error}"[:200]
        connection.send((result, seed, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss))
        seed += 1


def fuzz(
    minutes: float, seed: int, target: Callable[[Connection, int], None] = work, kinds: tuple[str, ...] = KINDS
) -> dict[str, object]:
    """Counts and faults of a `target` that reports outcomes; an outcome that is none of `kinds` is an error."""
    context = multiprocessing.get_context("spawn")
    end = time.monotonic() + 60 * minutes
    counts: dict[str, int] = {}
    faults: list[str] = []
    peak, slowest, started = 0, 0.0, time.monotonic()
    while time.monotonic() < end:
        here, there = context.Pipe()
        child = context.Process(target=target, args=(there, seed), daemon=True)
        child.start()
        there.close()
        try:
            while time.monotonic() < end and here.poll(60):
                result, seed, memory = here.recv()
                if result == "start":
                    started = time.monotonic()
                    continue
                slowest, peak = max(slowest, time.monotonic() - started), max(peak, memory)
                kind = result if result in kinds else "error"
                counts[kind] = counts.get(kind, 0) + 1
                if kind == "error":
                    faults.append(f"seed {seed}: {result}")
            if time.monotonic() < end:
                faults.append(f"seed {seed}: no answer within a minute")
        except EOFError:
            child.join()
            faults.append(f"seed {seed}: died with {child.exitcode}")
        child.kill()
        child.join()
        seed += 1
    return {
        "files": sum(counts.values()),
        **counts,
        "faults": faults,
        "slowest seconds": round(slowest, 1),
        "peak MB": peak // 1024,
        "last seed": seed,
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--reproduce", type=int)
    options = parser.parse_args()
    if options.reproduce is not None:
        Path(f"seed-{options.reproduce}.bin").write_bytes(damaged(corpus(), options.reproduce))
        sys.exit()
    print(json.dumps(fuzz(options.minutes, options.seed), indent=2))
