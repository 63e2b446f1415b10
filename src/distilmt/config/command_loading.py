"""Arguments of the other commands: models, files, directories, and flags."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path

from distilmt.config import RunConfig
from distilmt.config.bounds import check_bounds
from distilmt.config.commands import CompressConfig, DemoConfig, LabelsConfig, ServeConfig, TranslateConfig
from distilmt.config.fields import suggestion
from distilmt.config.flags import normalize_flags
from distilmt.config.jobs import check_jobs
from distilmt.config.parsing import parse, parse_values
from distilmt.config.run_loading import load_run_dir
from distilmt.utils.errors import UserError

_STORES = {"check": (1, 1), "info": (1, 1), "merge": (3, 1000), "split": (2, 2), "select": (2, 2)}


def load_demo(arguments: Sequence[str]) -> DemoConfig:
    """The demo's flags."""
    return parse(DemoConfig, arguments)


def load_translate(arguments: Sequence[str]) -> TranslateConfig:
    """The directory to translate with, files, and flags.

    Raises:
        UserError: as `load`; or flags that contradict each other.
    """
    given: dict[str, list[str]] = {"": []}
    remaining = list(arguments)
    while remaining:
        name, sign, value = remaining.pop(0).partition("=")
        if not name.startswith("--"):
            given[""].append(name + sign + value)
        elif name == "--scores" and not sign:
            given[name] = ["true"]
        elif not sign and not remaining:
            raise UserError(f"{name} needs a value after it")
        else:
            given.setdefault(f"--{name[2:].replace('-', '_')}", []).append(value if sign else remaining.pop(0))
    named, text, keys = given.pop(""), given.pop("--text", [None])[-1], given.pop("--json_keys", [])
    keep = given.pop("--keep", [])
    flags = [f"{name}={values[-1]}" for name, values in given.items()]
    # Paths and texts are taken literally: a parser would read `null` or `1e3` in them as values.
    flags += [f"--path={named[0]}", f"--files={json.dumps(named[1:])}"] if named else []
    base_config = parse(TranslateConfig, flags)
    keys = [key for several in keys for key in several.split(",")]
    config = dataclasses.replace(base_config, text=text, json_keys=keys, keep=keep)
    _check_translate(config)
    return config


def _check_translate(config: TranslateConfig) -> None:
    if not config.path:
        raise UserError("the first argument must be a run directory, such as runs/demo, or an exported model")
    documents = config.files or config.format not in (None, "lines") or config.glossary
    if (config.scores or config.n_best > 1) and documents:
        raise UserError("--scores and --n_best are for lines: leave out files, --format and --glossary")
    is_lines = not config.files and (config.scores or config.n_best > 1 or config.format == "lines")
    if config.keep and (is_lines or not (config.files or config.format or config.text is not None)):
        raise UserError("--keep is for documents and texts: add --format txt, or leave out --keep")
    if config.files and (config.text is not None or config.format):
        raise UserError("the format of a file is given by its extension: leave out --text and --format")
    if config.output and not config.files:
        raise UserError("--output is for files: name the files before it, or redirect with > FILE")


def load_labels(arguments: Sequence[str]) -> LabelsConfig:
    """`ACTION DIR … [--KEY VALUE …]`.

    Raises:
        UserError: as `load`; or the number of directories is wrong.
    """
    action, remaining = arguments[0], list(arguments[1:])
    if action not in _STORES:
        raise UserError(f"unknown action {action!r} of distilmt labels{suggestion(action, list(_STORES))}")
    number = next((i for i, argument in enumerate(remaining) if argument.startswith("-")), len(remaining))
    low, high = _STORES[action]
    if not low <= number <= high:
        raise UserError(f"distilmt labels {action} takes {low}{' or more' * (high > low)} directories, not {number}")
    return parse_values(LabelsConfig, {"action": action, "paths": remaining[:number]}, remaining[number:])


def load_serve(arguments: Sequence[str]) -> ServeConfig:
    """`MODEL… [--KEY VALUE …]`.

    Raises:
        UserError: as `load`; or no model is named.
    """
    first = next((i for i, a in enumerate(arguments) if a.startswith("--")), len(arguments))
    if first == 0:
        raise UserError("no model is named: name an exported model, or a run directory such as runs/demo")
    keep, flags = _patterns(arguments[first:])
    return parse_values(ServeConfig, {"models": list(arguments[:first]), "keep": keep}, normalize_flags(flags))


def _patterns(flags: Sequence[str]) -> tuple[list[str], list[str]]:
    """The literal values of every `--keep` (a parser would read `[a-z]` as a list), and the other flags."""
    patterns, others, remaining = [], [], list(flags)
    while remaining:
        flag = remaining.pop(0)
        name, sign, value = flag.partition("=")
        if name != "--keep":
            others.append(flag)
        elif not sign and not remaining:
            raise UserError("--keep needs a value after it")
        else:
            patterns.append(value if sign else remaining.pop(0))
    return patterns, others


def load_compress(arguments: Sequence[str]) -> tuple[CompressConfig, RunConfig]:
    """A run directory with flags: the search settings, and the run's configuration from its `config.yaml`.

    Raises:
        UserError: as `load`; or the directory is not a run directory.
    """
    if not arguments or arguments[0].startswith("-"):
        raise UserError("name a run directory, such as runs/demo")
    path = Path(arguments[0])
    config = parse_values(CompressConfig, {"path": str(path)}, normalize_flags(arguments[1:]))
    run = load_run_dir(path, [])
    check_compress(config)
    return config, run


def check_compress(config: CompressConfig) -> None:
    """Find settings of a search that exclude each other, before any work.

    Raises:
        UserError: there are such settings, or a number is out of bounds.
    """
    check_bounds(config)
    check_jobs(config.jobs)
    for name, values in (
        ("compute_types", config.compute_types),
        ("beam_sizes", config.beam_sizes),
        ("bits", config.bits),
    ):
        if not values:
            raise UserError(f"{name} is empty: name at least one")
    if config.baseline and not (Path(config.baseline) / "model.safetensors").exists():
        raise UserError(f"baseline {config.baseline} has no model.safetensors: name the directory of a trained student")
    if min(config.bits) < 8 and not config.xz:
        raise UserError(f"bits are {config.bits}, but fewer than 8 need packed files: set xz to true, or bits to 8")
