"""The road: corpus, tokenizer, teacher, labels, student, baseline, exports, evaluation, report.

Each step reads directories and writes one; nothing else passes between steps. A step that was done with the same
inputs and settings is skipped, one that was cut off goes on from where it stood.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import yaml

from distilmt import progress
from distilmt.config import CorpusConfig, RunConfig
from distilmt.rundir import STEP_FILE, StepRecord, done_as, fingerprint_files, read_step
from distilmt.runroot import begun, checked_root
from distilmt.stepdir import finished, run_step

STEPS = ("corpus", "tokenizer", "teacher", "labels", "student", "baseline", "exports", "evaluation", "report")

# What each step reads. The baseline reads the labels only for the list of their sentences: same data, no teacher.
_READS = {
    "corpus": (),
    # Only where the corpus is of one language.
    "references": ("corpus",),
    "tokenizer": ("corpus",),
    "teacher": ("corpus", "tokenizer"),
    "labels": ("corpus", "tokenizer", "teacher"),
    "student": ("corpus", "tokenizer", "labels", "teacher"),
    "baseline": ("corpus", "tokenizer", "labels"),
    "exports": ("tokenizer", "teacher", "student", "baseline"),
    "evaluation": ("corpus", "exports"),
    "report": ("corpus", "tokenizer", "teacher", "labels", "student", "baseline", "exports", "evaluation"),
    # Only where a choice among the hypotheses was asked for: its labels then take the place of all.
    "selection": ("corpus", "tokenizer", "teacher", "labels"),
    # Steps of a comparison of methods.
    "teacher-scores": ("corpus", "tokenizer", "teacher"),
    "scores": ("corpus", "tokenizer", "teacher", "student"),
    # Of a plan.
    "validation": ("corpus", "tokenizer", "student"),
}


def run(config: RunConfig, until: str = "report") -> Path:
    """Do every step that is not done yet, up to `until`.

    Args:
        config: the whole configuration.
        until: name of the last step, one of `STEPS`.

    Returns:
        The run directory.
    """
    root = Path(config.run_dir)
    if config.corpus.monolingual and not config.corpus.bilingual and config.student.baseline:
        progress.say("without pairs no student can be trained without the teacher: there will be no baseline")
        config = replace(config, student=replace(config.student, baseline=False))
    if "onnx" in config.export.formats and STEPS.index(until) >= STEPS.index("exports"):
        from distilmt.export.onnx import check_installed

        check_installed()  # now, and not when everything is trained
    with started(config):
        for name in STEPS[: STEPS.index(until) + 1]:
            if name == "baseline" and not config.student.baseline:
                continue
            if name == "tokenizer" and not config.corpus.bilingual:
                do("references", config)
            if name == "student" and config.labels.selects:
                do("selection", config)
            do(name, config)
    return root


def started(config: RunConfig, whole: bool = True) -> AbstractContextManager[None]:
    """Hold a run's directory, after it was seen that nothing in it can be lost.

    Args:
        config: the run.
        whole: whether it is all that the run will be: then it is written there as `config.yaml`.

    Raises:
        UserError: it holds files of others, or an input lies in it; another process holds it.
    """
    root = checked_root(config.run_dir, tuple(_READS), paths_read(config))
    return begun(root, dump(config) if whole else None)


def paths_read(config: RunConfig) -> dict[str, str]:
    """What may be a path among the values that name inputs, by key."""
    corpus, labels = config.corpus, config.labels
    several = {f"corpus.{key}": getattr(corpus, key) for key in ("train", "valid", "test", "monolingual")}
    several |= {f"corpus.sources[{n}].files": source.files for n, source in enumerate(corpus.sources)}
    several |= {"labels.ensemble": labels.ensemble}
    found = {f"{key}[{n}]": path for key, paths in several.items() for n, path in enumerate(paths)}
    single = {"teacher.path": config.teacher.path, "tokenizer.path": config.tokenizer.path}
    single |= {"labels.reverse": labels.reverse, "export.node_modules": config.export.node_modules}
    single["corpus.name"] = (corpus.name or "").removeprefix("hf:")
    return found | {key: path for key, path in single.items() if path}


def dump(config: RunConfig) -> str:
    """The whole configuration as YAML, defaults written out."""
    return yaml.safe_dump(asdict(config), sort_keys=False, allow_unicode=True)


def do(name: str, config: RunConfig) -> StepRecord:
    """Do one step, unless it is done; the steps it reads must be."""
    root = Path(config.run_dir)
    settings, work = _step(name, config)
    inputs = _inputs(name, config)
    if name == "report" and not all((root / file).exists() for file in ("report.json", "report.html")):
        # The report alone writes beside its directory: what was deleted there must be written again.
        (root / name / STEP_FILE).unlink(missing_ok=True)
    before = read_step(root / name)
    record = run_step(root / name, inputs, settings, work)
    if name == "labels":
        _mend_labels(root / name, work)
    if name in ("teacher", "student", "baseline"):
        from distilmt.steps import tidy

        tidy(root / name)
    skipped = before is not None and before.fingerprint == record.fingerprint
    progress.say(f"{name}: {'already done' if skipped else f'{record.seconds:.0f} s'}{_summary(record)}")
    return record


def _mend_labels(directory: Path, work: Callable[[Path], dict[str, Any]]) -> None:
    """Label the sentences of damaged shards of a finished store again; what is whole stays as it is."""
    from distilmt.labels.store import MANIFEST, LabelStore

    if not (directory / MANIFEST).exists():
        return
    store = LabelStore(directory, unfinished=True)
    damaged = store.damaged()
    if damaged:
        progress.say(f"labels: {', '.join(damaged)} missing or damaged: their sentences alone are labeled again")
    if damaged or not store.complete:
        work(directory)


def is_done(name: str, config: RunConfig) -> bool:
    """Whether `do` would find a step done; the steps it reads must be."""
    return finished(Path(config.run_dir) / name, _inputs(name, config), _settings(name, config)) is not None


def _inputs(name: str, config: RunConfig) -> dict[str, str]:
    """Fingerprints of what a step reads."""
    root = Path(config.run_dir)
    if name == "corpus":
        from distilmt.corpora.prepare import inputs as corpus_inputs

        return corpus_inputs(config.corpus)
    inputs = {read: done_as(root / read) for read in _READS[name] if read != "baseline" or config.student.baseline}
    if name == "student" and config.labels.selects:
        inputs["selection"] = done_as(root / "selection")
    if not config.corpus.bilingual and name in _USES_REFERENCES:
        inputs["references"] = done_as(root / "references")
    if name == "exports" and config.export.formats:
        inputs["corpus"] = done_as(root / "corpus")  # sentences on which the exports are compared
    return inputs


def _summary(record: StepRecord) -> str:
    shown = {k: v for k, v in record.result.items() if isinstance(v, int | float | str) and len(str(v)) < 60}
    return "".join(f", {key} {round(v, 2) if isinstance(v, float) else v}" for key, v in shown.items())


def _step(name: str, config: RunConfig) -> tuple[dict[str, Any], Callable[[Path], dict[str, Any]]]:
    """The settings a step depends on, and what does it. Imports wait until a step is due: torch is slow to import."""
    from distilmt import steps

    work: dict[str, Callable[[RunConfig, Path], dict[str, Any]]] = {
        "corpus": steps.prepare_corpus,
        "references": steps.ask_references,
        "tokenizer": steps.train_tokenizer,
        "teacher": steps.make_teacher,
        "labels": steps.write_labels,
        "selection": steps.choose_labels,
        "student": steps.train_student,
        "baseline": steps.train_baseline,
        "exports": steps.export_models,
        "evaluation": steps.evaluate_models,
        "report": steps.write_report,
        "teacher-scores": lambda config, directory: steps.score_model(config, directory, "teacher"),
        "scores": lambda config, directory: steps.score_model(config, directory, "student"),
        "validation": steps.validate_student,
    }
    return _settings(name, config), lambda directory: work[name](config, directory)


# What changes how a step is done but not what comes of it, or is used by a later step only.
_WITHOUT_EFFECT = {"node_modules", "save_seconds", "threads"}
_USED_BY_STUDENT = {"max_length_ratio", "max_repetition", "drop_copies", "max_ter", "reverse_keep"}
_CHOICE = ("choose", "utility", "keep", "reverse")
_USES_REFERENCES = {"tokenizer", "student", "evaluation", "report", "teacher-scores", "scores", "validation"}
_BY_WHOM = ("engine", "address", "workers", "worker_cores", "worker_gpus")
_UNSEEDED = ("selection", "exports", "report", "teacher-scores", "scores", "validation")


def same_labels(a: RunConfig, b: RunConfig) -> bool:
    """Whether two runs in one directory would make the same corpus, tokenizer, teacher and labels."""
    return all(_settings(name, a) == _settings(name, b) for name in STEPS[: STEPS.index("labels") + 1])


def _settings(name: str, config: RunConfig) -> dict[str, Any]:
    """Everything a step's outcome depends on, beside what it reads: changing anything else does not redo it."""
    pair = {"source": config.corpus.source, "target": config.corpus.target}
    labels, student = asdict(config.labels), asdict(config.student)
    baseline = {key: student[key] for key in ("model", "training")}
    found: dict[str, dict[str, Any]] = {
        "corpus": _older(asdict(config.corpus), asdict(CorpusConfig())),
        "references": _teacher(config) | pair | _outside(config.teacher.path) | _best(config),
        "tokenizer": asdict(config.tokenizer),
        "teacher": _teacher(config) | pair | _outside(config.teacher.path),
        "labels": {key: value for key, value in labels.items() if key not in (*_USED_BY_STUDENT, *_CHOICE, *_BY_WHOM)}
        | pair
        | _outside(*config.labels.ensemble),
        "selection": {key: labels[key] for key in _CHOICE} | pair | _outside(config.labels.reverse),
        "student": {key: value for key, value in student.items() if key != "baseline"}
        | {key: labels[key] for key in sorted(_USED_BY_STUDENT)},
        "baseline": baseline | {"updates": _updates(config)},
        "exports": asdict(config.export) | pair,
        "evaluation": asdict(config.evaluation) | pair,
        "report": {"language": config.language, "config": asdict(config)},
        "teacher-scores": {"beam_size": config.evaluation.beam_size} | pair,
        "scores": {"beam_size": config.evaluation.beam_size} | pair,
        "validation": {"beam_size": config.evaluation.beam_size} | pair,
    }
    settings: dict[str, Any] = _without(found[name], _WITHOUT_EFFECT)
    return settings if name in _UNSEEDED else settings | {"seed": config.seed}


