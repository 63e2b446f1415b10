"""The road: corpus, tokenizer, teacher, labels, student, baseline, exports, evaluation, report.

Each step reads directories and writes one; nothing else passes between steps. A step that was done with the same
inputs and settings is skipped, one that was cut off goes on from where it stood.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import yaml

from distilmt import progress
from distilmt.config import RunConfig
from distilmt.rundir import StepRecord, locked, read_step, run_step, write_text

STEPS = ("corpus", "tokenizer", "teacher", "labels", "student", "baseline", "exports", "evaluation", "report")

# What each step reads. The baseline reads the labels only for the list of their sentences: same data, no teacher.
_READS = {
    "corpus": (),
    "tokenizer": ("corpus",),
    "teacher": ("corpus", "tokenizer"),
    "labels": ("corpus", "tokenizer", "teacher"),
    "student": ("corpus", "tokenizer", "labels", "teacher"),
    "baseline": ("corpus", "tokenizer", "labels"),
    "exports": ("tokenizer", "teacher", "student", "baseline"),
    "evaluation": ("corpus", "exports"),
    "report": ("corpus", "tokenizer", "teacher", "labels", "student", "baseline", "exports", "evaluation"),
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
    with locked(root):
        write_text(root / "config.yaml", dump(config))
        for name in STEPS[: STEPS.index(until) + 1]:
            if name == "baseline" and not config.student.baseline:
                continue
            do(name, config)
    return root


def dump(config: RunConfig) -> str:
    """The whole configuration as YAML, defaults written out."""
    return yaml.safe_dump(asdict(config), sort_keys=False, allow_unicode=True)


def do(name: str, config: RunConfig) -> StepRecord:
    """Do one step, unless it is done; the steps it reads must be."""
    root = Path(config.run_dir)
    settings, work = _step(name, config)
    inputs = {read: _done(root, read) for read in _READS[name] if read != "baseline" or config.student.baseline}
    if name == "corpus":
        from distilmt.corpora.prepare import inputs as corpus_inputs

        inputs = corpus_inputs(config.corpus)
    before = read_step(root / name)
    record = run_step(root / name, inputs, settings, work)
    skipped = before is not None and before.fingerprint == record.fingerprint
    progress.say(f"{name}: {'already done' if skipped else f'{record.seconds:.0f} s'}{_summary(record)}")
    return record


def _done(root: Path, name: str) -> str:
    record = read_step(root / name)
    return record.fingerprint if record else "missing"


def _summary(record: StepRecord) -> str:
    shown = {k: v for k, v in record.result.items() if isinstance(v, int | float | str) and len(str(v)) < 60}
    return "".join(f", {key} {round(v, 2) if isinstance(v, float) else v}" for key, v in shown.items())


def _step(name: str, config: RunConfig) -> tuple[dict[str, Any], Callable[[Path], dict[str, Any]]]:
    """The settings a step depends on, and what does it. Imports wait until a step is due: torch is slow to import."""
    from distilmt import steps

    common: dict[str, Any] = {"seed": config.seed}
    pair = {"source": config.corpus.source, "target": config.corpus.target}
    of: dict[str, tuple[dict[str, Any], Callable[[RunConfig, Path], dict[str, Any]]]] = {
        "corpus": (common | asdict(config.corpus), steps.prepare_corpus),
        "tokenizer": (common | asdict(config.tokenizer), steps.train_tokenizer),
        "teacher": (common | asdict(config.teacher) | pair, steps.make_teacher),
        "labels": (common | asdict(config.labels) | pair, steps.write_labels),
        "student": (common | asdict(config.student) | {"labels": asdict(config.labels)}, steps.train_student),
        "baseline": (common | asdict(config.student), steps.train_baseline),
        "exports": (asdict(config.export) | pair, steps.export_models),
        "evaluation": (common | asdict(config.evaluation) | pair, steps.evaluate_models),
        "report": ({"language": config.language, "config": asdict(config)}, steps.write_report),
    }
    settings, function = of[name]
    return settings, lambda directory: function(config, directory)
