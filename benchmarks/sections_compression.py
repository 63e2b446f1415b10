"""Distillation, pruning, quantization and their combinations on one task: the ten sections of Debian.

    python benchmarks/sections_compression.py [--splits 5] [--tsv ../shared/data/debian-sections]

The network 1024-512-10 is reduced to an eighth of its width: by distilling it into a network of 64 units, and by
pruning all but the 64 units with the largest outputs and training the rest further, on labels or on the teacher's
targets. Each is exported to ONNX, with and without dynamic int8, and timed in ONNX Runtime on one thread, row by row.
Seconds are for all training, including the teacher's if there is one.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
import warnings
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from onnxruntime.quantization import QuantType, quantize_dynamic
from sections import found, percent
from torch import nn
from turns import write

from distilmt.classification import study
from distilmt.classification.network import Mixture, mixture_loss
from distilmt.classification.targets import softmax
from distilmt.data.readers import debian_sections
from distilmt.data.readers.debian_sections import LabeledText

UNITS, EPOCHS, BATCH, ALPHA = 64, 15, 64, 0.3


@dataclass
class Data:
    """Hashed features, and classes as integers."""

    rows: torch.Tensor
    labels: torch.Tensor
    test_rows: torch.Tensor
    test_labels: torch.Tensor


@dataclass
class Instance:
    """A network and its training time in seconds."""

    name: str
    network: nn.Sequential
    seconds: float


def hashed(train: list[LabeledText], test: list[LabeledText]) -> Data:
    features = study.hashed().fit([example.text for example in train])
    names = sorted({example.label for example in train})
    sides = []
    for part in (train, test):
        rows = features.transform([example.text for example in part]).toarray().astype(np.float32)
        sides += [torch.from_numpy(rows), torch.tensor([names.index(example.label) for example in part])]
    return Data(*sides)


def new(units: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(study.FEATURES, units), nn.ReLU(), nn.Dropout(0.3), nn.Linear(units, 10))


def trained(network: nn.Sequential, data: Data, soft: torch.Tensor | None, rate: float, seed: int) -> float:
    """Train a network in place; return the seconds. `soft` are a teacher's probabilities."""
    begin, random = time.perf_counter(), torch.Generator().manual_seed(seed)
    updates = EPOCHS * (len(data.rows) // BATCH)
    optimizer = torch.optim.SGD(network.parameters(), lr=rate, momentum=0.9)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, updates)
    mixture = Mixture(1.0 if soft is None else ALPHA)
    network.train()
    for _ in range(EPOCHS):
        for batch in torch.randperm(len(data.rows), generator=random).split(BATCH)[: len(data.rows) // BATCH]:
            logits = network(data.rows[batch])
            expected = logits if soft is None else soft[batch]
            mixture_loss(logits, expected, data.labels[batch], mixture).mean().backward()
            optimizer.step()
            optimizer.zero_grad()
            schedule.step()
    network.eval()
    return time.perf_counter() - begin


@torch.no_grad()
def cut(network: nn.Sequential, data: Data, units: int) -> nn.Sequential:
    """Retain the units with the largest outputs: mean activation times the norm of their outgoing weights."""
    first, last = network[0], network[3]
    activations = network[:2](data.rows).mean(0)
    remaining = (activations * last.weight.norm(dim=0)).topk(units).indices.sort().values
    small = new(units).eval()
    for layer, weight, bias in (
        (small[0], first.weight[remaining], first.bias[remaining]),
        (small[3], last.weight[:, remaining], last.bias),
    ):
        layer.weight.copy_(weight)
        layer.bias.copy_(bias)
    return small


@torch.no_grad()
def responses(network: nn.Sequential, rows: torch.Tensor) -> torch.Tensor:
    return torch.from_numpy(softmax(network(rows).numpy().astype(np.float64)).astype(np.float32))


def crossfitted(data: Data, seed: int) -> torch.Tensor:
    """For each row the prediction of a teacher that was not trained on it."""
    soft = torch.empty(len(data.rows), 10)
    for fold in torch.randperm(len(data.rows), generator=torch.Generator().manual_seed(seed)).chunk(study.FOLDS):
        others = torch.ones(len(data.rows), dtype=torch.bool)
        others[fold] = False
        network = new(512)
        trained(network, Data(data.rows[others], data.labels[others], data.rows, data.labels), None, 0.1, seed)
        soft[fold] = responses(network, data.rows[fold])
    return soft


def networks(data: Data, seed: int) -> Iterator[Instance]:
    """All compared networks."""
    torch.manual_seed(seed)
    teacher = new(512)
    usage = trained(teacher, data, None, 0.1, seed)
    yield Instance("network 512", teacher, usage)
    alone = new(UNITS)
    yield Instance("network 64 on labels", alone, trained(alone, data, None, 0.1, seed))
    begin = time.perf_counter()
    soft = crossfitted(data, seed)
    requests = time.perf_counter() - begin
    student = new(UNITS)
    yield Instance("distilled to 64", student, requests + trained(student, data, soft, 0.1, seed))
    yield Instance("cut to 64", cut(teacher, data, UNITS), usage)
    recovered = cut(teacher, data, UNITS)
    yield Instance("cut to 64, trained on", recovered, usage + trained(recovered, data, None, 0.02, seed))
    taught = cut(teacher, data, UNITS)
    yield Instance("cut to 64, distilled", taught, usage + requests + trained(taught, data, soft, 0.02, seed))


def exported(instance: Instance, place: Path) -> dict[str, Path]:
    """Exports in float32 and in int8."""
    path = place / "model.onnx"
    example = torch.zeros(2, study.FEATURES)
    shapes = ({0: torch.export.Dim("rows")},)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            instance.network, (example,), path, dynamic_shapes=shapes, dynamo=True, external_data=False, verbose=False
        )
    quantize_dynamic(path, place / "int8.onnx", weight_type=QuantType.QInt8)
    return {"": path, ", int8": place / "int8.onnx"}


