"""Configuration from YAML files and flags, by way of jsonargparse."""

from __future__ import annotations

import argparse
import dataclasses
import json
import math
import re
import typing
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

import yaml

from distilmt.commands import (
    CompareConfig,
    CompressConfig,
    CostConfig,
    DemoConfig,
    LabelsConfig,
    PlanConfig,
    ServeConfig,
    TranslateConfig,
)
from distilmt.config import LabelConfig, RunConfig
from distilmt.errors import UserError
from distilmt.keys import fields, nearest
from distilmt.machine import cores

T = TypeVar("T")

# Smallest and biggest values of keys, wherever they stand: with others, work would fail late or never end.
_LIMITS = (
    dict.fromkeys(
        (
            "alternatives_limit",
            "attention",
            "consistency",
            "health_cases",
            "hypotheses",
            "label",
            "learning_rate",
            "max_drop",
            "max_ter",
            "patience",
            "qat_updates",
            "ranking",
            "req_limit",
            "sampling",
            "states",
            "threads",
            "top_k",
            "vocabulary",
            "warmup",
            "word",
            "worker_gpus",
            "workers",
        ),
        (0.0, math.inf),
    )
    | dict.fromkeys(
        ("batch_limit", "batch_tokens", "beam_size", "bootstrap", "char_limit", "connections", "keep", "max_sentences"),
        (1.0, math.inf),
    )
    | dict.fromkeys(
        ("max_train", "n_best", "queue", "sentences"),
        (1.0, math.inf),
    )
    | dict.fromkeys(("shard_size", "speed_sentences", "test_size", "updates", "valid_size"), (1.0, math.inf))
    | dict.fromkeys(("validate_every", "validate_sentences", "vocab_size", "worker_cores"), (1.0, math.inf))
    | dict.fromkeys(("average_decay", "dropout", "label_smoothing"), (0.0, 0.9999))
    | {
        "reference_share": (0.0, 1.0),
        "reverse_keep": (0.0, 1.0),
        "temperature": (0.01, math.inf),
        "max_positions": (2.0, math.inf),
        "student.on_policy.updates": (0.0, math.inf),
        "recovery_updates": (1.0, math.inf),
        "first": (0.0, math.inf),
        "parts": (0.0, math.inf),
        "recovery_rate": (1e-6, 10.0),
        "rounds": (0.0, math.inf),
        "port": (0.0, 65535.0),
        "window_ms": (0.0, 1000.0),
        "timeout": (0.1, 3600.0),
        "cascade": (-math.inf, 0.0),
        "student.on_policy.rounds": (1.0, math.inf),
    }
)


def load(arguments: Sequence[str]) -> RunConfig:
    """A run's configuration: `[CONFIG.yaml] [--KEY VALUE …]`, keys given as flags win.

    Raises:
        UserError: the file cannot be read, a key is unknown, a value does not fit.
    """
    config = _parse(RunConfig, arguments)
    _check_labels(config)
    _check_initialise(config)
    return config


def of_labels(arguments: Sequence[str]) -> list[str]:
    """`distilmt label` takes keys of `labels` without that in front: `--engine ray` is `--labels.engine ray`."""
    own = {field.name for field in dataclasses.fields(LabelConfig)}
    return [f"--labels.{a[2:]}" if a.startswith("--") and a[2:].split("=")[0] in own else a for a in arguments]


_COMPARISON = ("methods", "seeds", "baseline")
_OF_METHODS = ("student", "labels")


def load_comparison(arguments: Sequence[str]) -> CompareConfig:
    """A comparison: `CONFIG.yaml [--only NAMES] [--seeds NUMBERS] [--jobs N] [--KEY VALUE …]`.

    The file has a run's keys and beside them `methods`, `seeds` and `baseline`; NAMES and NUMBERS stand between commas.

    Raises:
        UserError: as `load`; or methods that differ in more than how a student is made, or in how long it is trained.
    """
    if not arguments or arguments[0].startswith("-"):
        raise UserError("name a YAML file, such as configs/compare-multi30k.yaml")
    path, (chosen, flags) = Path(arguments[0]), _chosen(arguments[1:])
    values = _read_yaml(path)
    methods, seeds, baseline = (values.pop(key, None) for key in _COMPARISON)
    _check_methods(path, methods, seeds)
    baseline = str(baseline or next(iter(methods)))
    for name in [baseline, *(chosen.only or [])]:
        if name not in map(str, methods):
            raise UserError(f"{path}: {name!r} is no method{nearest(name, list(map(str, methods)))}")
    wanted = {baseline, *(chosen.only or map(str, methods))}
    run = _load(values, path, flags)
    made = {
        str(name): _load(_merged(values, changes or {}), path, flags)
        for name, changes in methods.items()
        if str(name) in wanted
    }
    config = CompareConfig(run, made, chosen.seeds or seeds or [1, 2, 3], baseline, chosen.jobs)
    _check_budgets(config, path)
    _check_jobs(config.jobs)
    return config


