"""The steps that measure: evaluation and report."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from distilmt.config import RunConfig
from distilmt.config.systems import MODELS, TEACHER, system_name
from distilmt.data.corpus_reports import CONTAMINATION
from distilmt.data.registers import trained_rows
from distilmt.evaluation import output_checks, quality, speed
from distilmt.evaluation.other_systems import EvaluationSentences, read_outputs
from distilmt.export.card import add_scores, renew_files
from distilmt.inference.manifest import MANIFEST, load_manifest, write_manifest
from distilmt.pipeline.step import steps_until
from distilmt.pipeline.steps.challenges import challenge_comparisons, run_model_challenges
from distilmt.pipeline.steps.evaluate_frames import (
    evaluated_inputs,
    read_picture_facts,
    read_speech_facts,
    with_frames,
    write_frame_facts,
)
from distilmt.pipeline.steps.evaluate_slices import scores_of_slices
from distilmt.pipeline.steps.evaluation_inputs import EvaluationInputs, evaluation_inputs, inputs_of_rows
from distilmt.pipeline.steps.export import ctranslate2_exports
from distilmt.pipeline.steps.signature import signature
from distilmt.planning import corpus_statistics, predict
from distilmt.report import build, html
from distilmt.report.schema import System
from distilmt.teachers.remote import shipped_bytes
from distilmt.utils.errors import UserError
from distilmt.utils.progress import task
from distilmt.utils.run_dir import read_json, write_json, write_text
from distilmt.utils.run_paths import RunPaths
from distilmt.utils.step_results import (
    CorpusResult,
    EvaluationResult,
    LabelResult,
    ModelResult,
    ReportResult,
    read_result,
    to_record,
)


def evaluate_models(config: RunConfig, directory: Path) -> EvaluationResult:
    """Translate the test set with every export, score it, and time all of them in turn."""
    paths = RunPaths(directory.parent)
    test = evaluation_inputs(config, paths)
    names = [system_name(*entry) for entry in ctranslate2_exports(config)]
    results = {}
    with task("translating the test set", len(names), "systems") as bar:
        for name in names:
            _record_beam_size(config, paths.export(name))
            results[name] = _quality(config, paths.export(name), test, directory / f"{name}.json")
            scores = results[name]["scores"]
            add_scores(paths.export(name), {f"test {key}": scores[key] for key in ("bleu", "chrf")})
            bar.advance(1, bleu=round(scores["bleu"], 2))
    if not (directory / "speed.json").exists():
        speeds = speed.measure_interleaved(
            {name: paths.export(name) for name in names},
            _speed_inputs(config, test),
            {name: config.evaluation.beam_of(name) for name in names},
            config.evaluation.benchmark_rounds,
            seed=config.seed,
        )
        write_json(directory / "speed.json", {name: asdict(entry) for name, entry in speeds.items()})
    write_frame_facts(config, directory, names, test)
    run_model_challenges(config, paths, names, directory)
    return EvaluationResult({name: results[name]["scores"]["bleu"] for name in names})


def _speed_inputs(config: RunConfig, test: EvaluationInputs) -> speed.SpeedInputs:
    """The first test sentences that are not empty, and their pictures or recordings."""
    rows = [row for row, text in enumerate(test.sources) if text.strip()][: config.evaluation.benchmark_sentences]
    first = test.chosen(rows)
    return speed.SpeedInputs(first.sources, first.perceived)


def _quality(config: RunConfig, model: Path, test: EvaluationInputs, path: Path) -> dict[str, Any]:
    """Scores and output checks of one export; stored in a file, so that a resumed run does not translate again."""
    if path.exists():
        return dict(read_json(path))
    translations = test.translations(model, config.evaluation.beam_of(model.name))
    scores = quality.score(translations, test.references, config.corpus.target)
    result = {
        "scores": asdict(scores),
        "health": asdict(output_checks.check_outputs(translations, test.sources, test.references)),
        "translations": translations,
    }
    write_text(path.with_suffix(".txt"), "".join(f"{line}\n" for line in translations))
    write_json(path, result)
    return result


def _record_beam_size(config: RunConfig, export: Path) -> None:
    """Let an export of the student translate with the beam size of its scores, if it has one of its own."""
    if export.name.startswith(TEACHER) or not (export / MANIFEST).exists():
        return
    manifest, beam = load_manifest(export), config.evaluation.student_beam_size
    if manifest.get("beam_size") != beam:
        manifest.pop("beam_size", None)
        write_manifest(export, {**manifest, "beam_size": beam} if beam else manifest)
    renew_files(export, MANIFEST)  # also after an interruption between the two


def write_run_report(config: RunConfig, directory: Path) -> ReportResult:
    """Write all measurements to report.json and report.html, in the step and in the run directory."""
    paths = RunPaths(directory.parent)
    test = evaluated_inputs(config, paths)
    sources, references = test.sources, test.references
    names = [system_name(*evaluations) for evaluations in ctranslate2_exports(config)]
    evaluations = {name: read_json(paths.evaluation / f"{name}.json") for name in names}
    translations = {name: evaluations[name]["translations"] for name in names}
    evaluation = config.evaluation
    others = _other_outputs(config, names, paths, test)
    shown = {name: translations[name] for name in names if name in _SHOWN} | others
    measurements = build.RunMeasurements(
        signature=signature(config),
        pair={"source": config.corpus.source, "target": config.corpus.target},
        test=build.about_test(len(sources), quality.TranslationScores(**evaluations[names[0]]["scores"])),
        systems=[*_systems(config, paths, evaluations), *_other_systems(config, others, sources, references)],
        comparisons=build.comparisons(
            translations | others,
            references,
            config.corpus.target,
            evaluation.bootstrap_samples,
            config.seed,
            list(others),
        ),
        slices=scores_of_slices(
            config, paths, test, translations | others, build.student_and_teacher(translations | others)
        ),
        steps=build.steps(
            [paths.step(each.name) for each in steps_until("evaluation", config) if each.name != "references"]
        ),
        cost=predict.measured_costs(config, corpus_statistics.read(config)),
        curves={name: read_json(log) for name in MODELS if (log := paths.step(name) / "log.json").exists()},
        examples=with_frames(
            config, test, build.select_examples(sources, references, shown, evaluation.examples, config.seed)
        ),
        corpus=corpus_facts(paths.corpus),
        labels=to_record(read_result(LabelResult, paths.labels)) | _dropped(paths.student),
        challenge_sets=challenge_comparisons(names, paths.evaluation),
        pictures=read_picture_facts(config, paths),
        speech=read_speech_facts(config, paths),
        config=asdict(config),
    )
    html.write_report(build.build(measurements), paths.root, config.report_language)
    smallest = [name for name in names if name.startswith("student")][-1:]
    bleu = {name: evaluations[name]["scores"]["bleu"] for name in (*names[:1], *smallest)}
    return ReportResult(str(paths.report_html), bleu)


def corpus_facts(corpus: Path) -> dict[str, Any]:
    """Numbers of rows, what cleaning dropped and, except of older runs, the contamination report."""
    facts = to_record(read_result(CorpusResult, corpus)) | {"cleaning": read_json(corpus / "cleaning.json")}
    contamination = corpus / CONTAMINATION
    facts |= {"contamination": read_json(contamination)} if contamination.exists() else {}
    return facts | ({"registers": registers} if (registers := trained_rows(corpus)) else {})


def _other_outputs(
    config: RunConfig, names: Sequence[str], paths: RunPaths, test: EvaluationInputs
) -> dict[str, list[str]]:
    """Translations of the evaluated sentences by the systems that the run is compared with; files have all of them.

    Raises:
        UserError: a file does not fit the test set, or a system is called as one of the run.
    """
    whole = inputs_of_rows(paths)
    outputs = read_outputs(config.evaluation.other_outputs, EvaluationSentences(whole.ids, whole.sources))
    if taken := sorted(set(outputs) & set(names)):
        raise UserError(f"evaluation.against: {taken[0]!r} is a system of the run: give the other one another name")
    return {name: [lines[row] for row in test.rows.tolist()] for name, lines in outputs.items()}


def _other_systems(
    config: RunConfig, outputs: Mapping[str, list[str]], sources: list[str], references: list[str]
) -> Iterator[System]:
    for name, translations in outputs.items():
        scores = quality.score(translations, references, config.corpus.target)
        yield build.other_system(name, scores, output_checks.check_outputs(translations, sources, references))


def _dropped(student: Path) -> dict[str, Any]:
    """Dropped hypotheses of the teacher, by reason."""
    reasons = read_result(ModelResult, student).hypotheses_dropped or {}
    return {"hypotheses_dropped": sum(reasons.values()), **{f"dropped_{k}": v for k, v in reasons.items()}}


_SHOWN = ("teacher", "student-int8", "baseline-int8")


def _systems(config: RunConfig, paths: RunPaths, evaluations: dict[str, Any]) -> Iterator[System]:
    """One row per system, with its quality, speed and size."""
    speeds = read_json(paths.evaluation / "speed.json")
    for model, compute_type in ctranslate2_exports(config):
        name = system_name(model, compute_type)
        yield build.system(
            name,
            shipped_bytes(paths.export(name)),
            config.evaluation.beam_of(name),
            quality.TranslationScores(**evaluations[name]["scores"]),
            speed.Speed(**speeds[name]),
            output_checks.OutputChecks(**evaluations[name]["health"]),
            read_result(ModelResult, paths.step(model)).parameters,
        )
