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

HELP = """distilmt turns a big translation model into a small fast one, and tells what was lost.

Usage: distilmt COMMAND [OPTIONS]          (distilmt COMMAND --help tells more)

  demo            distil a translator from real text, with one dial for time
  run             do everything a configuration says: distilmt run CONFIG.yaml [--KEY VALUE ...]
  compare         methods side by side on the same labels: distilmt compare CONFIG.yaml [--KEY VALUE ...]

  prepare         … up to the corpus
  train-teacher   … up to the teacher
  label           … up to the labels
  train-student   … up to the student (and its baseline)
  export          … up to the exported models
  evaluate        … up to the report (like run); --health shows what student and teacher stumble over

  cost            what a run will cost, before it: distilmt cost CONFIG.yaml [--fit] [--KEY VALUE ...]; or did: RUN_DIR

  plan            how much text is worth labelling: distilmt plan CONFIG.yaml [--minutes 20] [--KEY VALUE ...]

  compress        make the student of a run smaller still: distilmt compress RUN_DIR --max-drop 0.5 --metric bleu

  translate       translate standard input with a finished run: distilmt translate RUN_DIR
  labels          check a label store: distilmt labels check DIR

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
        "labels": labels,
    }
    if name in _UNTIL:
        return run(arguments, name)
    if name in commands:
        return commands[name](arguments)
    raise UserError(f"unknown command {name!r}{_nearest(name, [*commands, *_UNTIL])}; see `distilmt --help`")


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
    config = settings.load(arguments)
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
    """`distilmt translate RUN_OR_MODEL`: standard input to standard output, a line for a line."""
    from distilmt import settings

    usage = (
        "Usage: distilmt translate RUN_OR_MODEL_DIR [--beam_size N] [--threads 0] [--system student-int8] "
        "[--shortlist true|false] < IN > OUT"
    )
    if not arguments or {"-h", "--help"} & set(arguments):
        print(usage)
        return 0
    arguments, _ = _take_flags(arguments)
    chosen = settings.load_translate(arguments)
    from distilmt.translator import Translator

    model = _model(Path(chosen.path), chosen.system)
    translator = Translator(model, threads=chosen.threads, shortlist=chosen.shortlist)
    batch = 1 if sys.stdin.isatty() else 64
    for line in translator.stream(_lines(), chosen.beam_size or translator.beam_size, batch):
        sys.stdout.write(line.replace("\n", " ") + "\n")
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
    """`distilmt labels check DIR`: every id once, checksums right, positions equal to tokens."""
    if len(arguments) != 2 or arguments[0] != "check":
        print("Usage: distilmt labels check DIR")
        return 0 if {"-h", "--help"} & set(arguments) else 2
    from distilmt.labels.store import LabelStore

    store = LabelStore(Path(arguments[1]))
    store.check()
    print(f"{arguments[1]}: {store.rows} sentences, all there and whole")
    return 0


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
