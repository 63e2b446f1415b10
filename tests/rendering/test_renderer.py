"""Pictures of text, in the font that Pillow brings along: no font of the system is needed."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

pytest.importorskip("PIL")
pytest.importorskip("fontTools")
from PIL import Image, ImageFont

from distilmt.config.bounds import check_bounds
from distilmt.config.rendering import RenderingConfig
from distilmt.rendering.degradations import degrade
from distilmt.rendering.fonts import Face, faces_in, faces_of, held_out_faces, training_faces
from distilmt.rendering.frames import frame_count, frames_of
from distilmt.rendering.lines import line_of
from distilmt.rendering.renderer import Renderer, UnrenderableError
from distilmt.rendering.styles import Degradation
from distilmt.utils.errors import UserError

SENTENCE = "Two young, White males are outside near many bushes."
CLEAN = RenderingConfig(fonts=[], held_out_fonts=[], clean_fraction=1, dark_fraction=0)
DEGRADED = replace(CLEAN, clean_fraction=0)


@pytest.fixture(scope="module")
def font_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pillow's own font as a file."""
    font = ImageFont.load_default(20)
    assert isinstance(font, ImageFont.FreeTypeFont)
    path = tmp_path_factory.mktemp("fonts") / "default.ttf"
    path.write_bytes(font.font_bytes)
    return path


@pytest.fixture(scope="module")
def faces(font_file: Path) -> list[Face]:
    return faces_of([str(font_file)], "fonts")


def test_a_picture_has_the_height_and_dark_letters_on_white(faces: list[Face]) -> None:
    columns = Renderer(CLEAN, faces, 1).render(SENTENCE, "train-000001")
    assert columns.dtype == np.uint8 and columns.shape[1] == 32 and 200 < len(columns) < 2048
    assert np.median(columns) == 255 and columns.min() < 60
    assert 0.05 < (columns < 128).mean() < 0.4
    # Letters fill the line: ink is in most of its rows, and in most columns of the text.
    assert (columns.min(0) < 128).sum() > 16


def test_longer_text_is_a_wider_picture(faces: list[Face]) -> None:
    config = replace(CLEAN, margin=0, min_font_size=32, max_font_size=32)
    once, twice = (Renderer(config, faces, 1).render(text, "a") for text in (SENTENCE, f"{SENTENCE} {SENTENCE}"))
    assert 1.9 < len(twice) / len(once) < 2.1


@settings(max_examples=30, deadline=None)
@given(
    text=st.text(max_size=80) | st.text(alphabet=st.characters(codec="ascii"), max_size=80),
    degraded=st.booleans(),
    seed=st.integers(0, 2**32 - 1),
    epoch=st.integers(0, 9),
)
@example(text="", degraded=True, seed=0, epoch=0)
@example(text=" \n\x00\ud800\u200b", degraded=True, seed=0, epoch=0)
@example(text="W" * 80, degraded=True, seed=0, epoch=0)
def test_every_text_is_a_picture_within_bounds_or_has_a_reason(
    faces: list[Face], text: str, degraded: bool, seed: int, epoch: int
) -> None:
    config = replace(DEGRADED if degraded else CLEAN, max_columns=512)
    renderer = Renderer(config, faces, seed)
    try:
        columns = renderer.render(text, "id", epoch)
    except UnrenderableError as error:
        assert "wider than 512 columns" in str(error) or not renderer.covers(text)
        return
    assert renderer.covers(text)
    assert columns.dtype == np.uint8 and columns.shape[1] == 32 and 1 <= len(columns) <= 512
    np.testing.assert_array_equal(columns, Renderer(config, faces, seed).render(text, "id", epoch))
    frames = frames_of(columns, 4)
    assert frames.shape == (frame_count(len(columns), 32, 4), 128) and np.abs(frames).max() <= 1


def test_seed_epoch_and_id_each_change_the_picture(faces: list[Face]) -> None:
    renderer = Renderer(DEGRADED, faces, 1)
    pictures = [
        renderer.render(SENTENCE, "a"),
        renderer.render(SENTENCE, "b"),
        renderer.render(SENTENCE, "a", epoch=1),
        Renderer(DEGRADED, faces, 2).render(SENTENCE, "a"),
    ]
    assert len({picture.tobytes() for picture in pictures}) == 4
    np.testing.assert_array_equal(pictures[0], renderer.render(SENTENCE, "a"))


