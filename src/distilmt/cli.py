"""The command line: one function per command, and the only place that prints to people."""

from __future__ import annotations

import errno
import json
import os
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from distilmt import progress
from distilmt.errors import UserError
from distilmt.machine import rank, ranks

HELP = """distilmt turns a big translation model into a small fast one, and tells what was lost.

Usage: distilmt COMMAND [OPTIONS]          (distilmt COMMAND --help tells more)

  demo            distil a translator from real text, with one dial for time
  run             do everything a configuration says: distilmt run CONFIG.yaml [--KEY VALUE ...]
  compare         methods side by side on the same labels: distilmt compare CONFIG.yaml [--KEY VALUE ...]

  prepare         … up to the corpus
  train-teacher   … up to the teacher
  label           … up to the labels; on many machines with --engine ray --address HOST:PORT
  train-student   … up to the student (and its baseline)
  export          … up to the exported models
  evaluate        … up to the report (like run); --health shows what student and teacher stumble over

  cost            what a run will cost, before it: distilmt cost CONFIG.yaml [--fit] [--KEY VALUE ...]; or did: RUN_DIR

  plan            how much text is worth labelling: distilmt plan CONFIG.yaml [--minutes 20] [--KEY VALUE ...]

  compress        make the student of a run smaller still: distilmt compress RUN_DIR --max-drop 0.5 --metric bleu

  translate       translate standard input or documents with a finished run: distilmt translate RUN_DIR [FILE ...]
  serve           LibreTranslate's API and a page for people: distilmt serve RUN_OR_MODEL_DIR…
  labels          check, describe, merge, split label stores: distilmt labels check DIR

Options of every command: --quiet (no progress), --json (results as JSON on standard output).
"""

