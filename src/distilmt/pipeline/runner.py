"""The pipeline: corpus, tokenizer, teacher, labels, student, baseline, exports, evaluation, report.

Each step reads directories and writes one; nothing else passes between steps. A step that was finished with the same
inputs and settings is skipped; an interrupted step resumes.
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import yaml

from distilmt.config import RunConfig
from distilmt.config.systems import system_name
from distilmt.evaluation.other_systems import check_files
from distilmt.pipeline import preflight
from distilmt.pipeline.dependencies import NAMES, StepDependencies, named_inputs, settings_of
from distilmt.pipeline.run_root import check_run_root, hold_run_dir
from distilmt.pipeline.step_directory import finished_record, run_step
from distilmt.pipeline.step_spec import StepRules
from distilmt.utils.run_dir import StepRecord, fingerprint_files, read_step, step_fingerprint

logger = logging.getLogger(__name__)

STEPS = ("corpus", "tokenizer", "teacher", "labels", "student", "baseline", "exports", "evaluation", "report")
REPORT = ("report.json", "report.html")

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
    # Only with reranking or selection: its labels then replace all labels.
    "selection": ("corpus", "tokenizer", "teacher", "labels"),
    # Steps of a comparison of methods.
    "teacher-scores": ("corpus", "tokenizer", "teacher"),
    "scores": ("corpus", "tokenizer", "teacher", "student"),
    # Of a plan.
    "validation": ("corpus", "tokenizer", "student"),
}


def run(config: RunConfig, until: str = "report") -> Path:
    """Run every unfinished step, up to `until`.

    Args:
        config: the whole configuration.
        until: name of the last step, one of `STEPS`.

    Returns:
        The run directory.
    """
    root = Path(config.run_dir)
    if config.corpus.monolingual and not config.corpus.bilingual and config.student.baseline:
        logger.info("no parallel text: the baseline, a student trained without the teacher, is left out")
        config = replace(config, student=replace(config.student, baseline=False))
    preflight.check(config, exporting=STEPS.index(until) >= STEPS.index("exports"))
    if STEPS.index(until) >= STEPS.index("student"):
        preflight.check_objective(config)
    with open_run(config):
        for name in STEPS[: STEPS.index(until) + 1]:
            if name == "baseline" and not config.student.baseline:
                continue
            if name == "tokenizer" and not config.corpus.bilingual:
                execute_step("references", config)
            if name == "student" and config.labels.selects:
                execute_step("selection", config)
            execute_step(name, config)
    return root


def open_run(config: RunConfig, whole: bool = True) -> AbstractContextManager[None]:
    """Check and lock a run directory.

    Args:
        config: the run.
        whole: whether this is the complete configuration: then it is written there as `config.yaml`.

    Raises:
        UserError: it contains foreign files or an input, or another process holds its lock.
    """
    root = check_run_root(config.run_dir, tuple(_READS), input_paths(config))
    return hold_run_dir(root, dump(config) if whole else None)


def input_paths(config: RunConfig) -> dict[str, str]:
    """Values that may be paths of inputs, by key."""
    corpus, labels = config.corpus, config.labels
    path_lists = {f"corpus.{key}": getattr(corpus, key) for key in ("train", "valid", "test", "monolingual")}
    path_lists |= {f"corpus.sources[{n}].files": source.files for n, source in enumerate(corpus.sources)}
    path_lists |= {"labels.ensemble": labels.ensemble}
    path_lists |= {"evaluation.against": list(config.evaluation.other_outputs.values())}
    path_by_key = {f"{key}[{n}]": path for key, paths in path_lists.items() for n, path in enumerate(paths)}
    single = {"teacher.path": config.teacher.path, "tokenizer.path": config.tokenizer.path}
    single |= {"labels.backward_model": labels.backward_model, "export.node_modules": config.export.node_modules}
    single["corpus.dataset"] = (corpus.dataset or "").removeprefix("hf:")
    return path_by_key | {key: path for key, path in single.items() if path}


def dump(config: RunConfig) -> str:
    """The whole configuration as YAML, defaults written out."""
    return yaml.safe_dump(asdict(config), sort_keys=False, allow_unicode=True)


def execute_step(name: str, config: RunConfig) -> StepRecord:
    """Run one step unless it is finished; the steps it reads must be finished."""
    root = Path(config.run_dir)
    work, before = _work(name, config), read_step(root / name)
    if name == "report" and before is not None:
        _back_up_report(root, config)
    record = run_step(root / name, _inputs(name, config), _settings(name, config), work, _rules(name, config))
    if name == "labels":
        _repair_labels(root / name, _work(name, _with_shard_size(record, config)))
    if name in ("teacher", "student", "baseline"):
        from distilmt.pipeline.steps import clean_up

        clean_up(root / name)
    if name == "report" and not all((root / file).exists() for file in REPORT):
        work(root / name)  # only the report writes outside its directory: files deleted there are written again
    skipped = before is not None and before == record
    logger.info(f"{name}: {'already done' if skipped else f'{record.seconds:.0f} s'}{_summary(record)}")
    return record


def _with_shard_size(record: StepRecord, config: RunConfig) -> RunConfig:
    """The configuration with the shard size of an existing store: a repair must use that size, not the new one."""
    settings = record.settings
    size = settings.get("labels.shard_size") or settings.get("shard_size") or config.labels.shard_size
    return replace(config, labels=replace(config.labels, shard_size=size))


def _repair_labels(directory: Path, work: Callable[[Path], dict[str, Any]]) -> None:
    """Label the sentences of damaged shards of a finished store again; intact shards stay unchanged."""
    from distilmt.labels.manifest import MANIFEST
    from distilmt.labels.store import LabelStore

    if not (directory / MANIFEST).exists():
        return
    store = LabelStore(directory, unfinished=True)
    damaged = store.damaged()
    if damaged:
        logger.info(f"labels: {', '.join(damaged)} missing or damaged: only their sentences are labeled again")
    if damaged or not store.complete:
        work(directory)


def _back_up_report(root: Path, config: RunConfig) -> None:
    """Copy the report into the step's directory before that is backed up."""
    if not is_done("report", config):
        for path in (root / file for file in REPORT):
            if path.exists() and not (root / "report" / path.name).exists():
                shutil.copy2(path, root / "report" / path.name)


