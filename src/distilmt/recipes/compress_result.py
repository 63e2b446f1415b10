"""What `distilmt compress` ships: a copy of the selected export with its beam size, and its model card."""

from __future__ import annotations

import shutil
from dataclasses import asdict, replace
from pathlib import Path

from distilmt.compression.search import EvaluatedVariant
from distilmt.config import RunConfig
from distilmt.config.choices import Metric
from distilmt.export.card import write_card
from distilmt.export.ctranslate2 import CTranslate2Exporter
from distilmt.inference.manifest import load_manifest, write_manifest
from distilmt.pipeline.steps.export import PACKED, card
from distilmt.report.ablation_schema import Candidate, StageResult
from distilmt.utils.run_dir import atomic_directory, read_step
from distilmt.utils.step_results import ModelResult, result_of


def ship(export: Path, beam_size: int, model: Path) -> None:
    """Copy the selected export to a directory, with its beam size."""
    with atomic_directory(model) as place:
        shutil.copytree(export, place, dirs_exist_ok=True)
        write_manifest(place, {**load_manifest(place), "beam_size": beam_size})


def write_model_card(
    run: RunConfig, metric: Metric, chosen: EvaluatedVariant, stage: StageResult, weights: Path
) -> None:
    """Write the model card of the shipped model: origin and scores.

    Args:
        run: the run.
        metric: metric of the search.
        chosen: the selected variant.
        stage: its measurements on the test set.
        weights: directory of the model before its export.
    """
    about = card(run, "student")
    scores = {f"validation {metric}": chosen.score}
    scores |= {"test bleu": stage["scores"]["bleu"], "test chrf": stage["scores"]["chrf"]}
    model_signature = f"{about.signature}|compressed:{chosen.variant.name}"
    parameters = result_of(ModelResult, read_step(weights)).parameters
    about = replace(about, scores=scores, signature=model_signature, parameters=parameters)
    form = CTranslate2Exporter(chosen.variant.compute_type).form
    form = replace(form, use=form.use + (PACKED if chosen.variant.packed else ""))
    write_card(run.paths.compressed_model, about, form)


def candidate(point: EvaluatedVariant) -> Candidate:
    """A variant as the report has it."""
    return {
        "variant": asdict(point.variant),
        "name": point.variant.name,
        "bytes": point.bytes,
        "score": point.score,
        "milliseconds": point.milliseconds,
        "breaches": None if point.breaches is None else list(point.breaches),
    }