_UNTIL = {
    "run": "report",
    "prepare": "corpus",
    "train-teacher": "teacher",
    "label": "labels",
    "train-student": "baseline",
    "export": "exports",
    "evaluate": "report",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns its exit status (2: something the user can mend)."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        print(HELP)
        return 0
    if arguments[0] in ("-V", "--version"):
        from distilmt import __version__

        print(f"distilmt {__version__}")
        return 0
    try:
        return _command(arguments[0], arguments[1:])
    except UserError as error:
        return _fail(str(error))
    except BrokenPipeError:
        # Whoever read our output has had enough (`| head`): not an error, nor may flushing at the end make it one.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EACCES, errno.EROFS):
            raise
        where = f" ({error.filename})" if error.filename else ""
        return _fail(f"{error.strerror}{where}: make room or permit writing, then the same command goes on")
    except KeyboardInterrupt:
        print("\nstopped; the same command goes on from here", file=sys.stderr)
        return 130


def _fail(message: str) -> int:
    print(f"distilmt: error: {' '.join(message.split())}", file=sys.stderr)
    return 2


def _command(name: str, arguments: list[str]) -> int:
    # A terminated process leaves as an interrupted one does: through the clean-up of files half-written.
    signal.signal(signal.SIGTERM, lambda *_: (_ for _ in ()).throw(KeyboardInterrupt()))
    commands: dict[str, Callable[[list[str]], int]] = {
        "demo": demo,
        "compare": compare,
        "cost": cost,
        "plan": plan,
        "compress": compress,
        "translate": translate,
        "serve": serve,
        "labels": labels,
    }
    if ranks() > 1:
        return _together(name, arguments)
    if name in _UNTIL:
        return run(arguments, name)
    if name in commands:
        return commands[name](arguments)
    raise UserError(f"unknown command {name!r}{_nearest(name, [*commands, *_UNTIL])}; see `distilmt --help`")


_TRAINING = [name for name in _UNTIL if name != "prepare"]


def _together(name: str, arguments: list[str]) -> int:
    """What one of several processes does that torchrun started: the first all there is to do, the others help train."""
    if name not in _TRAINING:
        alone = f"{name!r} is for one process, but torchrun started {ranks()}: start it without torchrun (together "
        return 2 if rank() else _fail(f"{alone}processes do {', '.join(_TRAINING)})")
    from distilmt.training import ranks as training
    from distilmt.training.loop import help_train

    if rank():
        return training.follow(help_train)
    with training.lead():
        return run(arguments, name)


def _nearest(word: str, known: Sequence[str]) -> str:
    from distilmt.keys import nearest

    return nearest(word, known)


def run(arguments: list[str], command: str = "run") -> int:
    """`distilmt run CONFIG.yaml [--KEY VALUE …]`: every step that is not done yet."""
    from distilmt import keys, settings

    usage = f"Usage: distilmt {command} CONFIG.yaml [--KEY VALUE ...]"
    if not arguments or {"-h", "--help"} & set(arguments):
        print(f"{usage}\n\nKeys (any of them as --KEY VALUE or in the YAML file):\n\n{keys.describe()}")
        return 0
    arguments, flags = _take_flags(arguments)
    config = settings.load(settings.of_labels(arguments) if command == "label" else arguments)
    _listen(flags)
    from distilmt import pipeline

    root = pipeline.run(config, _UNTIL[command])
    _tell(root, flags)
    return 0


def demo(arguments: list[str]) -> int:
    """`distilmt demo`: the main job on real text, sized to the minutes given."""
    from distilmt import keys, settings
    from distilmt.commands import DemoConfig

    if {"-h", "--help"} & set(arguments):
        print(f"Usage: distilmt demo [--KEY VALUE ...]\n\n{keys.describe(DemoConfig)}")
        return 0
    arguments, flags = _take_flags(arguments)
    config = settings.load_demo(arguments)
    _listen(flags)
    if config.task == "classify":
        from distilmt import classify

        _print(classify.run(config) / "report", flags)
        return 0
    from distilmt import demo as demos

    root = demos.run(config)
    _tell(root, flags)
    return 0


def compare(arguments: list[str]) -> int:
    """`distilmt compare CONFIG.yaml`: methods side by side on the same labels, at equal updates."""
    from distilmt import settings

    if not arguments or {"-h", "--help"} & set(arguments):
        print(
            "Usage: distilmt compare CONFIG.yaml [--only METHODS] [--seeds NUMBERS] [--jobs 1] "
            "[--KEY VALUE ...]\n\n"
            "The file has the keys of a run (`distilmt run --help`) and beside them\n\n"
            "  methods: names, each with the keys of `student` (and `labels`) in which it differs\n"
            "  seeds: whole numbers; every method is trained once with each (default [1, 2, 3])\n"
            "  baseline: the method that all are compared with (default: the first)\n\n"
            "--only word,sequence trains those alone (and the baseline), --seeds 1,2 with those seeds.\n"
            "--jobs 2 trains two at once, each on its share of the cores: small models gain by it.\n"
            "Tables are in comparison.md, .html and .json of the run directory, new after every student."
        )
        return 0
    arguments, flags = _take_flags(arguments)
    config = settings.load_comparison(arguments)
    _listen(flags)
    from distilmt import compare as comparisons

    _print(comparisons.run(config) / "comparison", flags)
    return 0


def cost(arguments: list[str]) -> int:
    """`distilmt cost CONFIG.yaml`: what a run will cost; `distilmt cost RUN_DIR`: what it did cost, beside that."""
    from distilmt import keys, settings

    if not arguments or {"-h", "--help"} & set(arguments):
        print(
            "Usage: distilmt cost CONFIG.yaml|RUN_DIR [--fit] [--minutes 3] [--like RUN_DIR] [--json] "
            "[--KEY VALUE ...]\n\n"
            "Parameters, multiply-adds, FLOPs and bytes are counted from the configuration and its text.\n"
            "Seconds and memory need rates of this machine:\n\n"
            "  --fit            measure it by short runs like this one; they are kept for the next time\n"
            "  --minutes 3      how long that may take, about\n"
            "  --like RUN_DIR   take the records of a run that was done instead\n\n"
            "Of a run directory, what was measured stands beside what was predicted, with the error.\n\n"
            f"Keys of the run (any of them as --KEY VALUE or in the YAML file):\n\n{keys.describe()}"
        )
        return 0
    arguments, flags = _take_flags(arguments)
    config, run_config, like = settings.load_cost(arguments)
    _listen(flags)
    from distilmt import estimate
    from distilmt.cost.table import table

    answer = estimate.run(config, run_config, like)
    if "--json" in flags:
        print(json.dumps(answer, ensure_ascii=False))
    elif "--quiet" not in flags:
        print(table(answer), end="")
    return 0


def plan(arguments: list[str]) -> int:
    """`distilmt plan CONFIG.yaml`: how much text is worth labelling, and what it will cost."""
    from distilmt import keys, settings

    if not arguments or {"-h", "--help"} & set(arguments):
        print(
            "Usage: distilmt plan CONFIG.yaml|RUN_DIR [--minutes 20] [--worth 0.3] [--metric bleu|chrf] [--price P] "
            "[--sizes NUMBERS]\n                     [--updates U] [--seeds NUMBERS] [--KEY VALUE ...]\n\n"
            "Trains the configured student on small random parts of the text and tells, for every size up to all of\n"
            "it, the score that is to be expected, and time, bytes and money. A teacher that is not there yet is\n"
            "trained first, as the run would do it; teacher and labels serve the run later.\n\n"
            "  --minutes 20          how long labelling the parts and training on them may take, about\n"
            "  --worth 0.3           points that doubling the text must gain to be worth it\n"
            "  --metric bleu         of what: bleu or chrf, on the validation sentences\n"
            "  --price 0.002         what the teacher asks for a sentence, in any currency\n"
            "  --sizes 500,2000,8000 sentences of the parts (default: 1/64 to 1/4 of the text, if there is time)\n"
            "  --updates 2000        of every training (default: what the minutes allow, at most the run's)\n"
            "  --seeds 1,2,3         every part is trained on once with each: narrower intervals, longer\n\n"
            "The table is in plan/plan.md, .html (with the curve) and .json of the run directory.\n\n"
            f"Keys of the run (any of them as --KEY VALUE or in the YAML file):\n\n{keys.describe()}"
        )
        return 0
    arguments, flags = _take_flags(arguments)
    config, run_config = settings.load_plan(arguments)
    _listen(flags)
    from distilmt import plan as plans

    _print(plans.run(config, run_config) / "plan", flags)
    return 0


def compress(arguments: list[str]) -> int:
    """`distilmt compress RUN_DIR`: the smallest or fastest model that loses no more than was allowed."""
    from distilmt import keys, settings
    from distilmt.commands import CompressConfig

    if not arguments or {"-h", "--help"} & set(arguments):
        print(f"Usage: distilmt compress RUN_DIR [--KEY VALUE ...]\n\n{keys.describe(CompressConfig)}")
        return 0
    arguments, flags = _take_flags(arguments)
    config, run_config = settings.load_compress(arguments)
    _listen(flags)
    from distilmt import compress as compression

    place = compression.run(config, run_config)
    _print(place / "budget", flags)
    return 0


def _print(path: Path, flags: set[str]) -> None:
    """Show a table that was written, or as JSON."""
    if "--json" in flags:
        print(path.with_suffix(".json").read_text(encoding="utf-8"), end="")
    elif "--quiet" not in flags:
        print(path.with_suffix(".md").read_text(encoding="utf-8"), end="")


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
    arguments, flags = _take_flags(arguments)
    chosen = settings.load_translate(arguments)
    from distilmt import translation
    from distilmt.translator import Translator

    translation.targets(chosen)  # what is wrong with them is told before a model is loaded
    model = _model(Path(chosen.path), chosen.system)
    translator = Translator(model, threads=chosen.threads, shortlist=chosen.shortlist)
    if chosen.files:
        _listen(flags)
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


def serve(arguments: list[str]) -> int:
    """`distilmt serve MODEL…`: translate for others until stopped."""
    from distilmt import keys, settings
    from distilmt.commands import ServeConfig

    if not arguments or {"-h", "--help"} & set(arguments):
        print(f"Usage: distilmt serve RUN_OR_MODEL_DIR… [--KEY VALUE ...]\n\n{keys.describe(ServeConfig)}")
        return 0
    arguments, flags = _take_flags(arguments)
    config = settings.load_serve(arguments)
    _listen(flags)
    from distilmt.serving import server

    server.run(config)
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
    from distilmt.translator import is_model

    if is_model(path):
        return path
    if not path.is_dir():
        raise UserError(f"{path} does not exist: name a run directory (runs/demo) or an exported model")
    place = path / "compressed" / "model" if system == "compressed" else path / "exports" / system
    if not is_model(place):
        there = sorted(p.name for p in path.glob("exports/*") if is_model(p))
        hint = f"it has {', '.join(there)}: name one with --system" if there else "finish the run first"
        raise UserError(f"{path} has no exported {system!r}: {hint}")
    return place


def labels(arguments: list[str]) -> int:
    """`distilmt labels check|info|merge|split|select`: what is done with whole label stores."""
    from distilmt import keys, settings
    from distilmt.commands import LabelsConfig

    if not arguments or {"-h", "--help"} & set(arguments):
        print(f"{_LABELS_USAGE}\n\n{keys.describe(LabelsConfig)}")
        return 0 if arguments else 2
    arguments, flags = _take_flags(arguments)
    config = settings.load_labels(arguments)
    _listen(flags)
    from distilmt import stores

    text, found = stores.run(config)
    if "--quiet" not in flags:
        print(json.dumps(found, ensure_ascii=False) if "--json" in flags else text)
    return 0


_LABELS_USAGE = """Usage: distilmt labels ACTION DIR ... [--json] [--KEY VALUE ...]

  check DIR            every id once, checksums right, positions equal to tokens; of an unfinished store what is there
  info DIR             teacher, tokenizer, decoding, rows, tokens, bytes
  merge OUT DIR DIR …  one store of several
  split DIR OUT        OUT/part-1, part-2 …: --parts 3, --first 10000 or --ids FILE
  select DIR OUT       another hypothesis first, or several: --choose mbr, --keep 2; nothing is translated again"""


def _take_flags(arguments: list[str]) -> tuple[list[str], set[str]]:
    flags = {a for a in arguments if a in ("--quiet", "--json", "--health")}
    return [a for a in arguments if a not in flags], flags


def _listen(flags: set[str]) -> None:
    if not flags & {"--quiet", "--json"}:
        from distilmt.terminal import Terminal

        progress.listen(Terminal())


def _tell(root: Path, flags: set[str]) -> None:
    """Show what a run came to."""
    path = root / "report.json"
    if not path.exists():
        return
    report = json.loads(path.read_text(encoding="utf-8"))
    if "--json" in flags:
        print(json.dumps(report, ensure_ascii=False))
    elif "--quiet" not in flags:
        from distilmt.terminal import show_examination, show_report

        show_report(report, root)
        if "--health" in flags:
            show_examination(report)


if __name__ == "__main__":
    sys.exit(main())
