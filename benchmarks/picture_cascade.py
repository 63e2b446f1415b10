"""A student that reads pictures beside what a user would do: text recognition, then a translation of the text.

    apt-get install tesseract-ocr
    python benchmarks/picture_cascade.py RUN [--text_student EXPORT] [--teacher EXPORT] [--sentences 250]

RUN is the directory of a run with `student.input: image`. Its test sentences are rendered clean and degraded, in the
fonts of training and in the held-out ones, and there once more beyond the degradation of the training. Recognizers get
the pictures in the size in which they are rendered; the student's are scaled to its height. Texts without a picture
under one of the conditions are left out.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import ocr
from turns import HERE, write

from distilmt.config import RunConfig
from distilmt.config.run_loading import load_run_dir
from distilmt.data import prepare
from distilmt.data import tokenizer as tokenizers
from distilmt.evaluation.quality import paired_bootstrap, score
from distilmt.export.formats import export_for_translation
from distilmt.models.checkpoint import load_model
from distilmt.rendering.renderer import Renderer, UnrenderableError
from distilmt.utils import pretrained
from distilmt.utils.sizes import total_bytes

CONDITIONS = [
    ("held-out", "clean"),
    ("held-out", "degraded"),
    ("held-out", "strongly degraded"),
    ("training", "clean"),
    ("training", "degraded"),
]
"""Fonts, and what was done to the pictures."""
STRONG = {"min_contrast": 0.1, "noise": 48.0, "blur": 3.0, "jpeg_quality": 5}
"""Bounds of strong degradation, beyond those of the training."""
PICTURES, NO_PICTURES = "picture student", "the text itself"
READERS = {"tesseract": "Tesseract", "rapidocr": "RapidOCR"}
Readings = dict[tuple[str, str], ocr.Reading]


@dataclass
class TestTexts:
    """Sentences that have a picture under every condition."""

    sources: list[str]
    references: list[str]


def renderers(config: RunConfig) -> dict[tuple[str, str], Renderer]:
    result = {}
    for fonts, degradation in CONDITIONS:
        bounds = STRONG if degradation == "strongly degraded" else {}
        rendering = replace(config.student.rendering, clean_fraction=float(degradation == "clean"), **bounds)
        create = Renderer.for_measuring if fonts == "held-out" else Renderer.for_training
        result[fonts, degradation] = create(rendering, config.seed)
    return result


def write_pictures(config: RunConfig, directory: Path, count: int) -> TestTexts:
    """Render an even sample of the test set into a folder for each condition."""
    table, by_condition = prepare.load_split(config.paths.corpus, "test"), renderers(config)
    texts = TestTexts([], [])
    step = max(1, table.num_rows // (count + count // 4))
    for row in table.take(list(range(0, table.num_rows, step))).to_pylist():
        try:
            images = [each.line_image(row["source"], row["id"]) for each in by_condition.values()]
        except UnrenderableError:
            continue
        for condition, image in zip(CONDITIONS, images, strict=True):
            (folder := folder_of(directory, condition)).mkdir(exist_ok=True)
            image.save(folder / f"{len(texts.sources):05}.png")
        texts.sources.append(row["source"])
        texts.references.append(row["target"])
        if len(texts.sources) == count:
            break
    return texts


def folder_of(directory: Path, condition: tuple[str, str]) -> Path:
    return directory / "-".join(condition)


def measured(kind: str, source: Path, model: str = "") -> ocr.Reading:
    """Run a part of `arms/picture_line.py`."""
    spec = json.dumps({"kind": kind, "source": str(source), "model": model})
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join([str(HERE), *sys.path])}
    command = [sys.executable, HERE / "arms" / "picture_line.py", spec]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    if done.returncode:
        sys.exit(f"{spec} failed:\n{done.stderr[-3000:]}")
    reading = ocr.Reading(**json.loads(done.stdout.splitlines()[-1]))
    print(f"{kind} {source.name}: {reading.ms:.0f} ms, {reading.texts[0][:60]!r}", file=sys.stderr, flush=True)
    return reading


def exported(run: Path, config: RunConfig, temporary: Path) -> Path:
    """The student's export in int8: that of the run, or a new one of the trained model."""
    if (run / "exports" / "student-int8").is_dir():
        return run / "exports" / "student-int8"
    model, tokenizer = load_model(run / "student"), tokenizers.load(run / "tokenizer")
    export_for_translation(model, tokenizer, temporary, "int8", frames=config.frames)
    return temporary


