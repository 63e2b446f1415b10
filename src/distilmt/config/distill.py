"""Options of `distilmt distill`."""

from __future__ import annotations

from dataclasses import dataclass, field

from distilmt.config.bounds import MAX_SEED, bounded
from distilmt.config.choices import ReportLanguage
from distilmt.config.hub_names import plain_name
from distilmt.utils.pretrained import teacher_name


@dataclass
class DistillConfig:
    """`distilmt distill`: your own teacher and your own text; the minutes determine the student and its training."""

    teacher: str = ""
    """The teacher: a Hugging Face seq2seq model (directory or hub name), a CTranslate2 directory or .argosmodel;
    `demo`: the teacher that is installed with distilmt, for en-it."""
    pair: str = ""
    """Language pair, source first, such as en-it."""
    text: list[str] = field(default_factory=list)
    """Text files in the source language, one sentence per line, for the teacher to translate; may be compressed."""
    train: list[str] = field(default_factory=list)
    """Sentence pairs, besides or instead of `text`: two parallel files, or one .tsv, .jsonl or .parquet file."""
    valid: list[str] = field(default_factory=list)
    """Sentence pairs for validation, as `train`; if empty, sentences are split off the text."""
    test: list[str] = field(default_factory=list)
    """Sentence pairs for the test, as `train`; if empty, sentences are split off the text."""
    minutes: float = bounded(60.0, 0.1, 1e6)
    """Approximate time of the whole run; more minutes give a bigger student that has learned more."""
    run_dir: str | None = None
    """Directory of the run; default: runs/distill-PAIR."""
    seed: int = bounded(1, 0, MAX_SEED)
    """Seed of all random numbers."""
    report_language: ReportLanguage = "en"
    """Language of the report."""

    def __post_init__(self) -> None:
        self.teacher = teacher_name(plain_name(self.teacher, "teacher"))
