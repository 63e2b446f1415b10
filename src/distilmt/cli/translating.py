"""`distilmt translate`: lines, a text or documents, by a finished run."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from distilmt.cli.output import listen, take_flags
from distilmt.errors import UserError


def translate(arguments: list[str]) -> int:
    """`distilmt translate RUN_OR_MODEL [FILE …]`: files, a text, or standard input, a line for a line."""
    from distilmt import settings

    if not arguments or {"-h", "--help"} & set(arguments):
        from distilmt import keys
        from distilmt.commands import TranslateConfig

        print(
            "Usage: distilmt translate RUN_OR_MODEL_DIR [FILE ... --output FILE|DIR] [--KEY VALUE ...] < IN > OUT\n\n"
            f"--json writes what was found as JSON, a line each.\n\n{keys.describe(TranslateConfig)}"
        )
        return 0
    arguments, flags = take_flags(arguments)
    chosen = settings.load_translate(arguments)
    from distilmt import translation
    from distilmt.translator import Translator

    translation.targets(chosen)  # what is wrong with them is told before a model is loaded
    model = _model(Path(chosen.path), chosen.system)
    translator = Translator(model, threads=chosen.threads, shortlist=chosen.shortlist)
    if chosen.files:
        listen(flags)
        return _translate_files(chosen, translator, flags)
    kind = chosen.format or ("txt" if chosen.text is not None and not (chosen.scores or chosen.n_best > 1) else "lines")
    if kind == "lines":
        return _translate_lines(chosen, translator, flags)
    from distilmt.formats import translate_document

    data = sys.stdin.buffer.read() if chosen.text is None else f"{chosen.text}\n".encode("utf-8", "replace")
    name = f"standard input.{kind}" if chosen.text is None else f"--text.{kind}"
    whole = translate_document(data, name, translation.translating(chosen, translator), tuple(chosen.json_keys))
    sys.stdout.buffer.write(whole)
    return 0


def _translate_files(chosen: Any, translator: Any, flags: set[str]) -> int:
    from distilmt import translation

    for target, made in translation.translate_files(chosen, translation.translating(chosen, translator)):
        if target is None:
            sys.stdout.buffer.write(made)
        elif "--json" in flags:
            print(json.dumps({"file": str(target)}, ensure_ascii=False), flush=True)
        elif "--quiet" not in flags:
            print(target, flush=True)
    return 0


def _translate_lines(chosen: Any, translator: Any, flags: set[str]) -> int:
    from distilmt import translation

    batch = 1 if sys.stdin.isatty() else translation.BATCH
    incoming = _lines() if chosen.text is None else iter(chosen.text.splitlines())
    if "--json" in flags or chosen.scores or chosen.n_best > 1:
        for text, found in translation.lines(chosen, translator, incoming, batch):
            if "--json" in flags:
                print(json.dumps({"source": text, "translations": found}, ensure_ascii=False), flush=True)
            else:
                for one in found:
                    print(*([f"{one['score']:.4f}"] if chosen.scores else []), one["translation"], sep="\t", flush=True)
        return 0
    for line in translation.stream(translation.translating(chosen, translator), incoming, batch):
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()
    return 0


def _lines() -> Any:
    for number, raw in enumerate(sys.stdin.buffer, 1):
        try:
            yield raw.decode("utf-8").rstrip("\r\n")
        except UnicodeDecodeError as error:
            raise UserError(
                f"standard input, line {number}: not UTF-8 at byte {error.start}: convert it, e.g. with iconv"
            ) from None


def _model(path: Path, system: str) -> Path:
    """The exported model of a run directory, or the directory itself if it is one."""
    from distilmt.exported import is_model

    if is_model(path) or (path / "distilmt.json").exists():
        return path  # what is missing is told as it is loaded
    if not path.is_dir():
        raise UserError(f"{path} does not exist: name a run directory (runs/demo) or an exported model")
    place = path / "compressed" / "model" if system == "compressed" else path / "exports" / system
    if not is_model(place):
        if (place / "distilmt.json").exists():
            return place
        there = sorted(p.name for p in path.glob("exports/*") if is_model(p))
        hint = f"it has {', '.join(there)}: name one with --system" if there else "finish the run first"
        raise UserError(f"{path} has no exported {system!r}: {hint}")
    return place
