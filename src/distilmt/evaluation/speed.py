"""Speed and size of an exported model, measured in a separate process on one thread.

`python -m distilmt.evaluation.speed MODEL_DIR FILE` prints one line of JSON. FILE has sentences, one on each line; for
a model of pictures or speech it is an .npz file of these.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from distilmt.evaluation.timing import Measurement, measure_model, measure_program
from distilmt.inference.base import TranslationModel
from distilmt.inference.manifest import input_of, load_manifest
from distilmt.utils import progress
from distilmt.utils.errors import UserError
from distilmt.utils.hardware import cores, use_cores


@dataclass(frozen=True)
class Speed:
    """Medians over `rounds` fresh processes on one thread; dictionaries have keys `batch_1`, `batch_64`."""

    load_seconds: float
    sentences_per_second: dict[str, float]
    tokens_per_second: dict[str, float]
    """Target tokens, without end tokens."""
    latency_ms: dict[str, float]
    """`p50` and `p95` of single sentences at batch 1."""
    peak_rss_bytes: int
    sentences: dict[str, int]
    """Timed sentences per round (slow models do not translate all of them)."""
    rounds: int
    joules: dict[str, float] | None = None
    """Joules per sentence of the whole processor, including other programs. None without energy counters."""


@dataclass(frozen=True)
class SpeedInputs:
    """What is translated: sentences, and for models of frames a picture or recording of each."""

    sentences: Sequence[str]
    perceived: Sequence[np.ndarray] | None = None
    """[columns, height] uint8 or [samples] float32 each, of sentences that are not empty."""


def measure(
    model: Path, sentences: Sequence[str], beam_size: int, repeats: int = 3, max_seconds: float = 20.0
) -> Speed:
    """Measure one model `repeats` times, each in a fresh process; see `measure_interleaved`."""
    return measure_interleaved({"model": model}, SpeedInputs(sentences), beam_size, repeats, max_seconds)["model"]


def measure_interleaved(
    models: Mapping[str, Path],
    inputs: SpeedInputs,
    beam_size: int | Mapping[str, int],
    rounds: int = 3,
    max_seconds: float = 10.0,
    seed: int = 1,
) -> dict[str, Speed]:
    """Measure several models in turn (A B C, A B C), so that drifting machine speed favors none.

    Args:
        models: name to exported directory.
        inputs: what is translated, shuffled with `seed`, so that a slow model gets a fair sample.
        beam_size: beam size of all models, or by name.
        rounds: fresh processes per model; medians are taken over them.
        max_seconds: per round, model and batch size; at least 20 sentences are always translated.
        seed: seed of the order.

    Raises:
        UserError: there are no sentences, or a model cannot be measured.
    """
    if not any(sentence.strip() for sentence in inputs.sentences):
        raise UserError("no sentences to measure the speed on")
    measurements: dict[str, list[Measurement]] = {name: [] for name in models}
    with (
        tempfile.TemporaryDirectory() as directory,
        progress.task("speed", rounds * len(models), "runs") as task,
    ):
        file, perceived = Path(directory) / "sentences.txt", Path(directory) / "perceived.npz"
        file.write_text("\n".join(shuffled(inputs.sentences, seed)) + "\n", encoding="utf-8")
        if inputs.perceived is not None:
            _write_arrays(perceived, inputs.perceived, seed)
        for _ in range(rounds):
            for name, model in models.items():
                beam = beam_size if isinstance(beam_size, int) else beam_size[name]
                measured = file if inputs.perceived is None or input_of(model) == "text" else perceived
                measurements[name].append(measure_in_process(model, measured, beam, max_seconds))
                task.advance(1, model=name)
    return {name: median_speed(runs) for name, runs in measurements.items()}


def shuffled(sentences: Sequence[str], seed: int) -> list[str]:
    """Non-empty sentences, each on one line, in an order that depends on `seed` only."""
    lines = [" ".join(sentence.split()) for sentence in sentences if sentence.strip()]
    random.Random(seed).shuffle(lines)
    return lines


def _write_arrays(path: Path, arrays: Sequence[np.ndarray], seed: int) -> None:
    """Write pictures or recordings in the order of `shuffled`, if no sentence is empty."""
    ordered = list(arrays)
    random.Random(seed).shuffle(ordered)
    np.savez(path, lengths=np.array([len(each) for each in ordered]), values=np.concatenate(ordered))


def read_arrays(path: Path) -> list[np.ndarray]:
    """Pictures or recordings of a file of `measure_interleaved`."""
    with np.load(path, allow_pickle=False) as stored:
        return np.split(stored["values"], np.cumsum(stored["lengths"])[:-1])


def measure_in_process(model: Path, file: Path, beam_size: int, max_seconds: float) -> Measurement:
    """Measure a model in a fresh process; what `python -m distilmt.evaluation.speed` prints."""
    command = [sys.executable, "-m", "distilmt.evaluation.speed", str(model), str(file)]
    command += ["--beam", str(beam_size), "--max-seconds", str(max_seconds)]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        last = (done.stderr.strip() or f"exit status {done.returncode}").splitlines()[-1]
        raise UserError(f"the speed of {model} cannot be measured: {last}")
    measurement: Measurement = json.loads(done.stdout.splitlines()[-1])
    return measurement


def median_speed(runs: Sequence[Measurement]) -> Speed:
    """The median of every figure over several measurements of a model."""
    sentences = _medians([run["sentences"] for run in runs])
    return Speed(
        load_seconds=statistics.median(run["load_seconds"] for run in runs),
        sentences_per_second=_medians([run["sentences_per_second"] for run in runs]),
        tokens_per_second=_medians([run["tokens_per_second"] for run in runs]),
        latency_ms=_medians([run["latency_ms"] for run in runs]),
        peak_rss_bytes=int(statistics.median(run["peak_rss_bytes"] for run in runs)),
        sentences={key: int(value) for key, value in sentences.items()},
        rounds=len(runs),
        joules=_median_joules([run["joules"] for run in runs]),
    )


def _medians(runs: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """The median of each value."""
    return {key: statistics.median(run[key] for run in runs) for key in runs[0]}


def _median_joules(runs: Sequence[Mapping[str, float | None]]) -> dict[str, float] | None:
    """The median of each value, or None if a run could not measure one."""
    measured = [{key: value for key, value in run.items() if value is not None} for run in runs]
    return _medians(measured) if measured == list(runs) else None


def _run(model: Path, file: Path, beam_size: int, max_seconds: float) -> Measurement:
    """Measure in this process."""
    if input_of(model) != "text":
        sys.modules["torch"] = None  # type: ignore[assignment]
        begin = time.perf_counter()
        from distilmt.inference.frame_translator import load_frame_translator

        reader = load_frame_translator(model, threads=1)
        load_seconds = time.perf_counter() - begin
        return measure_model(reader, read_arrays(file), beam_size, max_seconds, load_seconds)
    translator, load_seconds = _load(model)
    sentences = file.read_text(encoding="utf-8").splitlines()
    if load_manifest(model).get("outside", {}).get("kind") == "command":
        return measure_program(translator, sentences, max_seconds)
    return measure_model(translator, sentences, beam_size, max_seconds, load_seconds)


def _load(model: Path) -> tuple[TranslationModel, float]:
    """The model, and the seconds until it is ready."""
    # Some releases of CTranslate2 import torch if it is installed; a deployment does not have it.
    manifest = load_manifest(model)
    external_kind = manifest.get("outside", {}).get("kind")
    if external_kind != "transformers" and "torch" not in manifest:
        sys.modules["torch"] = None  # type: ignore[assignment]
    if external_kind:
        use_cores(0, cores())  # a program as teacher may use several processes
    begin = time.perf_counter()
    from distilmt.teachers.remote import load_translation_model

    translator = load_translation_model(model, threads=1, use_cache=False)
    return translator, time.perf_counter() - begin


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure one model in this process and print one line of JSON."""
    parser = argparse.ArgumentParser(prog="python -m distilmt.evaluation.speed", description=__doc__)
    parser.add_argument("model", type=Path)
    parser.add_argument("file", type=Path)
    parser.add_argument("--beam", type=int, default=4)
    parser.add_argument("--max-seconds", type=float, default=20.0)
    options = parser.parse_args(arguments)
    try:
        measurements = _run(options.model, options.file, options.beam, options.max_seconds)
    except (UserError, OSError, RuntimeError) as error:
        print(error, file=sys.stderr)
        return 2
    print(json.dumps(measurements))
    return 0


if __name__ == "__main__":
    sys.exit(main())