def test_another_process_renders_the_same(faces: list[Face], font_file: Path) -> None:
    code = (
        "import hashlib, sys\n"
        "from distilmt.config.rendering import RenderingConfig\n"
        "from distilmt.rendering.fonts import faces_of\n"
        "from distilmt.rendering.renderer import Renderer\n"
        "config = RenderingConfig(fonts=[], held_out_fonts=[], clean_fraction=0, dark_fraction=0)\n"
        "columns = Renderer(config, faces_of([sys.argv[1]], 'fonts'), 1).render('Text', 'a')\n"
        "print(hashlib.sha256(columns.tobytes()).hexdigest())\n"
    )
    command = [sys.executable, "-c", code, str(font_file)]
    other = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    assert other == hashlib.sha256(Renderer(DEGRADED, faces, 1).render("Text", "a").tobytes()).hexdigest()


def test_every_degradation_changes_the_picture(faces: list[Face]) -> None:
    picture = Image.new("L", (200, 32), 255)
    picture.paste(0, (41, 9, 163, 23))  # edges are not those of JPEG's blocks
    still = Degradation(0, np.zeros((4, 2)), 0, 0, 7, 0, 100)
    assert degrade(picture, 255, still).tobytes() == picture.tobytes()
    changes = {
        "angle": 2.0,
        "corners": np.array([(0.1, 0.1), (0, 0), (0, 0), (0, 0)]),
        "shading": 40.0,
        "noise": 9.0,
        "blur": 1.5,
        "jpeg_quality": 30,
    }
    for name, value in changes.items():
        degraded = degrade(picture, 255, replace(still, **{name: value}))
        assert degraded.size != picture.size or degraded.tobytes() != picture.tobytes(), name


def test_a_long_line_rises_by_half_its_height_at_most() -> None:
    picture = Image.new("L", (2000, 32), 255)
    still = Degradation(10, np.zeros((4, 2)), 0, 0, 7, 0, 100)
    assert degrade(picture, 255, still).height <= 32 + 16 + 1
    assert degrade(picture.crop((0, 0, 32, 32)), 255, still).height > 32 + 4


def test_colors_keep_their_contrast(faces: list[Face]) -> None:
    plain = replace(DEGRADED, noise=0, blur=0, shading=0, jpeg_quality=100, rotation=0, perspective=0, min_contrast=0.5)
    for dark_fraction in (0, 1):
        renderer = Renderer(replace(plain, dark_fraction=dark_fraction), faces, 1)
        for number in range(10):
            columns = renderer.render("HHHHHHHH", str(number)).astype(int)
            background = int(np.median(columns))
            ink = columns.max() if dark_fraction else columns.min()
            assert abs(background - ink) >= 100 and (background < 128) == bool(dark_fraction)


def test_text_is_one_line_without_steering_characters() -> None:
    assert line_of(" a\u00ad\u202eb\n\t c\ufe0f\x00 e\u0301\u2028d ") == "ab c \u00e9 d"
    assert line_of("\u0645\u06cc\u200c\u062e") == "\u0645\u06cc\u200c\u062e"  # a joiner shapes the letters beside it


def test_frames_are_the_same_for_dark_and_light_text(faces: list[Face]) -> None:
    columns = Renderer(CLEAN, faces, 1).render(SENTENCE, "a")
    frames = frames_of(columns, 4)
    np.testing.assert_allclose(frames, frames_of(255 - columns, 4), atol=1e-6)
    assert frames.max() == 1 and np.median(frames) == 0
    # The pixels of a column stand side by side, and the columns of a frame one after the other.
    np.testing.assert_allclose(frames[5, 32:64], 1 - columns[21] / 255, atol=1e-6)


def test_a_blank_picture_is_zero_and_its_noise_is_not_amplified(faces: list[Face]) -> None:
    assert not frames_of(Renderer(CLEAN, faces, 1).render("", "a"), 4).any()
    noise = np.random.default_rng(1).integers(250, 256, (40, 32)).astype(np.uint8)
    assert np.abs(frames_of(noise, 4)).max() < 0.3


@pytest.mark.parametrize(
    ("width", "height", "columns_per_frame", "frames"),
    [
        (1, 32, 4, 8),
        (32, 32, 4, 8),
        (33, 32, 4, 16),
        (512, 32, 4, 128),
        (33, 32, 1, 64),
        (33, 16, 32, 2),
        (40, 40, 16, 4),
    ],
)
def test_pictures_of_similar_width_are_equally_long(width, height, columns_per_frame, frames) -> None:
    columns = np.random.default_rng(1).integers(0, 256, (width, height)).astype(np.uint8)
    values = frames_of(columns, columns_per_frame)
    assert values.shape == (frames, columns_per_frame * height)
    assert not values.reshape(-1, height)[width:].any() and frame_count(width, height, columns_per_frame) == frames