def is_done(name: str, config: RunConfig) -> bool:
    """Whether `execute_step` would skip a step; the steps it reads must be finished."""
    directory = Path(config.run_dir) / name
    return finished_record(directory, _inputs(name, config), _settings(name, config), _rules(name, config)) is not None


def is_reported(config: RunConfig) -> bool:
    """Whether the report in a run directory matches its steps and this configuration."""
    return all((Path(config.run_dir) / file).exists() for file in REPORT) and is_done("report", config)


def _rules(name: str, config: RunConfig) -> StepRules:
    """Rules for comparing a step with its record; bounds above the size of the corpus have no effect."""
    record = read_step(config.paths.corpus)
    counts: dict[str, int] = {}
    if record is not None:
        counts = {split: record.result[split] for split in ("train", "valid") if split in record.result}
    return StepDependencies(name, config, counts if name != "corpus" else {}).step_rules()


def _inputs(name: str, config: RunConfig) -> dict[str, str]:
    """Fingerprints of the inputs of a step."""
    root = Path(config.run_dir)
    if name == "corpus":
        from distilmt.data.prepare import inputs as corpus_inputs

        return named_inputs(corpus_inputs(config.corpus))
    inputs = {
        read: step_fingerprint(root / read) for read in _READS[name] if read != "baseline" or config.student.baseline
    }
    if name == "student" and config.labels.selects:
        inputs["selection"] = step_fingerprint(config.paths.selection)
    if not config.corpus.bilingual and name in _USES_REFERENCES:
        inputs["references"] = step_fingerprint(config.paths.references)
    if name == "report":
        others = config.evaluation.other_outputs
        check_files(others)
        inputs |= {f"translations of {system}": fingerprint_files(Path(path)) for system, path in others.items()}
    return inputs


def _summary(record: StepRecord) -> str:
    shown = {k: v for k, v in record.result.items() if isinstance(v, int | float | str) and len(str(v)) < 60}
    return "".join(f", {key} {round(v, 2) if isinstance(v, float) else v}" for key, v in shown.items())


def _work(name: str, config: RunConfig) -> Callable[[Path], dict[str, Any]]:
    """The function that runs a step. Imports are deferred: torch is slow to import."""
    from distilmt.pipeline import steps

    work: dict[str, Callable[[RunConfig, Path], dict[str, Any]]] = {
        "corpus": steps.prepare_corpus,
        "references": steps.write_references,
        "tokenizer": steps.train_tokenizer,
        "teacher": steps.make_teacher,
        "labels": steps.write_labels,
        "selection": steps.rerank_labels,
        "student": steps.train_student,
        "baseline": steps.train_baseline,
        "exports": steps.export_models,
        "evaluation": steps.evaluate_models,
        "report": steps.write_run_report,
        "teacher-scores": lambda config, directory: steps.score_model(config, directory, "teacher"),
        "scores": lambda config, directory: steps.score_model(config, directory, "student"),
        "validation": steps.validate_student,
    }
    return lambda directory: work[name](config, directory)


_USES_REFERENCES = {"tokenizer", "student", "evaluation", "report", "teacher-scores", "scores", "validation"}


def same_labels(a: RunConfig, b: RunConfig) -> bool:
    """Whether two runs in one directory would have the same corpus, tokenizer, teacher and labels."""
    named = STEPS[: STEPS.index("labels") + 1]
    effective = [{name: _rules(name, run).effective(settings_of(name, run)) for name in named} for run in (a, b)]
    return effective[0] == effective[1]


def _settings(name: str, config: RunConfig) -> dict[str, Any]:
    """All values that may affect a step."""
    settings = settings_of(name, config)
    if name == "baseline":
        settings["updates"] = _updates(config)
    if name in ("exports", "evaluation"):
        from distilmt.pipeline.steps.export import ctranslate2_exports, export_names

        systems = [system_name(*each) for each in ctranslate2_exports(config)]
        settings[NAMES] = export_names(config) if name == "exports" else systems
    return settings


def _updates(config: RunConfig) -> int | None:
    """Number of updates of the student: the baseline is trained for as many."""
    record = read_step(config.paths.student)
    return record.result["updates"] if record else None
