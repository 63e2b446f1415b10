"""The demo whose student reads pictures."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from helpers.apt_archive import Repository

from distilmt.config.commands import DemoConfig
from distilmt.recipes import demo, demo_images, demo_recipe
from distilmt.rendering import fonts
from distilmt.utils import pretrained

needs_apt = pytest.mark.skipif(shutil.which("apt-get") is None, reason="apt is not installed")


@pytest.fixture
def no_font_is_missing(monkeypatch):
    monkeypatch.setattr(demo_images.fonts, "installed_packages", lambda packages: list(packages))


@pytest.mark.usefixtures("no_font_is_missing")
def test_student_and_baseline_read_pictures_and_the_teacher_reads_text():
    text = demo.first_plan(DemoConfig(dataset="debian"), Path("x"))
    pictures = demo.first_plan(DemoConfig(dataset="debian", task="images"), Path("x"))
    assert (text.student.input, pictures.student.input) == ("text", "image")
    assert pictures.teacher == text.teacher and pictures.labels == text.labels, "the labels are those of the text"
    assert replace(pictures.student.objective, ctc_weight=0.0) == text.student.objective and pictures.student.baseline
    assert not {*pictures.student.rendering.fonts} & {*pictures.student.rendering.held_out_fonts}


@pytest.mark.usefixtures("no_font_is_missing")
def test_english_starts_from_the_built_in_encoder_and_other_languages_from_random_weights():
    english = demo.first_plan(DemoConfig(dataset="debian", task="images"), Path("x")).student
    assert (english.pretrained, english.pretrained_parts) == (pretrained.DEMO_IMAGES, "encoder")
    other = demo.first_plan(DemoConfig(pair="it-en", train=["a", "b"], task="images"), Path("x")).student
    assert other.pretrained is None


def test_pictures_get_minutes_and_a_directory_of_their_own():
    config = DemoConfig(dataset="debian", task="images")
    assert demo_recipe.minutes(config) == 15 and demo.default_directory(config) == "runs/demo-images"
    assert demo_recipe.minutes(DemoConfig(dataset="debian", task="images", minutes=40)) == 40


@needs_apt
def test_missing_fonts_are_downloaded_once(tmp_path, monkeypatch):
    archive = Repository(tmp_path)
    files = {"usr/share/fonts/truetype/x/X.ttf": b"font", "usr/share/doc/x/copyright": b"text"}
    archive.publish("fonts-nobody-has", files)
    entries = demo_images.font_entries(["fonts-nobody-has"], tmp_path / "cache", archive.config)
    assert entries == [str(tmp_path / "cache" / "fonts-nobody-has")]
    assert [(path.name, path.read_bytes()) for path in Path(entries[0]).iterdir()] == [("X.ttf", b"font")]
    shutil.rmtree(archive.root)
    assert demo_images.font_entries(["fonts-nobody-has"], tmp_path / "cache", archive.config) == entries


def test_a_package_that_does_not_exist_is_not_installed():
    assert fonts.installed_packages(["fonts-nobody-has"]) == []
