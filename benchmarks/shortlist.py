"""A student with and without a shortlist, in turns: speed, quality, and coverage. Prints Markdown.

    python benchmarks/shortlist.py RUN_DIR [MODEL] [--best 20 50 100] [--frequent 100] [--rounds 5] [--note TEXT]

RUN_DIR has corpus, tokenizer and labels; MODEL is an exported model with its tokenizer, by default the run's
exports/student-int8. It is copied, not changed. One thread; the run's test set.
"""

from __future__ import annotations

import argparse
import json
import shlex
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from turns import middle

from distilmt.compression import shortlist
from distilmt.config import ShortlistConfig
from distilmt.data import prepare
from distilmt.data.tokenizer import Tokenizer, load
from distilmt.evaluation import quality
from distilmt.inference.base import DecodingOptions
from distilmt.inference.translator import Translator
from distilmt.labels.store import LabelStore
from distilmt.utils.machine_info import machine
from distilmt.utils.run_dir import read_json

BEAMS, BATCHES = (1, 4), (1, 32)
WARM_UP = 32


@dataclass
class Task:
    """The texts to translate, and their evaluation."""

    sources: list[str]
    references: list[str]
    target: str
    rounds: int


@dataclass
class Turn:
    """A pass over the test set."""

    tokens_per_second: float
    texts: list[str]


def heading(title: str, note: str) -> str:
    """Heading of every result: command, date and machine."""
    command = shlex.join(["python", f"benchmarks/{Path(sys.argv[0]).name}", *sys.argv[1:]])
    parts = [f"`{command}`", f"{datetime.now(timezone.utc):%Y-%m-%d %H:%M} UTC", json.dumps(machine())]
    return f"# {title}\n\n{', '.join([*parts, *([note] if note else [])])}\n"


def table(heads: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    lines = [heads, ["---:"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines) + "\n"


def turn(translator: Translator, sources: list[str], beam: int, batch: int) -> Turn:
    begin = time.perf_counter()
    result = translator.hypotheses(sources, DecodingOptions(beam_size=beam, batch_size=batch))
    seconds = time.perf_counter() - begin
    return Turn(
        sum(len(response[0].tokens) for response in result) / seconds, [response[0].text for response in result]
    )


def speed_row(model: Path, beam: int, batch: int, task: Task) -> list[str]:
    """Both variants in turns, in alternating order, so that drift of the machine favors none."""
    arms = {used: Translator(model, threads=1, shortlist=used) for used in (False, True)}
    result: dict[bool, list[Turn]] = {False: [], True: []}
    for used in arms:
        turn(arms[used], task.sources[:WARM_UP], beam, batch)
    for number in range(task.rounds):
        for used in arms if number % 2 == 0 else reversed(arms):
            result[used].append(turn(arms[used], task.sources, beam, batch))
    speeds = {used: [t.tokens_per_second for t in turns] for used, turns in result.items()}
    ratios = [b / a for a, b in zip(speeds[False], speeds[True], strict=True)]
    texts = {used: turns[-1].texts for used, turns in result.items()}
    scores = {used: quality.score(texts[used], task.references, task.target) for used in texts}
    same = statistics.mean(a == b for a, b in zip(texts[False], texts[True], strict=True))
    both = [f"{getattr(scores[used], name):.2f}" for name in ("bleu", "chrf") for used in scores]
    return [str(beam), str(batch), middle(speeds[False]), middle(speeds[True]), middle(ratios, 2), *both, f"{same:.1%}"]


def covered(result: shortlist.Shortlist, pairs: dict[str, list], tokenizer: Tokenizer) -> list[str]:
    cells = []
    for kind in pairs.values():
        share = shortlist.coverage(result, kind)
        cells += [f"{share.pieces:.2%}", f"{share.sentences:.1%}"]
    return [f"{share.size:.0f} of {len(tokenizer.target.tokens) - 1:,}", *cells]


def held_out(model: Path, task: Task, tokenizer: Tokenizer) -> dict[str, list]:
    """Source tokens of the test set, with the model's own translation (beam 4) and with the reference's tokens."""
    free = Translator(model, threads=1, shortlist=False)
    sources = free.tokenize(task.sources)
    output = [response[0].tokens for response in free.hypotheses(task.sources)]
    references = [[tokenizer.target.tokens[i] for i in ids] for ids in tokenizer.target.encode(task.references)]
    return {
        "its own": list(zip(sources, output, strict=True)),
        "references": list(zip(sources, references, strict=True)),
    }


def main(options: argparse.Namespace) -> None:
    language = read_json(options.run / "corpus" / "step.json")["settings"]["target"]
    test = prepare.load_split(options.run / "corpus", "test")
    task = Task(test["source"].to_pylist(), test["target"].to_pylist(), language, options.rounds)
    tokenizer, labels = load(options.run / "tokenizer"), LabelStore(options.run / "labels")
    sizes, speeds = [], []
    with tempfile.TemporaryDirectory() as place:
        model = Path(shutil.copytree(options.model or options.run / "exports" / "student-int8", f"{place}/model"))
        held = held_out(model, task, tokenizer)
        for best in options.best:
            chosen = ShortlistConfig(best=best, frequent=options.frequent)
            begin = time.perf_counter()
            result = shortlist.build(shortlist.label_pairs(labels, tokenizer, chosen), tokenizer, chosen)
            seconds = time.perf_counter() - begin
            result.write(model)
            size = (model / shortlist.FILE).stat().st_size
            sizes.append([best, options.frequent, *covered(result, held, tokenizer), f"{size:,}", f"{seconds:.0f}"])
            speeds += [[best, *speed_row(model, beam, batch, task)] for beam in BEAMS for batch in BATCHES]
    print(heading("shortlist", options.note))
    print(f"{len(task.sources)} test sentences, {labels.rows} sentences to learn from, one thread\n")
    of = [f"{what} of {name}" for name in held for what in ("pieces", "sentences")]
    print(table(["best", "frequent", "allowed to a sentence", *of, "bytes", "seconds to build"], sizes))
    heads = ["best", "beam", "batch", "tokens/s without", "tokens/s with", "ratio", "BLEU without", "BLEU with"]
    print(table([*heads, "chrF without", "chrF with", "same"], speeds))
    print(f"Speeds are medians of {options.rounds} rounds (least … greatest), ratios those of the rounds.")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("model", type=Path, nargs="?")
    parser.add_argument("--best", type=int, nargs="+", default=[20, 50, 100])
    parser.add_argument("--frequent", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--note", default="")
    main(parser.parse_args())
