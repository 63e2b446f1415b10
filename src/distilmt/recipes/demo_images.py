"""The demo of pictures: the same teacher and text, but the student and the baseline read pictures of the text."""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from distilmt.config import RunConfig
from distilmt.config.rendering import RenderingConfig
from distilmt.data.readers import apt, apt_packages
from distilmt.recipes.demo_frames import with_frames
from distilmt.recipes.demo_recipe import SHORT_MINUTES
from distilmt.rendering import fonts
from distilmt.utils import pretrained
from distilmt.utils.run_dir import atomic_directory

FONTS = (
    "fonts-comic-neue",
    "fonts-dejavu-core",
    "fonts-hack",
    "fonts-inconsolata",
    "fonts-lato",
    "fonts-liberation2",
    "fonts-open-sans",
    "fonts-quicksand",
)
HELD_OUT_FONTS = ("fonts-cantarell", "fonts-ebgaramond", "fonts-roboto-unhinted")
"""Small packages; missing ones are downloaded: 11 MB in all by `apt-cache show` on Debian 12."""
LABEL_SHARE = 0.1
"""Share of the time for labels: pictures are learned in many updates, from fewer sentences."""
_LANGUAGE = pretrained.PAIR.partition("-")[0]
"""What the built-in student reads."""
_PRETRAINED_LAYERS = (4, 2)
"""Layers of the built-in student: encoder, decoder."""
_FONT_FILE = re.compile(r"usr/share/fonts/.*\.(ttf|otf)")


def with_pictures(config: RunConfig, minutes: float, cache: Path | None = None) -> RunConfig:
    """The run whose student reads pictures, of a size for a number of minutes.

    Args:
        config: a run whose student reads text.
        minutes: the time limit.
        cache: folder of downloaded fonts; by default in the user's cache directory.

    Raises:
        UserError: fonts are not installed and cannot be downloaded.
    """
    cache, is_short = cache or apt.default_cache().parent / "fonts", minutes < SHORT_MINUTES
    rendering = RenderingConfig(
        fonts=font_entries(FONTS, cache),
        held_out_fonts=font_entries(HELD_OUT_FONTS, cache),
        variants=1 if is_short else 4,
        rotation=1.0,
    )
    student = replace(config.student, input="image", rendering=rendering)
    if config.corpus.source != _LANGUAGE:
        return with_frames(config, student, layers=(3, 1) if is_short else (6, 2), max_positions=256)
    # To learn to read takes hours; the built-in encoder reads, and student and baseline both start from it.
    student = replace(student, pretrained=pretrained.DEMO_IMAGES, pretrained_parts="encoder")
    return with_frames(config, student, layers=_PRETRAINED_LAYERS, max_positions=256)


def font_entries(packages: Sequence[str], cache: Path, config_file: Path | None = None) -> list[str]:
    """Entries for `rendering.fonts`: names of packages that are installed, directories of downloaded ones.

    Without apt the missing packages are left out.

    Args:
        packages: names of Debian packages.
        cache: folder of downloaded fonts, a folder each.
        config_file: apt configuration read after the machine's (for other sources).

    Raises:
        UserError: the download fails.
    """
    installed = fonts.installed_packages(packages)
    missing = [name for name in packages if name not in installed]
    if shutil.which("apt-get") is None:
        return list(installed) or list(packages)
    if absent := [name for name in missing if not (cache / name).is_dir()]:
        _download(absent, cache, config_file)
    return [name if name in installed else str(cache / name) for name in packages]


def _download(packages: Sequence[str], cache: Path, config_file: Path | None) -> None:
    """Font files of packages, each in a folder that is whole or absent."""
    cache.mkdir(parents=True, exist_ok=True)
    with apt.locked_cache(cache), apt_packages.downloaded(packages, cache, config_file) as downloads:
        for package in downloads:
            with atomic_directory(cache / package.name) as folder:
                for name, content in apt_packages.files(package.path, _FONT_FILE):
                    (folder / Path(name).name).write_bytes(content)
