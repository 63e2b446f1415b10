"""The trained student that a run's student and baseline start from: `student.pretrained`."""

from __future__ import annotations

import logging
import os
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from distilmt.config import RunConfig
from distilmt.config.systems import BASELINE, STUDENT
from distilmt.inference.hub import FILES as EXPORT_FILES
from distilmt.inference.hub import download, hub_name
from distilmt.inference.manifest import has_manifest, input_of, is_model, resolve_name
from distilmt.inference.sandbox import check_model_files
from distilmt.utils.errors import UserError
from distilmt.utils.run_dir import atomic_directory, fingerprint_files, read_step

if TYPE_CHECKING:
    from distilmt.data.tokenizer import Tokenizer
    from distilmt.models.base import Seq2SeqModel
    from distilmt.training.ctc_head import CtcHead

logger = logging.getLogger(__name__)

_HUB_FILES = ("*.safetensors", "*config.json", "*vocab.json", *EXPORT_FILES)
_READ_SUFFIXES = (".bin", ".json", ".safetensors", ".spm", ".xz")
_CARD = "card.json"
"""It names the languages."""
_READ_BACK = 2
"""Version of what is read back from an export: a higher one reads it again."""


def pretrained_directory(name: str, key: str = "student.pretrained") -> Path:
    """The model directory of a trained student.

    Args:
        name: the directory of a run, whose student it is; an export of a run, whose weights before rounding are taken;
            a CTranslate2 export without its run, which is read back into the user's cache directory; a model directory;
            `demo` or `demo-images`, a built-in student; or `hf:OWNER/NAME[@REVISION]`.
        key: what named it, for the message.

    Raises:
        UserError: there is no such directory, or it has no weights that can be trained.
    """
    path = download(name, _HUB_FILES) if hub_name(name) else resolve_name(Path(name))
    if not path.is_dir():
        raise UserError(f"{key} {name} is not a directory: name a run, an export or a model directory")
    candidates = (path / STUDENT, path, _trained_model(path))
    directory = next((each for each in candidates if each is not None and _has_weights(each)), None)
    if directory is None and is_model(path) and has_manifest(path):
        return _read_back(path)
    if directory is None:
        raise UserError(
            f"{key} {name} has no weights that can be trained (model.safetensors): name the run that it "
            "comes from, or its directory student"
        )
    return directory


def _trained_model(export: Path) -> Path | None:
    """The model of a run that an export was made of; None if it is no export of a run."""
    place = export.resolve()
    models = (place.parent.parent / name for name in (STUDENT, BASELINE) if place.name.startswith(name))
    return next(models, None) if place.parent.name == "exports" else None


def _read_back(export: Path) -> Path:
    """The model directory of an export, made at its first use; named by the content of the export."""
    files = sorted(file for file in export.iterdir() if file.suffix in _READ_SUFFIXES)
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "distilmt" / "students"
    directory = cache / f"{fingerprint_files(*files)}-{_READ_BACK}"
    if not directory.exists():
        from distilmt.export.ctranslate2_frames_reading import write_trainable_frames
        from distilmt.export.ctranslate2_reading import write_trainable
        from distilmt.training.ctc_head import FILE

        check_model_files(export)
        write = write_trainable if input_of(export) == "text" else write_trainable_frames
        with atomic_directory(directory) as temporary:
            write(export, temporary)
            for name in (FILE, _CARD):
                if (export / name).is_file():
                    shutil.copyfile(export / name, temporary / name)
    return directory


def _has_weights(directory: Path) -> bool:
    return (directory / "config.json").is_file() and any(directory.glob("model*.safetensors"))


def check_pretrained(config: RunConfig) -> None:
    """Check that the student's start exists, and has the shape and vocabulary of the run's student.

    Raises:
        UserError: as `pretrained_directory`; or sizes differ, the message has both values.
    """
    name = config.student.pretrained
    if not name or _is_trained(config):
        return
    from distilmt.data import tokenizer
    from distilmt.models.checkpoint import load_model
    from distilmt.models.initialization import check_pretrained as check_shape
    from distilmt.models.initialization import sizes_of
    from distilmt.models.presets import shape

    directory, own = pretrained_directory(name), config.tokenizer.path
    if config.student.pretrained_parts == "all" and (
        own is None or tokenizer.load(Path(own)).fingerprint != tokenizer.load(directory).fingerprint
    ):
        other = ", or student.pretrained_parts to encoder" if config.student.input != "text" else ""
        raise UserError(
            f"student.pretrained {name} has a vocabulary of its own: set tokenizer.path to {directory}{other}"
        )
    trained = load_model(directory)
    model, sizes = config.student.model, sizes_of(trained)
    sizes |= {**asdict(shape(model)), "max_positions": model.max_positions, "frame_size": model.frame_size or 0}
    check_shape(trained, model.architecture, sizes, config.student.pretrained_parts)


def _is_trained(config: RunConfig) -> bool:
    """Whether the run has trained its student from this start already."""
    record = read_step(config.paths.student)
    return record is not None and record.settings.get("student.pretrained") == config.student.pretrained


def pretrained_ctc_head(config: RunConfig) -> CtcHead | None:
    """The projection of CTC that `student.pretrained` was trained with; None without one."""
    from distilmt.models.presets import shape
    from distilmt.training.ctc_head import read_ctc_head

    student = config.student
    if not student.pretrained or not student.objective.ctc_weight or student.frames is None:
        return None
    width = shape(student.model).d_model // student.frames.outputs_per_position
    return read_ctc_head(pretrained_directory(student.pretrained), width)


def initial_student(config: RunConfig, tokenizer: Tokenizer) -> Seq2SeqModel:
    """The student before its training: random weights, or those of `student.pretrained`.

    Raises:
        UserError: the weights cannot be read, or are of another shape.
    """
    from distilmt.models.architectures import new_model
    from distilmt.models.checkpoint import load_model
    from distilmt.models.initialization import copy_pretrained

    student = config.student
    model = new_model(student.model, tokenizer, student.training.dropout, config.seed)
    if student.pretrained:
        directory = pretrained_directory(student.pretrained)
        copy_pretrained(load_model(directory), model, student.pretrained_parts)
        logger.debug(f"the student starts from {directory}")
    return model
