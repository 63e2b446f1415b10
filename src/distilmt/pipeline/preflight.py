"""What can be known to fail is looked for before anything is written."""

from __future__ import annotations

import os
import shlex
import shutil
from pathlib import Path

from distilmt.config import CorpusConfig, ModelConfig, RunConfig
from distilmt.data.readers.files import check_parallel
from distilmt.data.sources import check_sources as check_origins
from distilmt.utils.errors import UserError
from distilmt.utils.run_dir import STEP_FILE, read_step


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
    _check_lines(config.corpus, Path(config.run_dir))
    check_models(config)
    _check_disk(config)
    _check_hub(config)


def check_models(config: RunConfig) -> None:
    """See that models that are named can be used, and that those that are trained have a shape.

    Raises:
        UserError: as `check`.
    """
    _check_teacher(config)
    _check_labels(config)
    if not config.teacher.named:
        _check_shape("teacher", config.teacher.model)
    _check_shape("student", config.student.model)
    _check_layers(config)
    _check_top_k(config)


def check_objective(config: RunConfig) -> None:
    """See that the labels will hold what the student's objective asks for.

    Raises:
        UserError: it asks for distributions over words, and none are asked of the teacher.
    """
    if config.student.objective.kd_weight > 0 and not config.labels.top_k:
        raise UserError(
            f"student.objective.kd_weight is {config.student.objective.kd_weight:g}, but labels.top_k is 0, so the"
            " labels will hold no words: set the first to 0, or the second above 0"
        )


def _check_disk(config: RunConfig) -> None:
    """The run's directory can be written, and has room for the embeddings of the models that are still to be trained.

    What the corpus, labels and checkpoints take comes on top: only what certainly fails is refused.
    """
    from distilmt.models.presets import shape

    root = Path(config.run_dir)
    place = next((path for path in (root, *root.absolute().parents) if path.exists()), None)
    if place is None or not place.is_dir():
        return  # runroot.checked_root has a line for that
    if not os.access(place, os.W_OK | os.X_OK):
        raise UserError(f"run_dir {root}: {place} cannot be written: permit writing there, or name another run_dir")
    models = {"student": config.student.model} | ({} if config.teacher.named else {"teacher": config.teacher.model})
    widths = [shape(model).d_model for name, model in models.items() if read_step(root / name) is None]
    needed, free = 4 * config.tokenizer.vocab_size * sum(widths), shutil.disk_usage(place).free
    if not config.tokenizer.path and free < needed:
        raise UserError(
            f"run_dir {root}: {free / 1e6:.1f} MB are free in {place}, and the models alone take over "
            f"{needed / 1e6:.1f} MB: make room, or name another run_dir"
        )


def _check_hub(config: RunConfig) -> None:
    """A teacher that is no path is a name on the hub, which must be reached before hours are spent on the corpus."""
    path = config.teacher.path
    if path and not Path(path).exists() and not _is_imported(config):
        from distilmt.teachers.marian import family

        family(path)


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


def _check_lines(corpus: CorpusConfig, run: Path) -> None:
    """Two text files are parallel line by line; those that a finished corpus was read from were counted then."""
    several = {"train": corpus.train, "valid": corpus.valid, "test": corpus.test}
    several |= {f"sources[{number}].files": source.files for number, source in enumerate(corpus.sources)}
    record = read_step(run / "corpus")
    done = record.settings if record else {}
    for key, paths in several.items():
        if len(paths) == 2 and done.get(f"corpus.{key}") != paths:
            check_parallel(paths)


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
    if path and Path(path).exists() and not _is_imported(config):
        _check_model(path)
        _check_vocabulary(config, Path(path))


def _is_imported(config: RunConfig) -> bool:
    """Whether a run has taken its teacher over already."""
    record = read_step(Path(config.run_dir) / "teacher")
    return record is not None and record.settings.get("teacher.path") == config.teacher.path


def _check_model(path: str) -> str:
    """The architecture of a teacher on this disk, `ctranslate2` of one in that form; its weights are not read.

    Raises:
        UserError: it is no translation model, or lacks weights that can be read safely.
    """
    from distilmt.export.foreign import check_packages
    from distilmt.teachers import existing
    from distilmt.teachers.marian import family

    if existing.is_ctranslate2(path):
        check_packages(Path(path))
        return "ctranslate2"
    if not (Path(path) / "config.json").is_file():
        raise UserError(
            f"teacher {path!r} has no config.json: name a model's directory, as `save_pretrained` writes it"
        )
    name = family(path)
    if not any(Path(path).glob("*.safetensors")):
        raise UserError(f"teacher {path!r} has no .safetensors weights: convert it with `save_pretrained` first")
    return name


