"""What each step's outcome depends on: the keys that can change it, as `config.effects` lists them.

A finished step is compared with the requested one by value, not by hash. A key that was added later with its default,
another spelling of a path, or a bound that was never reached makes no difference.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from dataclasses import asdict
from functools import lru_cache
from pathlib import Path
from typing import Any

from distilmt.config import RunConfig, SourceConfig
from distilmt.config.effects import ConfigKey, keys_of
from distilmt.config.renamed import translated, translated_settings
from distilmt.pipeline import unreached_limits
from distilmt.pipeline.step_spec import CHANGED, Differences, StepRules, changed_text
from distilmt.utils.run_dir import StepRecord, fingerprint_files, read_json, read_step

WEIGHTS, NAMES = "weights", "names"
"""Settings besides the keys: the fingerprint of models given as directories, and the names of the requested systems."""
_PATHS = ("tokenizer.path", "teacher.path", "labels.ensemble", "labels.backward_model")
_FILES = ("corpus.train", "corpus.valid", "corpus.test", "corpus.monolingual")
_READ_AS = ("train", "valid", "test", "mono", "source")
_BY_NAMES = ("export.teacher", "export.student", "export.formats", "student.baseline")
"""Keys that select the exports: exports are compared by their names."""
_UNREAD = frozenset({NAMES, "export.huggingface_type", "export.licenses.teacher", "export.licenses.data"})
_OUTCOMES = {
    "corpus": ("*.parquet",),
    "references": ("*.parquet", "teacher.json"),
    "tokenizer": ("*",),
    **dict.fromkeys(("teacher", "student", "baseline"), ("model*.safetensors", "config.json", "*.spm", "teacher.json")),
    **dict.fromkeys(("labels", "selection"), ("shard-*.parquet",)),
}

_TOKENIZER = ("*.spm", "vocab.json", "target_vocab.json", "tokenizer_config.json")
_MODEL = (*_TOKENIZER, "model*.safetensors", "config.json", "generation_config.json", "teacher.json")
_SEALED = {"tokenizer": _TOKENIZER} | dict.fromkeys(("teacher", "student", "baseline"), _MODEL)


@lru_cache
def keys() -> dict[str, ConfigKey]:
    """All keys of a run."""
    return keys_of(RunConfig)


def flat(config: RunConfig) -> dict[str, Any]:
    """All values of a configuration by dotted name."""
    return _flat(asdict(config), "")


def _flat(values: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    leaves: dict[str, Any] = {}
    for name, value in values.items():
        nested = isinstance(value, dict) and f"{prefix}{name}" not in keys()
        leaves |= _flat(value, f"{prefix}{name}.") if nested else {f"{prefix}{name}": value}
    return leaves


def non_default(values: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    """Values that differ from the defaults, at any depth: a key that was added later makes no difference."""
    own: dict[str, Any] = {}
    for name, value in values.items():
        default = defaults.get(name)
        if isinstance(value, dict) and isinstance(default, dict):
            inner = non_default(value, default)
            own |= {name: inner} if inner else {}
        elif name not in defaults or value != default:
            own[name] = value
    return own


def settings_of(step: str, config: RunConfig) -> dict[str, Any]:
    """All values that may affect a step, and the fingerprint of the models given to it."""
    values = flat(config)
    settings = {name: values[name] for name, key in keys().items() if step in key.steps}
    named = [values[name] for name in _PATHS if name in settings and name != "tokenizer.path"]
    weights = _weights([path for value in named for path in (value if isinstance(value, list) else [value]) if path])
    return settings | ({WEIGHTS: weights} if weights else {})


def _weights(paths: list[str]) -> str:
    files: list[Path] = []
    for path in map(Path, paths):
        inside = [*sorted(path.glob("*.safetensors")), path / "model.bin", path / "model" / "model.bin"]
        files += [file for file in ([path] if path.is_file() else inside) if file.is_file()]
    return fingerprint_files(*files) if files else ""


class StepDependencies:
    """Compares a finished step with the requested one."""

    def __init__(self, step: str, config: RunConfig, counts: Mapping[str, int]) -> None:
        """Store the values that the comparison needs.

        Args:
            step: its name.
            config: the run.
            counts: rows of the corpus by split, where available: bounds above them have no effect.
        """
        self.step, self.values, self.counts = step, flat(config), counts
        self.directory = Path(config.run_dir) / step

    def step_rules(self) -> StepRules:
        """The rules as `run_step` takes them."""
        unread = _UNREAD if self.step == "exports" else frozenset()
        outcome = _OUTCOMES.get(self.step, ())
        sealed = _SEALED.get(self.step, ())
        return StepRules(self.differences, self.effective, self.resumed, self.reusable, unread, sealed, outcome)

    def comparable_settings(self, settings: Mapping[str, Any]) -> dict[str, Any]:
        """Settings in the form that is compared: complete, without keys of no effect, paths and bounds normalized."""
        given = translated_settings(old_layout(self.step, settings))
        own = {n: key for n, key in keys().items() if self.step in key.steps and n not in _BY_NAMES and not key.resumed}
        if self.step == "report":
            own |= {name: keys()[name] for name in _BY_NAMES if self.step in keys()[name].steps}
        whole = {name: given.get(name, key.default) for name, key in own.items()}
        everything = self.values | whole
        relevant = {n: self._value(n, v, everything) for n, v in whole.items() if own[n].matters(everything)}
        extra = {name: given[name] for name in (WEIGHTS, NAMES, "updates") if given.get(name)}
        return _without_student_limits(self.step, relevant | extra)

    def _value(self, name: str, value: Any, values: Mapping[str, Any]) -> Any:
        if name in _FILES:
            return [Path(path).suffix for path in value]
        if name == "corpus.sources":
            return [_source(each) for each in value]
        if name in _PATHS:
            return [_real_path(path) for path in value] if isinstance(value, list) else _real_path(value)
        return unreached_limits.effective_value(name, value, values, self.counts)

    def effective(self, settings: Mapping[str, Any]) -> dict[str, Any]:
        """Settings that matter and differ from their defaults, for the fingerprint."""
        relevant = {
            name: value for name, value in self.comparable_settings(settings).items() if name not in (NAMES, *_UNREAD)
        }
        if relevant.get(WEIGHTS):
            relevant = {name: value for name, value in relevant.items() if name not in _PATHS}
        defaults = {n: self._value(n, key.default, self.values) for n, key in keys().items() if n in relevant}
        return {name: value for name, value in relevant.items() if name not in defaults or value != defaults[name]}

    def resumed(self, settings: Mapping[str, Any]) -> dict[str, Any]:
        """The same plus the settings that an unfinished directory depends on."""
        names = {NAMES: settings.get(NAMES)} if settings.get(NAMES) else {}
        own = {name: value for name, value in settings.items() if name in keys() and keys()[name].resumed}
        unread = {name: value for name, value in self.comparable_settings(settings).items() if name in _UNREAD}
        return self.effective(settings) | names | own | unread

    def differences(self, record: StepRecord, inputs: Mapping[str, str], settings: Mapping[str, Any]) -> Differences:
        """Inputs and settings in which a finished step differs from the requested one."""
        read = differing_inputs(self.step, record.inputs, inputs)
        old, new = self.comparable_settings(record.settings), self.comparable_settings(settings)
        names, _ = new.pop(NAMES, []), old.pop(NAMES, None)
        missing = [name for name in names if name not in _names(record)]
        changes = {NAMES: f"with {', '.join(missing)}"} if missing else {}
        if WEIGHTS in old and WEIGHTS in new and old[WEIGHTS] == new[WEIGHTS]:
            old, new = ({n: v for n, v in each.items() if n not in _PATHS} for each in (old, new))
        elif WEIGHTS not in old:
            new.pop(WEIGHTS, None)
        finished_step = unreached_limits.FinishedStep(record, {**self.values, **old}, self._log(record))
        for name in {**old, **new}:
            text = changed_text(old.get(name), new.get(name))
            if text and not unreached_limits.same_outcome(name, old.get(name), new.get(name), finished_step):
                changes[name] = text
        return changes | dict.fromkeys(read, CHANGED)

    def _log(self, record: StepRecord) -> tuple[Mapping[str, float], ...]:
        """The training log, if the directory belongs to this record."""
        path = self.directory / "log.json"
        return tuple(read_json(path)) if path.exists() and read_step(self.directory) == record else ()

    def reusable(self, record: StepRecord, differences: Differences) -> list[str] | None:
        """Files of exports and evaluation that can be reused."""
        names = _names(record)
        if self.step == "exports" and set(differences) <= _UNREAD:
            own = [name for name in names if not name.startswith("student") or name in _systems()]
            licenses = any(name.startswith("export.licenses") for name in differences)
            forms = [] if licenses else [name for name in names if name not in own]
            hugging = "export.huggingface_type" in differences
            return own + [name for name in forms if not (hugging and name == "student-huggingface")]
        if self.step == "evaluation" and set(differences) <= {NAMES, *_PARTS}:
            files = [f"{name}.{kind}" for name in names for kind in ("json", "txt")]
            files += [] if "evaluation.challenge_cases" in differences else ["*.health.json"]
            return files + ([] if {NAMES, "evaluation.benchmark_sentences"} & set(differences) else ["speed.json"])
        return None


_PARTS = ("evaluation.challenge_cases", "evaluation.benchmark_sentences")


def _names(record: StepRecord) -> list[str]:
    """The systems that were exported or evaluated."""
    return [name.removeprefix("bleu ") for name in record.result]


def _systems() -> set[str]:
    from distilmt.export.ctranslate2 import TYPES

    return {"student", *(f"student-{compute_type}" for compute_type in TYPES)}


def _without_student_limits(step: str, settings: dict[str, Any]) -> dict[str, Any]:
    """The baseline runs as many updates as the student, whatever limited those."""
    limits = {"student.training.max_steps", "student.training.max_seconds", "student.training.patience"}
    drop = limits if step == "baseline" and "updates" in settings else set()
    return {name: value for name, value in settings.items() if name not in drop}


def _real_path(path: str | None) -> str | None:
    return os.path.realpath(path) if path and os.path.exists(path) else path


def _source(source: Mapping[str, Any]) -> dict[str, Any]:
    """One entry of `corpus.sources`: without an id, its rows are named after its file."""
    defaults = {f.name: f.default for f in dataclasses.fields(SourceConfig) if f.default is not dataclasses.MISSING}
    whole = {**defaults, **translated(source, "corpus.sources.")}
    whole.pop("license", None)
    return whole | {"files": [Path(path).name for path in whole.get("files") or []]}


def named_inputs(inputs: Mapping[str, str]) -> dict[str, str]:
    """Inputs of the corpus without their paths: `train:0` for the first file of `corpus.train`."""
    by_position: dict[str, str] = {}
    for key, value in inputs.items():
        kind = key.partition(":")[0]
        position = sum(name.startswith(f"{kind}:") for name in by_position)
        by_position[f"{kind}:{position}" if kind in _READ_AS and ":" in key else key] = value
    return by_position


def differing_inputs(step: str, old: Mapping[str, str], new: Mapping[str, str]) -> set[str]:
    """Names of the inputs of a step that differ."""
    old, new = dict(old), dict(new)
    if step == "corpus":
        old, new = named_inputs(old), named_inputs(new)
    if step in ("exports", "report"):
        for name in {"corpus", "baseline"} - set(new):
            old.pop(name, None)
    return {name for name in {**old, **new} if old.get(name) != new.get(name)}


_OLD = {"corpus": "corpus", "tokenizer": "tokenizer", "teacher": "teacher", "labels": "labels", "selection": "labels"}
_OLD |= {"student": "student", "baseline": "student", "exports": "export", "evaluation": "evaluation"}
_OLD |= {"references": "teacher", "teacher-scores": "evaluation", "scores": "evaluation", "validation": "evaluation"}


def old_layout(step: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings by dotted name; older records left out the name of the section."""
    if any("." in name for name in settings):
        return dict(settings)
    if step == "report":
        return {"language": settings.get("language", "en")} | _flat(settings.get("config", {}), "")
    values, top_level = dict(settings), {}
    for name in ("seed", WEIGHTS, "updates"):
        if name in values:
            top_level[name] = values.pop(name)
    if step in ("teacher", "references"):
        served = ("prompt", "max_tokens", *(("model",) if isinstance(values.get("model"), str) else ()))
        values["endpoint"] = {name: values.pop(name) for name in served if name in values}
    section = _OLD[step]
    return top_level | _flat({_renamed(step, section, name): value for name, value in values.items()}, "")


def _renamed(step: str, section: str, name: str) -> str:
    if name in ("source", "target"):
        return f"corpus.{name}"
    labels = ("max_length_ratio", "max_repetition", "drop_copies", "max_ter", "reverse_keep")
    if name in labels or (step == "references" and f"labels.{name}" in keys()):
        return f"labels.{name}"
    return "tokenizer.input_sentence_size" if name == "sample" else f"{section}.{name}"