def teacher_of(run: Path) -> Path | None:
    """The teacher's export in a run: in float32, or that in int8 which has made the labels."""
    names = ("exports/teacher", "exports/teacher-int8", "labels/teacher-int8", "labels/teacher-float32")
    return next((run / name for name in names if (run / name).is_dir()), None)


def cascades(directory: Path, models: Mapping[str, Path], language: str) -> tuple[dict[str, Readings], Readings]:
    """Translations of all conditions by every cascade, and what its recognizers have read."""
    systems: dict[str, Readings] = {}
    recognized: Readings = {}
    for reader, condition in itertools.product(READERS, CONDITIONS):
        reading = measured(reader, folder_of(directory, condition), language)
        recognized[reader, ", ".join(condition)] = reading
        (file := directory / "texts.json").write_text(json.dumps(reading.texts))
        for name, model in models.items():
            translated = measured("text", file, str(model))
            ms, peak = reading.ms + translated.ms, reading.peak_bytes + translated.peak_bytes
            systems.setdefault(f"{READERS[reader]} + {name}", {})[condition] = ocr.Reading(translated.texts, ms, peak)
    return systems, recognized


def without_pictures(directory: Path, models: Mapping[str, Path], texts: TestTexts) -> dict[str, Readings]:
    """Translations of the texts themselves, which no recognition can surpass."""
    (file := directory / "texts.json").write_text(json.dumps(texts.sources))
    readings = {name: measured("text", file, str(model)) for name, model in models.items()}
    return {f"{NO_PICTURES} + {name}": dict.fromkeys(CONDITIONS, reading) for name, reading in readings.items()}


def quality_table(systems: Mapping[str, Readings], texts: TestTexts, target: str) -> str:
    lines = head("BLEU, chrF")
    for name, readings in systems.items():
        scores = [score(readings[each].texts, texts.references, target) for each in CONDITIONS]
        lines.append(f"| {name} | " + " | ".join(f"{each.bleu:.1f}, {each.chrf:.1f}" for each in scores) + " |")
    return "\n".join(lines)


def head(title: str) -> list[str]:
    titles = [f"{fonts} fonts, {degradation}" for fonts, degradation in CONDITIONS]
    return [f"| {title} | {' | '.join(titles)} |", "|---|" + "---:|" * len(titles)]


def recognition_table(recognized: Readings, sources: Sequence[str]) -> str:
    lines = head("character errors, %")
    for reader, name in READERS.items():
        rates = [ocr.character_errors(recognized[reader, ", ".join(each)].texts, sources) for each in CONDITIONS]
        lines.append(f"| {name} | " + " | ".join(f"{rate:.1f}" for rate in rates) + " |")
    return "\n".join(lines)


def cost_table(systems: Mapping[str, Readings], sizes: Mapping[str, int]) -> str:
    lines = ["| | MB of models | ms per picture | peak MB |", "|---|---:|---:|---:|"]
    for name, readings in systems.items():
        size, reading = sum(sizes[part] for part in name.split(" + ")), readings["held-out", "degraded"]
        lines.append(f"| {name} | {size / 1e6:.1f} | {reading.ms:.0f} | {reading.peak_bytes / 1e6:.0f} |")
    return "\n".join(lines)


def differences(systems: Mapping[str, Readings], texts: TestTexts, target: str, samples: int) -> list[dict[str, Any]]:
    """The picture student against every cascade, by paired bootstrap: two rows, BLEU and chrF, for each condition."""
    result = []
    for name, condition in itertools.product(systems, CONDITIONS):
        if name != PICTURES and not name.startswith(NO_PICTURES):
            own, other = systems[PICTURES][condition].texts, systems[name][condition].texts
            rows = paired_bootstrap((PICTURES, own), (name, other), texts.references, target, samples)
            result += [{"condition": ", ".join(condition), **row} for row in rows]
    return result


def difference_table(rows: Sequence[Mapping[str, Any]]) -> str:
    lines = [f"| {PICTURES} minus | fonts, pictures | BLEU | chrF |", "|---|---|---:|---:|"]
    for pair in zip(rows[::2], rows[1::2], strict=True):
        cells = [
            f"{row['difference']:+.1f} ({row['ci'][0]:+.1f} … {row['ci'][1]:+.1f}), p {row['p_value']:.3f}"
            for row in pair
        ]
        lines.append(f"| {pair[0]['b']} | {pair[0]['condition']} | {' | '.join(cells)} |")
    return "\n".join(lines)


