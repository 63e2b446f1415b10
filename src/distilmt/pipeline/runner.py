"""The pipeline: corpus, tokenizer, teacher, labels, student, baseline, exports, evaluation, report.

Each step reads directories and writes one; nothing else passes between steps. A step that was finished with the same
inputs and settings is skipped; an interrupted step resumes.
"""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

import yaml

from distilmt.config import RunConfig
from distilmt.config.systems import BASELINE, MODELS, STUDENT, system_name
from distilmt.evaluation.other_systems import check_files
from distilmt.pipeline import corpus_inputs, preflight
from distilmt.pipeline.dependencies import StepDependencies
from distilmt.pipeline.run_root import check_run_root, hold_run_dir
from distilmt.pipeline.settings import NAMES, flat, settings_of
from distilmt.pipeline.step import RUN_STEPS, STEPS, Step, reaches, run_keys, step_named, steps_until
from distilmt.pipeline.step_directory import finished_record, run_step
from distilmt.pipeline.step_spec import StepRules, StepSpec
from distilmt.rendering.rendering_cache import remove_renderings
from distilmt.utils.run_dir import StepRecord, fingerprint_files, read_step, step_fingerprint
from distilmt.utils.step_results import CorpusResult, ModelResult, read_result, result_of

logger = logging.getLogger(__name__)


def run(config: RunConfig, until: str = "report") -> Path:
    """Run every unfinished step, up to `until`.

    Args:
        config: the whole configuration.
        until: name of the last step, one of `RUN_STEPS`.

    Returns:
        The run directory.
    """
    root = Path(config.run_dir)
    if config.corpus.monolingual and not config.corpus.bilingual and config.student.baseline:
        logger.info("no parallel text: the baseline, a student trained without the teacher, is left out")
        config = replace(config, student=replace(config.student, baseline=False))
    preflight.check(config, exporting=reaches(until, "exports"))
    if reaches(until, "student"):
        preflight.check_objective(config)
    with open_run(config):
        for each in steps_until(until, config):
            execute_step(each.name, config)
    return root


def open_run(config: RunConfig, whole: bool = True) -> AbstractContextManager[None]:
    """Check and lock a run directory.

    Args:
        config: the run.
        whole: whether this is the complete configuration: then it is written there as `config.yaml`.

    Raises:
        UserError: it contains foreign files or an input, or another process holds its lock.
    """
    root = check_run_root(config.run_dir, tuple(each.name for each in STEPS), input_paths(config))
    return hold_run_dir(root, dump(config) if whole else None)


def input_paths(config: RunConfig) -> dict[str, str]:
    """Values that may be paths of inputs, by key."""
    values, paths = flat(config), dict[str, str]()
    for name, key in run_keys().items():
        if key.effect.holds != "value":
            value = values[name]
            paths |= (
                {f"{name}[{n}]": path for n, path in enumerate(value)} if isinstance(value, list) else {name: value}
            )
    for number, source in enumerate(config.corpus.sources):
        paths |= {f"corpus.sources[{number}].files[{n}]": path for n, path in enumerate(source.files)}
    others = config.evaluation.other_outputs.values()
    paths |= {f"evaluation.against[{number}]": path for number, path in enumerate(others)}
    paths["corpus.dataset"] = (config.corpus.dataset or "").removeprefix("hf:")
    return {key: path for key, path in paths.items() if path}


def dump(config: RunConfig) -> str:
    """The whole configuration as YAML, defaults written out."""
    return yaml.safe_dump(asdict(config), sort_keys=False, allow_unicode=True)


def execute_step(name: str, config: RunConfig) -> StepRecord:
    """Run one step unless it is finished; the steps it reads must be finished."""
    requested, directory = step_named(name), config.paths.step(name)
    before = read_step(directory)
    if name == "report" and before is not None:
        _back_up_report(config)
    spec = step_spec(name, config)
    record = run_step(directory, spec.inputs, spec.settings, partial(requested.work, config), spec.rules)
    if name == "labels":
        _repair_labels(directory, partial(requested.work, _with_shard_size(record, config)))
    if name in MODELS:
        from distilmt.pipeline.steps import clean_up

        clean_up(directory)
    renderings = config.paths.renderings(config.student.input)
    # Behind a link are those of a comparison, which other students need too.
    if name == (BASELINE if config.student.baseline else STUDENT) and not renderings.is_symlink():
        remove_renderings(renderings)
    if name == "report" and not _has_report(config):
        # Only the report writes outside its directory: files deleted there are written again.
        requested.work(config, directory)
    skipped = before is not None and before == record
    if name == "corpus" and skipped:
        corpus_inputs.log_snapshots(record, config.corpus, directory)
    logger.info(f"{name}: {'already done' if skipped else f'{record.seconds:.0f} s'}{_summary(record)}")
    return record


