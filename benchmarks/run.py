"""Training and labeling speed of distilmt compared with alternatives, on one machine.

    python benchmarks/run.py [training loss distillation memory labelling label-memory startup] --rounds 5

Every arm is a new process and has its turn in every round; figures are medians over rounds with minimum and maximum.
Results are written to benchmarks/results/. The text is two parallel files (`--train`, `--valid`), by default Multi30k
in ../shared.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import label_memory
import labelling
import startup
from arms.common import Spec
from turns import Arm, run, table, turns, write
from workload import BIG, SMALL, add_model, pairs_of, prepare, random_ids

from distilmt.data.tokenizer import Tokenizer
from distilmt.models.device import has_bf16, pick_device
from distilmt.utils.hardware import cores

DATA = "../shared/data/multi30k"
SPEED = {"target tokens/s": ("tokens_per_second", 1, 0), "tokens/update": ("tokens_per_update", 1, 0)}
UPDATE = {"ms/update": ("seconds_per_update", 1000, 0), "target tokens/s": ("tokens_per_second", 1, 0)}
MEMORY = {"peak RSS, MB": ("peak_rss_bytes", 1e-6, 0), "ms/update": ("seconds_per_update", 1000, 0)}
SETTINGS = (("3+3, d=256", SMALL, 2048), ("3+3, d=256", SMALL, 4096), ("6+6, d=512", BIG, 2048))
GPU_SETTINGS = (("3+3, d=256", SMALL, 4096), ("6+6, d=512", BIG, 16384))
LOSS_UPDATES = 250


@dataclass
class Setting:
    """The workload, and the settings of all benchmarks."""

    work: Path
    tokenizer: Tokenizer
    rounds: int
    spec: Spec
    command: str
    model: str | None


def training(setting: Setting) -> None:
    """Target tokens per second of plain training, two shapes, on a CPU the smaller one with batches of two sizes."""
    parts, data = [], {}
    for name, shape, batch_tokens in SETTINGS if pick_device().type == "cpu" else GPU_SETTINGS:
        add_model(setting.work, "model", shape, setting.tokenizer)
        spec = replace(setting.spec, batch_tokens=batch_tokens)
        result = turns(training_arms(spec, own_first=run(Arm("own", "own", spec))), setting.rounds)
        title = f"{name}, {len(setting.tokenizer.target.tokens)} pieces, batches of {batch_tokens:,} tokens"
        parts += [title, table(result, SPEED, "own", "tokens_per_second")]
        data[title] = result
    write("training", setting.command, parts, data)


def training_arms(spec: Spec, own_first: dict[str, float]) -> list[Arm]:
    """Ours and the compared libraries, with about the same number of target tokens per update."""
    tokens = own_first["tokens_per_update"]
    options = {"tokens_per_update": tokens, "threads": cores()}
    plain = replace(spec, bf16=False, options=options)
    arms = [
        Arm("own", "own", spec),
        Arm("own, Muon", "own", replace(spec, optimizer="muon")),
        Arm("Seq2SeqTrainer", "trainer", plain),
        Arm("Seq2SeqTrainer, bf16", "trainer", replace(plain, bf16=True)),
    ]
    if pick_device().type == "cpu":  # Marian's wheel supports only the CPU
        arms.append(Arm("Marian", "marian", replace(plain, batch_tokens=round(tokens))))
    return arms


def loss(setting: Setting) -> None:
    """Validation cross-entropy after equal updates of Adam at one learning rate, three seeds."""
    add_model(setting.work, "model", SMALL, setting.tokenizer)
    options = {"tokens_per_update": run(Arm("own", "own", setting.spec))["tokens_per_update"]}
    # Ours warms up for at most a fifth of the updates, so all arms do.
    warmup = LOSS_UPDATES // 5
    spec = replace(
        setting.spec, updates=LOSS_UPDATES, warmup=warmup, save=str(setting.work / "trained"), options=options
    )
    arms = [
        Arm("own", "own", spec),
        Arm("Seq2SeqTrainer", "trainer", replace(spec, bf16=False)),
        Arm("own, Muon at 0.003", "own", replace(spec, optimizer="muon", learning_rate=0.003)),
    ]
    lines = ["| arm | valid cross-entropy, by seed |", "|---|---|"]
    data: dict[str, list[float]] = {arm.name: [] for arm in arms}
    for seed in (1, 2, 3):
        for arm in arms:
            run(replace(arm, spec=replace(arm.spec, seed=seed)))
            data[arm.name].append(run(Arm("valid", "valid", spec))["valid_loss"])
    lines += [f"| {name} | {', '.join(f'{value:.3f}' for value in values)} |" for name, values in data.items()]
    write("loss", setting.command, [f"{LOSS_UPDATES} updates", "\n".join(lines)], {"valid_loss": data})


def distillation(setting: Setting) -> None:
    """Token-level distillation from stored labels, against plain training and an online teacher of twice the depth."""
    add_model(setting.work, "model", SMALL, setting.tokenizer)
    add_model(setting.work, "teacher", replace(SMALL, encoder_layers=6, decoder_layers=6), setting.tokenizer, seed=2)
    online = replace(setting.spec, options={"teacher": "teacher"})
    arms = [
        Arm("stored labels", "own", replace(setting.spec, top_k=8)),
        Arm("no teacher", "own", setting.spec),
        Arm("online teacher", "online", replace(online, bf16=False)),
        Arm("online teacher, bf16", "online", online),
    ]
    result = turns(arms, setting.rounds)
    parts = ["3+3, d=256; the online teacher is 6+6", table(result, UPDATE, "stored labels", "seconds_per_update")]
    write("distillation", setting.command, parts, result)


def memory(setting: Setting) -> None:
    """Peak memory with a vocabulary of 32,000 and 4,096 target tokens per update."""
    work = setting.work.with_name("memory")
    random_ids(work, setting.work, 32_000)
    add_model(work, "model", SMALL, setting.tokenizer, vocabulary=32_000)
    spec = replace(setting.spec, work=str(work), batch_tokens=4096, seconds=10)
    arms = [
        Arm("own", "own", spec),
        Arm("own, stored labels", "own", replace(spec, top_k=8)),
        Arm("plain loop", "online", replace(spec, bf16=False)),
        Arm("plain loop, bf16", "online", spec),
    ]
    result = turns(arms, min(3, setting.rounds))
    parts = ["3+3, d=256, random ids", table(result, MEMORY, "own", "peak_rss_bytes")]
    write("memory", setting.command, parts, result)


BENCHMARKS = {
    "training": training,
    "loss": loss,
    "distillation": distillation,
    "memory": memory,
    "labelling": lambda setting: labelling.main(setting.work, setting.rounds, setting.command),
    "label-memory": lambda setting: label_memory.main(setting.work, setting.command),
    "startup": lambda setting: startup.main(setting.rounds, setting.command, setting.model),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"one of {', '.join(BENCHMARKS)}; all by default")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=20, help="of every turn")
    parser.add_argument("--warm", type=int, default=10, help="updates before the clock starts")
    parser.add_argument("--train", nargs=2, default=[f"{DATA}/train.en", f"{DATA}/train.de"])
    parser.add_argument("--valid", nargs=2, default=[f"{DATA}/val.en", f"{DATA}/val.de"])
    parser.add_argument("--model", help="exported model, for startup: until it has translated a sentence")
    given = parser.parse_args()
    unknown = set(given.names) - set(BENCHMARKS)
    if unknown:
        parser.error(f"no benchmark is called {', '.join(sorted(unknown))}: choose from {', '.join(BENCHMARKS)}")
    work = Path("runs") / "benchmarks" / "work"
    tokenizer = prepare(work, pairs_of(given.train), pairs_of(given.valid))
    spec = Spec(str(work), seconds=given.seconds, warm=given.warm, bf16=has_bf16(pick_device()))
    command = f"python benchmarks/run.py {' '.join(sys.argv[1:])}".strip()
    for name in given.names or BENCHMARKS:
        BENCHMARKS[name](Setting(work, tokenizer, given.rounds, spec, command, given.model))


if __name__ == "__main__":
    main()