_LATER = {"monolingual", "sources", "licence", "max_word_chars", "keep_best", "markup", "min_letters"}
_LATER |= {"drop_number_mismatch", "drop_url_mismatch", "max_repetition"}


def _older(values: dict[str, Any], usual: dict[str, Any]) -> dict[str, Any]:
    """Settings without the keys that came later and are as usual: runs of before stay done."""
    kept = {key: value for key, value in values.items() if key not in _LATER or value != usual[key]}
    return {key: _older(v, usual[key]) if isinstance(v, dict) else v for key, v in kept.items()}


def _best(config: RunConfig) -> dict[str, Any]:
    """How the teacher's best translation is searched for, and of which sentences."""
    keys = ("beam_size", "length_penalty", "compute_type", "max_sentences")
    return {key: getattr(config.labels, key) for key in keys} | {"sample": config.tokenizer.sample}


def _teacher(config: RunConfig) -> dict[str, Any]:
    """A teacher's settings; how another is reached matters to that one alone."""
    settings = asdict(config.teacher)
    endpoint = settings.pop("endpoint")
    asked = {key: endpoint[key] for key in ("model", "prompt", "max_tokens")} if config.teacher.url else {}
    outside = {key: settings.pop(key) for key in ("command", "url", "api", "prefix")}
    if not config.teacher.url:
        del outside["api"]
    return settings | {key: value for key, value in outside.items() if value is not None} | asked


def _without(value: Any, keys: set[str]) -> Any:
    if not isinstance(value, dict):
        return value
    return {key: _without(item, keys) for key, item in value.items() if key not in keys}


def _outside(*names: str | None) -> dict[str, str]:
    """Stands for the weights of teachers that were named by directories."""
    paths = [Path(name) for name in names if name and Path(name).is_dir()]
    weights = [file for path in paths for file in sorted(path.glob("*.safetensors"))]
    return {"weights": fingerprint_files(*weights)} if weights else {}


def _updates(config: RunConfig) -> int | None:
    """How long the student was trained: the baseline is trained as long."""
    record = read_step(Path(config.run_dir) / "student")
    return record.result["updates"] if record else None