def test_text_without_a_font_is_refused_with_its_characters(faces: list[Face]) -> None:
    renderer = Renderer(CLEAN, faces, 1)
    assert not renderer.covers("两个年轻人") and renderer.covers("Cafe, tea: 5 $!")
    with pytest.raises(UnrenderableError, match=r"no font has all characters of '两 x': none has 两 \(U\+4E24\)"):
        renderer.render("两 x", "a")
    assert renderer.picture_of("两 x", "a") is None
    assert np.array_equal(renderer.picture_of("tea", "a", 1), renderer.render("tea", "a", 1))


def test_long_text_is_refused_before_it_takes_memory(faces: list[Face]) -> None:
    with pytest.raises(UnrenderableError, match="wider than 2048 columns"):
        Renderer(CLEAN, faces, 1).render("word " * 10**4, "a")


def test_a_font_that_lacks_a_character_is_not_used(faces: list[Face], font_file: Path) -> None:
    other = replace(faces[0], family="Other", characters=faces[0].characters - {ord("q")})
    renderer = Renderer(CLEAN, [other], 1)
    assert renderer.covers("pub") and not renderer.covers("quiz")
    both = Renderer(CLEAN, [other, faces[0]], 1)
    assert both.covers("quiz") and len(both.render("quiz", "a")) > 1


def test_fonts_are_files_directories_and_packages(font_file: Path) -> None:
    (face,) = faces_of([str(font_file.parent)], "fonts")
    assert face.family and {*map(ord, "azAZ09?")} <= face.characters and face.path == font_file
    assert faces_of([str(font_file), str(font_file.parent)], "fonts") == [face]
    assert faces_in(font_file) == (face,)
    with pytest.raises(UserError, match=r"^fonts \(fonts-of-nobody\): no font .* is installed: install a package"):
        faces_of(["fonts-of-nobody"], "fonts")
    with pytest.raises(UserError, match=r"^fonts \(empty\)"):
        faces_of([], "fonts")
    with pytest.raises(UserError, match=r"missing\.ttf is no font file or directory"):
        faces_of(["missing.ttf"], "fonts")


def test_damaged_fonts_are_refused(tmp_path: Path, font_file: Path) -> None:
    for name, content in {"text.ttf": b"no font", "cut.ttf": font_file.read_bytes()[:3000], "x.ttc": b"ttcf"}.items():
        path = tmp_path / name
        path.write_bytes(content)
        with pytest.raises(UserError, match=f"{name} cannot be read as a font"):
            faces_of([str(path)], "fonts")


def test_families_of_training_and_measuring_differ(font_file: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.ttf"
    copy.write_bytes(font_file.read_bytes())
    config = RenderingConfig(fonts=[str(font_file)], held_out_fonts=[str(copy)])
    for faces_for in (training_faces, held_out_faces):
        with pytest.raises(UserError, match="is in both fonts and held_out_fonts"):
            faces_for(config)
    with pytest.raises(UserError, match="remove it from one of them"):
        RenderingConfig(fonts=["fonts-lato"], held_out_fonts=["fonts-lato"])


def test_the_systems_package_of_fonts() -> None:
    """Debian's package of fonts that most systems have, where it is installed."""
    try:
        faces = faces_of(["fonts-dejavu-core"], "fonts")
    except UserError:
        pytest.skip("fonts-dejavu-core is not installed")
    renderer = Renderer(RenderingConfig(), faces, 1)
    assert len({face.family for face in faces}) >= 2 and renderer.covers("Žluťoučký кůň Ελλάδα")
    assert len(renderer.render("Žluťoučký кůň Ελλάδα", "a")) > 50


def test_limits_of_the_configuration() -> None:
    check_bounds(RenderingConfig())
    with pytest.raises(UserError, match="min_font_size is 50, above max_font_size, 48"):
        RenderingConfig(min_font_size=50)
    with pytest.raises(UserError, match="height is 4: it must be at least 16"):
        check_bounds(RenderingConfig(height=4))


def test_pillow_is_in_the_extra(monkeypatch: pytest.MonkeyPatch, faces: list[Face]) -> None:
    monkeypatch.setitem(sys.modules, "PIL.Image", None)
    with pytest.raises(UserError, match=r"rendering text needs PIL, which is not installed: pip install '.\[images\]'"):
        Renderer(CLEAN, faces, 1)


def test_the_example_of_the_page(monkeypatch: pytest.MonkeyPatch, font_file: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "how-to" / "render-text.md").read_text(encoding="utf-8")
    code = page.partition("```python\n")[2].partition("```")[0]
    names: dict[str, np.ndarray] = {}
    exec(code.replace("rotation=3.0", f"fonts=[{str(font_file)!r}], rotation=3.0"), names)
    assert names["columns"].shape[1] == 32 and names["frames"].shape[1] == 4 * 32
