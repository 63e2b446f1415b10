"""Pictures of many texts on disk, in shards that are whole or absent.

A picture takes as long to render as a small student takes to learn from it. So every text has a few pictures,
`variants` of them, which are rendered once: epochs take them in turn, and student and baseline read the same ones.
"""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from distilmt.rendering.renderer import Renderer
from distilmt.utils.errors import UserError
from distilmt.utils.hardware import cores
from distilmt.utils.parallel import run_in_processes
from distilmt.utils.progress import task
from distilmt.utils.run_dir import atomic_path

logger = logging.getLogger(__name__)

_SHARD_SIZE = 2048
"""Texts of a shard: an interruption loses the pictures of one shard for each process."""
NO_FONT, TOO_WIDE = -1, -2
"""What stands instead of a width where a text has no picture: no font has its characters, or it is too long."""


@dataclass(frozen=True)
class _Shard:
    """The pictures of some texts in one variant, rendered by one process."""

    renderer: Renderer
    ids: list[str]
    texts: list[str]
    variant: int
    path: Path
    """The file of the pixels, [columns, height] uint8, one picture after the other; `.widths.npy` is beside it."""

    @property
    def widths_path(self) -> Path:
        return self.path.with_suffix(".widths.npy")


@dataclass(frozen=True)
class Variant:
    """The pictures of all texts in one variant."""

    widths: np.ndarray
    """[texts]: columns of each picture; `NO_FONT` or `TOO_WIDE` without a picture."""
    pixels: list[np.ndarray]
    """For each shard [columns, height] uint8, mapped from its file."""
    shard_size: int
    """Texts of each shard but the last."""

    @cached_property
    def _begins(self) -> np.ndarray:
        """[texts]: column in the pixels of its shard at which a picture begins."""
        widths = self.widths.clip(0)
        ends = np.cumsum(widths)
        firsts = np.concatenate([[0], ends])[:: self.shard_size][: len(self.pixels)]
        begins: np.ndarray = ends - widths - np.repeat(firsts, self.shard_size)[: len(widths)]
        return begins

    def picture(self, number: int) -> np.ndarray:
        """The picture of a text, [columns, height] uint8."""
        begin = self._begins[number]
        picture: np.ndarray = self.pixels[number // self.shard_size][begin : begin + self.widths[number]]
        return picture


class PictureCache:
    """The pictures of a list of texts in a directory of their own, which may be deleted at any time.

    Its name is a fingerprint of the texts, fonts and settings: other ones are rendered into another directory.
    """

    def __init__(
        self,
        renderer: Renderer,
        ids: Sequence[str],
        texts: Sequence[str],
        root: Path,
        shard_size: int = _SHARD_SIZE,
    ) -> None:
        """Render nothing yet.

        Args:
            renderer: fonts, settings and seed.
            ids: the id of every text.
            texts: the texts.
            root: the directory for the directories of all caches.
            shard_size: texts of a file, which one process renders.
        """
        self.shard_size = shard_size
        self.renderer, self.ids, self.texts, self.root = renderer, list(ids), list(texts), root
        self.directory = root / _fingerprint(renderer, self.ids, self.texts)
        self._opened: tuple[int, Variant] | None = None

    def __len__(self) -> int:
        return len(self.texts)

    def variant(self, epoch: int) -> Variant:
        """The pictures of an epoch; those of absent shards are rendered first, by one process for each core.

        Raises:
            UserError: no text can be rendered, or a file is damaged.
        """
        number = epoch % self.renderer.config.variants
        if self._opened is None or self._opened[0] != number:
            has_rendered = self._render(number)
            self._opened = number, self._open(number)
            if number == 0:
                _report_absent(self._opened[1].widths, self.renderer, loud=has_rendered)
        return self._opened[1]

    def _shards(self, variant: int) -> Iterator[_Shard]:
        for begin in range(0, len(self), self.shard_size):
            rows = slice(begin, begin + self.shard_size)
            path = self.directory / f"variant-{variant}" / f"{begin // self.shard_size:05d}.npy"
            yield _Shard(self.renderer, self.ids[rows], self.texts[rows], variant, path)

    def _render(self, variant: int) -> bool:
        """Render the absent shards; whether there were any."""
        shards = list(self._shards(variant))
        absent = [shard for shard in shards if not shard.path.exists()]
        if not absent:
            return False
        rendered = len(self) - sum(len(shard.ids) for shard in absent)
        with task("rendering pictures", len(self), "pictures", rendered) as bar:
            for shard in _rendered(absent):
                bar.advance(len(shard.ids))
        return True

    def _open(self, variant: int) -> Variant:
        shards = list(self._shards(variant))
        widths = [_read(shard.widths_path) for shard in shards]
        pixels = [_read(shard.path) for shard in shards]
        for shard, own, pictures in zip(shards, widths, pixels, strict=True):
            if len(own) != len(shard.ids) or own.clip(0).sum() != len(pictures):
                raise UserError(f"{shard.path} is damaged: delete {self.root}; the pictures are then rendered again")
        return Variant(np.concatenate(widths), pixels, self.shard_size)


def remove_pictures(root: Path) -> None:
    """Delete the directories of all caches below `root`, and nothing else in it."""
    for directory in root.glob("pictures-*"):
        shutil.rmtree(directory, ignore_errors=True)
    if root.is_dir() and not any(root.iterdir()):
        root.rmdir()


def _rendered(shards: list[_Shard]) -> Iterator[_Shard]:
    """Render shards; yields each when it is complete."""
    jobs = min(cores(), len(shards))
    if jobs > 1:
        yield from run_in_processes(_render_shard, shards, jobs)
        return
    for shard in shards:
        _render_shard(shard)
        yield shard


def _render_shard(shard: _Shard) -> None:
    pictures, widths = [], np.empty(len(shard.ids), np.int32)
    for number, (text_id, text) in enumerate(zip(shard.ids, shard.texts, strict=True)):
        picture = shard.renderer.picture_of(text, text_id, shard.variant)
        if picture is None:
            widths[number] = TOO_WIDE if shard.renderer.covers(text) else NO_FONT
        else:
            pictures.append(picture)
            widths[number] = len(picture)
    pixels = np.concatenate([np.empty((0, shard.renderer.config.height), np.uint8), *pictures])
    # The pixels come last: where they are, the shard is complete.
    for path, values in ((shard.widths_path, widths), (shard.path, pixels)):
        with atomic_path(path) as temporary, temporary.open("wb") as file:
            np.save(file, values)


def _read(path: Path) -> np.ndarray:
    try:
        values: np.ndarray = np.load(path, mmap_mode="r", allow_pickle=False)
        return values
    except (OSError, ValueError, EOFError):
        raise UserError(f"{path} is damaged: delete {path.parent}; its pictures are then rendered again") from None


def _report_absent(widths: np.ndarray, renderer: Renderer, loud: bool) -> None:
    """A message on texts without a picture; `loud` is false if it was logged before.

    Raises:
        UserError: there is no picture at all.
    """
    no_font, too_wide = int((widths == NO_FONT).sum()), int((widths == TOO_WIDE).sum())
    if not no_font + too_wide:
        return
    families = sorted({face.family for face in renderer.faces})
    named = ", ".join(families[:3]) + (f" and {len(families) - 3} more" if len(families) > 3 else "")
    reasons = [f"{no_font:,} have characters that no font has ({named})"] if no_font else []
    reasons += [f"{too_wide:,} are wider than {renderer.config.max_columns:,} columns"] if too_wide else []
    text = f"{no_font + too_wide:,} of {len(widths):,} texts have no picture: {', '.join(reasons)}"
    if no_font + too_wide == len(widths):
        raise UserError(
            f"{text}: install fonts of the script (`apt-get install fonts-dejavu-core`; for Chinese `fonts-noto-cjk`), "
            "or name font files in student.rendering.fonts"
        )
    if loud:
        logger.warning(f"{text}: they are left out")


def _fingerprint(renderer: Renderer, ids: list[str], texts: list[str]) -> str:
    from PIL import __version__ as pillow

    faces = [(str(face.path), face.index, face.path.stat().st_size) for face in renderer.faces]
    head = json.dumps([asdict(renderer.config), renderer.seed, faces, pillow])
    digest = hashlib.sha256(head.encode())
    for text_id, text in zip(ids, texts, strict=True):
        digest.update(json.dumps([text_id, text]).encode())
    return f"pictures-{digest.hexdigest()[:12]}"
