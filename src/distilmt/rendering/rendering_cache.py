"""Pictures or recordings of many texts on disk, in shards that are whole or absent.

A picture takes as long to render as a small student takes to learn from it, and a recording takes longer. So every text
has a few of them, `variants`, which are rendered once: epochs take them in turn, and student and baseline read the same
ones.
"""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from distilmt.rendering.text_renderer import Absence, TextRenderer
from distilmt.utils.errors import UserError
from distilmt.utils.hardware import cores
from distilmt.utils.parallel import run_in_processes
from distilmt.utils.progress import task
from distilmt.utils.run_dir import atomic_path

logger = logging.getLogger(__name__)

_SHARD_SIZE = 2048
"""Texts of a shard: an interruption loses the work of one shard for each process."""


@dataclass(frozen=True)
class _Shard:
    """The rendered texts of one variant that one process renders."""

    renderer: TextRenderer
    ids: list[str]
    texts: list[str]
    variant: int
    path: Path
    """The file of all rows, [rows, row size] uint8, one text after the other; `.lengths.npy` is beside it."""

    @property
    def lengths_path(self) -> Path:
        return self.path.with_suffix(".lengths.npy")


@dataclass(frozen=True)
class Variant:
    """All rendered texts in one variant."""

    lengths: np.ndarray
    """[texts]: rows of each text, such as columns of its picture; an `Absence` where it has none."""
    rows: list[np.ndarray]
    """For each shard [rows, row size] uint8, mapped from its file."""
    shard_size: int
    """Texts of each shard but the last."""

    @cached_property
    def _begins(self) -> np.ndarray:
        """[texts]: number of the row in its shard at which a text begins."""
        lengths = self.lengths.clip(0)
        ends = np.cumsum(lengths, dtype=np.int64)
        firsts = np.concatenate([[0], ends])[:: self.shard_size][: len(self.rows)]
        begins: np.ndarray = ends - lengths - np.repeat(firsts, self.shard_size)[: len(lengths)]
        return begins

    def rendered(self, number: int) -> np.ndarray:
        """The rows of a text, [length, row size] uint8."""
        begin = self._begins[number]
        rows: np.ndarray = self.rows[number // self.shard_size][begin : begin + self.lengths[number]]
        return rows


class RenderingCache:
    """The pictures or recordings of a list of texts in a directory of their own, which may be deleted at any time.

    Its name is a fingerprint of the texts, fonts or voices, and settings: others are rendered into another directory.
    """

    def __init__(
        self,
        renderer: TextRenderer,
        ids: Sequence[str],
        texts: Sequence[str],
        root: Path,
        shard_size: int = _SHARD_SIZE,
    ) -> None:
        """Render nothing yet.

        Args:
            renderer: fonts or voices, settings and seed.
            ids: the id of every text.
            texts: the texts.
            root: the directory for the directories of all caches.
            shard_size: texts of a file, which one process renders.
        """
        self.shard_size = shard_size
        self.renderer, self.ids, self.texts, self.root = renderer, list(ids), list(texts), root
        self.directory = root / f"{renderer.noun}-{_fingerprint(renderer, self.ids, self.texts)}"
        self._opened: tuple[int, Variant] | None = None

    def __len__(self) -> int:
        return len(self.texts)

    def variant(self, epoch: int) -> Variant:
        """The rendered texts of an epoch; absent shards are rendered first, by one process for each core.

        Raises:
            UserError: no text can be rendered, or a file is damaged.
        """
        number = epoch % self.renderer.variants
        if self._opened is None or self._opened[0] != number:
            has_rendered = self._render(number)
            self._opened = number, self._open(number)
            if number == 0:
                _report_absent(self._opened[1].lengths, self.renderer, loud=has_rendered)
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
        rendered, noun = len(self) - sum(len(shard.ids) for shard in absent), self.renderer.noun
        with task(f"rendering {noun}", len(self), noun, rendered) as bar:
            for shard in _rendered(absent):
                bar.advance(len(shard.ids))
        return True

    def _open(self, variant: int) -> Variant:
        shards = list(self._shards(variant))
        lengths = [self._read(shard.lengths_path) for shard in shards]
        rows = [self._read(shard.path) for shard in shards]
        for shard, own, values in zip(shards, lengths, rows, strict=True):
            if len(own) != len(shard.ids) or own.clip(0).sum(dtype=np.int64) != len(values):
                raise UserError(self._damage(shard.path))
        return Variant(np.concatenate(lengths), rows, self.shard_size)

    def _read(self, path: Path) -> np.ndarray:
        try:
            values: np.ndarray = np.load(path, mmap_mode="r", allow_pickle=False)
            return values
        except (OSError, ValueError, EOFError):
            raise UserError(self._damage(path)) from None

    def _damage(self, path: Path) -> str:
        return f"{path} is damaged: delete {self.root}; the {self.renderer.noun} are then rendered again"


def remove_renderings(root: Path) -> None:
    """Delete the directories of all caches below `root`, and nothing else in it."""
    for noun in ("pictures", "recordings"):
        for directory in root.glob(f"{noun}-*"):
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
    renderer, rendered, lengths = shard.renderer, [], np.empty(len(shard.ids), np.int32)
    for number, source in enumerate(renderer.sources(shard.texts, shard.ids, shard.variant)):
        if isinstance(source, Absence):
            lengths[number] = source
        else:
            rendered.append(renderer.rows(source))
            lengths[number] = len(rendered[-1])
    rows = np.concatenate([np.empty((0, renderer.row_size), np.uint8), *rendered])
    # The rows come last: where they are, the shard is complete.
    for path, values in ((shard.lengths_path, lengths), (shard.path, rows)):
        with atomic_path(path) as temporary, temporary.open("wb") as file:
            np.save(file, values)


def _report_absent(lengths: np.ndarray, renderer: TextRenderer, loud: bool) -> None:
    """A message on texts that could not be rendered; `loud` is false if it was logged before.

    Raises:
        UserError: nothing could be rendered.
    """
    counts = {absence: int((lengths == absence).sum()) for absence in Absence}
    total = sum(counts.values())
    if not total:
        return
    reasons = [f"{count:,} {renderer.absence_reason(absence)}" for absence, count in counts.items() if count]
    text = f"{total:,} of {len(lengths):,} texts have no {renderer.noun}: {', '.join(reasons)}"
    if total == len(lengths):
        raise UserError(f"{text}: {renderer.remedy}")
    if loud:
        logger.warning(f"{text}: they are left out")


def _fingerprint(renderer: TextRenderer, ids: list[str], texts: list[str]) -> str:
    digest = hashlib.sha256(json.dumps(renderer.fingerprint()).encode())
    for text_id, text in zip(ids, texts, strict=True):
        digest.update(json.dumps([text_id, text]).encode())
    return digest.hexdigest()[:12]