def step_spec(name: str, config: RunConfig) -> StepSpec:
    """A step as a configuration requests it; the steps it reads must be finished."""
    requested = step_named(name)
    settings = json.loads(json.dumps(step_settings(requested, config)))
    spec = StepSpec(config.paths.step(name), {}, settings, step_rules(requested, config))
    if name == "corpus":
        return corpus_inputs.with_inputs(spec, config.corpus)
    return replace(spec, inputs=_inputs(requested, config))


def _with_shard_size(record: StepRecord, config: RunConfig) -> RunConfig:
    """The configuration with the shard size of an existing store: a repair must use that size, not the new one."""
    settings = record.settings
    size = settings.get("labels.shard_size") or settings.get("shard_size") or config.labels.shard_size
    return replace(config, labels=replace(config.labels, shard_size=size))


def _repair_labels(directory: Path, work: Callable[[Path], object]) -> None:
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


def _back_up_report(config: RunConfig) -> None:
    """Copy the report into the step's directory before that is backed up."""
    paths = config.paths
    if not is_done("report", config):
        for path in (paths.report_json, paths.report_html):
            if path.exists() and not (paths.report / path.name).exists():
                shutil.copy2(path, paths.report / path.name)


def _has_report(config: RunConfig) -> bool:
    return config.paths.report_json.exists() and config.paths.report_html.exists()


def is_done(name: str, config: RunConfig) -> bool:
    """Whether `execute_step` would skip a step; the steps it reads must be finished."""
    spec = step_spec(name, config)
    return finished_record(spec.directory, spec.inputs, spec.settings, spec.rules) is not None


def is_reported(config: RunConfig) -> bool:
    """Whether the report in a run directory matches its steps and this configuration."""
    return _has_report(config) and is_done("report", config)


def step_rules(requested: Step, config: RunConfig) -> StepRules:
    """Rules for comparing a step with its record; bounds above the size of the corpus have no effect."""
    record = read_step(config.paths.corpus)
    counts = result_of(CorpusResult, record).counts if record else {}
    return StepDependencies(requested, config, counts if requested.name != "corpus" else {}).step_rules()


def _inputs(requested: Step, config: RunConfig) -> dict[str, str]:
    """Fingerprints of the inputs of a step after the corpus."""
    inputs = {name: step_fingerprint(config.paths.step(name)) for name in requested.inputs(config)}
    if requested.name == "report":
        others = config.evaluation.other_outputs
        check_files(others)
        inputs |= {f"translations of {system}": fingerprint_files(Path(path)) for system, path in others.items()}
    return inputs


def _summary(record: StepRecord) -> str:
    # The path of the page is that of the first call; the run may have been moved since.
    values = {k: v for k, v in record.result.items() if k != "html"}
    shown = {k: v for k, v in values.items() if isinstance(v, int | float | str) and len(str(v)) < 60}
    return "".join(f", {key} {_rounded(v) if isinstance(v, float) else v}" for key, v in shown.items())


def _rounded(value: float) -> float:
    """Two decimals; two digits of a number below 1, which may be small."""
    return float(f"{value:.2g}") if abs(value) < 1 else round(value, 2)


def same_labels(a: RunConfig, b: RunConfig) -> bool:
    """Whether two runs in one directory would have the same corpus, tokenizer, teacher and labels."""
    requested = [step_named(name) for name in RUN_STEPS if reaches("labels", name)]
    one, other = ([step_rules(each, run).effective(settings_of(each, run)) for each in requested] for run in (a, b))
    return one == other


def step_settings(requested: Step, config: RunConfig) -> dict[str, Any]:
    """All values that may affect a step."""
    settings = settings_of(requested, config)
    if requested.name == "baseline":
        settings["updates"] = _updates(config)
    if requested.name in ("exports", "evaluation"):
        from distilmt.pipeline.steps.export import ctranslate2_exports, export_names

        systems = [system_name(*each) for each in ctranslate2_exports(config)]
        settings[NAMES] = export_names(config) if requested.name == "exports" else systems
    return settings


def _updates(config: RunConfig) -> int | None:
    """Number of updates of the student: the baseline is trained for as many."""
    return read_result(ModelResult, config.paths.student).updates
