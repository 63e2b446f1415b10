"""Checks before a run writes anything: inputs, models and exports."""

from __future__ import annotations

import os
import shlex
import shutil
from pathlib import Path

from distilmt.config import RunConfig
from distilmt.data.sources import check_sources as check_origins
from distilmt.pipeline.architecture_checks import check_architectures, check_layers, check_shapes, teacher_architecture
from distilmt.pipeline.frame_checks import check_frames
from distilmt.pipeline.input_checks import check_input_files
from distilmt.pipeline.pretrained_student import check_pretrained
from distilmt.training.tracker import check_tracker
from distilmt.utils.arguments import check_written_path
from distilmt.utils.errors import UserError
from distilmt.utils.run_dir import STEP_FILE, read_step


def check(config: RunConfig, exporting: bool) -> None:
    """Check that inputs exist, models have valid dimensions and exports can be written.

    Args:
        config: the run.
        exporting: whether the run includes the exports.

    Raises:
        UserError: something is missing, or does not go together; one line names it.
    """
    # What needs no heavy import comes first.
    check_written_path("run_dir", config.run_dir)
    check_origins(config.corpus)
    check_input_files(config)
    check_shapes(config)
    if exporting:
        _check_exports(config)
    check_models(config)
    _check_disk(config)
    _check_hub(config)


def check_models(config: RunConfig) -> None:
    """Check that the given models can be used and that the trained ones have valid dimensions.

    Raises:
        UserError: as `check`.
    """
    for model in ("teacher", "student"):
        check_tracker(f"{model}.training.tracker", getattr(config, model).training.tracker)
    check_shapes(config)
    _check_teacher(config)
    _check_initial_weights(config)
    _check_labels(config)
    check_architectures(config)
    check_frames(config)
    check_layers(config)
    _check_top_k(config)
    check_pretrained(config)


def check_objective(config: RunConfig) -> None:
    """Check that the labels and the training will have what the terms of the student's objective need.

    Raises:
        UserError: a term needs top-k log-probabilities that are not stored, dropout that is off, or the states of a
            program or server.
    """
    from distilmt.losses.terms import TEACHER_IN_MEMORY, Need, keys_that_need

    student = config.student
    for key in keys_that_need(student.objective, frozenset([Need.TOP_K])):
        if not config.labels.top_k:
            raise UserError(
                f"student.objective.{key} is {getattr(student.objective, key):g}, but labels.top_k is 0, so the labels "
                "will hold no log-probabilities: set the first to 0, or the second above 0"
            )
    for key in keys_that_need(student.objective, frozenset([Need.SECOND_PASS])):
        if not student.training.dropout:
            raise UserError(
                f"student.objective.{key} needs dropout, but student.training.dropout is 0: set it above 0, or {key} "
                "to 0"
            )
    remote = config.teacher.command or config.teacher.url
    for key in keys_that_need(student.objective, TEACHER_IN_MEMORY):
        if remote:
            raise UserError(
                f"student.objective.{key} is {getattr(student.objective, key):g}, but teacher {remote!r} gives only "
                "translations: set it to 0"
            )


def _check_disk(config: RunConfig) -> None:
    """Check that the run directory is writable and has room for the embeddings of the models still to be trained.

    Corpus, labels and checkpoints need more: only a run that is certain to fail is rejected.
    """
    from distilmt.models.presets import shape

    root = Path(config.run_dir)
    place = next((path for path in (root, *root.absolute().parents) if path.exists()), None)
    if place is None or not place.is_dir():
        return  # runroot.checked_root reports that
    if not os.access(place, os.W_OK | os.X_OK):
        raise UserError(f"run_dir {root}: {place} is not writable: allow writing there, or choose another run_dir")
    models = {"student": config.student.model} | ({} if config.teacher.named else {"teacher": config.teacher.model})
    widths = [shape(model).d_model for name, model in models.items() if read_step(root / name) is None]
    needed, free = 4 * config.tokenizer.vocab_size * sum(widths), shutil.disk_usage(place).free
    if not config.tokenizer.path and free < needed:
        raise UserError(
            f"run_dir {root}: only {free / 1e6:.1f} MB are free in {place}, but the models alone need more than "
            f"{needed / 1e6:.1f} MB: free some space, or choose another run_dir"
        )


def _check_hub(config: RunConfig) -> None:
    """A teacher that is not a path is a model on the hub: check it before hours go into the corpus."""
    path = config.teacher.path
    if path and not Path(path).exists() and not _is_imported(config):
        from distilmt.teachers.existing import family
        from distilmt.teachers.stated_languages import check_languages

        family(path)
        check_languages(path, config.corpus.source, config.corpus.target)


def _check_initial_weights(config: RunConfig) -> None:
    """Check that the model that a teacher's training starts from exists and has the run's vocabulary."""
    from distilmt.data import tokenizer

    path, own = config.teacher.initialization, config.tokenizer.path
    if not path or config.teacher.named:
        return
    if not Path(path).is_dir():
        raise UserError(f"teacher.initialization {path} is not a directory: give one with a trained Marian model")
    if own is None or tokenizer.load(Path(path)).fingerprint != tokenizer.load(Path(own)).fingerprint:
        raise UserError(
            f"teacher.initialization {path} has a vocabulary of its own: set tokenizer.path to that directory too"
        )


