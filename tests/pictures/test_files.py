"""`distilmt translate` on pictures: text, JSON, overlays; what is refused, and pictures without text."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("rapidocr")
pytest.importorskip("pypdfium2")
from helpers import commands
from helpers.pages_of_text import pdf_of, text_picture, texture
from PIL import Image

import distilmt
from distilmt.pictures.reading import read_picture
from distilmt.utils.errors import UserError


@dataclass
class Result:
    returncode: int
    stdout: str
    stderr: str


def run_command(*arguments: object) -> Result:
    process = commands.distilmt(*arguments)
    return Result(process.returncode, process.stdout.decode(), process.stderr.decode())


LINES = ["Two young men are outside near", "many bushes and talk a little."]


@pytest.fixture
def photo(tmp_path) -> Path:
    text_picture(LINES, (480, 120), 24, 30, 24).save(tmp_path / "photo.png")
    return tmp_path / "photo.png"


@pytest.fixture
def scan(tmp_path) -> Path:
    (tmp_path / "scan.pdf").write_bytes(pdf_of([LINES, [], LINES[:1]], (300, 160)))
    return tmp_path / "scan.pdf"


@pytest.fixture
def landscape(tmp_path) -> Path:
    texture("photograph").save(tmp_path / "landscape.jpg")
    return tmp_path / "landscape.jpg"


def test_text_of_pictures_a_paragraph_a_line(picture_student, photo):
    result = run_command("translate", picture_student, photo)
    assert result.returncode == 0 and len(result.stdout.splitlines()) == 1 and result.stdout.strip()


def test_json_has_places_in_pixels(picture_student, photo, scan):
    result = run_command("translate", picture_student, photo, scan, "--json")
    first, second = map(json.loads, result.stdout.splitlines())
    (page,) = first["pages"]
    assert (first["file"], page["page"], page["width"], page["height"]) == (str(photo), 1, 480, 120)
    (paragraph,) = page["paragraphs"]
    assert paragraph["translation"] and len(paragraph["lines"]) == 2
    left, top, right, bottom = paragraph["box"]
    assert 15 < left < 32 and 10 < top < 40 and 360 < right < 440 and 70 < bottom < 110
    for line in paragraph["lines"]:
        assert len(line["quad"]) == 4 and line["box"][0] >= left and line["box"][3] <= bottom
    assert [len(page["paragraphs"]) for page in second["pages"]] == [1, 0, 1]


def test_files_of_text_json_and_overlays(picture_student, photo, scan, tmp_path):
    out = tmp_path / "out"
    result = run_command("translate", picture_student, photo, scan, "--output", f"{out}/", "--overlay", f"{out}/")
    assert result.returncode == 0, result.stderr
    assert sorted(path.name for path in out.iterdir()) == ["photo.png", "photo.txt", "scan.pdf", "scan.txt"]
    assert len((out / "scan.txt").read_text(encoding="utf-8").split("\n\n")) == 2
    before, after = (np.asarray(Image.open(path).convert("L")).astype(int) for path in (photo, out / "photo.png"))
    assert before.shape == after.shape and (before != after).mean() > 0.02
    # Around the lines nothing changes, and the translation is as dark as the text.
    assert (before[:10] == after[:10]).all() and (before[-12:] == after[-12:]).all() and after.min() < 80
    assert len(list(read_picture(out / "scan.pdf"))) == 3


def test_overlays_of_pages_as_pictures(picture_student, scan, tmp_path):
    run_command("translate", picture_student, scan, "--overlay", tmp_path / "over.png", "--output", tmp_path / "t.json")
    assert sorted(path.name for path in tmp_path.glob("over*")) == ["over-1.png", "over-3.png"]
    assert len(json.loads((tmp_path / "t.json").read_text(encoding="utf-8"))["pages"]) == 3


def test_a_picture_without_text_gives_no_file_and_one_line(picture_student, landscape, tmp_path):
    flags = ("--output", tmp_path / "a.txt", "--overlay", tmp_path / "a.png")
    result = run_command("translate", picture_student, landscape, *flags)
    assert (result.returncode, result.stdout) == (0, "")
    assert result.stderr.strip().splitlines()[-1] == f"distilmt: {landscape}: no text found, nothing is written"
    assert [path.name for path in tmp_path.iterdir()] == ["landscape.jpg"]


def test_a_model_of_text_refuses_pictures(exported_model, photo):
    result = run_command("translate", exported_model, photo)
    assert result.returncode == 2
    assert "is a picture" in result.stderr and "student that reads pictures" in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1
    assert "--overlay is for pictures" in run_command("translate", exported_model, "--overlay", "a.png").stderr


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ((), "reads pictures: name picture files after it"),
        (("--text", "Hello"), "name picture files"),
        (("{photo}", "--glossary", "a.tsv"), "--glossary is for models of text, leave it out"),
        (("{photo}", "--output", "a.docx"), "use .txt or .json, or a directory"),
        (("{photo}", "--overlay", "a.gif"), "use .png or .pdf, or a directory"),
        (("{photo}", "--overlay", "{photo}"), "one file would overwrite another"),
        (("{photo}", "{here}/b.png", "--output", "o.txt"), "is named like a file, but there are 2 translations"),
        (("{photo}", "{here}/b.png", "--overlay", "{here}/a.txt"), "is a file, but there are 2 translations"),
        (("{photo}", "{here}/d/photo.png", "--output", "{here}/o/"), "one file would overwrite another"),
        (("absent.png",), "absent.png does not exist"),
        (("{here}/a.txt",), "the model reads pictures, not .txt"),
        (("{here}/broken.png",), "broken.png is damaged"),
    ],
)
def test_mistakes_are_one_line(picture_student, photo, tmp_path, flags, message):
    (tmp_path / "a.txt").write_text("a")
    (tmp_path / "broken.png").write_bytes(photo.read_bytes()[:300])
    (tmp_path / "d").mkdir()
    for name in ("b.png", "d/photo.png"):
        (tmp_path / name).write_bytes(photo.read_bytes())
    given = [flag.format(photo=photo, here=tmp_path) for flag in flags]
    result = run_command("translate", picture_student, *given)
    assert result.returncode == 2 and message in result.stderr, result.stderr
    assert len(result.stderr.strip().splitlines()) == 1


def test_a_program_translates_picture_files(picture_student, photo, landscape, tmp_path):
    with distilmt.Translator(picture_student, threads=1) as translator:
        assert translator.translate_file(photo, tmp_path / "a.txt") == []
        assert (tmp_path / "a.txt").read_text(encoding="utf-8").strip()
        assert translator.translate_file(photo, tmp_path / "b.png") == []
        assert Image.open(tmp_path / "b.png").size == (480, 120)
        assert translator.translate_file(landscape, tmp_path / "c.txt") == ["no text found, nothing is written"]
        assert not (tmp_path / "c.txt").exists()
        with pytest.raises(UserError, match="reads pictures, not text: use translate_file"):
            translator.translate("Hello")
