"""Options of `distilmt adapt`."""

from __future__ import annotations

from dataclasses import dataclass, field

from distilmt.config.bounds import MAX_SEED, bounded
from distilmt.config.fields import POSITIONAL
from distilmt.config.hub_names import plain_name
from distilmt.utils.pretrained import teacher_name


@dataclass
class AdaptConfig:
    """`distilmt adapt`: a trained student, trained further on your own text."""

    student: str = field(default="", metadata=POSITIONAL)
    """The student: a run, an export, a model directory, `hf:OWNER/NAME`, or `demo` for the built-in one."""
    text: list[str] = field(default_factory=list)
    """Your sentence pairs: two parallel files, or one .tsv, .jsonl, .tmx or .parquet file; with `teacher` one text."""
    teacher: str = ""
    """A model that translates `text`, where that is a text in the source language alone; as in `distilmt distill`."""
    old_text: list[str] = field(default_factory=list)
    """Sentence pairs like those that the student was trained on; if empty, those of its run, if that is here."""
    old_share: float = bounded(0.5, 0, 0.95)
    """Fraction of the training sentences that are old text, against forgetting; 0 uses old text only for its scores."""
    keep_weight: float = bounded(0.2, 0, 1)
    """Weight of staying close to the token probabilities of the student as it was; the references have the rest."""
    minutes: float = bounded(5.0, 0.1, 1e6)
    """Approximate time limit of the whole command; it ends sooner if more training brings no more."""
    epochs: float = bounded(10.0, 0.01, 10_000)
    """Maximum passes over your text."""
    learning_rate: float = bounded(2e-4, 0, 10)
    """Peak learning rate; a higher one learns your text sooner, and forgets more."""
    held_out: int = bounded(500, 1, 1_000_000)
    """Maximum pairs of each text held out for the test, and as many for validation; at most a tenth of it for each."""
    pair: str = ""
    """Language pair, such as en-it; if empty, that in the student's card or run."""
    run_dir: str | None = None
    """Directory of the run; default: runs/adapt-PAIR."""
    seed: int = bounded(1, 0, MAX_SEED)
    """Seed of all random numbers."""

    def __post_init__(self) -> None:
        self.teacher = teacher_name(plain_name(self.teacher, "teacher"))