def _chosen(flags: Sequence[str]) -> tuple[argparse.Namespace, list[str]]:
    """What is chosen on the command line beside a run's own keys, and the other flags."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    parser.add_argument("--only", type=lambda text: [name.strip() for name in text.split(",")])
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--seeds", type=lambda text: [int(number) for number in text.strip("[]").split(",")])
    try:
        return parser.parse_known_args(list(flags))
    except argparse.ArgumentError as error:
        raise UserError(f"{error}: write it like --only word,sequence, --seeds 1,2,3 and --jobs 2") from None


def _check_methods(path: Path, methods: Any, seeds: Any) -> None:
    if not isinstance(methods, dict) or len(methods) < 2:
        raise UserError(f"{path}: methods must name two methods at least, each with what differs from the others")
    for name, changes in methods.items():
        if not re.fullmatch(r"[\w.+-]+", str(name)) or str(name).startswith("."):
            raise UserError(f"{path}: method {name!r}: use letters, digits and - _ + . in its name")
        if not isinstance(changes or {}, dict) or set(changes or {}) - set(_OF_METHODS):
            raise UserError(f"{path}: method {name!r} may have keys of {' and '.join(_OF_METHODS)} alone")
    if seeds is not None and not (isinstance(seeds, list) and seeds and all(type(seed) is int for seed in seeds)):
        raise UserError(f"{path}: seeds must be a list of whole numbers, such as [1, 2, 3]")


def _check_budgets(config: CompareConfig, path: Path) -> None:
    """Methods are compared at equal updates: whoever trained longer would win for that alone."""
    wanted = config.run.student
    for name, run in config.methods.items():
        student, training = run.student, run.student.training
        if (student.all_updates, training.batch_tokens) != (wanted.all_updates, wanted.training.batch_tokens):
            raise UserError(f"{path}: method {name!r} is trained for longer or shorter: give all the same updates")
        if training.seconds is not None:
            raise UserError(f"{path}: student.training.seconds must be null: methods are compared at equal updates")


def _merged(values: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """`values` with some keys replaced, as deep as `changes` is nested."""
    whole = dict(values)
    for key, value in changes.items():
        both = isinstance(value, dict) and isinstance(whole.get(key), dict)
        whole[key] = _merged(whole[key], value) if both else value
    return whole


def _load(values: dict[str, Any], path: Path, flags: Sequence[str]) -> RunConfig:
    _check_keys(values, RunConfig, str(path), "")
    config = _parse_values(RunConfig, values, flags)
    _check_labels(config)
    _check_initialise(config)
    return config


def load_demo(arguments: Sequence[str]) -> DemoConfig:
    """The demo's flags."""
    return _parse(DemoConfig, arguments)


def load_translate(arguments: Sequence[str]) -> TranslateConfig:
    """The directory to translate with, files, and flags.

    Raises:
        UserError: as `load`; or flags that do not go together.
    """
    given: dict[str, list[str]] = {"": []}
    rest = list(arguments)
    while rest:
        name, sign, value = rest.pop(0).partition("=")
        if not name.startswith("--"):
            given[""].append(name + sign + value)
        elif name == "--scores" and not sign:
            given[name] = ["true"]
        elif not sign and not rest:
            raise UserError(f"{name} needs a value behind it")
        else:
            given.setdefault(f"--{name[2:].replace('-', '_')}", []).append(value if sign else rest.pop(0))
    named, text, keys = given.pop(""), given.pop("--text", [None])[-1], given.pop("--json_keys", [])
    flags = [f"{name}={values[-1]}" for name, values in given.items()]
    # What people wrote is taken as it stands: a parser would read `null` or `1e3` out of it.
    flags += [f"--path={named[0]}", f"--files={json.dumps(named[1:])}"] if named else []
    found = _parse(TranslateConfig, flags)
    config = dataclasses.replace(found, text=text, json_keys=[key for several in keys for key in several.split(",")])
    _check_translate(config)
    return config


