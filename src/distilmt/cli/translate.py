"""`distilmt translate`: translate lines, a text or documents with a finished run."""

from __future__ import annotations

import codecs
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from distilmt.cli.output import show_progress, take_flags
from distilmt.utils.errors import UserError


def translate(arguments: list[str]) -> int:
    """`distilmt translate RUN_OR_MODEL [FILE …]`: files, a text, or standard input line by line."""
    from distilmt.config import loading

    if not arguments or {"-h", "--help"} & set(arguments):
        from distilmt.config import fields
        from distilmt.config.commands import TranslateConfig

        print(
            "Usage: distilmt translate RUN_OR_MODEL_DIR [FILE ... --output FILE|DIR] [--KEY VALUE ...] < IN > OUT\n\n"
            f"--json writes one JSON object per translation.\n\n{fields.describe(TranslateConfig)}"
        )
        return 0
    arguments, flags = take_flags(arguments)
    chosen = loading.load_translate(arguments)
    from distilmt.documents import translate as translation
    from distilmt.inference.translator import Translator

    translation.output_paths(chosen)  # errors in them are raised before a model is loaded
    model = _model(Path(chosen.path), chosen.system)
    translator = Translator(model, threads=chosen.threads, shortlist=chosen.shortlist)
    if chosen.files:
        show_progress(flags)
        return _translate_files(chosen, translator, flags)
    kind = chosen.format or ("txt" if chosen.text is not None and not (chosen.scores or chosen.n_best > 1) else "lines")
    if kind == "lines":
        return _translate_lines(chosen, translator, flags)
    from distilmt.documents import report_of, translate_document

    data = sys.stdin.buffer.read() if chosen.text is None else f"{chosen.text}\n".encode("utf-8", "replace")
    name = f"standard input.{kind}" if chosen.text is None else f"--text.{kind}"
    translate = translation.translate_function(chosen, translator)
    encoding = chosen.encoding if chosen.text is None else None
    whole = translate_document(data, name, translate, tuple(chosen.json_keys), encoding)
    sys.stdout.buffer.write(whole)
    _print_untranslated(name, report_of(translate).lines())
    return 0


def _translate_files(chosen: Any, translator: Any, flags: set[str]) -> int:
    from distilmt.documents import translate as translation

    for document in translation.translate_files(chosen, translation.translate_function(chosen, translator)):
        if document.target is None:
            sys.stdout.buffer.write(document.content)
        elif "--json" in flags:
            print(json.dumps({"file": str(document.target)}, ensure_ascii=False), flush=True)
        elif "--quiet" not in flags:
            print(document.target, flush=True)
        _print_untranslated(str(document.source), document.notes)
    return 0


def _print_untranslated(name: str, notes: list[str]) -> None:
    """Print what was not translated, and why, on standard error: standard output has only text."""
    for note in notes:
        print(f"distilmt: {name}: {note}", file=sys.stderr, flush=True)


def _translate_lines(chosen: Any, translator: Any, flags: set[str]) -> int:
    from distilmt.documents import translate as translation
    from distilmt.documents.encoding import python_encoding

    batch = 1 if sys.stdin.isatty() else translation.BATCH
    encoding = python_encoding(chosen.encoding) if chosen.encoding else "utf-8"
    incoming = _lines(encoding) if chosen.text is None else iter(chosen.text.splitlines())
    if "--json" in flags or chosen.scores or chosen.n_best > 1:
        for text, hypotheses in translation.n_best_lines(chosen, translator, incoming, batch):
            if "--json" in flags:
                print(json.dumps({"source": text, "translations": hypotheses}, ensure_ascii=False), flush=True)
                continue
            for one in hypotheses:
                score = f"{one['score']:.4f}\t" if chosen.scores else ""
                _write_line(f"{score}{one['translation']}", encoding)
        return 0
    for line in translation.translate_stream(translation.translate_function(chosen, translator), incoming, batch):
        _write_line(line, encoding)
    return 0


def _write_line(line: str, encoding: str) -> None:
    try:
        raw = f"{line}\n".encode(encoding)
    except UnicodeEncodeError as error:
        lost = line[error.start]
        raise UserError(
            f"a translation has {lost!r} (U+{ord(lost):04X}), which {encoding} cannot encode: convert the text to UTF-8"
        ) from None
    sys.stdout.buffer.write(raw)
    sys.stdout.buffer.flush()


def _lines(encoding: str) -> Iterator[str]:
    """Lines of standard input, without line ends."""
    if encoding.startswith(("utf-16", "utf-32")):  # a line feed has more than one byte in them
        try:
            text = codecs.getreader(encoding)(sys.stdin.buffer).read()
            yield from (line.rstrip("\r") for line in text.removesuffix("\n").split("\n") if text)
        except UnicodeDecodeError as error:
            raise UserError(f"standard input: not {encoding} at byte {error.start}: name another --encoding") from None
        return
    shown = "UTF-8" if encoding == "utf-8" else encoding
    for number, raw in enumerate(sys.stdin.buffer, 1):
        try:
            yield raw.decode(encoding).rstrip("\r\n")
        except UnicodeDecodeError as error:
            raise UserError(
                f"standard input, line {number}: not {shown} at byte {error.start}: name its encoding with --encoding, "
                "such as --encoding cp1252, or convert it"
            ) from None


def _model(path: Path, system: str) -> Path:
    """The exported model of a run directory, or the directory itself if it is one."""
    from distilmt.inference.manifest import export_hint, is_model

    if is_model(path) or (path / "distilmt.json").exists():
        return path  # the loader reports missing files
    if not path.is_dir():
        raise UserError(f"{path} does not exist: name a run directory (runs/demo) or an exported model")
    directory = path / "compressed" / "model" if system == "compressed" else path / "exports" / system
    if not is_model(directory):
        if (directory / "distilmt.json").exists():
            return directory
        there = sorted(p.name for p in path.glob("exports/*") if is_model(p))
        hint = f"it has {', '.join(there)}: name one with --system" if there else export_hint(path)
        raise UserError(f"{path} has no exported {system!r}: {hint}")
    return directory
