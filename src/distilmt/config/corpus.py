"""Sentence pairs, what is dropped of them, and the pieces they are made of."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from distilmt.config.bounds import MAX_COUNT, bounded
from distilmt.config.effects import affects, config_field, no_effect
from distilmt.utils.errors import UserError

# Codes become parts of file names and of prompts.
_LANGUAGE_CODE = re.compile(r"[A-Za-z]{2,8}([-_@][A-Za-z0-9]{1,8})*")


@dataclass
class CleaningConfig:
    """Which lines of a corpus are dropped, and why. Every dropped line is counted under its rule's name."""

    min_words: int = bounded(1, 0, 100_000)
    """Fewest words on either side (characters for Chinese, Japanese, Thai and other scripts without spaces)."""
    max_words: int = bounded(150, 1, MAX_COUNT)
    """Most words on either side (three times as many characters for scripts without spaces)."""
    max_chars: int = bounded(1500, 1, MAX_COUNT)
    """Most characters on either side."""
    max_word_chars: int = bounded(0, 0, MAX_COUNT)
    """Longest word on either side, in characters (150 is usual); 0 allows all."""
    max_ratio: float = bounded(3.0, 1, 1_000_000)
    """Longest to shortest side, in characters weighted by script, with 10 characters added to both."""
    drop_identical: bool = True
    """Drop pairs whose two sides are the same."""
    drop_duplicates: bool = True
    """Drop pairs that stood before, and training pairs whose source or target stands in valid or test."""
    keep_best: bool = False
    """Of pairs with the same target (case and punctuation aside) keep the one with the best score."""
    markup: Literal["keep", "fix", "drop"] = "keep"
    """HTML tags and character entities: leave them, take them out and write entities as characters, or drop pairs."""
    min_letters: float = bounded(0.0, 0, 1)
    """Smallest share of letters among the characters of either side (0.5 is usual); 0 allows all."""
    drop_number_mismatch: bool = False
    """Drop pairs whose sides do not have the same numbers (in digits)."""
    drop_url_mismatch: bool = False
    """Drop pairs whose sides do not have the same web and mail addresses."""
    max_repetition: int = bounded(0, 0, MAX_COUNT)
    """Most times in a row that a phrase of one to four words may stand; 0 allows all."""
    language_id: bool = False
    """Drop pairs whose sides are not in the languages named (needs the extra `langid`)."""


@dataclass
class SourceConfig:
    """One more source of sentence pairs, which is mixed in beside `corpus.train`."""

    files: list[str] = field(default_factory=list)
    """Like `corpus.train`."""
    dataset: str | None = None
    """Like `corpus.dataset`; only the training part of a data set is taken."""
    id: str | None = None
    """How the ids of its rows start (letters, digits, `_` and `.`); null makes it of the name."""
    weight: float = bounded(1.0, 0.001, 100)
    """How often a clean pair is taken: 0.5 draws half of them, 2.0 takes every pair twice."""
    license: str | None = config_field(None, no_effect())
    """What it may be used for, for the corpus card."""
    score: str | None = None
    """Column that says how good a pair is, higher being better: its name, in a .tsv file its number from 1."""
    min_score: float | None = bounded(None, -1e12, 1e12)
    """Pairs with less, or without a score, are dropped."""

    def __post_init__(self) -> None:
        if bool(self.files) == bool(self.dataset):
            raise UserError(f"corpus.sources: {self.dataset or self.files or 'one'}: set either files or dataset")
        label = self.dataset or " ".join(self.files)
        if self.min_score is not None and self.score is None:
            raise UserError(f"corpus.sources, {label}: min_score is set, so name the column with score")
        if self.id is not None and not re.fullmatch(r"[A-Za-z0-9_.]+", self.id):
            raise UserError(f"corpus.sources, {label}: id is {self.id!r}: use letters, digits, _ and . alone")


_LANGUAGES = affects(
    *("corpus", "references", "teacher", "labels", "selection", "exports", "evaluation", "report"),
    *("teacher-scores", "scores", "validation"),
)


@dataclass
class CorpusConfig:
    """Where sentence pairs come from."""

    source: str = config_field("en", _LANGUAGES)
    """Source language code (`en`, `zh`, `pt_BR`)."""
    target: str = config_field("it", _LANGUAGES)
    """Target language code."""
    train: list[str] = field(default_factory=list)
    """Two text files; one .tsv, .csv, .json, .jsonl, .parquet, .tmx, .xlf, .po or .mo file; or a directory of .po."""
    valid: list[str] = field(default_factory=list)
    """Like train; when empty, pairs are split off the training text."""
    test: list[str] = field(default_factory=list)
    """Like train; when empty, pairs are split off the training text."""
    monolingual: list[str] = field(default_factory=list)
    """Text files in the source language, a sentence a line, which the teacher translates; each may be compressed."""
    dataset: str | None = None
    """`debian`, `hf:NAME[:CONFIG]` (Hugging Face, disk or hub), `opus:NAME[/VERSION]` or `mtdata:ID`."""
    license: str | None = config_field(None, no_effect())
    """What `train` or `dataset` may be used for, for the corpus card; null takes what the data set itself says."""
    sources: list[SourceConfig] = field(default_factory=list)
    """More sources of pairs beside it, each with files or a data set, and a weight."""
    valid_size: int = bounded(1500, 1, 100_000_000)
    """Most validation pairs (kept as they are if `valid` names files)."""
    test_size: int = bounded(2000, 1, 100_000_000)
    """Most test pairs split off (files named by `test` are kept whole and uncleaned)."""
    max_train: int | None = bounded(None, 1, 10**12)
    """Most training pairs, drawn at random after cleaning; null keeps all."""
    cleaning: CleaningConfig = field(default_factory=CleaningConfig)
    """What is dropped."""

    def __post_init__(self) -> None:
        for name in ("source", "target"):
            code = getattr(self, name)
            if not _LANGUAGE_CODE.fullmatch(code):
                raise UserError(f"corpus.{name} is {code!r}: use a language code such as en, zh or pt_BR")

    @property
    def bilingual(self) -> bool:
        """Whether there are pairs; else the teacher gives the references."""
        return bool(self.train or self.dataset or self.sources)


def _is_trained(tokenizer: Mapping[str, Any]) -> bool:
    return tokenizer["path"] is None


@dataclass
class TokenizerConfig:
    """SentencePiece subwords in Marian's convention (eos 0, unk 1, pad last)."""

    path: str | None = None
    """A Marian or OPUS-MT directory whose pieces are taken instead of learning new ones."""
    vocab_size: int = bounded(8000, 4, 1_000_000, affects(when=_is_trained))
    """Pieces per vocabulary, pad included."""
    vocab_sharing: Literal["auto", "shared", "split"] = config_field("auto", affects(when=_is_trained))
    """One vocabulary for both sides, or one each; `auto` splits when the scripts differ (English and Chinese)."""
    model_type: Literal["unigram", "bpe"] = config_field("unigram", affects(when=_is_trained))
    """SentencePiece algorithm."""
    character_coverage: float = bounded(0.9995, 0.98, 1, affects(when=_is_trained))
    """Share of characters that get pieces of their own; the others are spelt in bytes."""
    byte_fallback: bool = config_field(True, affects(when=_is_trained))
    """Spell unknown characters in UTF-8 bytes, so that nothing is ever unknown."""
    input_sentence_size: int = bounded(500_000, 1, MAX_COUNT, affects("tokenizer", "references", when=_is_trained))
    """Most sentences a side the pieces are learnt from."""
