"""Faces of the fonts that are installed, and the characters that each of them has."""

from __future__ import annotations

import functools
import shutil
import struct
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from distilmt.config.rendering import RenderingConfig
from distilmt.utils.errors import UserError
from distilmt.utils.extras import explained

if TYPE_CHECKING:
    from fontTools.ttLib import TTFont
    from PIL.ImageFont import FreeTypeFont

SUFFIXES = (".ttf", ".otf", ".ttc", ".otc")
_OUTLINES = ("glyf", "CFF ", "CFF2")
"""Tables of scalable glyphs; fonts with bitmaps alone cannot be drawn at any size."""


@dataclass(frozen=True)
class Face:
    """A face of a font file, such as DejaVu Sans Bold."""

    path: Path
    index: int
    """Number of the face in its file."""
    family: str
    style: str
    characters: frozenset[int] = field(repr=False, compare=False)
    """Code points with a glyph, by the font's `cmap` table."""

    def at_size(self, pixels: int) -> FreeTypeFont:
        """This face at a size.

        Raises:
            UserError: FreeType cannot read the file.
        """
        return _loaded(self.path, self.index, pixels)


def training_faces(config: RenderingConfig) -> list[Face]:
    """The faces of `fonts`, in an order that does not depend on their directories.

    Raises:
        UserError: no font is installed, a file cannot be read, a family is held out too, or a package is missing.
    """
    _check_families(config)
    return faces_of(config.fonts, "fonts")


def held_out_faces(config: RenderingConfig) -> list[Face]:
    """The faces of `held_out_fonts`, as `training_faces`."""
    _check_families(config)
    return faces_of(config.held_out_fonts, "held_out_fonts")


def _check_families(config: RenderingConfig) -> None:
    training, held_out = ({face.family for face in _faces(each)} for each in (config.fonts, config.held_out_fonts))
    if both := sorted(training & held_out):
        raise UserError(f"the font family {both[0]!r} is in both fonts and held_out_fonts: remove it from one of them")


def faces_of(entries: Sequence[str], key: str) -> list[Face]:
    """The faces of Debian packages, font files and directories.

    Args:
        entries: their names and paths.
        key: the key that lists them, for messages.

    Raises:
        UserError: no font is installed, a file cannot be read, or a Python package is missing.
    """
    if faces := _faces(entries):
        return faces
    named = ", ".join(entries[:3]) + (", …" if len(entries) > 3 else "")
    raise UserError(
        f"{key} ({named or 'empty'}): no font with scalable glyphs is installed: install a package "
        "(`apt-get install fonts-dejavu-core`), or name font files or directories"
    )


def _faces(entries: Sequence[str]) -> list[Face]:
    with explained("rendering text"):
        faces = {face for path in _font_files(entries) for face in faces_in(path)}
    return sorted(faces, key=lambda face: (face.family, face.style, face.path.name, face.index))


def _font_files(entries: Sequence[str]) -> Iterator[Path]:
    """Font files of packages, directories and files."""
    packages = [entry for entry in entries if not _is_path(entry)]
    paths = [Path(entry) for entry in entries if _is_path(entry)]
    for path in [*paths, *_package_files(tuple(packages))]:
        if path.is_dir() and path in paths:
            yield from (file for file in sorted(path.rglob("*")) if _is_font(file))
        elif _is_font(path):
            yield path
        elif path in paths:
            raise UserError(f"{path} is no font file or directory: name an existing {', '.join(SUFFIXES)} file")


def _is_path(entry: str) -> bool:
    return "/" in entry or entry.lower().endswith(SUFFIXES) or Path(entry).exists()


def _is_font(path: Path) -> bool:
    return path.suffix.lower() in SUFFIXES and path.is_file()


def installed_packages(packages: Sequence[str]) -> list[str]:
    """Those of some Debian packages that are installed."""
    return [name for name in packages if _package_files((name,))]


@functools.cache
def _package_files(packages: tuple[str, ...]) -> list[Path]:
    """Files of those Debian packages that are installed; none on other systems."""
    if not packages or shutil.which("dpkg-query") is None:
        return []
    command = ["dpkg-query", "--listfiles", *packages]
    output = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    return [Path(line) for line in output.splitlines() if line.startswith("/")]


@functools.cache
def faces_in(path: Path) -> tuple[Face, ...]:
    """The faces of a font file that have scalable glyphs.

    Raises:
        UserError: the file cannot be read.
        ModuleNotFoundError: fontTools is not installed.
    """
    from fontTools.ttLib import TTCollection, TTFont, TTLibError

    is_collection = path.suffix.lower() in (".ttc", ".otc")
    try:
        with TTCollection(str(path), lazy=True) if is_collection else TTFont(str(path), lazy=True) as opened:
            fonts = opened.fonts if isinstance(opened, TTCollection) else [opened]
            return tuple(_face(path, index, font) for index, font in enumerate(fonts) if _is_scalable(font))
    except (TTLibError, OSError, ValueError, KeyError, IndexError, AssertionError, struct.error) as error:
        raise UserError(f"{path} cannot be read as a font: {_first_line(error)}: remove it or name others") from None


def _is_scalable(font: TTFont) -> bool:
    return any(table in font for table in _OUTLINES)


def _face(path: Path, index: int, font: TTFont) -> Face:
    names = font["name"]
    family, style = names.getBestFamilyName(), names.getBestSubFamilyName()
    return Face(path, index, family or path.stem, style or "Regular", frozenset(font.getBestCmap() or ()))


@functools.lru_cache(maxsize=512)
def _loaded(path: Path, index: int, pixels: int) -> FreeTypeFont:
    from PIL import ImageFont

    try:
        return ImageFont.truetype(path, pixels, index=index)
    except OSError as error:
        raise UserError(f"{path} cannot be read as a font: {_first_line(error)}: remove it or name others") from None


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
