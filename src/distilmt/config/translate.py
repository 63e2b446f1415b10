"""Options of `distilmt translate`, for models of text, pictures and speech."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from distilmt.config.bounds import MAX_BEAM, MAX_THREADS, bounded
from distilmt.config.fields import FLAG, POSITIONAL, Flag

TEXT_OPTIONS = (
    "text",
    "encoding",
    "json_keys",
    "glossary",
    "keep",
    "n_best",
    "confidence",
    "shortlist",
)
"""Keys that only models of text can follow."""


@dataclass
class TranslateConfig:
    """Options of the translation."""

    path: str = field(default="", metadata=POSITIONAL)
    """A run directory, an exported model, or `hf:OWNER/NAME[@REVISION]`, a model of the Hugging Face hub."""
    files: list[str] = field(default_factory=list, metadata=POSITIONAL)
    """Documents to translate: .txt .srt .vtt .ass .html .md .po .docx .json; default: lines of standard input. A
    student that reads pictures: .png .jpg .webp .bmp .tif .gif .pdf. One that reads speech: .wav .flac .ogg .mp3
    .m4a."""
    output: str | None = None
    """Where the translation is written: a file, or a directory, in which the document keeps its name. Of pictures a
    .txt or .json file; of recordings .txt, .srt, .vtt or .json."""
    overlay: str | None = None
    """Where pictures with the translation laid over their text are written: a .png or .pdf file, or a directory."""
    overlay_font: str | None = None
    """Font file of `overlay`; null: an installed one that has all characters."""
    text: str | None = field(default=None, metadata={FLAG: Flag(literal=True)})
    """A text to translate instead of files or standard input."""
    format: Literal["lines", "txt", "srt", "vtt", "ass", "html", "md", "po", "json"] | None = None
    """Input format: `lines` go to the model unchanged (standard input); else a document (`text`: txt). Of recordings
    the output format: `txt` (default), `srt`, `vtt` or `json`."""
    live: bool = False
    """Translate speech from standard input as it comes (wav or raw PCM of 16 bits, mono, 16 kHz): a line after every
    pause."""
    encoding: str | None = None
    """Encoding of lines and documents without a byte order mark (cp1252, shift_jis); null: as declared, or UTF-8."""
    json_keys: list[str] = field(
        default_factory=list, metadata={FLAG: Flag(literal=True, repeated=True, separated=True)}
    )
    """In .json files, translate only strings below these keys (`title,text`); empty: all strings."""
    glossary: str | None = None
    """Glossary of prescribed translations: a .tsv file, each line a term, a tab and its translation."""
    keep: list[str] = field(default_factory=list, metadata={FLAG: Flag(literal=True, repeated=True)})
    """Regular expressions of spans in a document or text to copy unchanged, besides placeholders and code."""
    n_best: int = bounded(1, 1, MAX_BEAM)
    """Translations of each line, best first."""
    confidence: bool = False
    """Write the model's confidence (0 to 1) and a tab before the translation of each line."""
    system: str = "student-int8"
    """Which export of a run directory is used; `compressed` is the result of `distilmt compress`."""
    beam_size: int | None = bounded(None, 1, MAX_BEAM)
    """Beam size; 1 is greedy; null: the beam the model was compressed for, else 4."""
    threads: int = bounded(0, 0, MAX_THREADS)
    """CPU threads; 0: one per core."""
    shortlist: bool | None = None
    """Whether the model's shortlist is used; null uses it if there is one."""


def given_flags(config: TranslateConfig, keys: Sequence[str]) -> list[str]:
    """The flags of those keys that differ from their defaults."""
    default = TranslateConfig()
    return [f"--{key}" for key in keys if getattr(config, key) != getattr(default, key)]