def _check_teacher(config: RunConfig) -> None:
    from distilmt.teachers.stated_languages import check_languages

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
    if path and Path(path).exists() and not _is_imported(config):
        _check_model(path)
        check_languages(path, config.corpus.source, config.corpus.target)
        _check_8_bits(config, Path(path))
        _check_vocabulary(config, Path(path))


def _is_imported(config: RunConfig) -> bool:
    """Whether a run has imported its teacher already."""
    record = read_step(config.paths.teacher)
    return record is not None and record.settings.get("teacher.path") == config.teacher.path


def _check_model(path: str) -> str:
    """The architecture of a local teacher, or `ctranslate2`; its weights are not read.

    Raises:
        UserError: it is not a translation model, or has no weights in safetensors.
    """
    from distilmt.export.foreign import check_packages
    from distilmt.teachers import existing
    from distilmt.teachers.existing import family

    if existing.is_ctranslate2(path):
        check_packages(Path(path))
        return "ctranslate2"
    if not (Path(path) / "config.json").is_file():
        raise UserError(f"teacher {path!r} has no config.json: give a model directory as written by `save_pretrained`")
    name = family(path)
    if not any(Path(path).glob("*.safetensors")):
        raise UserError(f"teacher {path!r} has no .safetensors weights: convert it with `save_pretrained` first")
    return name


def _check_8_bits(config: RunConfig, teacher: Path) -> None:
    """Only distilmt reads weights in 8 bits, as a teacher with the student's vocabulary; Transformers does not."""
    from distilmt.data import tokenizer
    from distilmt.models.int8_weights import FILE, is_only_form

    if not is_only_form(teacher):
        return
    own = config.tokenizer.path
    if own is None or tokenizer.load(Path(own)).fingerprint != tokenizer.load(teacher).fingerprint:
        raise UserError(
            f"teacher {str(teacher)!r} is stored in 8 bits ({FILE}), which needs a student with its vocabulary: set "
            f"tokenizer.path to {teacher}"
        )


def _check_vocabulary(config: RunConfig, teacher: Path) -> None:
    """Top-k targets require a student with the teacher's vocabulary."""
    if config.labels.top_k == 0:
        return
    from distilmt.data import tokenizer

    own = config.tokenizer.path
    if (teacher / "vocab.json").exists() and (teacher / "source.spm").exists():
        if own is None and (teacher.parent / "tokenizer" / STEP_FILE).exists():
            return  # of another run: its vocabulary may be the one that this run learns
        teacher_fingerprint = tokenizer.load(teacher).fingerprint
        if own is not None and tokenizer.load(Path(own)).fingerprint == teacher_fingerprint:
            return
        remedy = f"set tokenizer.path to {teacher}, or labels.top_k and student.objective.kd_weight to 0"
    else:
        remedy = "set labels.top_k and student.objective.kd_weight to 0"
    raise UserError(
        f"labels.top_k is {config.labels.top_k}, but teacher {str(teacher)!r} has another vocabulary than the student, "
        f"so it has no probabilities for the student's tokens: {remedy}"
    )


def _check_labels(config: RunConfig) -> None:
    """Check the models besides the teacher, and that top_k is smaller than the vocabulary."""
    from distilmt.export.formats import check_types
    from distilmt.models.architectures import ARCHITECTURES

    labels, path = config.labels, config.tokenizer.path
    for key, paths in (
        ("ensemble", labels.ensemble),
        ("backward_model", [labels.backward_model] if labels.backward_model else []),
    ):
        for model in paths:
            try:
                name = _check_model(model)
            except UserError as error:
                raise UserError(f"labels.{key}: {str(error).removeprefix('teacher ')}") from None
            if name not in ARCHITECTURES:
                raise UserError(f"labels.{key} is {model}, which is not a Marian model: give a Marian directory")
            if key == "ensemble":
                check_types(name, [labels.compute_type], "labels.compute_type")
    from distilmt.data import tokenizer

    vocab_size = len(tokenizer.load(Path(path)).target.tokens) if path else config.tokenizer.vocab_size
    if labels.top_k >= vocab_size:
        raise UserError(
            f"labels.top_k is {labels.top_k}, but the vocabulary has {vocab_size} tokens: set it to at most "
            f"{vocab_size - 1}, or increase tokenizer.vocab_size"
        )


def _check_command(command: str) -> None:
    try:
        arguments = shlex.split(command)
    except ValueError:
        raise UserError(f"teacher.command {command!r} has an unclosed quote: close it") from None
    if not arguments or shutil.which(arguments[0]) is None:
        raise UserError(
            f"teacher.command: program {arguments[0] if arguments else command!r} not found: check its name"
        )


def _check_top_k(config: RunConfig) -> None:
    """Check top_k against a vocabulary that the run learns: `<pad>`, its last token, is never predicted."""
    top_k, vocab_size = config.labels.top_k, config.tokenizer.vocab_size
    if not config.tokenizer.path and top_k >= vocab_size:
        raise UserError(
            f"labels.top_k is {top_k}, but a vocabulary of {vocab_size} tokens (tokenizer.vocab_size) has only "
            f"{vocab_size - 1} that can be predicted: set it to at most {vocab_size - 1}"
        )


def _check_exports(config: RunConfig) -> None:
    from distilmt.export.formats import check_types, student_exporters

    check_types(teacher_architecture(config), config.export.teacher, "export.teacher")
    student = config.student
    for exporter in student_exporters(config.export, student.model.architecture, config.frames).values():
        exporter.check(config)
