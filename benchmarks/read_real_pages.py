"""Scanned pages and photographs of English text: a student of pictures beside Tesseract and the text student.

    apt-get install tesseract-ocr
    python benchmarks/read_real_pages.py demo-images PAGE.png … [--name real-pages] [--paragraphs 12]

There are no references for such pages. The table shows what Tesseract reads in a paragraph, what the text student makes
of it, and what the picture student writes; chrF between the two translations is their agreement. Paragraphs are those
that distilmt finds, for both.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image
from turns import write

import distilmt
from distilmt.evaluation.quality import score
from distilmt.inference.hub import model_directory
from distilmt.inference.image_translator import ImageTranslator
from distilmt.pictures.reading import read_picture
from distilmt.pictures.translate import page_record, translate_page
from distilmt.utils import pretrained

_MARGIN = 4
"""Pixels around a paragraph that Tesseract gets."""
_LEAST_LETTERS = 12
"""A paragraph in which Tesseract reads fewer is no text to compare: page numbers, noise."""


@dataclass
class Paragraph:
    """A paragraph of a page, as both roads see it."""

    page: str
    recognized: str
    cascade: str
    student: str


def recognized(image: Image.Image) -> str:
    """What Tesseract reads in the picture of a paragraph (`--psm 6`), its lines joined."""
    with tempfile.NamedTemporaryFile(suffix=".png") as file:
        image.save(file.name)
        command = ["tesseract", file.name, "-", "-l", "eng", "--psm", "6"]
        text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return " ".join(text.split())


def paragraphs_of(path: Path, student: ImageTranslator, text_student: distilmt.Translator) -> Iterator[Paragraph]:
    for number, pixels in enumerate(read_picture(path), 1):
        record = page_record(translate_page(pixels, number, student, threads=1))
        image = Image.fromarray(pixels)
        print(f"{path.name}, page {number}: {len(record['paragraphs'])} paragraphs", file=sys.stderr, flush=True)
        for each in record["paragraphs"]:
            left, top, right, bottom = each["box"]
            crop = image.crop((left - _MARGIN, top - _MARGIN, right + _MARGIN, bottom + _MARGIN))
            text = recognized(crop)
            if sum(character.isalpha() for character in text) >= _LEAST_LETTERS:
                (cascade,) = text_student.translate([text])
                yield Paragraph(f"{path.name}, {number}", text, cascade, each["translation"])


def example_table(paragraphs: Sequence[Paragraph], count: int) -> str:
    """Some paragraphs, evenly over all pages."""
    lines = ["| page | Tesseract reads | text student | picture student |", "|---|---|---|---|"]
    for each in paragraphs[:: max(1, -(-len(paragraphs) // count))]:
        cells = (each.page, each.recognized, each.cascade, each.student)
        lines.append(f"| {' | '.join(_cell(text) for text in cells)} |")
    return "\n".join(lines)


def _cell(text: str, longest: int = 240) -> str:
    text = text.replace("|", "/")
    return text if len(text) <= longest else f"{text[:longest]} …"


def agreement_table(paragraphs: Sequence[Paragraph]) -> str:
    lines = ["| page | paragraphs | chrF with the text student |", "|---|---:|---:|"]
    for page in dict.fromkeys(each.page for each in paragraphs):
        own = [each for each in paragraphs if each.page == page]
        lines.append(f"| {page} | {len(own)} | {_agreement(own):.1f} |")
    lines.append(f"| all | {len(paragraphs)} | {_agreement(paragraphs):.1f} |")
    return "\n".join(lines)


def _agreement(paragraphs: Sequence[Paragraph]) -> float:
    return score([each.student for each in paragraphs], [each.cascade for each in paragraphs], "it").chrf


def main(options: argparse.Namespace) -> None:
    student = ImageTranslator(model_directory(options.student), threads=1)
    with distilmt.Translator(pretrained.DEMO) as text_student:
        paragraphs = [each for path in options.pages for each in paragraphs_of(path, student, text_student)]
    if not paragraphs:
        sys.exit("no paragraph of text on these pages")
    names = " ".join(path.name for path in options.pages)
    command = f"python benchmarks/read_real_pages.py {options.student} {names}"
    tables = [agreement_table(paragraphs), example_table(paragraphs, options.paragraphs), options.note]
    write(options.name, command, [table for table in tables if table], {"paragraphs": [vars(p) for p in paragraphs]})


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("student", help="an export, or demo-images")
    parser.add_argument("pages", type=Path, nargs="+")
    parser.add_argument("--paragraphs", type=int, default=12, help="of the table of examples")
    parser.add_argument("--name", default="real-pages", help="of the files in results/")
    parser.add_argument("--note", default="", help="a sentence for the results file")
    main(parser.parse_args())