def _check_translate(config: TranslateConfig) -> None:
    if not config.path:
        raise UserError("name a run directory, such as runs/demo, or an exported model, before all else")
    documents = config.files or config.format not in (None, "lines") or config.glossary
    if (config.scores or config.n_best > 1) and documents:
        raise UserError("--scores and --n_best are for lines: leave out files, --format and --glossary")
    if config.files and (config.text is not None or config.format):
        raise UserError("files are translated by their endings: leave out --text and --format")
    if config.output and not config.files:
        raise UserError("--output is for files: name them before it, or write > FILE")


_STORES = {"check": (1, 1), "info": (1, 1), "merge": (3, 1000), "split": (2, 2), "select": (2, 2)}


def load_labels(arguments: Sequence[str]) -> LabelsConfig:
    """`ACTION DIR … [--KEY VALUE …]`.

    Raises:
        UserError: as `load`; or too few or too many directories are named.
    """
    action, rest = arguments[0], list(arguments[1:])
    if action not in _STORES:
        raise UserError(f"distilmt labels cannot {action!r}{nearest(action, list(_STORES))}")
    number = next((i for i, argument in enumerate(rest) if argument.startswith("-")), len(rest))
    low, high = _STORES[action]
    if not low <= number <= high:
        raise UserError(f"distilmt labels {action} takes {low}{' or more' * (high > low)} directories, not {number}")
    return _parse_values(LabelsConfig, {"action": action, "paths": rest[:number]}, rest[number:])


def load_serve(arguments: Sequence[str]) -> ServeConfig:
    """`MODEL… [--KEY VALUE …]`.

    Raises:
        UserError: as `load`; or no model is named.
    """
    first = next((i for i, a in enumerate(arguments) if a.startswith("--")), len(arguments))
    if first == 0:
        raise UserError("name what to serve: an exported model, or a run directory such as runs/demo")
    return _parse_values(ServeConfig, {"models": list(arguments[:first])}, _underscored(arguments[first:]))


def load_compress(arguments: Sequence[str]) -> tuple[CompressConfig, RunConfig]:
    """A run directory with flags: what is looked for, and the run as `config.yaml` in it tells.

    Raises:
        UserError: as `load`; or the directory is not a run's.
    """
    if not arguments or arguments[0].startswith("-"):
        raise UserError("name a run directory, such as runs/demo")
    path = Path(arguments[0])
    config = _parse_values(CompressConfig, {"path": str(path)}, _underscored(arguments[1:]))
    run = _run_in(path, [])
    _check_compress(config)
    _check_jobs(config.jobs)
    return config, run


def _check_compress(config: CompressConfig) -> None:
    for name, values in (("types", config.types), ("beams", config.beams), ("bits", config.bits)):
        if not values:
            raise UserError(f"{name} is empty: name at least one")
    if not 0 < config.ffn <= 1:
        raise UserError(f"ffn is {config.ffn:g}: it must lie above 0 and not above 1")
    if config.baseline and not (Path(config.baseline) / "model.safetensors").exists():
        raise UserError(f"baseline {config.baseline} has no model.safetensors: name the directory of a trained student")
    if min(config.beams) < 1:
        raise UserError(f"beams are {config.beams}: each must be 1 at least")
    if min(config.bits) < 3 or max(config.bits) > 8:
        raise UserError(f"bits are {config.bits}: each must be 3 at least, 8 at most")
    if min(config.bits) < 8 and not config.packed:
        raise UserError(f"bits are {config.bits}, of use in packed files only: set packed to true, or bits to 8")


def load_cost(arguments: Sequence[str]) -> tuple[CostConfig, RunConfig, RunConfig | None]:
    """`CONFIG.yaml|RUN_DIR [--fit] [--minutes M] [--like RUN_DIR] [--KEY VALUE …]`.

    Returns:
        What is asked; the run; and the run whose records may tell how fast this machine is: the one named with
        `--like`, else the one that lies in the run directory.

    Raises:
        UserError: as `load`; or a directory is not a run's.
    """
    if not arguments or arguments[0].startswith("-"):
        raise UserError("name a YAML file, such as configs/multi30k-en-de.yaml, or a run directory, such as runs/demo")
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    parser.add_argument("--fit", action="store_true")
    parser.add_argument("--minutes", type=float, default=CostConfig.minutes)
    parser.add_argument("--like")
    try:
        chosen, flags = parser.parse_known_args(list(arguments[1:]))
    except argparse.ArgumentError as error:
        raise UserError(f"{error}: write it like --fit, --minutes 3 and --like runs/demo") from None
    path = Path(arguments[0])
    run = _run_in(path, flags) if path.is_dir() else load([str(path), *flags])
    like = Path(chosen.like or run.run_dir)
    other = _run_in(like, []) if chosen.like or (like / "config.yaml").exists() else None
    return CostConfig(chosen.fit, chosen.minutes, chosen.like, path.is_dir()), run, other


