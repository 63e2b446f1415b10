"""What the evaluation of students that read pictures adds: conditions of the pictures, and pictures in the report."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import cast

import numpy as np

from distilmt.config import RunConfig
from distilmt.config.systems import BASELINE, STUDENT
from distilmt.evaluation import quality
from distilmt.pipeline.steps.evaluation_inputs import EvaluationInputs, inputs_of_rows, rendered_texts
from distilmt.rendering.renderer import Renderer
from distilmt.report.schema import PictureCondition, PictureFacts, TranslationExample
from distilmt.utils.progress import task
from distilmt.utils.run_dir import read_json, write_json
from distilmt.utils.run_paths import RunPaths

FACTS = "pictures.json"
CONDITION_SENTENCES = 500
"""Most test sentences that are translated under every condition."""
_CONDITIONS = (("held_out", "clean"), ("held_out", "degraded"), ("training", "clean"), ("training", "degraded"))
_SHOWN_SETTINGS = (
    *("height", "columns_per_frame", "max_columns", "min_font_size", "max_font_size", "margin", "clean_fraction"),
    *("dark_fraction", "min_contrast", "shading", "noise", "blur", "jpeg_quality", "rotation", "perspective"),
)
_SHADES = 16
"""Shades of gray of the pictures in a report: more of them would be bytes of noise."""
_MAX_WIDTH, _MAX_HEIGHT, _MAX_PICTURES = 2048, 32, 50
"""Size of the pictures in a report, and how many there are."""


def write_picture_facts(config: RunConfig, directory: Path, names: Sequence[str], test: EvaluationInputs) -> None:
    """Measure the shipped student and baseline on other pictures of the test set, and write `FACTS`, once.

    Args:
        config: the run.
        directory: the directory of the evaluation, in the run's.
        names: all systems.
        test: the sentences with a picture.
    """
    path, paths = directory / FACTS, RunPaths(directory.parent)
    if test.pictures is None or path.exists():
        return
    rendering = config.student.rendering
    faces = Renderer.for_measuring(rendering, config.seed).faces
    facts = PictureFacts(
        rows=test.rows.tolist(),
        left_out=len(inputs_of_rows(paths).rows) - len(test.rows),
        held_out_fonts=sorted({face.family for face in faces}),
        seed=config.seed,
        settings={name: getattr(rendering, name) for name in _SHOWN_SETTINGS},
        conditions=_conditions(config, paths, names, test),
    )
    write_json(path, dict(facts))


def read_picture_facts(config: RunConfig, paths: RunPaths) -> PictureFacts | None:
    """What `write_picture_facts` has written; None for students that read text."""
    path = paths.evaluation / FACTS
    return cast(PictureFacts, read_json(path)) if config.student.input == "image" and path.exists() else None


def evaluated_inputs(config: RunConfig, paths: RunPaths) -> EvaluationInputs:
    """The sentences that were evaluated, without pictures."""
    facts = read_picture_facts(config, paths)
    return inputs_of_rows(paths, None if facts is None else np.array(facts["rows"], dtype=np.int64))


def _conditions(
    config: RunConfig, paths: RunPaths, names: Sequence[str], test: EvaluationInputs
) -> list[PictureCondition]:
    """Scores under all conditions, on an even sample of the texts: those that have a picture under each of them."""
    shipped = [[name for name in names if name.startswith(model)][-1:] for model in (STUDENT, BASELINE)]
    systems = [name for group in shipped for name in group]
    count = min(CONDITION_SENTENCES, len(test.ids))
    sample = test.chosen([number * len(test.ids) // count for number in range(count)])
    rendered = [_pictures(config, sample, *condition) for condition in _CONDITIONS]
    complete = [number for number in range(count) if all(pictures[number] is not None for pictures in rendered)]
    if not complete:
        return []
    results = []
    with task("pictures under other conditions", len(_CONDITIONS) * len(systems), "systems") as bar:
        for (fonts, degradation), pictures in zip(_CONDITIONS, rendered, strict=True):
            usable = [picture for picture in (pictures[number] for number in complete) if picture is not None]
            inputs = replace(sample.chosen(complete), pictures=usable)
            for name in systems:
                translations = inputs.translations(paths.export(name), config.evaluation.beam_of(name))
                scores = quality.score(translations, inputs.references, config.corpus.target)
                results.append(
                    PictureCondition(
                        fonts=fonts,
                        degradation=degradation,
                        system=name,
                        bleu=scores.bleu,
                        chrf=scores.chrf,
                        sentences=len(complete),
                    )
                )
                bar.advance(1)
    return results


def _pictures(config: RunConfig, test: EvaluationInputs, fonts: str, degradation: str) -> list[np.ndarray | None]:
    rendering = replace(config.student.rendering, clean_fraction=float(degradation == "clean"))
    create = Renderer.for_measuring if fonts == "held_out" else Renderer.for_training
    return rendered_texts(create(rendering, config.seed), test.ids, test.sources)


def with_pictures(
    config: RunConfig, test: EvaluationInputs, examples: Sequence[TranslationExample]
) -> list[TranslationExample]:
    """Examples of a report with the pictures that the students have read; unchanged if they read text."""
    if config.student.input == "text":
        return list(examples)
    renderer = Renderer.for_measuring(config.student.rendering, config.seed)
    ids = dict(zip(reversed(test.sources), reversed(test.ids), strict=True))
    sources = [example["source"] for example in examples]
    rendered = rendered_texts(renderer, [ids[source] for source in sources[:_MAX_PICTURES]], sources[:_MAX_PICTURES])
    rendered += [None] * (len(sources) - len(rendered))
    return [
        example if picture is None else {**example, "picture": inline_picture(picture)}
        for example, picture in zip(examples, rendered, strict=True)
    ]


def inline_picture(columns: np.ndarray) -> str:
    """A small PNG in base64: 16 shades, about 33 kB at most before base64.

    Args:
        columns: [columns, height] uint8.
    """
    from PIL import Image

    gray = Image.fromarray(np.ascontiguousarray(columns.T))
    gray.thumbnail((_MAX_WIDTH, _MAX_HEIGHT))
    shades = Image.fromarray(np.asarray(gray) // (256 // _SHADES)).convert("P")
    shades.putpalette([level * 255 // (_SHADES - 1) for level in range(_SHADES) for _channel in range(3)])
    buffer = io.BytesIO()
    shades.save(buffer, "PNG", optimize=True, bits=4)
    return base64.b64encode(buffer.getvalue()).decode("ascii")
