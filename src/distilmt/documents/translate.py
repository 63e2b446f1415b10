"""Translate files, texts and lines with an exported model, for `distilmt translate`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import TypedDict

from distilmt.config.command_loading import FORMAT_OF_A_FILE
from distilmt.config.translate import TranslateConfig
from distilmt.documents import SUFFIXES, Translate, TranslateWithAttention, report_of, translate_document
from distilmt.documents.document_report import DocumentReport
from distilmt.documents.encoding import python_encoding
from distilmt.documents.keep_patterns import KeepPatterns
from distilmt.inference.base import DecodingOptions
from distilmt.inference.symbols import has_letters
from distilmt.inference.translator import Translator
from distilmt.utils import progress
from distilmt.utils.errors import UserError
from distilmt.utils.output_files import output_files
from distilmt.utils.run_dir import atomic_path, read_json

BATCH = 64


def translate_function(config: TranslateConfig, translator: Translator) -> Translate:
    """Translation function for the given flags, with glossary, progress and attention."""
    beam = config.beam_size or translator.beam_size
    keep = KeepPatterns.of(config.keep)
    if not config.glossary:
        batched = _in_batches(lambda texts: translator.translate(texts, beam, BATCH))
        return TranslateWithAttention(batched, translator.attention, keep=keep, languages=_languages(translator.path))
    from distilmt.documents import glossary

    terms = glossary.Glossary(translator, glossary.read_glossary(Path(config.glossary)), beam)
    return TranslateWithAttention(
        _in_batches(terms.translate), translator.attention, keep=keep, languages=_languages(translator.path)
    )


def _languages(model: Path) -> tuple[str, str] | None:
    """Codes of source and target from the model's card, if it has one."""
    card = read_json(model / "card.json") if (model / "card.json").exists() else {}
    return (str(card["source"]), str(card["target"])) if card.get("source") and card.get("target") else None


def _in_batches(translate: Translate) -> Translate:
    def translate_batches(texts: list[str]) -> list[str]:
        translations: list[str] = []
        # Sentences of similar length are translated together, which is faster.
        order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
        with progress.task("translating", len(texts), "sentences") as task:
            for start in range(0, len(order), BATCH):
                batch = [texts[i] for i in order[start : start + BATCH]]
                translations += translate(batch)
                task.advance(len(batch))
        translation_by_index = dict(zip(order, translations, strict=True))
        return [translation_by_index[i] for i in range(len(texts))]

    return translate_batches


def output_paths(config: TranslateConfig) -> dict[Path, Path | None]:
    """The output path of each file's translation; None for standard output. Does not read or translate files.

    Raises:
        UserError: a file is missing or has an unknown format, `--format` is given, a translation would overwrite a
        source or another one, or a pattern of `--keep` is invalid.
    """
    if config.files and config.format:
        raise UserError(FORMAT_OF_A_FILE)
    KeepPatterns.of(config.keep)
    if config.encoding:
        python_encoding(config.encoding)
    files = [Path(name) for name in config.files]
    for file in files:
        if not file.is_file():
            raise UserError(_why_unreadable(file))
        if file.suffix.lower() not in SUFFIXES:
            raise UserError(
                f"{file}: cannot translate {file.suffix or 'it'}: use {' '.join(SUFFIXES)}, or for lines of text "
                f"standard input (< {file})"
            )
    if config.output is None:
        if len(files) > 1:
            raise UserError(f"{len(files)} files need an output directory: add --output DIR")
        return dict.fromkeys(files)
    targets = output_files("--output", config.output, files, [file.name for file in files], SUFFIXES)
    for file, target in zip(files, targets, strict=True):
        if target.suffix.lower() != file.suffix.lower():
            raise UserError(
                f"--output {target}: a {file.suffix} file keeps its format: use that extension, or a directory with /"
            )
    return dict[Path, Path | None](zip(files, targets, strict=True))


def _why_unreadable(file: Path) -> str:
    """What is wrong with a name that is no file's, and what to name instead."""
    if str(file) == "-":
        return "- is not the name of a file: leave it out to translate standard input (--format html: as a page)"
    if file.is_dir():
        return f"{file} is a directory: name the documents in it, such as {file / '*.html'}"
    if file.exists():
        return f"{file} is not a regular file: name documents after the model"
    return f"{file} does not exist: name documents after the model"


@dataclass(frozen=True)
class TranslatedDocument:
    """A translated file."""

    source: Path
    target: Path | None
    """Path of the written file; None for standard output."""
    content: bytes
    notes: list[str]
    """What was not translated and why, one line each."""


def translate_files(config: TranslateConfig, translate: Translate) -> Iterator[TranslatedDocument]:
    """Translate the files one by one; each is written atomically, or returned if it goes to standard output."""
    for file, target in output_paths(config).items():
        text_count = 0

        def count(texts: list[str]) -> list[str]:
            nonlocal text_count
            text_count += len(texts)
            return translate(texts)

        counting_translate: Translate = count
        if isinstance(translate, TranslateWithAttention):
            counting_translate = replace(translate, translate=count, report=DocumentReport())
        content = translate_document(
            file.read_bytes(), str(file), counting_translate, tuple(config.json_keys), config.encoding
        )
        if target is not None:
            with atomic_path(target) as temporary:
                temporary.write_bytes(content)
        notes = report_of(counting_translate).lines()
        yield TranslatedDocument(
            file, target, content, notes if text_count or notes else ["it has no text to translate"]
        )


class ScoredTranslation(TypedDict):
    """A translation with its score and confidence, as in the responses of the server."""

    translation: str
    score: float
    """Mean log-probability per token, at most 0."""
    confidence: float
    """Geometric mean of the token probabilities, 0 to 1."""


def n_best_lines(
    config: TranslateConfig, translator: Translator, incoming: Iterable[str], batch: int
) -> Iterator[tuple[str, list[ScoredTranslation]]]:
    """Yield the translations of every line once its batch is full, best first."""
    options = DecodingOptions(beam_size=config.beam_size or translator.beam_size, num_hypotheses=config.n_best)
    line_iterator = iter(incoming)
    while texts := list(islice(line_iterator, batch)):
        for text, hypotheses in zip(texts, translator.candidates(texts, options), strict=True):
            ranked: list[ScoredTranslation] = [
                {"translation": _one_line(h.text), "score": round(h.score, 4), "confidence": round(h.confidence, 4)}
                for h in hypotheses
            ]
            yield text, ranked or [{"translation": "", "score": 0.0, "confidence": 1.0}]


def _one_line(text: str) -> str:
    return text.replace("\n", " ")


def translate_stream(translate: Callable[[list[str]], list[str]], incoming: Iterable[str], batch: int) -> Iterator[str]:
    """Yield the translation of every line once its batch is full."""
    line_iterator = iter(incoming)
    while texts := list(islice(line_iterator, batch)):
        for text, translation in zip(texts, translate(texts), strict=True):
            yield _one_line(translation) if has_letters(text) else text
