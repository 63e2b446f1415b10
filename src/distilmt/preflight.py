"""What can be known to fail is looked for before anything is written."""

from __future__ import annotations

import shlex
import shutil
from pathlib import Path

from distilmt.config import ModelConfig, RunConfig
from distilmt.corpora.origins import check as check_origins
from distilmt.errors import UserError


def check(config: RunConfig, exporting: bool) -> None:
    """See that inputs are there, models have a shape and exports can be written.

    Args:
        config: the run.
        exporting: whether it will come to the exports.

    Raises:
        UserError: something is missing, or does not go together; one line names it.
    """
    if exporting:
        _check_exports(config)
    check_origins(config.corpus)
    _check_files(config)
    _check_teacher(config)
    if not config.teacher.named:
        _check_shape("teacher", config.teacher.model)
    _check_shape("student", config.student.model)
    _check_layers(config)
    _check_top_k(config)


def _check_files(config: RunConfig) -> None:
    corpus = config.corpus
    named = {"train": corpus.train, "valid": corpus.valid, "test": corpus.test, "monolingual": corpus.monolingual}
    named |= {f"sources[{number}].files": source.files for number, source in enumerate(corpus.sources)}
    for key, paths in named.items():
        for path in paths:
            if not Path(path).exists():
                raise UserError(f"{path} does not exist: check corpus.{key}")
    if config.tokenizer.path and not Path(config.tokenizer.path).is_dir():
        raise UserError(f"tokenizer.path {config.tokenizer.path} is no directory: name one with a Marian tokenizer")


def _check_teacher(config: RunConfig) -> None:
    teacher = config.teacher
    path = teacher.path
    if path and not Path(path).exists() and (Path(path).is_absolute() or path.startswith(".") or path.count("/") > 1):
        raise UserError(f"teacher {path!r} does not exist: check teacher.path")
    if path and Path(path).is_dir() and not any(Path(path).iterdir()):
        raise UserError(f"teacher {path!r} is an empty directory: check teacher.path")
    if teacher.command:
        _check_command(teacher.command)
    if teacher.url and not teacher.url.startswith(("http://", "https://")):
        raise UserError(f"teacher.url {teacher.url!r} must begin with http:// or https://")


def _check_command(command: str) -> None:
    try:
        words = shlex.split(command)
    except ValueError:
        raise UserError(f"teacher.command {command!r} has an open quote: close it") from None
    if not words or shutil.which(words[0]) is None:
        raise UserError(f"teacher.command: there is no program {words[0] if words else command!r}: check its name")


def _check_shape(model: str, config: ModelConfig) -> None:
    from distilmt.students.presets import shape

    try:
        shape(config)
    except UserError as error:
        raise UserError(f"{model}.{error}") from None


def _check_layers(config: RunConfig) -> None:
    """Layers are copied into a student that is as wide as its teacher."""
    from distilmt.students.presets import shape

    if config.student.initialise == "random" or config.teacher.named:
        return
    teacher, student = shape(config.teacher.model), shape(config.student.model)
    if (teacher.d_model, teacher.ffn, teacher.heads) != (student.d_model, student.ffn, student.heads):
        raise UserError(
            f"student.initialise is {config.student.initialise}, but the student's d_model {student.d_model}, ffn "
            f"{student.ffn} and heads {student.heads} are not the teacher's ({teacher.d_model}, {teacher.ffn}, "
            f"{teacher.heads}): make them equal, or set it to random"
        )


def _check_top_k(config: RunConfig) -> None:
    """Of a vocabulary of the run's own: `<pad>`, its last piece, is no word's answer."""
    words, pieces = config.labels.top_k, config.tokenizer.vocab_size
    if not config.tokenizer.path and words >= pieces:
        raise UserError(
            f"labels.top_k is {words}, but a vocabulary of {pieces} pieces (tokenizer.vocab_size) has only "
            f"{pieces - 1} words to choose from: set it to {pieces - 1} at most"
        )


def _check_exports(config: RunConfig) -> None:
    formats = config.export.formats
    if {"onnx", "web"} & set(formats):
        from distilmt.export.onnx import check_installed

        check_installed()
    if "web" in formats:
        _check_runtime(config.export.node_modules)


def _check_runtime(node_modules: str | None) -> None:
    if node_modules is None and shutil.which("npm") is None:
        raise UserError("the form 'web' needs npm once, to fetch its runtime: install Node.js, or name node_modules")
    if node_modules is not None and not (Path(node_modules) / "onnxruntime-web").is_dir():
        raise UserError(f"export.node_modules {node_modules} has no onnxruntime-web: install it there with npm")