def load_plan(arguments: Sequence[str]) -> tuple[PlanConfig, RunConfig]:
    """`CONFIG.yaml|RUN_DIR [--minutes M] [--worth W] [--metric bleu|chrf] … [--KEY VALUE …]`.

    Raises:
        UserError: as `load`; or what is asked cannot be planned.
    """
    if not arguments or arguments[0].startswith("-"):
        raise UserError("name a YAML file, such as configs/multi30k-en-de.yaml, or a run directory, such as runs/demo")
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    for name, kind in (("minutes", float), ("worth", float), ("metric", str), ("updates", int), ("price", float)):
        parser.add_argument(f"--{name}", type=kind, default=getattr(PlanConfig, name))
    for name in ("sizes", "seeds"):
        parser.add_argument(f"--{name}", type=lambda text: [int(number) for number in text.strip("[]").split(",")])
    try:
        chosen, flags = parser.parse_known_args(list(arguments[1:]))
    except argparse.ArgumentError as error:
        raise UserError(f"{error}: write it like --minutes 20, --sizes 500,2000,8000 and --seeds 1,2") from None
    if chosen.metric not in ("bleu", "chrf"):
        raise UserError(f"--metric {chosen.metric!r} is unknown: use bleu or chrf")
    path = Path(arguments[0])
    run = _run_in(path, flags) if path.is_dir() else load([str(path), *flags])
    return PlanConfig(**vars(chosen)), run


def _run_in(path: Path, flags: Sequence[str]) -> RunConfig:
    """A run as `config.yaml` in its directory tells."""
    if not (path / "config.yaml").exists():
        raise UserError(f"{path} has no config.yaml: name the directory of a run, such as runs/demo")
    return _parse(RunConfig, [str(path / "config.yaml"), "--run_dir", str(path), *flags])


def _underscored(arguments: Sequence[str]) -> list[str]:
    """`--max-drop` is the same as `--max_drop`."""
    found = []
    for argument in arguments:
        name, sign, value = argument.partition("=")
        found.append((name.replace("-", "_").replace("__", "--", 1) if name.startswith("--") else name) + sign + value)
    return found


def _check_jobs(jobs: int) -> None:
    if not 1 <= jobs <= cores():
        raise UserError(f"--jobs {jobs}: this machine lends {cores()} cores, so take 1 to {cores()}")


def _parse(kind: type[T], arguments: Sequence[str]) -> T:
    values: dict[str, Any] = {}
    rest = list(arguments)
    if rest and not rest[0].startswith("-"):
        path = Path(rest.pop(0))
        values = _read_yaml(path)
        _check_keys(values, kind, str(path), "")
    return _parse_values(kind, values, rest)


def _parse_values(kind: type[T], values: dict[str, Any], arguments: Sequence[str]) -> T:
    import jsonargparse

    rest = _joined_lists(kind, list(arguments))
    known = [name for name, *_ in fields(kind)]
    for argument in rest:
        name = argument.removeprefix("--").split("=")[0]
        if argument.startswith("--") and name not in known:
            raise UserError(f"unknown option --{name}{nearest(name, known)}")
    parser = jsonargparse.ArgumentParser(exit_on_error=False, default_env=False)
    parser.add_class_arguments(kind, None, fail_untyped=True)
    try:
        found = parser.parse_object(values) if values else parser.get_defaults()
        found = parser.parse_args(rest, namespace=found)
        made = parser.instantiate_classes(found)
        config = kind(**{field.name: getattr(made, field.name) for field in dataclasses.fields(kind)})  # type: ignore[arg-type]
    except (jsonargparse.ArgumentError, TypeError, ValueError) as error:
        raise UserError(_plain(str(error))) from None
    _check_limits(config)
    return config


def _check_limits(config: Any, prefix: str = "") -> None:
    for field in dataclasses.fields(config):
        name, value = f"{prefix}{field.name}", getattr(config, field.name)
        if dataclasses.is_dataclass(value):
            _check_limits(value, f"{name}.")
        low, high = _LIMITS.get(name, _LIMITS.get(field.name, (-math.inf, math.inf)))
        if isinstance(value, int | float) and not low <= value <= high:
            raise UserError(f"{name} is {value}: it must be {low:g} at least" + (f", {high:g} at most" * (high < 1e9)))
        if name in ("export.teacher", "export.student") and not value:
            raise UserError(f"{name} is empty: name at least one type, such as int8")


