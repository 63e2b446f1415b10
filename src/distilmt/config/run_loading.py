"""Load a run's configuration and check that its parts are compatible."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from distilmt.config import LabelConfig, RunConfig, renamed
from distilmt.config.flags import Texts
from distilmt.config.parsing import check_keys, parse, parse_values, read_values
from distilmt.config.yaml_file import read_yaml
from distilmt.utils.errors import UserError
from distilmt.utils.json_types import JsonObject


def load(arguments: Sequence[str]) -> RunConfig:
    """A run's configuration: `[CONFIG.yaml] [--KEY VALUE …]`; flags override the file.

    Raises:
        UserError: the file cannot be read, a key is unknown, or a value is invalid.
    """
    return _check_run(parse(RunConfig, arguments))


def load_yaml(path: Path, changes: Mapping[str, object]) -> RunConfig:
    """A run's configuration from a file; `changes`, by key (`labels.beam_size`), override its values.

    Raises:
        UserError: the file cannot be read, a key is unknown, or a value is invalid.
    """
    values = read_values(path, RunConfig)
    nested = nest(changes)
    check_keys(nested, RunConfig, "changes", "")
    return _check_run(parse_values(RunConfig, merge(values, nested), {}))


def load_object(config: RunConfig) -> RunConfig:
    """A configuration that a program has made, checked as one from a file.

    Raises:
        UserError: a value has the wrong type or is out of bounds, or two values exclude each other.
    """
    return _check_run(parse_values(RunConfig, dataclasses.asdict(config), {}))


def nest(values: Mapping[str, object]) -> JsonObject:
    """`{"labels.beam_size": 2}` as `{"labels": {"beam_size": 2}}`."""
    nested: JsonObject = {}
    for key, value in values.items():
        *sections, name = key.split(".")
        inner: Any = {name: value}
        for section in reversed(sections):
            inner = {section: inner}
        nested = merge(nested, inner)
    return nested


def merge(values: Mapping[str, Any], changes: Mapping[str, Any]) -> JsonObject:
    """Nested values with some of them replaced."""
    merged = dict(values)
    for key, value in changes.items():
        old = merged.get(key)
        merged[key] = merge(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return merged


def load_file(path: Path, flags: Texts) -> RunConfig:
    """As `load`, from a file and the texts of flags."""
    return _check_run(parse_values(RunConfig, read_values(path, RunConfig), flags))


def load_values(values: JsonObject, path: Path, flags: Texts) -> RunConfig:
    """As `load`, from the keys and values of the file `path`."""
    check_keys(values, RunConfig, str(path), "")
    return _check_run(parse_values(RunConfig, values, flags))


def load_run_dir(path: Path, flags: Texts) -> RunConfig:
    """A run's configuration from `config.yaml` in its directory."""
    if not (path / "config.yaml").exists():
        raise UserError(f"{path} has no config.yaml: name the directory of a run, such as runs/demo")
    values = renamed.translated(read_yaml(path / "config.yaml"))
    check_keys(values, RunConfig, str(path / "config.yaml"), "")
    return parse_values(RunConfig, values, {"run_dir": [str(path)], **flags})


def of_section(arguments: Sequence[str], section: str) -> list[str]:
    """A command may accept the keys of its section without the prefix: `--executor ray` is `--labels.executor ray`."""
    own = {field.name for field in dataclasses.fields(getattr(RunConfig(), section))}
    own |= {key.removeprefix(f"{section}.") for key in renamed.RUN if key.startswith(f"{section}.")}  # rejected by name
    return [f"--{section}.{a[2:]}" if a.startswith("--") and _key(a) in own else a for a in arguments]


def _key(argument: str) -> str:
    return argument[2:].partition("=")[0].replace("-", "_")


def _check_run(config: RunConfig) -> RunConfig:
    """Find incompatible settings now, not after the teacher has been trained."""
    _check_remote_teacher(config)
    _check_rerank(config.labels)
    _check_has_labels(config)
    _check_initialization(config)
    return config


def _check_remote_teacher(config: RunConfig) -> None:
    """Check the settings for a teacher that is a program or a server."""
    labels = config.labels
    remote = config.teacher.command or config.teacher.url
    if remote and (labels.top_k or config.student.objective.kd_weight):
        raise UserError(
            f"teacher {remote!r} gives only translations, no token probabilities: set labels.top_k and "
            "student.objective.kd_weight to 0"
        )
    if remote and not config.corpus.bilingual and not labels.num_hypotheses:
        raise UserError("labels.num_hypotheses is 0, and the corpus has no references: set it to 1 or more")
    if config.teacher.url and config.teacher.endpoint.few_shot and not config.corpus.bilingual:
        raise UserError(
            "teacher.endpoint.few_shot needs sentence pairs as examples, but the corpus has none: add corpus.train, or "
            "set it to 0"
        )
    has_scores = config.teacher.url and config.teacher.api == "openai" and config.teacher.endpoint.logprobs
    if remote and labels.rerank == "likelihood" and not has_scores:
        raise UserError(
            "labels.rerank is likelihood, but the teacher gives no scores: set teacher.endpoint.logprobs to true for a "
            "server with OpenAI's API, or labels.rerank to mbr"
        )


def _check_rerank(labels: LabelConfig) -> None:
    """Check that the named models exist, and that there are enough translations to choose from."""
    for key, paths in (
        ("ensemble", labels.ensemble),
        ("backward_model", [labels.backward_model] if labels.backward_model else []),
    ):
        for path in paths:
            if not Path(path).is_dir():
                raise UserError(
                    f"labels.{key} names {path}, which is not a directory: name the directory of a Marian model"
                )
    candidates = labels.num_hypotheses * (1 + len(labels.ensemble))
    if labels.rerank != "none" and candidates < 2:
        raise UserError(
            f"labels.rerank is {labels.rerank}, but labels.num_hypotheses is {labels.num_hypotheses}: set it to 2 or "
            "more, or labels.rerank to none"
        )
    if labels.n_best > max(1, candidates):
        raise UserError(
            f"labels.n_best is {labels.n_best}, but a sentence has only {candidates} teacher translations: set "
            f"labels.num_hypotheses to {labels.n_best} or more"
        )


def _check_has_labels(config: RunConfig) -> None:
    """Check the settings for a teacher that translates nothing."""
    labels, share = config.labels, config.student.objective.reference_fraction
    if labels.num_hypotheses:
        return
    if labels.top_k == 0 or labels.score_on == "hypothesis":
        raise UserError(
            "labels.num_hypotheses is 0, so there would be no labels: set it to 1 or more, or labels.top_k to 1 "
            "or more and labels.score_on to reference"
        )
    if share < 1:
        raise UserError(
            f"labels.num_hypotheses is 0, so a student.objective.reference_fraction of {share:g} has no translations "
            "to learn from: set it to 1, or labels.num_hypotheses to 1 or more"
        )


def _check_initialization(config: RunConfig) -> None:
    """Layers are copied together with the embeddings, so they need the teacher's own vocabulary."""
    if config.teacher.named and not config.tokenizer.path and config.student.initialization != "random":
        raise UserError(
            f"student.initialization is {config.student.initialization}, but {config.teacher.named!r} has another "
            "vocabulary than the student: set it to random, or for a Marian teacher set tokenizer.path to its directory"
        )
