"""Scores of the parts of the test set for the report of a run: by length, by source and by register."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from distilmt.config import RunConfig
from distilmt.data.registers import read_registers
from distilmt.evaluation.score_slices import LENGTH, REGISTER, SOURCE, SliceScore, length_labels, slice_scores
from distilmt.pipeline.steps.evaluation_inputs import EvaluationInputs
from distilmt.utils.run_paths import RunPaths


def scores_of_slices(
    config: RunConfig,
    paths: RunPaths,
    test: EvaluationInputs,
    translations: Mapping[str, Sequence[str]],
    compared: tuple[str, str],
) -> list[SliceScore]:
    """Scores of all parts of the evaluated sentences.

    Args:
        config: the run.
        paths: its paths.
        test: the evaluated sentences.
        translations: by system.
        compared: student and teacher.
    """
    if not test.sources:
        return []
    labels: dict[str, Sequence[str | None]] = {LENGTH: length_labels(test.sources)}
    sources = [source_of(identity) for identity in test.ids]
    if len(set(sources)) > 1:
        labels[SOURCE] = sources
    registers = read_registers(paths.corpus, "test")
    if registers:
        labels[REGISTER] = [registers[row] for row in test.rows.tolist()]
    return slice_scores(translations, test.references, labels, compared, config.seed)


def source_of(identity: str) -> str:
    """The source of a test sentence by its id: `web` of `test-web-000017`, `train` of `test-000017`."""
    return identity.removeprefix("test-").rpartition("-")[0] or "train"
