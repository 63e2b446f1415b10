"""What the evaluation of students of frames adds: scores on other pictures or recordings, and these in the report."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import cast

import numpy as np

from distilmt.audio.wav import wav_bytes
from distilmt.config import RunConfig
from distilmt.config.student import FrameConfig
from distilmt.config.systems import BASELINE, STUDENT
from distilmt.config.voices import VoicesConfig
from distilmt.evaluation import quality
from distilmt.pipeline.steps.evaluation_inputs import EvaluationInputs, inputs_of_rows
from distilmt.rendering.renderers import measuring_renderer, training_renderer
from distilmt.rendering.text_renderer import present
from distilmt.report.schema import PictureFacts, SpeechFacts, TranslationExample
from distilmt.utils.json_types import JsonObject
from distilmt.utils.progress import task
from distilmt.utils.run_dir import read_json, write_json
from distilmt.utils.run_paths import RunPaths

CONDITION_SENTENCES, CONDITION_UTTERANCES = 500, 200
"""Most test sentences that are translated under every condition, as pictures and as recordings."""
_CONDITIONS = (("held_out", "clean"), ("held_out", "degraded"), ("training", "clean"), ("training", "degraded"))
_PICTURE_SETTINGS = (
    *("height", "columns_per_frame", "max_columns", "min_font_size", "max_font_size", "margin", "clean_fraction"),
    *("dark_fraction", "min_contrast", "shading", "noise", "blur", "jpeg_quality", "rotation", "perspective"),
)
_SPEECH_SETTINGS = (
    *("stack", "max_seconds", "min_speed", "max_speed", "pitch", "margin", "clean_fraction", "min_snr"),
    *("reverberation", "telephone_fraction", "quietest"),
)
_SHADES = 16
"""Shades of gray of the pictures in a report: more of them would be bytes of noise."""
_MAX_WIDTH, _MAX_HEIGHT, _MAX_PICTURES = 2048, 32, 50
"""Size of the pictures in a report, and how many there are."""
_MAX_RECORDINGS = 10
"""Recordings in a report: one has 32 kB a second."""


def write_frame_facts(config: RunConfig, directory: Path, names: Sequence[str], test: EvaluationInputs) -> None:
    """Measure the shipped student and baseline on other pictures or recordings, and write their facts, once.

    Args:
        config: the run.
        directory: the directory of the evaluation, in the run's.
        names: all systems.
        test: the sentences with a picture or recording.
    """
    path, paths, frames = directory / _facts_file(config), RunPaths(directory.parent), config.frames
    if frames is None or path.exists():
        return
    is_speech = config.student.input == "speech"
    facts = {
        "rows": test.rows.tolist(),
        "left_out": len(inputs_of_rows(paths).rows) - len(test.rows),
        "held_out_voices" if is_speech else "held_out_fonts": measuring_renderer(frames, config.seed).names,
        "seed": config.seed,
        "settings": {name: getattr(frames, name) for name in (_SPEECH_SETTINGS if is_speech else _PICTURE_SETTINGS)},
        "conditions": _conditions(config, frames, paths, names, test),
    }
    write_json(path, facts)


def read_picture_facts(config: RunConfig, paths: RunPaths) -> PictureFacts | None:
    """What `write_frame_facts` has written on pictures; None for students that read none."""
    return cast("PictureFacts | None", _facts(config, paths, "image"))


def read_speech_facts(config: RunConfig, paths: RunPaths) -> SpeechFacts | None:
    """What `write_frame_facts` has written on recordings; None for students that hear none."""
    return cast("SpeechFacts | None", _facts(config, paths, "speech"))


def _facts(config: RunConfig, paths: RunPaths, kind: str) -> object:
    path = paths.evaluation / _facts_file(config)
    return read_json(path) if config.student.input == kind and path.exists() else None


def _facts_file(config: RunConfig) -> str:
    return "speech.json" if config.student.input == "speech" else "pictures.json"


def evaluated_inputs(config: RunConfig, paths: RunPaths) -> EvaluationInputs:
    """The sentences that were evaluated, without pictures or recordings."""
    facts = read_picture_facts(config, paths) or read_speech_facts(config, paths)
    return inputs_of_rows(paths, None if facts is None else np.array(facts["rows"], dtype=np.int64))


def _conditions(
    config: RunConfig, frames: FrameConfig, paths: RunPaths, names: Sequence[str], test: EvaluationInputs
) -> list[JsonObject]:
    """Scores under all conditions, on an even sample of the texts: those that can be rendered under each of them."""
    shipped = [[name for name in names if name.startswith(model)][-1:] for model in (STUDENT, BASELINE)]
    systems = [name for group in shipped for name in group]
    most = CONDITION_UTTERANCES if config.student.input == "speech" else CONDITION_SENTENCES
    count = min(most, len(test.ids))
    sample = test.chosen([number * len(test.ids) // count for number in range(count)])
    rendered = [_rendered(frames, config.seed, sample, *condition) for condition in _CONDITIONS]
    complete = [number for number in range(count) if all(sources[number] is not None for sources in rendered)]
    if not complete:
        return []
    results: list[JsonObject] = []
    material_key = "voices" if config.student.input == "speech" else "fonts"
    with task("under other conditions", len(_CONDITIONS) * len(systems), "systems") as bar:
        for (material, degradation), sources in zip(_CONDITIONS, rendered, strict=True):
            usable = [source for source in (sources[number] for number in complete) if source is not None]
            inputs = replace(sample.chosen(complete), perceived=usable)
            for name in systems:
                translations = inputs.translations(paths.export(name), config.evaluation.beam_of(name))
                scores = quality.score(translations, inputs.references, config.corpus.target)
                figures: JsonObject = {"bleu": scores.bleu, "chrf": scores.chrf, "sentences": len(complete)}
                results.append({material_key: material, "degradation": degradation, "system": name, **figures})
                bar.advance(1)
    return results


def _rendered(
    frames: FrameConfig, seed: int, test: EvaluationInputs, material: str, degradation: str
) -> list[np.ndarray | None]:
    changed = replace(frames, clean_fraction=float(degradation == "clean"))
    if isinstance(changed, VoicesConfig):  # conditions are of voices: recordings are as they are
        changed = replace(changed, recordings=[], held_out_recordings=[])
    create = measuring_renderer if material == "held_out" else training_renderer
    return present(create(changed, seed).sources(test.sources, test.ids))


def with_frames(
    config: RunConfig, test: EvaluationInputs, examples: Sequence[TranslationExample]
) -> list[TranslationExample]:
    """Examples of a report with what the students have read or heard; unchanged if they read text."""
    if config.frames is None:
        return list(examples)
    is_speech = config.student.input == "speech"
    ids = dict(zip(reversed(test.sources), reversed(test.ids), strict=True))
    shown = [example["source"] for example in examples][: _MAX_RECORDINGS if is_speech else _MAX_PICTURES]
    renderer = measuring_renderer(config.frames, config.seed)
    rendered = present(renderer.sources(shown, [ids[source] for source in shown]))
    rendered += [None] * (len(examples) - len(rendered))
    return [
        example if source is None else _with_source(example, source)
        for example, source in zip(examples, rendered, strict=True)
    ]


def _with_source(example: TranslationExample, source: np.ndarray) -> TranslationExample:
    if source.dtype == np.float32:
        return {**example, "recording": base64.b64encode(wav_bytes(source)).decode("ascii")}
    return {**example, "picture": inline_picture(source)}


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
