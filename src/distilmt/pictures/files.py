"""Picture and PDF files to files of text, of JSON, and of pictures with the translation laid over them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from distilmt.config.translate import TEXT_OPTIONS, TranslateConfig, given_flags
from distilmt.pictures.overlay_files import OverlayFile
from distilmt.pictures.reading import SUFFIXES, read_picture
from distilmt.pictures.translate import PageRecord, PictureTranslator, page_record, translate_pages
from distilmt.utils.errors import UserError
from distilmt.utils.output_files import output_files, source_files
from distilmt.utils.run_dir import write_text

TEXT_SUFFIXES, OVERLAY_SUFFIXES = (".txt", ".json"), (".png", ".pdf")
NO_TEXT = "no text found, nothing is written"


@dataclass(frozen=True)
class TranslatedPicture:
    """A translated picture or PDF."""

    source: Path
    text: str
    """A paragraph a line, an empty line between pages; empty if there is no text."""
    pages: list[PageRecord]
    written: list[Path]
    """Files of text, JSON and overlays."""


@dataclass(frozen=True)
class _Targets:
    text: Path | None
    overlay: Path | None


def picture_targets(config: TranslateConfig, is_json: bool = False) -> dict[Path, _Targets]:
    """Where the translations of picture files are written; nothing is read.

    Raises:
        UserError: a file is missing or no picture, an option is for text, or a file would be overwritten.
    """
    _check_options(config)
    sources = source_files(config.files, SUFFIXES, "pictures", "pictures")
    texts = _paths(sources, config.output, "--output", TEXT_SUFFIXES, ".json" if is_json else ".txt")
    overlays = _paths(sources, config.overlay, "--overlay", OVERLAY_SUFFIXES, None)
    return {source: _Targets(*pair) for source, *pair in zip(sources, texts, overlays, strict=True)}


def _check_options(config: TranslateConfig) -> None:
    if config.live:
        raise UserError(f"{config.path} reads pictures: --live is for students that read speech, leave it out")
    if not config.files:
        raise UserError(f"{config.path} reads pictures: name picture files after it ({' '.join(SUFFIXES)})")
    if given := given_flags(config, (*TEXT_OPTIONS, "format")):
        raise UserError(f"{config.path} reads pictures: {given[0]} is for models of text, leave it out")


def _paths(
    sources: list[Path], output: str | None, flag: str, suffixes: tuple[str, ...], suffix: str | None
) -> list[Path | None]:
    """A path for every source: a file, or one of the same name in a directory."""
    if output is None:
        return [None] * len(sources)
    names = [f"{source.stem}{suffix or _overlay_suffix(source)}" for source in sources]
    targets = output_files(flag, output, sources, names, suffixes)
    if targets[0].suffix.lower() not in suffixes:
        raise UserError(f"{flag} {output}: use {' or '.join(suffixes)}, or a directory with /")
    return [*targets]


def _overlay_suffix(source: Path) -> str:
    return ".pdf" if source.suffix.lower() == ".pdf" else ".png"


def translate_pictures(
    config: TranslateConfig, translator: PictureTranslator, is_json: bool = False
) -> Iterator[TranslatedPicture]:
    """Translate picture files one by one; each file is written whole, and only if there is text.

    Raises:
        UserError: as `picture_targets`; a file cannot be read, or a package is missing.
    """
    for source, targets in picture_targets(config, is_json).items():
        overlays = OverlayFile(targets.overlay, config.overlay_font) if targets.overlay else None
        try:
            yield _translated(source, targets, overlays, config, translator, is_json)
        finally:
            if overlays:
                overlays.discard()


def _translated(
    source: Path,
    targets: _Targets,
    overlays: OverlayFile | None,
    config: TranslateConfig,
    translator: PictureTranslator,
    is_json: bool,
) -> TranslatedPicture:
    records, texts = [], []
    for page in translate_pages(read_picture(source), translator, config.beam_size, config.threads):
        records.append(page_record(page))
        texts.append(page.text)
        if overlays:
            overlays.add(page)
    text = "\n".join(each for each in texts if each)
    written = overlays.finish() if overlays else []
    if targets.text is not None and text:
        as_json = is_json or targets.text.suffix.lower() == ".json"
        write_text(targets.text, json_line(source, records) if as_json else text)
        written.insert(0, targets.text)
    return TranslatedPicture(source, text, records, written)


def json_line(source: Path, pages: list[PageRecord]) -> str:
    """A picture file as a JSON object on a line."""
    return json.dumps({"file": str(source), "pages": pages}, ensure_ascii=False) + "\n"
