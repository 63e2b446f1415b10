"""Models that hear speech as CTranslate2 directories, which `SpeechTranslator` opens."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from distilmt.audio.features import FRAMES_PER_SECOND, STEP
from distilmt.config import ComputeType, ExportConfig, RunConfig
from distilmt.config.systems import type_suffix
from distilmt.config.voices import MELS, VoicesConfig
from distilmt.data.tokenizer import Tokenizer
from distilmt.export.base import TrainedModel, require_packages
from distilmt.export.card import Form, write_card
from distilmt.export.ctranslate2_frames import whisper_model, write_frame_export
from distilmt.export.speech_texts import utterances_of
from distilmt.inference.manifest import ExportManifest
from distilmt.inference.speech_translator import SpeechTranslator
from distilmt.models.base import Seq2SeqModel
from distilmt.models.frames import FRAMES_PER_POSITION
from distilmt.rendering.voices import held_out_voices
from distilmt.utils.errors import UserError

if TYPE_CHECKING:
    from distilmt.models.whisper import WhisperModel

USE = """
```python
from pathlib import Path

from distilmt.audio.decoding import read_audio
from distilmt.inference.speech_translator import SpeechTranslator

translator = SpeechTranslator("DIRECTORY")
print(translator.translate_utterances([read_audio(Path("sentence.wav"))])[0])
```
"""
"""Instructions for the model card."""


def export_speech(
    model: Seq2SeqModel, tokenizer: Tokenizer, directory: Path, compute_type: str, voices: VoicesConfig
) -> None:
    """Write a CTranslate2 directory of a model that hears speech atomically.

    Beside CTranslate2's files it contains `target.spm` and `distilmt.json`.

    Args:
        model: a model of Whisper's architecture in float32.
        tokenizer: the tokenizer it was trained with.
        directory: the export directory; an older export there is replaced.
        compute_type: one of CTranslate2's types; float32 does not change the weights.
        voices: what it was trained on.

    Raises:
        UserError: the type is unknown, or the model does not hear such frames.
    """
    whisper = speech_model(model, voices)
    manifest: ExportManifest = {
        "format": 1,
        "compute_type": compute_type,
        "max_positions": whisper.dimensions.max_positions,
        "input": "speech",
        "stack": voices.stack,
        "max_seconds": longest_utterance(whisper, voices),
    }
    write_frame_export(whisper, tokenizer, directory, manifest)


def speech_model(model: Seq2SeqModel, voices: VoicesConfig) -> WhisperModel:
    """The model as one of Whisper's architecture.

    Raises:
        UserError: it is of another one, or its frames have another size.
    """
    whisper = whisper_model(model, "hears no speech")
    size = whisper.network.config.num_mel_bins
    if size != voices.frame_size:
        raise UserError(
            f"the model hears frames of {size} numbers, but student.voices.stack is {voices.stack}, which makes "
            f"{voices.stack} times {MELS} mel bands: use the value of its training"
        )
    return whisper


def longest_utterance(model: WhisperModel, voices: VoicesConfig) -> float:
    """Seconds of the longest utterance that a model has positions for, at most `max_seconds`; longer ones are cut."""
    mel_frames = FRAMES_PER_POSITION * model.dimensions.max_positions * voices.stack
    return min(voices.max_seconds, max(1, mel_frames // STEP) * STEP / FRAMES_PER_SECOND)


@dataclass(frozen=True)
class SpeechExporter:
    """CTranslate2 in one type, of a student that hears speech."""

    compute_type: ComputeType
    voices: VoicesConfig
    """What it was trained on."""

    @property
    def suffix(self) -> str:
        """Empty for float32, `-int8` for int8."""
        return type_suffix(self.compute_type)

    def check(self, config: RunConfig) -> None:
        """As `Exporter.check`: the voices of the test set must be there too."""
        require_packages("ctranslate2", ("ctranslate2", "sentencepiece"))
        held_out_voices(self.voices)

    def export(self, trained: TrainedModel, path: Path, config: ExportConfig) -> None:
        """As `Exporter.export`."""
        export_speech(trained.model, trained.tokenizer, path, self.compute_type, self.voices)
        write_card(path, trained.card, self.form)

    @property
    def form(self) -> Form:
        """The format as model cards name it."""
        return Form(f"CTranslate2, {self.compute_type}, hears speech", "ctranslate2", USE)

    def translate(self, path: Path, texts: Sequence[str]) -> Mapping[str, list[str]]:
        """With `SpeechTranslator`, recordings of the texts."""
        translator = SpeechTranslator(path, threads=1)
        return {"": translator.translate_utterances(utterances_of(texts, self.voices), beam_size=1)}
