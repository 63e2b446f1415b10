"""Arguments of the other commands: models, files, directories, and flags."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from distilmt.config import RunConfig
from distilmt.config.adapt import AdaptConfig
from distilmt.config.bounds import check_bounds
from distilmt.config.commands import (
    CompressConfig,
    DemoConfig,
    LabelsConfig,
    PublishConfig,
    ServeConfig,
)
from distilmt.config.distill import DistillConfig
from distilmt.config.fields import suggestion
from distilmt.config.flags import one_path, split_arguments
from distilmt.config.jobs import check_jobs
from distilmt.config.parsing import parse, parse_values
from distilmt.config.run_loading import load_run_dir
from distilmt.config.translate import TranslateConfig
from distilmt.utils.errors import UserError
from distilmt.utils.texts import check_is_text

_STORES = {"check": (1, 1), "info": (1, 1), "merge": (3, 1000), "split": (2, 2), "select": (2, 2)}


def load_demo(arguments: Sequence[str]) -> DemoConfig:
    """The demo's flags."""
    return parse(DemoConfig, arguments)


def load_distill(arguments: Sequence[str]) -> DistillConfig:
    """The flags of `distilmt distill`."""
    return parse(DistillConfig, arguments)


def load_adapt(arguments: Sequence[str]) -> AdaptConfig:
    """`STUDENT [--KEY VALUE …]`.

    Raises:
        UserError: as `load`; or no student is named.
    """
    given = split_arguments(arguments, AdaptConfig)
    one_path(given, "a student: a run directory such as runs/demo, an export, hf:OWNER/NAME, or demo")
    return parse_values(AdaptConfig, {}, {**given.texts, "student": given.positionals})


def load_translate(arguments: Sequence[str]) -> TranslateConfig:
    """The directory to translate with, files, and flags.

    Raises:
        UserError: as `load`; or flags that contradict each other.
    """
    given = split_arguments(arguments, TranslateConfig)
    named = {"path": given.positionals[:1], "files": given.positionals[1:]} if given.positionals else {}
    config = parse_values(TranslateConfig, {}, {**given.texts, **named})
    _check_translate(config)
    return config


FORMAT_OF_A_FILE = "the format of a file is given by its extension: leave out --text and --format"


def _check_translate(config: TranslateConfig) -> None:
    if not config.path:
        raise UserError("the first argument must be a run directory, such as runs/demo, or an exported model")
    if config.text is not None:
        check_is_text("--text", config.text)
    documents = config.files or config.format not in (None, "lines") or config.glossary
    if (config.confidence or config.n_best > 1) and documents:
        raise UserError("--confidence and --n_best are for lines: leave out files, --format and --glossary")
    is_lines = not config.files and (config.confidence or config.n_best > 1 or config.format == "lines")
    if config.keep and (is_lines or not (config.files or config.format or config.text is not None)):
        raise UserError("--keep is for documents and texts: add --format txt, or leave out --keep")
    # Recordings have a format of their output; of documents `documents.translate.output_paths` refuses it.
    if config.files and (config.text is not None or config.format not in (None, "txt", "srt", "vtt", "json")):
        raise UserError(FORMAT_OF_A_FILE)
    if config.encoding and config.text is not None:
        raise UserError("--encoding is for files and standard input: leave it out with --text")
    kinds = {config.format, *(Path(name).suffix.lower().lstrip(".") for name in config.files)}
    if config.json_keys and not kinds & {"json", "arb"}:
        raise UserError("--json_keys is for .json files: add --format json, or leave it out")
    if config.output and not config.files:
        raise UserError("--output is for files: name the files before it, or redirect with > FILE")


def load_labels(arguments: Sequence[str]) -> LabelsConfig:
    """`ACTION DIR … [--KEY VALUE …]`.

    Raises:
        UserError: as `load`; or the number of directories is wrong.
    """
    given = split_arguments(arguments, LabelsConfig)
    action, *directories = given.positionals or [""]
    if action not in _STORES:
        raise UserError(f"unknown action {action!r} of distilmt labels{suggestion(action, list(_STORES))}")
    low, high = _STORES[action]
    if not low <= len(directories) <= high:
        count = f"{low} or more directories" if high > low else f"{low} director{'ies' if low > 1 else 'y'}"
        raise UserError(f"distilmt labels {action} takes {count}, not {len(directories)}")
    return parse_values(LabelsConfig, {}, {**given.texts, "action": [action], "paths": directories})


def load_publish(arguments: Sequence[str]) -> PublishConfig:
    """`RUN_DIR OWNER/NAME [--KEY VALUE …]`.

    Raises:
        UserError: as `load`; or an argument is missing.
    """
    given = split_arguments(arguments, PublishConfig)
    if len(given.positionals) != 2:
        raise UserError("name a run directory and a name on the hub, such as: distilmt publish runs/demo OWNER/NAME")
    path, repository = given.positionals
    return parse_values(PublishConfig, {}, {**given.texts, "path": [path], "repository": [repository]})


def load_serve(arguments: Sequence[str]) -> ServeConfig:
    """`MODEL… [--KEY VALUE …]`.

    Raises:
        UserError: as `load`; or no model is named.
    """
    given = split_arguments(arguments, ServeConfig)
    if not given.positionals:
        raise UserError("no model is named: name an exported model, or a run directory such as runs/demo")
    return parse_values(ServeConfig, {}, {**given.texts, "models": given.positionals})


def load_compress(arguments: Sequence[str]) -> tuple[CompressConfig, RunConfig]:
    """A run directory with flags: the search settings, and the run's configuration from its `config.yaml`.

    Raises:
        UserError: as `load`; or the directory is not a run directory.
    """
    given = split_arguments(arguments, CompressConfig)
    path = one_path(given, "a run directory, such as runs/demo")
    config = parse_values(CompressConfig, {}, {**given.texts, "path": [str(path)]})
    run = load_run_dir(path, {})
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
