"""What the systems of a run translate: the test texts and, for students of frames, their pictures or recordings."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from distilmt.config import RunConfig
from distilmt.data import prepare
from distilmt.inference.base import DecodingOptions
from distilmt.inference.frame_translator import load_frame_translator
from distilmt.inference.manifest import input_of
from distilmt.rendering.renderers import measuring_renderer
from distilmt.rendering.text_renderer import present
from distilmt.teachers.remote import load_translation_model
from distilmt.utils.errors import UserError
from distilmt.utils.hardware import cores
from distilmt.utils.run_paths import RunPaths

logger = logging.getLogger(__name__)

_NOTHING = {
    "image": "the held-out fonts have no picture of any test text: install fonts of its script, or name font files in "
    "student.rendering.held_out_fonts",
    "speech": "the held-out voices speak no test text: name voices of its language in student.voices.held_out_voices, "
    "or raise student.voices.max_seconds",
}


@dataclass(frozen=True)
class EvaluationInputs:
    """The sentences that all systems of a run translate, in the order of the test set."""

    ids: list[str]
    sources: list[str]
    references: list[str]
    rows: np.ndarray
    """Their numbers in the test set."""
    perceived: list[np.ndarray] | None = None
    """What students perceive instead of `sources`: pictures, [columns, height] uint8 each, or recordings, [samples]
    float32 each; None: they read the text."""

    def chosen(self, places: Sequence[int]) -> EvaluationInputs:
        """Some of the sentences, by their places among these."""
        ids, sources, references = ([column[i] for i in places] for column in (self.ids, self.sources, self.references))
        perceived = None if self.perceived is None else [self.perceived[i] for i in places]
        return EvaluationInputs(ids, sources, references, self.rows[np.asarray(places, dtype=np.int64)], perceived)

    def translations(self, export: Path, beam_size: int) -> list[str]:
        """The translations by an export, which reads the texts or perceives what is rendered of them."""
        if self.perceived is not None and input_of(export) != "text":
            translator = load_frame_translator(export, threads=1, workers=cores())
            ranked = translator.hypotheses(self.perceived, DecodingOptions(beam_size=beam_size))
            return [hypotheses[0].text if hypotheses else "" for hypotheses in ranked]
        return load_translation_model(export, threads=1, workers=cores()).translate(self.sources, beam_size)


def evaluation_inputs(config: RunConfig, paths: RunPaths) -> EvaluationInputs:
    """The test set of a run, rendered in the held-out fonts or by the held-out voices for students of frames.

    Texts that cannot be rendered are left out for all systems.

    Raises:
        UserError: fonts or voices are missing, or no text can be rendered.
    """
    frames = config.frames
    if frames is None:
        return inputs_of_rows(paths)
    table = prepare.load_split(paths.corpus, "test")
    renderer = measuring_renderer(frames, config.seed)
    rendered = present(renderer.sources(table["source"].to_pylist(), table["id"].to_pylist()))
    rows = np.array([row for row, source in enumerate(rendered) if source is not None], dtype=np.int64)
    if not len(rows):
        raise UserError(_NOTHING[config.student.input])
    if len(rows) < len(rendered):
        left_out = f"{len(rendered) - len(rows)} of {len(rendered)} test texts have no {renderer.noun}"
        logger.info(f"{left_out}: they are left out")
    return inputs_of_rows(paths, rows, [source for source in rendered if source is not None])


def inputs_of_rows(
    paths: RunPaths, rows: np.ndarray | None = None, perceived: list[np.ndarray] | None = None
) -> EvaluationInputs:
    """The test set, or some rows of it with their pictures or recordings."""
    table: pa.Table = prepare.load_split(paths.corpus, "test")
    rows = np.arange(table.num_rows) if rows is None else rows
    ids, sources, references = (table.take(rows)[name].to_pylist() for name in ("id", "source", "target"))
    return EvaluationInputs(ids, sources, references, rows, perceived)
