"""Sentence pairs, their cleaning, and the tokenizer."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Literal

from distilmt.config.bounds import MAX_COUNT, bounded
from distilmt.config.effects import affects, config_field, no_effect
from distilmt.config.fields import FLAG, Flag
from distilmt.config.registers import RegisterTargets, parse_register_targets
from distilmt.utils.errors import UserError
from distilmt.utils.json_types import JsonMapping

# Codes become parts of file names and of prompts.
_LANGUAGE_CODE = re.compile(r"[A-Za-z]{2,8}([-_@][A-Za-z0-9]{1,8})*")


@dataclass
class CleaningConfig:
    """Rules that drop lines of a corpus. Every dropped line is counted under its rule's name."""

    min_words: int = bounded(1, 0, 100_000)
    """Minimum words on either side (characters for Chinese, Japanese, Thai and other scripts without spaces)."""
    max_words: int = bounded(150, 1, MAX_COUNT)
    """Maximum words on either side (three times as many characters for scripts without spaces)."""
    max_chars: int = bounded(1500, 1, MAX_COUNT)
    """Maximum characters on either side."""
    max_word_chars: int = bounded(0, 0, MAX_COUNT)
    """Maximum length of a word on either side, in characters (150 is usual); 0 allows all."""
    max_ratio: float = bounded(3.0, 1, 1_000_000)
    """Maximum length ratio of the two sides, in characters weighted by script, with 10 characters added to both."""
    drop_identical: bool = True
    """Drop pairs whose two sides are the same."""
    drop_duplicates: bool = True
    """Drop repeated pairs, and training pairs whose source or target occurs in valid or test."""
    keep_best: bool = False
    """Of pairs with the same target (ignoring case and punctuation) keep the one with the best score."""
    markup: Literal["keep", "fix", "drop"] = "keep"
    """HTML tags and entities: keep them, remove them and write entities as characters, or drop such pairs."""
    min_letters: float = bounded(0.0, 0, 1)
    """Minimum fraction of letters among the characters of either side (0.5 is usual); 0 allows all."""
    drop_number_mismatch: bool = False
    """Drop pairs whose sides do not have the same numbers (in digits)."""
    drop_url_mismatch: bool = False
    """Drop pairs whose sides do not have the same web and mail addresses."""
    max_repetition: int = bounded(0, 0, MAX_COUNT)
    """Maximum consecutive repetitions of a phrase of one to four words; 0 allows all."""
    language_id: bool = False
    """Drop pairs whose sides are not in the configured languages (needs the extra `langid`)."""


@dataclass
class SourceConfig:
    """An additional source of sentence pairs, mixed with `corpus.train`."""

    files: list[str] = field(default_factory=list)
    """Like `corpus.train`."""
    dataset: str | None = None
    """Like `corpus.dataset`; only the training part of a data set is taken."""
    id: str | None = None
    """Prefix of the ids of its rows (letters, digits, `_` and `.`); null derives it from the name."""
    weight: float = bounded(1.0, 0.001, 100)
    """How often a clean pair is used: 0.5 samples half of the pairs, 2.0 uses every pair twice."""
    license: str | None = config_field(None, no_effect())
    """License of the text, for the corpus card."""
    register: str | None = None
    """Kind of text, such as news or chat, of rows without a label in a column named `register`."""
    score: str | None = None
    """Column with the quality score of a pair (higher is better): its name, or in a .tsv file its number from 1."""
    min_score: float | None = bounded(None, -1e12, 1e12)
    """Minimum score; pairs with a lower score or without a score are dropped."""

    def __post_init__(self) -> None:
        if bool(self.files) == bool(self.dataset):
            raise UserError(f"corpus.sources: {self.dataset or self.files or 'one'}: set either files or dataset")
        label = self.dataset or " ".join(self.files)
        if self.min_score is not None and self.score is None:
            raise UserError(f"corpus.sources, {label}: min_score is set, so name the column with score")
        if self.id is not None and not re.fullmatch(r"[A-Za-z0-9_.]+", self.id):
            raise UserError(f"corpus.sources, {label}: id is {self.id!r}: use letters, digits, _ and . alone")