def example_table(systems: Mapping[str, Readings], recognized: Readings, texts: TestTexts, count: int = 5) -> str:
    """Some sentences in the hardest condition: evenly over the test set."""
    condition = ("held-out", "degraded")
    names = [PICTURES, *(name for name in systems if name.endswith("text student") and "itself" not in name)]
    lines = [f"| text | reference | {' | '.join(names)} |", "|---|---|" + "---|" * len(names)]
    for row in range(0, len(texts.sources), -(-len(texts.sources) // count)):
        cells = [texts.sources[row], texts.references[row], *(systems[name][condition].texts[row] for name in names)]
        lines.append(f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |")
    return "\n".join(lines)


def models_of(options: argparse.Namespace) -> dict[str, Path]:
    """The models that translate recognized text."""
    models = {"text student": options.text_student}
    teacher = options.teacher or teacher_of(options.run)
    return models | ({"teacher": teacher} if teacher else {})


def main(options: argparse.Namespace) -> None:
    config = load_run_dir(options.run, {})
    target, language = config.corpus.target, options.language or ocr.TESSERACT_LANGUAGES[config.corpus.source]
    models = models_of(options)
    with tempfile.TemporaryDirectory() as temporary:
        directory = Path(temporary)
        texts = write_pictures(config, directory, options.sentences)
        student = exported(options.run, config, directory / "student")
        own = {each: measured("image", folder_of(directory, each), str(student)) for each in CONDITIONS}
        others, recognized = cascades(directory, models, language)
        systems = {PICTURES: own, **others, **without_pictures(directory, models, texts)}
        parts = {PICTURES: student, **models}
        sizes = {name: total_bytes(path) for name, path in parts.items()} | {NO_PICTURES: 0}
    sizes |= {"Tesseract": ocr.tesseract_bytes(language), "RapidOCR": ocr.rapidocr_bytes()}
    rows = differences(systems, texts, target, options.samples)
    signature = score(own[CONDITIONS[0]].texts, texts.references, target)
    note = (
        f"{len(texts.sources)} sentences, a picture of each under every condition. Beam 4. BLEU "
        f"`{signature.bleu_signature}`, chrF `{signature.chrf_signature}`. Intervals of 95 % and p by paired bootstrap "
        f"of {options.samples} samples. Size: the files of the models alone, without the programs that run them. Time: "
        "one thread, one picture after the other, held-out fonts, degraded. Memory: of a process; recognition and "
        f"translation are two processes, whose peaks are added. {options.note}"
    )
    tables = [
        quality_table(systems, texts, target),
        difference_table(rows),
        recognition_table(recognized, texts.sources),
        cost_table(systems, sizes),
        note.strip(),
        example_table(systems, recognized, texts),
    ]
    write(options.name, command_of(options), tables, data_of(systems, recognized, sizes, rows))


def command_of(options: argparse.Namespace) -> str:
    return f"python benchmarks/picture_cascade.py {options.run.name} --sentences {options.sentences}"


def data_of(
    systems: Mapping[str, Readings], recognized: Readings, sizes: Mapping[str, int], rows: list[dict[str, Any]]
) -> dict[str, Any]:
    return {
        "systems": {
            name: {", ".join(condition): asdict(reading) for condition, reading in readings.items()}
            for name, readings in systems.items()
            if not name.startswith(NO_PICTURES)
        },
        "recognized": {f"{reader}, {condition}": asdict(each) for (reader, condition), each in recognized.items()},
        "bytes": dict(sizes),
        "differences": rows,
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("--text_student", type=Path, default=pretrained.STUDENT, help="export that translates texts")
    parser.add_argument("--teacher", type=Path, help="export of the teacher; by default that in the run, if any")
    parser.add_argument("--sentences", type=int, default=250)
    parser.add_argument("--language", help="of Tesseract's model; by default that of the run's source language")
    parser.add_argument("--samples", type=int, default=1000, help="of the bootstrap")
    parser.add_argument("--name", default="picture-cascade", help="of the files in results/")
    parser.add_argument("--note", default="", help="a sentence for the results file")
    main(parser.parse_args())
