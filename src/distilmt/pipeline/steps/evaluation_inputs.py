"""What the systems of a run translate: the test texts and, if its students read pictures, pictures of them."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from distilmt.config import RunConfig
from distilmt.data import prepare
from distilmt.inference.image_translator import ImageTranslator
from distilmt.inference.manifest import reads_pictures
from distilmt.rendering.renderer import Renderer
from distilmt.teachers.remote import load_translation_model
from distilmt.utils.errors import UserError
from distilmt.utils.hardware import cores
from distilmt.utils.run_paths import RunPaths

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class EvaluationInputs:
    """The sentences that all systems of a run translate, in the order of the test set."""

    ids: list[str]
    sources: list[str]
    references: list[str]
    rows: np.ndarray
    """Their numbers in the test set."""
    pictures: list[np.ndarray] | None = None
    """What students read instead of `sources`, [columns, height] uint8 each; None: they read the text."""

    def chosen(self, places: Sequence[int]) -> EvaluationInputs:
        """Some of the sentences, by their places among these."""
        ids, sources, references = ([column[i] for i in places] for column in (self.ids, self.sources, self.references))
        pictures = None if self.pictures is None else [self.pictures[i] for i in places]
        return EvaluationInputs(ids, sources, references, self.rows[np.asarray(places, dtype=np.int64)], pictures)

    def translations(self, export: Path, beam_size: int) -> list[str]:
        """The translations by an export, which reads the texts or the pictures."""
        if self.pictures is not None and reads_pictures(export):
            translator = ImageTranslator(export, threads=1, workers=cores())
            return translator.translate_lines(self.pictures, beam_size)
        return load_translation_model(export, threads=1, workers=cores()).translate(self.sources, beam_size)


def evaluation_inputs(config: RunConfig, paths: RunPaths) -> EvaluationInputs:
    """The test set of a run, rendered in the held-out fonts if its students read pictures.

    Texts of which there is no picture are left out for all systems.

    Raises:
        UserError: fonts are missing, or there is no picture of any text.
    """
    if config.student.input == "text":
        return inputs_of_rows(paths)
    table = prepare.load_split(paths.corpus, "test")
    renderer = Renderer.for_measuring(config.student.rendering, config.seed)
    rendered = rendered_texts(renderer, table["id"].to_pylist(), table["source"].to_pylist())
    rows = np.array([row for row, picture in enumerate(rendered) if picture is not None], dtype=np.int64)
    if not len(rows):
        raise UserError(
            "the held-out fonts have no picture of any test text: install fonts of its script, or name font files in "
            "student.rendering.held_out_fonts"
        )
    if len(rows) < len(rendered):
        logger.info(f"{len(rendered) - len(rows)} of {len(rendered)} test texts have no picture: they are left out")
    return inputs_of_rows(paths, rows, [picture for picture in rendered if picture is not None])


def inputs_of_rows(
    paths: RunPaths, rows: np.ndarray | None = None, pictures: list[np.ndarray] | None = None
) -> EvaluationInputs:
    """The test set, or some rows of it with their pictures."""
    table: pa.Table = prepare.load_split(paths.corpus, "test")
    rows = np.arange(table.num_rows) if rows is None else rows
    ids, sources, references = (table.take(rows)[name].to_pylist() for name in ("id", "source", "target"))
    return EvaluationInputs(ids, sources, references, rows, pictures)


def rendered_texts(renderer: Renderer, ids: list[str], texts: list[str]) -> list[np.ndarray | None]:
    """The picture of each text, [columns, height] uint8; None if there is none."""
    return [renderer.picture_of(text, text_id) for text, text_id in zip(texts, ids, strict=True)]