def _check_labels(config: RunConfig) -> None:
    """What a teacher that translates nothing can be asked: known now, not when it has been trained."""
    labels, share = config.labels, config.student.objective.reference_share
    outside = config.teacher.command or config.teacher.url
    if outside and (labels.top_k or config.student.objective.word):
        raise UserError(
            f"teacher {outside!r} tells translations alone, no probabilities of words: set labels.top_k and "
            "student.objective.word to 0"
        )
    if outside and not config.corpus.bilingual and not labels.hypotheses:
        raise UserError("labels.hypotheses is 0, but the corpus has no references either: set it to 1 or more")
    for key, paths in (("ensemble", labels.ensemble), ("reverse", [labels.reverse] if labels.reverse else [])):
        for path in paths:
            if not Path(path).is_dir():
                raise UserError(f"labels.{key} names {path}, which is no directory: name one with a Marian model in it")
    candidates = labels.hypotheses * (1 + len(labels.ensemble))
    if labels.choose != "best" and candidates < 2:
        raise UserError(
            f"labels.choose is {labels.choose}, but labels.hypotheses is {labels.hypotheses}: set it to 2 or more, or "
            "labels.choose to best"
        )
    if labels.keep > max(1, candidates):
        raise UserError(
            f"labels.keep is {labels.keep}, but a sentence has only {candidates} translations of a teacher: set "
            f"labels.hypotheses to {labels.keep} or more"
        )
    if labels.hypotheses:
        return
    if labels.top_k == 0 or labels.score_on == "hypothesis":
        raise UserError(
            "labels.hypotheses is 0, so the teacher would say nothing: set it to 1 or more, or labels.top_k to 1 or "
            "more and labels.score_on to reference"
        )
    if share < 1:
        raise UserError(
            f"labels.hypotheses is 0, so a student.objective.reference_share of {share:g} has no translations to "
            "learn from: set it to 1, or labels.hypotheses to 1 or more"
        )


def _check_initialise(config: RunConfig) -> None:
    """Layers are copied together with the embeddings: they are of use to the teacher's own pieces only."""
    if config.teacher.named and not config.tokenizer.path and config.student.initialise != "random":
        raise UserError(
            f"student.initialise is {config.student.initialise}, but {config.teacher.named!r} has other pieces than "
            "the student would: set it to random, or for a Marian teacher tokenizer.path to its directory"
        )


def _joined_lists(kind: type, arguments: list[str]) -> list[str]:
    """`--train a.en a.it` as jsonargparse wants it: `--train=["a.en", "a.it"]`."""
    lists = {name for name, annotation, *_ in fields(kind) if str(annotation).startswith("list")}
    joined: list[str] = []
    while arguments:
        argument = arguments.pop(0)
        if argument.startswith("--") and argument[2:] in lists:
            items = []
            while arguments and not arguments[0].startswith("--"):
                items.append(arguments.pop(0))
            if len(items) == 1 and items[0].startswith("["):
                joined.append(f"{argument}={items[0]}")
            else:
                joined.append(f"{argument}={yaml.safe_dump(items, default_flow_style=True).strip()}")
        else:
            joined.append(argument)
    return joined


def _plain(message: str) -> str:
    """jsonargparse's message in one line, without its hints for programmers."""
    line = re.sub(r"Problem with given class_path 'distilmt\.config\.[\w.]+': ", "", " ".join(message.split()))
    return re.sub(r" ?(Problem with given class_path|Parent parser|tip:).*", "", line)[:400]


def _read_yaml(path: Path) -> dict[str, Any]:
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{path} does not exist: name a YAML file, such as those in configs/") from None
    except (IsADirectoryError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise UserError(f"{path} is not a YAML file ({' '.join(str(error).split())[:150]})") from None
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise UserError(f"{path} must hold keys and values, such as `seed: 1`")
    return values


def _check_keys(values: dict[str, Any], kind: type, path: str, prefix: str) -> None:
    hints = typing.get_type_hints(kind)
    for key, value in values.items():
        if key not in hints:
            known = [name for name, *_ in fields(RunConfig)] if prefix == "" else list(hints)
            raise UserError(f"{path}: unknown key {prefix + str(key)!r}{nearest(str(key), [*hints, *known], prefix)}")
        if dataclasses.is_dataclass(hints[key]):
            if not isinstance(value, dict):
                raise UserError(f"{path}: {prefix}{key} must hold keys: {', '.join(typing.get_type_hints(hints[key]))}")
            _check_keys(value, typing.cast(type, hints[key]), path, f"{prefix}{key}.")
