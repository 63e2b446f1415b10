"""Training time while other programs use the cores too: how long OpenMP's threads spin before they sleep.

    python benchmarks/threads.py --rounds 5

Each setting is a separate process, because OpenMP's C library reads its environment once. All are started first and
then take turns, in alternating order. Meanwhile none, one or two processes compute continuously. The load of other
programs is measured and recorded, because it is part of the result.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import islice
from pathlib import Path

HERE = Path(__file__).parent
BASE = "as it was"
SETTINGS: dict[str, dict[str, str]] = {
    BASE: {},
    "spin 10,000": {"GOMP_SPINCOUNT": "10000"},
    "spin 1,000": {"GOMP_SPINCOUNT": "1000"},
    "passive": {"OMP_WAIT_POLICY": "passive"},
    "1 thread": {"OMP_NUM_THREADS": "1"},
}
# Width, feed-forward, heads, layers, tokens of a batch, updates of a turn.
SHAPES = {
    "1+1, d=32": (32, 64, 2, 1, 1024, 20),
    "2+2, d=64": (64, 256, 4, 2, 2048, 10),
    "3+3, d=128": (128, 512, 4, 3, 2048, 4),
    "3+3, d=256": (256, 1024, 4, 3, 2048, 2),
}
_VOCABULARY, _SENTENCES = 2000, 4000


def serve_turns() -> None:
    """Process of one setting: for each input line run this many updates of a shape, and write the seconds."""
    trainings = {name: _training(name) for name in SHAPES}
    for training in trainings.values():
        next(training)
    print("ready", flush=True)
    for line in sys.stdin:
        training, updates = trainings[line.strip()], SHAPES[line.strip()][-1]
        begin = time.perf_counter()
        for _ in islice(training, updates):
            pass
        print(time.perf_counter() - begin, flush=True)


def _training(name: str) -> Iterator[None]:
    """An update each; the first step warms up."""
    sys.path.insert(0, str(HERE / "arms"))
    import numpy as np
    import torch
    from arms.common import Spec
    from arms.own import batches
    from transformers import MarianConfig, MarianMTModel

    from distilmt.config import ObjectiveConfig, TrainingConfig
    from distilmt.models.marian import MarianModel
    from distilmt.training.batching import Ragged, TargetSide, TrainingSet
    from distilmt.training.train_step import Stepper

    width, ffn, heads, layers, tokens, _ = SHAPES[name]
    random = np.random.default_rng(1)
    rows = [[*random.integers(2, _VOCABULARY - 2, random.integers(3, 30)).tolist(), 1] for _ in range(_SENTENCES)]
    ids, last = Ragged.of(rows), _VOCABULARY - 1
    data = TrainingSet(ids, TargetSide(ids, ids.lengths > 1), None, last, 1.0, 64)
    torch.manual_seed(1)
    shape = {
        f"{side}_{key}": value
        for side in ("encoder", "decoder")
        for key, value in (("layers", layers), ("ffn_dim", ffn), ("attention_heads", heads))
    }
    words = {"vocab_size": _VOCABULARY, "decoder_vocab_size": _VOCABULARY, "pad_token_id": last, "eos_token_id": 1}
    model = MarianMTModel(
        MarianConfig(d_model=width, max_position_embeddings=64, decoder_start_token_id=last, **words, **shape)
    )
    stepper = Stepper(
        MarianModel(model), TrainingConfig(batch_tokens=tokens), ObjectiveConfig(kd_weight=0.0, ce_weight=1.0), seed=1
    )
    for number, (batch, targets) in enumerate(batches(data, Spec("", batch_tokens=tokens)), 1):
        stepper.update(number, batch, targets)
        if number >= 10:
            yield


class Setting:
    """A process with its own environment that waits for its turn."""

    def __init__(self, environment: dict[str, str]) -> None:
        whole = {**{k: v for k, v in os.environ.items() if not k.startswith(("OMP_", "GOMP_"))}, **environment}
        command = [sys.executable, __file__, "--serve"]
        self.process = subprocess.Popen(
            command, env=whole, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
        )

    def line(self) -> str:
        assert self.process.stdout is not None
        text = self.process.stdout.readline()
        if not text:
            sys.exit("a setting's process ended")
        return text

    def turn(self, shape: str) -> float:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{shape}\n")
        return float(self.line())

    def close(self) -> None:
        self.process.kill()
        self.process.wait()


@contextmanager
def busy(count: int) -> Iterator[None]:
    """This many processes that compute continuously, each on one core."""
    loops = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()


def used_by_others(seconds: float = 1.0) -> float:
    """Cores used by all processes while none of ours was computing."""

    def usage() -> float:
        values = [int(v) for v in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
        return (sum(values) - values[3] - values[4]) / os.sysconf("SC_CLK_TCK")

    before, begin = usage(), time.monotonic()
    time.sleep(seconds)
    return (usage() - before) / (time.monotonic() - begin)


def measure(rounds: int, loops: list[int]) -> dict[str, list[dict[str, float]]]:
    """Seconds by setting, for each shape and number of busy processes."""
    results: dict[str, list[dict[str, float]]] = {}
    with ExitStack() as stack:
        settings: dict[str, Setting] = {}
        for name, environment in SETTINGS.items():
            settings[name] = Setting(environment)
            stack.callback(settings[name].close)
            settings[name].line()
        for number in range(rounds):
            order = list(settings) if number % 2 == 0 else list(settings)[::-1]
            for shape in SHAPES:
                for count in loops:
                    others = used_by_others()
                    with busy(count):
                        row = {name: settings[name].turn(shape) for name in order}
                    results.setdefault(f"{shape}; {count} busy", []).append(row | {"others": others})
                    print(number, shape, count, {k: round(v, 2) for k, v in row.items()}, file=sys.stderr, flush=True)
    return results


def table(results: dict[str, list[dict[str, float]]]) -> str:
    """Median seconds by default; medians of the ratios to it, round by round."""
    lines = [f"| shape; processes beside it | others' load, cores | {BASE}, s | {' | '.join(list(SETTINGS)[1:])} |"]
    lines.append("|---|" + "---:|" * (len(SETTINGS) + 1))
    for name, rows in results.items():
        median = {key: statistics.median(row[key] for row in rows) for key in ("others", BASE)}
        ratios = [f"{statistics.median(row[key] / row[BASE] for row in rows):.2f}" for key in list(SETTINGS)[1:]]
        lines.append(f"| {name} | {median['others']:.1f} | {median[BASE]:.2f} | {' | '.join(ratios)} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--busy", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--first", action="store_true")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.serve:
        serve_turns()
        return
    from turns import write

    if chosen.first:
        os.setsid()
        Path("/proc/self/autogroup").write_text("-20")
    results = measure(chosen.rounds, chosen.busy)
    updates = ", ".join(f"{shape[-1]} updates ({name})" for name, shape in SHAPES.items())
    note = (
        f"Seconds of {updates}, medians of {chosen.rounds} rounds; ratios are to “{BASE}” (libgomp's default: it spins "
        "300,000 times), paired by rounds, below 1 is faster. Others' load: cores' worth of time that the rest of the "
        "machine took just before, without the busy processes."
    )
    loops = " ".join(map(str, chosen.busy))
    command = f"python benchmarks/threads.py --rounds {chosen.rounds} --busy {loops}{' --first' * chosen.first}"
    write("threads", command, [note, table(results)], {"rounds": results, "settings": SETTINGS})


if __name__ == "__main__":
    main()