def _check_vocabulary(config: RunConfig, teacher: Path) -> None:
    """Distributions over words are of use to a student with the teacher's pieces alone."""
    if config.labels.top_k == 0:
        return
    from distilmt.data import tokenizer

    own = config.tokenizer.path
    if (teacher / "vocab.json").exists() and (teacher / "source.spm").exists():
        if own is None and (teacher.parent / "tokenizer" / STEP_FILE).exists():
            return  # of another run: whose pieces may be those that this one learns
        teacher_fingerprint = tokenizer.load(teacher).fingerprint
        if own is not None and tokenizer.load(Path(own)).fingerprint == teacher_fingerprint:
            return
        remedy = f"set tokenizer.path to {teacher}, or labels.top_k and student.objective.kd_weight to 0"
    else:
        remedy = "set labels.top_k and student.objective.kd_weight to 0"
    raise UserError(
        f"labels.top_k is {config.labels.top_k}, but teacher {str(teacher)!r} has other pieces than the student, so it "
        f"gives no distributions over them: {remedy}"
    )


def _check_labels(config: RunConfig) -> None:
    """Models beside the teacher; and whether there are as many pieces as probabilities are wanted of."""
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
            if name != "marian":
                raise UserError(f"labels.{key} names {model}, which is no Marian model: name a Marian directory")
    from distilmt.data import tokenizer

    vocab_size = len(tokenizer.load(Path(path)).target.tokens) if path else config.tokenizer.vocab_size
    if labels.top_k >= vocab_size:
        raise UserError(
            f"labels.top_k is {labels.top_k}, but there are {vocab_size} pieces: set it to {vocab_size - 1} or less, "
            "or learn more (tokenizer.vocab_size)"
        )


def _check_command(command: str) -> None:
    try:
        arguments = shlex.split(command)
    except ValueError:
        raise UserError(f"teacher.command {command!r} has an open quote: close it") from None
    if not arguments or shutil.which(arguments[0]) is None:
        raise UserError(
            f"teacher.command: there is no program {arguments[0] if arguments else command!r}: check its name"
        )


def _check_shape(model: str, config: ModelConfig) -> None:
    from distilmt.models.presets import shape

    try:
        shape(config)
    except UserError as error:
        raise UserError(f"{model}.{error}") from None


def _check_layers(config: RunConfig) -> None:
    """Layers are copied into a student that is as wide as its teacher."""
    from distilmt.models.presets import shape

    if config.student.initialization == "random" or config.teacher.named:
        return
    teacher, student = shape(config.teacher.model), shape(config.student.model)
    # Narrower blocks are copied in part: models/initialization.py.
    if (teacher.d_model, teacher.num_heads) != (
        student.d_model,
        student.num_heads,
    ) or student.ffn_dim > teacher.ffn_dim:
        raise UserError(
            f"student.initialization is {config.student.initialization}, but the student's d_model {student.d_model}, "
            f"ffn_dim {student.ffn_dim} and num_heads {student.num_heads} are not the teacher's "
            f"({teacher.d_model}, {teacher.ffn_dim}, {teacher.num_heads}): make them equal (ffn_dim "
            "may be less), or set it to random"
        )


def _check_top_k(config: RunConfig) -> None:
    """Of a vocabulary of the run's own: `<pad>`, its last piece, is no word's answer."""
    top_k, vocab_size = config.labels.top_k, config.tokenizer.vocab_size
    if not config.tokenizer.path and top_k >= vocab_size:
        raise UserError(
            f"labels.top_k is {top_k}, but a vocabulary of {vocab_size} pieces (tokenizer.vocab_size) has only "
            f"{vocab_size - 1} words to choose from: set it to {vocab_size - 1} at most"
        )


def _check_exports(config: RunConfig) -> None:
    """Marian and Argos need nothing beside distilmt, of a student that a run trains."""
    formats = config.export.formats
    if "onnx" in formats:
        from distilmt.export import onnx

        onnx.check_installed()
    if "web" in formats:
        from distilmt.export import web

        web.check_installed(config.export.node_modules)
