"""Pictures of many texts on disk: shards that are whole or absent."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("PIL")
pytest.importorskip("fontTools")
from helpers.pictures import RENDERING, write_fonts

from distilmt.config.rendering import RenderingConfig
from distilmt.rendering.renderer import Renderer
from distilmt.rendering.rendering_cache import RenderingCache, remove_renderings
from distilmt.rendering.text_renderer import Absence
from distilmt.utils.errors import UserError
from distilmt.utils.hardware import cores

TEXTS = ["one", "two words", "", "三", "four", "x" * 400, "six and seven", "eight", "nine."]
IDS = [f"train-{number}" for number in range(len(TEXTS))]


@pytest.fixture
def config(tmp_path: Path) -> RenderingConfig:
    training, held_out = write_fonts(tmp_path)
    return replace(RENDERING, fonts=[training], held_out_fonts=[held_out], variants=3)


@pytest.fixture
def renderer(config: RenderingConfig) -> Renderer:
    return Renderer.for_training(config, seed=1)


def test_pictures_are_those_of_the_renderer(renderer: Renderer, tmp_path: Path) -> None:
    cache = RenderingCache(renderer, IDS, TEXTS, tmp_path / "pictures", shard_size=4)
    for epoch in (0, 1, 5):
        variant = cache.variant(epoch)
        assert variant.lengths[3] == Absence.UNRENDERABLE and variant.lengths[5] == Absence.TOO_LONG
        for number in (0, 1, 2, 4, 6, 7, 8):
            expected = renderer.render(TEXTS[number], IDS[number], epoch % 3)
            np.testing.assert_array_equal(variant.rendered(number), expected)


@pytest.mark.skipif(cores() < 2, reason="one core renders in this process")
def test_several_processes_render_the_same(renderer: Renderer, tmp_path: Path) -> None:
    variants = [
        RenderingCache(renderer, IDS, TEXTS, tmp_path / f"pictures-of-{size}", shard_size=size).variant(0)
        for size in (3, len(TEXTS))
    ]
    assert len(variants[0].rows) == 3
    np.testing.assert_array_equal(variants[0].lengths, variants[1].lengths)
    np.testing.assert_array_equal(np.concatenate(variants[0].rows), np.concatenate(variants[1].rows))


def test_only_absent_shards_are_rendered(renderer: Renderer, tmp_path: Path) -> None:
    cache = RenderingCache(renderer, IDS, TEXTS, tmp_path / "pictures", shard_size=4)
    cache.variant(0)
    first, second, _ = sorted(path for path in cache.directory.rglob("*.npy") if "lengths" not in path.name)
    before, content = first.stat().st_mtime_ns, second.read_bytes()
    second.unlink()
    again = RenderingCache(renderer, IDS, TEXTS, tmp_path / "pictures", shard_size=4)
    again.variant(0)
    assert second.read_bytes() == content and first.stat().st_mtime_ns == before


def test_a_damaged_file_is_one_line(renderer: Renderer, tmp_path: Path) -> None:
    cache = RenderingCache(renderer, IDS, TEXTS, tmp_path / "pictures")
    cache.variant(0)
    (path,) = (path for path in cache.directory.rglob("*.npy") if "lengths" not in path.name)
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(UserError, match=r"is damaged: delete .*; the pictures are then rendered again"):
        RenderingCache(renderer, IDS, TEXTS, tmp_path / "pictures").variant(0)


def test_other_texts_fonts_and_settings_have_another_directory(config: RenderingConfig, tmp_path: Path) -> None:
    def directory(texts: list[str], seed: int = 1, height: int = config.height) -> Path:
        renderer = Renderer.for_training(replace(config, height=height), seed)
        return RenderingCache(renderer, IDS, texts, tmp_path / "pictures").directory

    others = [directory(TEXTS), directory([*TEXTS[:-1], "ten"]), directory(TEXTS, seed=2), directory(TEXTS, height=20)]
    assert len(set(others)) == len(others) and directory(TEXTS) == others[0]


def test_only_caches_are_removed(renderer: Renderer, tmp_path: Path) -> None:
    root = tmp_path / "pictures"
    RenderingCache(renderer, IDS, TEXTS, root).variant(0)
    (root / "notes.txt").write_text("mine")
    remove_renderings(root)
    assert [path.name for path in root.iterdir()] == ["notes.txt"]
    (root / "notes.txt").unlink()
    remove_renderings(root)
    assert not root.exists()