def run_by_onnx(path: Path, data: Data) -> dict[str, float]:
    """Accuracy in percent, bytes, and median microseconds per row."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(path), options)
    name, rows = session.get_inputs()[0].name, data.test_rows.numpy()
    output = session.run(None, {name: rows})[0].argmax(1)
    times = []
    for row in rows[:500]:
        begin = time.perf_counter()
        session.run(None, {name: row[None]})
        times.append(time.perf_counter() - begin)
    right = float((output == data.test_labels.numpy()).mean())
    return {"accuracy": 100 * right, "bytes": path.stat().st_size, "us": 1e6 * statistics.median(times)}


def table(results: dict[str, list[dict[str, float]]]) -> str:
    lines = ["| | accuracy, % | bytes | µs a row | training, s |", "|---|" + "---:|" * 4]
    for name, rounds in results.items():
        middle = {key: statistics.median(r[key] for r in rounds) for key in ("bytes", "us", "seconds")}
        accuracy = percent([r["accuracy"] for r in rounds])
        figures = f"{middle['bytes']:,.0f} | {middle['us']:.0f} | {middle['seconds']:.1f}"
        lines.append(f"| {name} | {accuracy} | {figures} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--splits", type=int, default=5)
    parser.add_argument("--tsv", type=Path)
    given = parser.parse_args()
    torch.set_num_threads(1)
    examples, results = found(given.tsv), defaultdict(list)
    for seed in range(2, 2 + given.splits):
        data = hashed(*debian_sections.split_by_source(examples, seed))
        for instance in networks(data, seed):
            with tempfile.TemporaryDirectory() as place:
                for ending, path in exported(instance, Path(place)).items():
                    results[instance.name + ending].append(run_by_onnx(path, data) | {"seconds": instance.seconds})
            print(seed, instance.name, results[instance.name][-1], file=sys.stderr, flush=True)
    note = f"{given.splits} splits; accuracy is mean ± standard deviation, the others are medians."
    command = f"python benchmarks/sections_compression.py {' '.join(sys.argv[1:])}".strip()
    write("sections-compression", command, [table(results), note], dict(results))


if __name__ == "__main__":
    main()
