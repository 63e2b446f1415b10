"""Time of an update by phase, and of its matrix products alone (the roofline).

    python benchmarks/phases.py

Multi30k in ../shared, Adam, batches of 2,048 tokens, label smoothing and dropout 0.1.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from itertools import islice, pairwise
from pathlib import Path
from typing import Any

import torch

sys.path.insert(0, str(Path(__file__).parent / "arms"))
from arms.common import Spec, begun
from arms.own import batches, training_set
from run import DATA
from turns import write
from workload import BIG, SMALL, add_model, pairs_of, prepare

from distilmt.config import ModelConfig, ObjectiveConfig, TrainingConfig
from distilmt.losses.distillation import LossSettings, chunked_loss
from distilmt.models.device import use_threads
from distilmt.models.marian import MarianModel
from distilmt.training.train_step import Stepper

WARM, UPDATES = 10, 60
PHASES = ("forward", "loss", "backward", "optimizer")


def phases(spec: Spec) -> tuple[dict[str, float], float]:
    """Median milliseconds of each phase, and mean target tokens of an update."""
    model = begun(spec)
    config = TrainingConfig(
        batch_tokens=spec.batch_tokens, optimizer="adam", dropout=spec.dropout, label_smoothing=spec.label_smoothing
    )
    stepper = Stepper(MarianModel(model), config, ObjectiveConfig(kd_weight=0.0, ce_weight=1.0), seed=1)
    settings = LossSettings(stepper.objective, config.label_smoothing)
    taken, tokens = defaultdict(list), []
    use_threads()
    for number, (batch, targets) in enumerate(islice(batches(training_set(spec, model), spec), WARM + UPDATES), 1):
        marks = [time.perf_counter()]
        stepper.dropout.begin(1, number)
        hidden = stepper.model.decoder_rows(batch, stepper.dropout)
        marks.append(time.perf_counter())
        weight = stepper.model.output_layer().weight
        loss, _ = chunked_loss(hidden, weight, None, targets, settings, vocabulary=stepper.model.vocabulary_size)
        marks.append(time.perf_counter())
        loss.backward()
        marks.append(time.perf_counter())
        stepper.optimizer.step(number, len(targets.ids))
        marks.append(time.perf_counter())
        tokens.append(len(targets.ids))
        for name, (begin, end) in zip(PHASES, pairwise(marks), strict=True):
            taken[name].append(end - begin)
    result = {name: 1000 * statistics.median(values[WARM:]) for name, values in taken.items()}
    return result, statistics.mean(tokens[WARM:])


def roofline(shape: ModelConfig, tokens: int, vocabulary: int) -> float:
    """Milliseconds of an update's matrix products alone: forward, and backward for states and for weights."""
    d, ffn = shape.d_model or 0, shape.ffn_dim or 0
    encoder = [(d, 3 * d), (d, d), (d, ffn), (ffn, d)]
    decoder = [*encoder, (d, d), (d, d), (d, 2 * d)]
    maps = encoder * (shape.encoder_layers or 0) + decoder * (shape.decoder_layers or 0) + [(d, vocabulary)]
    return sum(_products(tokens, *sizes) * maps.count(sizes) for sizes in set(maps))


def _products(rows: int, inner: int, outer: int) -> float:
    x, weight, gradient = (torch.randn(*s).bfloat16() for s in ((rows, inner), (outer, inner), (rows, outer)))
    return sum(map(_milliseconds, (lambda: x @ weight.T, lambda: gradient @ weight, lambda: gradient.T @ x)))


def _milliseconds(product: Callable[[], Any], times: int = 20) -> float:
    taken = []
    for _ in range(times):
        begin = time.perf_counter()
        product()
        taken.append(time.perf_counter() - begin)
    return 1000 * statistics.median(taken)


def main() -> None:
    work = Path("runs") / "benchmarks" / "work"
    tokenizer = prepare(work, *(pairs_of([f"{DATA}/{part}.en", f"{DATA}/{part}.de"]) for part in ("train", "val")))
    data, lines = {}, [f"| shape | {' | '.join(PHASES)} | all | target tokens/s | matrix products alone |"]
    lines.append("|---|" + "---:|" * (len(PHASES) + 3))
    for name, shape in (("3+3, d=256", SMALL), ("6+6, d=512", BIG)):
        add_model(work, "model", shape, tokenizer)
        result, tokens = phases(Spec(str(work), bf16=True))
        total, products = sum(result.values()), roofline(shape, round(tokens), len(tokenizer.target.tokens))
        data[name] = result | {"tokens": tokens, "matrix products": products}
        cells = [*(f"{result[phase]:.0f}" for phase in PHASES), f"{total:.0f}", f"{1000 * tokens / total:,.0f}"]
        lines.append(f"| {name} | {' | '.join(cells)} | {products:.0f} ({1000 * tokens / products:,.0f} tokens/s) |")
    note = "Milliseconds of an update of Adam in bf16, medians over 60 updates."
    write("phases", "python benchmarks/phases.py", [note, "\n".join(lines)], data)


if __name__ == "__main__":
    main()
