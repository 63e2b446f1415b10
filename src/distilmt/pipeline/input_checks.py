"""Checks of a run's input files, which need no heavy import."""

from __future__ import annotations

from pathlib import Path

from distilmt.config import CorpusConfig, RunConfig
from distilmt.data import prepare
from distilmt.data.readers.files import check_parallel
from distilmt.evaluation.other_systems import EvaluationSentences, check_files, read_outputs
from distilmt.utils.errors import UserError
from distilmt.utils.run_dir import read_step


def check_input_files(config: RunConfig) -> None:
    """Check that all files of a run exist, and that parallel ones have as many lines.

    Raises:
        UserError: a file is missing or does not fit; one line names it.
    """
    _check_other_outputs(config)
    corpus = config.corpus
    named = {"train": corpus.train, "valid": corpus.valid, "test": corpus.test, "monolingual": corpus.monolingual}
    named |= {f"sources[{number}].files": source.files for number, source in enumerate(corpus.sources)}
    for key, paths in named.items():
        for path in paths:
            if not Path(path).exists():
                raise UserError(f"{path} does not exist: check corpus.{key}")
    if config.tokenizer.path and not Path(config.tokenizer.path).is_dir():
        raise UserError(f"tokenizer.path {config.tokenizer.path} is not a directory: give one with a Marian tokenizer")
    _check_lines(corpus, config.paths.corpus)


def _check_other_outputs(config: RunConfig) -> None:
    """The outputs of other systems; against the test set too, if the run has it."""
    others = config.evaluation.other_outputs
    check_files(others)
    if others and read_step(config.paths.corpus) is not None:
        test = prepare.load_split(config.paths.corpus, "test")
        read_outputs(others, EvaluationSentences(test["id"].to_pylist(), test["source"].to_pylist()))


def _check_lines(corpus: CorpusConfig, directory: Path) -> None:
    """Check that two text files have as many lines; files of a finished corpus were checked before."""
    several = {"train": corpus.train, "valid": corpus.valid, "test": corpus.test}
    several |= {f"sources[{number}].files": source.files for number, source in enumerate(corpus.sources)}
    record = read_step(directory)
    done = record.settings if record else {}
    for key, paths in several.items():
        if len(paths) == 2 and done.get(f"corpus.{key}") != paths:
            check_parallel(paths)
