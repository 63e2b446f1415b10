"""Models that read pictures as CTranslate2 directories, which `ImageTranslator` opens."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from distilmt.config import ComputeType, ExportConfig, RunConfig
from distilmt.config.rendering import RenderingConfig
from distilmt.config.systems import type_suffix
from distilmt.data.tokenizer import Tokenizer
from distilmt.export.base import TrainedModel, require_packages
from distilmt.export.card import Form, write_card
from distilmt.export.ctranslate2_frames import whisper_model, write_frame_export
from distilmt.export.picture_texts import pictures_of
from distilmt.inference.image_translator import ImageTranslator
from distilmt.inference.manifest import ExportManifest
from distilmt.models.base import Seq2SeqModel
from distilmt.models.frames import FRAMES_PER_POSITION
from distilmt.rendering.frames import frame_count
from distilmt.rendering.renderer import Renderer
from distilmt.utils.errors import UserError

if TYPE_CHECKING:
    from distilmt.models.whisper import WhisperModel

USE = """
```python
import distilmt

with distilmt.Translator("DIRECTORY") as translator:
    translator.translate_file("photo.jpg", "photo.txt")  # .json: with places; .png: the translation in the picture
```

or `distilmt translate DIRECTORY photo.jpg`. A picture of a single line needs no search for lines:

```python
from PIL import Image

from distilmt.inference.hub import model_directory
from distilmt.inference.image_translator import ImageTranslator
from distilmt.rendering.drawing import columns_of

translator = ImageTranslator(model_directory("DIRECTORY"))
columns = columns_of(Image.open("line.png").convert("L"), translator.height)
print(translator.translate_lines([columns])[0])
```
"""
"""Instructions for the model card."""


def export_pictures(
    model: Seq2SeqModel, tokenizer: Tokenizer, directory: Path, compute_type: str, rendering: RenderingConfig
) -> None:
    """Write a CTranslate2 directory of a model that reads pictures atomically.

    Beside CTranslate2's files it contains `target.spm` and `distilmt.json`.

    Args:
        model: a model of Whisper's architecture in float32.
        tokenizer: the tokenizer it was trained with.
        directory: the export directory; an older export there is replaced.
        compute_type: one of CTranslate2's types; float32 does not change the weights.
        rendering: the pictures it was trained on.

    Raises:
        UserError: the type is unknown, or the model does not read such pictures.
    """
    whisper = picture_model(model)
    check_frames(whisper, rendering)
    write_frame_export(whisper, tokenizer, directory, manifest_of(whisper, compute_type, rendering))


def picture_model(model: Seq2SeqModel) -> WhisperModel:
    """The model as one of Whisper's architecture.

    Raises:
        UserError: it is of another one.
    """
    return whisper_model(model, "reads no pictures")


def check_frames(model: WhisperModel, rendering: RenderingConfig) -> None:
    """Check that a model reads the pictures of a configuration.

    Raises:
        UserError: its frames have another size.
    """
    size, expected = model.network.config.num_mel_bins, rendering.columns_per_frame * rendering.height
    if size != expected:
        raise UserError(
            f"the model reads frames of {size} numbers, but student.rendering has {rendering.columns_per_frame} "
            f"columns of {rendering.height} pixels, {expected} numbers: use the values of its training"
        )


def widest_picture(model: WhisperModel, rendering: RenderingConfig) -> int:
    """Columns of the widest picture that a model has positions for, at most `max_columns`; wider ones are cut."""
    in_square = frame_count(1, rendering.height, rendering.columns_per_frame)
    squares = max(1, FRAMES_PER_POSITION * model.dimensions.max_positions // in_square)
    return min(rendering.max_columns, squares * in_square * rendering.columns_per_frame)


def manifest_of(model: WhisperModel, compute_type: str, rendering: RenderingConfig) -> ExportManifest:
    """The manifest of an export, with the sizes of the pictures that it reads."""
    return {
        "format": 1,
        "compute_type": compute_type,
        "max_positions": model.dimensions.max_positions,
        "input": "image",
        "height": rendering.height,
        "columns_per_frame": rendering.columns_per_frame,
        "max_columns": widest_picture(model, rendering),
    }


@dataclass(frozen=True)
class PictureExporter:
    """CTranslate2 in one type, of a student that reads pictures."""

    compute_type: ComputeType
    rendering: RenderingConfig
    """The pictures it reads."""

    @property
    def suffix(self) -> str:
        """Empty for float32, `-int8` for int8."""
        return type_suffix(self.compute_type)

    def check(self, config: RunConfig) -> None:
        """As `Exporter.check`: the fonts of test pictures must be there too."""
        require_packages("ctranslate2", ("ctranslate2", "sentencepiece"))
        Renderer.for_measuring(self.rendering, config.seed)

    def export(self, trained: TrainedModel, path: Path, config: ExportConfig) -> None:
        """As `Exporter.export`."""
        export_pictures(trained.model, trained.tokenizer, path, self.compute_type, self.rendering)
        write_card(path, trained.card, self.form)

    @property
    def form(self) -> Form:
        """The format as model cards name it."""
        return Form(f"CTranslate2, {self.compute_type}, reads pictures", "ctranslate2", USE)

    def translate(self, path: Path, texts: Sequence[str]) -> Mapping[str, list[str]]:
        """With `ImageTranslator`, pictures of the texts."""
        return {"": ImageTranslator(path, threads=1).translate_lines(pictures_of(texts, self.rendering), beam_size=1)}
