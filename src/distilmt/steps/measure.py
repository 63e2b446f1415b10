"""The steps that ship and measure: exports, evaluation, report."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from distilmt import __version__
from distilmt.config import LabelConfig, ObjectiveConfig, RunConfig
from distilmt.corpora import prepare
from distilmt.evaluation import health, quality, speed
from distilmt.export.ctranslate2 import export
from distilmt.export.huggingface import export_huggingface
from distilmt.machine import cores
from distilmt.progress import task
from distilmt.report import build, html
from distilmt.rundir import read_json, read_step, write_json, write_text
from distilmt.steps.examine import examine_models, verdicts
from distilmt.teachers import external
from distilmt.teachers.local import load_marian
from distilmt.tokenizer import load as load_tokenizer
from distilmt.translator import Translator

_MODELS = ("teacher", "student", "baseline")


def system_name(model: str, compute_type: str) -> str:
    """`student` for float32, `student-int8` for int8."""
    return model if compute_type == "float32" else f"{model}-{compute_type}"


def _wanted(config: RunConfig) -> Iterator[tuple[str, str]]:
    """Models and the types they are exported in."""
    for model in _MODELS:
        if model != "baseline" or config.student.baseline:
            for compute_type in config.export.teacher if model == "teacher" else config.export.student:
                yield model, compute_type


def export_models(config: RunConfig, directory: Path) -> dict[str, Any]:
    """Export every model in every type asked for."""
    root = directory.parent
    tokenizer = load_tokenizer(root / "tokenizer")
    for model, compute_type in _wanted(config):
        path = directory / system_name(model, compute_type)
        outside = external.pointer(root / model)
        if outside:
            export_huggingface(outside, path, compute_type, config.corpus.source, config.corpus.target)
        else:
            export(load_marian(root / model), tokenizer, path, compute_type)
    return {system_name(*wanted): speed.file_bytes(directory / system_name(*wanted)) for wanted in _wanted(config)}


def evaluate_models(config: RunConfig, directory: Path) -> dict[str, Any]:
    """Translate the test set with every export, score it, and time all of them in turn."""
    root = directory.parent
    test = prepare.load(root / "corpus", "test")
    sources, references = test["source"].to_pylist(), test["target"].to_pylist()
    names = [system_name(*wanted) for wanted in _wanted(config)]
    results = {}
    with task("translating the test set", len(names), "systems") as bar:
        for name in names:
            results[name] = _quality(config, root / "exports" / name, sources, references, directory / f"{name}.json")
            bar.advance(1, bleu=round(results[name]["scores"]["bleu"], 2))
    sample = [s for s in sources if s.strip()][: config.evaluation.speed_sentences]
    paths = {name: root / "exports" / name for name in names}
    speeds = speed.measure_interleaved(paths, sample, config.evaluation.beam_size, seed=config.seed)
    write_json(directory / "speed.json", {name: asdict(found) for name, found in speeds.items()})
    examine_models(config, root, names, directory)
    return {f"bleu {name}": results[name]["scores"]["bleu"] for name in names}


def _quality(config: RunConfig, model: Path, sources: list[str], references: list[str], path: Path) -> dict[str, Any]:
    """Scores and health of one export; kept in a file, so that a run that is cut off does not translate again."""
    if path.exists():
        return dict(read_json(path))
    translator = Translator(model, threads=1, workers=cores())
    translations = translator.translate(sources, config.evaluation.beam_size)
    scores = quality.score(translations, references, config.corpus.target)
    result = {
        "scores": asdict(scores),
        "health": asdict(health.check(translations, sources, references)),
        "translations": translations,
    }
    write_text(path.with_suffix(".txt"), "".join(f"{line}\n" for line in translations))
    write_json(path, result)
    return result


def write_report(config: RunConfig, directory: Path) -> dict[str, Any]:
    """Put everything that was measured into report.json and report.html, here and in the run directory."""
    root = directory.parent
    test = prepare.load(root / "corpus", "test")
    sources, references = test["source"].to_pylist(), test["target"].to_pylist()
    names = [system_name(*wanted) for wanted in _wanted(config)]
    found = {name: read_json(root / "evaluation" / f"{name}.json") for name in names}
    translations = {name: found[name]["translations"] for name in names}
    evaluation = config.evaluation
    shown = {name: translations[name] for name in names if name in _SHOWN}
    report = build.build(
        signature=signature(config),
        pair={"source": config.corpus.source, "target": config.corpus.target},
        test=build.about_test(len(sources), quality.Scores(**found[names[0]]["scores"])),
        systems=list(_systems(config, root, found)),
        comparisons=build.comparisons(
            translations, references, config.corpus.target, evaluation.bootstrap, config.seed
        ),
        steps=build.steps([root / name for name in _STEPS if name != "selection" or config.labels.selects]),
        curves={name: read_json(root / name / "log.json") for name in _MODELS if (root / name / "log.json").exists()},
        examples=build.select_examples(sources, references, shown, evaluation.examples, config.seed),
        corpus=_result(root / "corpus") | {"cleaning": read_json(root / "corpus" / "cleaning.json")},
        labels=_result(root / "labels"),
        examination=verdicts(names, root / "evaluation"),
        config=asdict(config),
    )
    html.write_report(report, root, config.language)
    smallest = [name for name in names if name.startswith("student")][-1:]
    return {"html": str(root / "report.html")} | {n: found[n]["scores"]["bleu"] for n in (*names[:1], *smallest)}


_SHOWN = ("teacher", "student-int8", "baseline-int8")
_STEPS = ("corpus", "tokenizer", "teacher", "labels", "selection", "student", "baseline", "exports", "evaluation")


def _systems(config: RunConfig, root: Path, found: dict[str, Any]) -> Iterator[Any]:
    """One row per system, with its quality, speed and size."""
    speeds = read_json(root / "evaluation" / "speed.json")
    for model, compute_type in _wanted(config):
        name = system_name(model, compute_type)
        yield build.system(
            name,
            speed.file_bytes(root / "exports" / name),
            config.evaluation.beam_size,
            quality.Scores(**found[name]["scores"]),
            speed.Speed(**speeds[name]),
            health.Health(**found[name]["health"]),
            _result(root / model).get("parameters"),
        )


def _result(directory: Path) -> dict[str, Any]:
    record = read_step(directory)
    return record.result if record else {}


def _asked(labels: LabelConfig) -> str:
    """What the teacher was asked: translations, word distributions on whose words, or both."""
    translations = [f"{labels.hypotheses}best"] if labels.hypotheses else []
    return "+".join([*translations, *([labels.score_on] if labels.top_k else [])])


def _loss(objective: ObjectiveConfig) -> str:
    """The terms, and what is not as it is by default."""
    parts = [f"word{objective.word:g}", f"label{objective.label:g}"]
    if objective.annealing:
        parts.append("annealing")
    if objective.divergence != "kl":
        skewed = "js" in objective.divergence or "skewed" in objective.divergence
        parts.append(objective.divergence + (f"{objective.skew:g}" if skewed else ""))
    if objective.entropy != "none":
        weight = f"{objective.entropy_weight:g}" if objective.entropy == "penalty" else ""
        parts.append(f"entropy-{objective.entropy}{weight}")
    if objective.selection != "all":
        share = f"{objective.selection_share:g}" if objective.selection in ("batch", "queue") else ""
        parts.append(objective.selection + share)
    if objective.ranking:
        parts.append(f"ranking{objective.ranking:g}")
    if objective.states:
        parts.append(f"states{objective.states:g}")
    if objective.attention:
        parts.append(f"attention{objective.attention:g}-{objective.attention_heads}")
    if objective.consistency:
        parts.append(f"consistency{objective.consistency:g}")
    return "+".join(parts)


def _decoding(labels: LabelConfig) -> str:
    way = f"sampled{labels.sampling:g}" if labels.sampling else f"beam{labels.beam_size}.lp{labels.length_penalty:g}"
    return f"{way}.{labels.compute_type}"


def signature(config: RunConfig) -> str:
    """One line that stands for how the student was made, as sacreBLEU's stands for how it is scored."""
    labels, objective = config.labels, config.student.objective
    policy = config.student.on_policy
    parts = {
        "teacher": "+".join([config.teacher.path or "trained", *labels.ensemble]),
        "decode": _decoding(labels) if labels.hypotheses else "no",
        "labels": _asked(labels)
        + ("" if labels.choose == "best" else f".{labels.choose}-{labels.utility}")
        + (f".keep{labels.keep}" if labels.keep > 1 else ""),
        "k": labels.top_k,
        "tail": objective.tail,
        "T": f"{objective.temperature:g}",
        "loss": _loss(objective),
        "refs": f"{objective.reference_share:g}",
        "init": config.student.initialise,
        "updates": config.student.training.updates,
        **({"on-policy": f"{policy.rounds}x{policy.updates}.{policy.share:g}"} if policy.updates else {}),
        "seed": config.seed,
        "version": __version__,
    }
    return "|".join(f"{key}:{value}" for key, value in parts.items())