_FILES = affects(holds="files")
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
    train: list[str] = field(default_factory=list, metadata=_FILES)
    """Two text files; one .tsv, .csv, .json, .jsonl, .parquet, .tmx, .xlf, .po or .mo file; or a directory of .po."""
    valid: list[str] = field(default_factory=list, metadata=_FILES)
    """As `train`; if empty, pairs are split off the training text."""
    test: list[str] = field(default_factory=list, metadata=_FILES)
    """As `train`; if empty, pairs are split off the training text."""
    monolingual: list[str] = field(default_factory=list, metadata=_FILES)
    """Text files in the source language, one sentence per line, for the teacher to translate; may be compressed."""
    dataset: str | None = None
    """`debian`, `debian-messages`, `hf:NAME[:CONFIG]` (Hugging Face), `opus:NAME[/VERSION]` or `mtdata:ID`."""
    license: str | None = config_field(None, no_effect())
    """License of `train` or `dataset`, for the corpus card; null: the license that the data set declares."""
    register: str | None = None
    """Register of `train` or `dataset`: kind of text of rows without a label in a column named `register`."""
    registers: list[str] = field(default_factory=list, metadata={FLAG: Flag(separated=True, repeated=True)})
    """Targets in the training text, `chat=20000` rows or a share `chat=0.3`; other registers stay as they are."""
    sources: list[SourceConfig] = field(default_factory=list)
    """Additional sources of pairs, each with files or a data set, and a weight."""
    valid_size: int = bounded(1500, 1, 100_000_000)
    """Maximum validation pairs (used without cleaning if `valid` names files)."""
    test_size: int = bounded(2000, 1, 100_000_000)
    """Maximum test pairs split off (files named by `test` are used whole and without cleaning)."""
    max_train: int | None = bounded(None, 1, 10**12)
    """Maximum training pairs, sampled at random after cleaning; null keeps all."""
    cleaning: CleaningConfig = field(default_factory=CleaningConfig)
    """Cleaning rules."""
    split_sentences: bool = False
    """Split training lines of several sentences, as translation does; pairs with equally many on both sides."""
    identify_languages: bool = config_field(False, affects("corpus", "report", downstream=False))
    """Identify the languages of a sample of the text, for the contamination report (needs the extra `langid`)."""

    def __post_init__(self) -> None:
        for name in ("source", "target"):
            code = getattr(self, name)
            if not _LANGUAGE_CODE.fullmatch(code):
                raise UserError(f"corpus.{name} is {code!r}: use a language code such as en, zh or pt_BR")
        self.register_targets  # noqa: B018  # raises an error

    @property
    def register_targets(self) -> RegisterTargets:
        """Targets by register, as `registers` has them."""
        return parse_register_targets(self.registers)

    @property
    def bilingual(self) -> bool:
        """Whether there are sentence pairs; else the teacher generates the references."""
        return bool(self.train or self.dataset or self.sources)


def _is_trained(tokenizer: JsonMapping) -> bool:
    return tokenizer["path"] is None


@dataclass
class TokenizerConfig:
    """SentencePiece subwords in Marian's convention (eos 0, unk 1, pad last)."""

    path: str | None = config_field(None, affects(holds="model"))
    """A Marian or OPUS-MT directory whose vocabulary is used instead of training a new one."""
    vocab_size: int = bounded(8000, 4, 1_000_000, affects(when=_is_trained))
    """Tokens per vocabulary, including pad."""
    vocab_sharing: Literal["auto", "shared", "split"] = config_field("auto", affects(when=_is_trained))
    """One vocabulary for both sides, or one each; `auto` uses two if the scripts differ (English and Chinese)."""
    model_type: Literal["unigram", "bpe"] = config_field("unigram", affects(when=_is_trained))
    """SentencePiece algorithm."""
    character_coverage: float = bounded(0.9995, 0.98, 1, affects(when=_is_trained))
    """Fraction of characters that get their own token; the others become byte tokens."""
    byte_fallback: bool = config_field(True, affects(when=_is_trained))
    """Encode unknown characters as UTF-8 byte tokens, so that no input is unknown."""
    input_sentence_size: int = bounded(500_000, 1, MAX_COUNT, affects("tokenizer", "references", when=_is_trained))
    """Maximum sentences per side for training the tokenizer."""
