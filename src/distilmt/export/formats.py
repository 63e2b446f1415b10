"""The table of export formats: a model for translation, and the names in `export.formats`, each a module here."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

from distilmt.config import ComputeType, ExportConfig, ExportFormat
from distilmt.config.rendering import RenderingConfig
from distilmt.config.student import FRAME_ARCHITECTURE, FrameConfig
from distilmt.config.systems import STUDENT
from distilmt.config.voices import VoicesConfig
from distilmt.data.tokenizer import Tokenizer
from distilmt.export import ctranslate2
from distilmt.export.base import Exporter
from distilmt.export.ctranslate2 import CTranslate2Exporter
from distilmt.export.ctranslate2_pictures import PictureExporter, export_pictures
from distilmt.export.ctranslate2_speech import SpeechExporter, export_speech
from distilmt.export.torch_directory import TorchExporter, export_torch
from distilmt.models.base import Seq2SeqModel
from distilmt.models.marian import marian_network
from distilmt.utils.errors import UserError

TEXT_ARCHITECTURE = "marian"
CTRANSLATE2_ARCHITECTURES = (TEXT_ARCHITECTURE, FRAME_ARCHITECTURE)
"""Architectures that are exported for CTranslate2; PyTorch translates with models of the others."""

_PICTURE_FORMATS: dict[str, tuple[str, str]] = {
    "huggingface": ("huggingface_pictures", "PictureDirectoryExporter"),
    "onnx": ("onnx_pictures", "PictureOnnxExporter"),
    "web": ("web_pictures", "PictureWebExporter"),
}
"""Module and class of the formats that hold students that read pictures."""
_SPEECH_FORMATS: dict[str, tuple[str, str]] = {"huggingface": ("huggingface_speech", "SpeechDirectoryExporter")}
"""Module and class of the formats that hold students that hear speech."""


def check_types(architecture: str, types: Sequence[str], key: str) -> None:
    """Check that models of an architecture can be exported for translation in these types.

    Args:
        architecture: a name in `distilmt.models.architectures`.
        types: CTranslate2's compute types.
        key: the configuration key that has them.

    Raises:
        UserError: a type needs CTranslate2, which does not run the architecture.
    """
    others = [name for name in types if name != "float32"]
    if others and architecture not in CTRANSLATE2_ARCHITECTURES:
        raise UserError(
            f"{key} has {', '.join(others)}, but there is no CTranslate2 export of the architecture {architecture!r}: "
            "set it to float32, which PyTorch translates with, or the architecture to marian"
        )


def require_ctranslate2(architecture: str, command: str) -> None:
    """Check that CTranslate2 translates text with an architecture, for a command that measures its types.

    Raises:
        UserError: it does not.
    """
    if architecture == FRAME_ARCHITECTURE:
        raise UserError(
            f"distilmt {command} measures students that read text, but the student reads frames: set student.input "
            "to text, or use distilmt run"
        )
    if architecture not in CTRANSLATE2_ARCHITECTURES:
        raise UserError(
            f"distilmt {command} measures CTranslate2 exports, but there are none of the architecture "
            f"{architecture!r}: set student.model.architecture to marian, or use distilmt run"
        )


def system_exporter(
    architecture: str,
    compute_type: ComputeType,
    key: str = "export.student",
    frames: FrameConfig | None = None,
) -> CTranslate2Exporter | PictureExporter | SpeechExporter | TorchExporter:
    """The exporter of models for translation and measurement.

    Args:
        architecture: a name in `distilmt.models.architectures`.
        compute_type: CTranslate2's type.
        key: the configuration key that has it.
        frames: the pictures or the speech of a student.

    Raises:
        UserError: as `check_types`.
    """
    if architecture == FRAME_ARCHITECTURE:
        if isinstance(frames, VoicesConfig):
            return SpeechExporter(compute_type, frames)
        return PictureExporter(compute_type, frames or RenderingConfig())
    if architecture == TEXT_ARCHITECTURE:
        return CTranslate2Exporter(compute_type)
    check_types(architecture, [compute_type], key)
    return TorchExporter()


def export_for_translation(
    model: Seq2SeqModel,
    tokenizer: Tokenizer,
    directory: Path,
    compute_type: str,
    bits: int = 8,
    frames: FrameConfig | None = None,
) -> None:
    """Write a directory without a card that a translator of text, pictures or speech opens, atomically.

    Args:
        model: a model in float32.
        tokenizer: the tokenizer it was trained with.
        directory: the export directory; an older export there is replaced.
        compute_type: CTranslate2's type.
        bits: bits per weight; 8 rounds only as the type does. Models of frames have 8.
        frames: the pictures or the speech of the model.

    Raises:
        UserError: the model's architecture has no export of that type.
    """
    if model.reads_frames:
        if isinstance(frames, VoicesConfig):
            export_speech(model, tokenizer, directory, compute_type, frames)
        else:
            export_pictures(model, tokenizer, directory, compute_type, frames or RenderingConfig())
        return
    if model.architecture == TEXT_ARCHITECTURE:
        ctranslate2.export(marian_network(model), tokenizer, directory, compute_type, bits)
        return
    check_types(model.architecture, [compute_type], f"the export {directory.name}")
    export_torch(model, tokenizer, directory)


def exporter(name: ExportFormat, frames: FrameConfig | None = None) -> Exporter:
    """The exporter of a format: `EXPORTER` of the module with its name, or one for pictures or speech.

    A format that has none for them refuses them in its check.
    """
    formats = _SPEECH_FORMATS if isinstance(frames, VoicesConfig) else _PICTURE_FORMATS
    if frames is not None and name in formats:
        module, frame_exporter = formats[name]
        for_frames: Exporter = getattr(import_module(f"distilmt.export.{module}"), frame_exporter)(frames)
        return for_frames
    format_exporter: Exporter = import_module(f"distilmt.export.{name}").EXPORTER
    return format_exporter


def student_exporters(
    config: ExportConfig, architecture: str = TEXT_ARCHITECTURE, frames: FrameConfig | None = None
) -> dict[str, Exporter]:
    """The exporters of a run's student by the names of its exports: those for translation, then the other formats."""
    systems: list[Exporter] = [
        system_exporter(architecture, compute_type, frames=frames) for compute_type in config.student
    ]
    others = [exporter(name, frames) for name in config.formats]
    return {f"{STUDENT}{each.suffix}": each for each in [*systems, *others]}
