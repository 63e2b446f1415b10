"""`distilmt cost`: estimated cost of a run on this machine, or measured cost of a finished run.

Rates come from short real runs (`fit`) or from a finished run. No machine speed is assumed: without rates, only the
counts are reported.
"""

from __future__ import annotations

import logging
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from distilmt.config import CorpusConfig, LabelConfig, ModelConfig, RunConfig, TrainingConfig
from distilmt.config.bounds import MAX_COUNT
from distilmt.config.commands import CostConfig
from distilmt.models.presets import shape
from distilmt.pipeline import runner
from distilmt.pipeline.frame_checks import require_text
from distilmt.planning import calibration as fits
from distilmt.planning import corpus_statistics as texts
from distilmt.planning import predict
from distilmt.planning.calibration import CostRates
from distilmt.planning.corpus_statistics import CorpusStatistics
from distilmt.planning.table import CostEstimate
from distilmt.report.schema import Cost
from distilmt.utils import progress
from distilmt.utils.errors import UserError
from distilmt.utils.run_dir import read_step, write_text
from distilmt.utils.step_results import ModelResult, result_of

logger = logging.getLogger(__name__)

# Shares of the minutes for three runs, after startup and a first run, which only measures how much the others can do.
_SHARES = (("short", 0.2, False), ("longer", 0.5, False), ("other", 0.3, True))
_OF_A_RUN = {"teacher": 0.35, "labels": 0.25, "student": 0.2}  # and the baseline as much as the student
_FIRST = (16, 400, 32)
_LEAST_PIECES = 600


def run(config: CostConfig, run_config: RunConfig, like: RunConfig | None) -> CostEstimate:
    """Content of the output.

    Args:
        config: options of the command.
        run_config: the planned or finished run.
        like: a finished run to calibrate with; None uses the last fit.

    Raises:
        UserError: the text cannot be read, or the given run has nothing to calibrate with.
    """
    require_text(run_config, "cost")
    text = texts.read(run_config)
    if config.calibrate:
        fits.save(calibrate(run_config, text, config.minutes), fits.cache_path())
    rates = _rates(config, run_config, like)
    predicted = predict.predicted_costs(run_config, text, rates)
    return CostEstimate(
        about=predict.inputs_summary(run_config, text),
        predicted=predicted,
        measured=predict.measured_costs(run_config, text) if config.finished else [],
        growth=predict.growth(run_config, text, rates) if rates else {},
        rates=None if rates is None else {k: v for k, v in vars(rates).items() if k != "observations"},
        notes=_notes(predicted, rates, config),
    )


def _rates(config: CostConfig, run_config: RunConfig, like: RunConfig | None) -> CostRates | None:
    """Rates of the given run, else of this machine's last fit, else of the finished steps in the run directory."""
    if like is not None and config.calibration_run:
        return _rates_of_run(like)
    if fits.cache_path().exists():
        return fits.load(fits.cache_path())
    # The run itself is not used: the reported error would be that of the fit.
    if like is not None and not config.finished and any(read_step(Path(like.run_dir) / name) for name in fits.STEPS):
        return _rates_of_run(like)
    return None


def _rates_of_run(like: RunConfig) -> CostRates:
    observations, memory = fits.observations_of(like, texts.read(like))
    return fits.fit_rates(observations, memory, f"the steps of {like.run_dir}")


def _notes(predicted: Sequence[Cost], rates: CostRates | None, config: CostConfig) -> list[str]:
    if rates is None:
        what = "RUN_DIR" if config.finished else "CONFIG.yaml"
        return [
            f"No seconds and no memory are predicted: `distilmt cost {what} --calibrate` measures this machine for "
            f"about {config.minutes:g} minutes, and --calibration_run RUN_DIR uses the records of a finished run."
        ]
    errors = ", ".join(f"{kind} {error:g} %" for kind, error in rates.error.items())
    notes = [
        f"Rates from {rates.source}, {rates.date}, {rates.machine['cpu']}, {rates.machine['cores']} cores; "
        f"largest error on the fitted steps: {errors}."
    ]
    step_seconds = [row["seconds"] for row in predicted if row["seconds"]]
    if step_seconds:
        notes.append(
            f"Together {sum(step_seconds):,.0f} s, the longest step {max(step_seconds) / rates.longest:.1f} times "
            f"as long as the longest fitted one ({rates.longest:.1f} s). Corpus, tokenizer, writing of exports, "
            "evaluation and report are not predicted; a training that stops early takes less."
        )
    return notes


@dataclass(frozen=True)
class _RunSize:
    """Size of a short run."""

    name: str
    teacher: int
    """Updates."""
    student: int
    pairs: int
    """Sentences to train on and label."""
    valid: int
    other: bool = False
    """Whether it has half the depth, vocabulary and batch, so that the rates can be separated."""


def calibrate(config: RunConfig, text: CorpusStatistics, minutes: float) -> CostRates:
    """Measure this machine by short runs like the configured one, in separate processes.

    Args:
        config: the run to predict.
        text: its text; the short runs use a sample.
        minutes: approximate duration.

    Raises:
        UserError: a short run failed.
    """
    observations: list[fits.Observation] = []
    memory: list[tuple[float, int]] = []
    with (
        tempfile.TemporaryDirectory(prefix="distilmt-cost-") as place,
        progress.task("measuring this machine", 1 + len(_SHARES), "runs") as bar,
    ):
        begin, last = time.monotonic(), _RunSize("first", _FIRST[0], _FIRST[0], _FIRST[1], _FIRST[2])
        done = _run_short(config, text, Path(place), last)
        elapsed = time.monotonic() - begin
        overhead = elapsed - sum(_seconds(done).values())  # every run starts, cleans its text and trains its tokenizer
        left = max(0.0, minutes * 60 - elapsed - len(_SHARES) * overhead)
        for name, share, other in _SHARES:
            bar.advance()
            last = _next_size(
                done, last, left * share, _RunSize(name, 0, 0, 0, config.student.training.eval_sentences, other)
            )
            done = _run_short(config, text, Path(place), last)
            seen, peaks = fits.observations_of(done, texts.read(done))
            observations, memory = observations + seen, memory + peaks
        bar.advance()
    return fits.fit_rates(observations, memory, f"short runs (--calibrate --minutes {minutes:g})")


def _run_short(config: RunConfig, text: CorpusStatistics, place: Path, size: _RunSize) -> RunConfig:
    """Run one short run through the command line; returns its configuration."""
    short_config = _short_config(config, text, place / size.name, size)
    path = place / f"{size.name}.yaml"
    write_text(path, runner.dump(short_config))
    command = [sys.executable, "-m", "distilmt", "train-student", str(path), "--quiet"]
    process = subprocess.run(command, capture_output=True, text=True, check=False)
    if process.returncode:
        message = (process.stderr.strip().splitlines() or ["no message"])[-1].removeprefix("distilmt: error: ")
        raise UserError(f"a short run like this one failed, so no rates could be fitted: {message}")
    logger.info(
        f"{size.name}: " + ", ".join(f"{name} {duration:.1f} s" for name, duration in _seconds(short_config).items())
    )
    return short_config


def _seconds(config: RunConfig) -> dict[str, float]:
    """Seconds of the steps of a short run."""
    return {name: record.seconds for name in fits.STEPS if (record := read_step(config.paths.step(name)))}


def _short_config(config: RunConfig, text: CorpusStatistics, run_dir: Path, size: _RunSize) -> RunConfig:
    model = _other_model if size.other else replace
    pieces = config.tokenizer.vocab_size
    if size.other and not config.tokenizer.path:
        pieces = pieces // 2 if pieces // 2 >= _LEAST_PIECES else 2 * pieces
    teacher = replace(
        config.teacher,
        model=model(config.teacher.model),
        training=_short_training(config.teacher.training, size, size.teacher),
    )
    student = replace(
        config.student,
        model=model(config.student.model),
        initialization="random",
        pretrained=None,
        training=_short_training(config.student.training, size, size.student),
        on_policy=replace(config.student.on_policy, steps=0),
    )
    return replace(
        config,
        run_dir=str(run_dir),
        corpus=_sample_corpus(config.corpus, text, run_dir.with_suffix(".text"), size),
        tokenizer=replace(config.tokenizer, vocab_size=pieces),
        teacher=teacher,
        labels=_unfiltered(replace(config.labels, max_sentences=None, rerank="none", n_best=1, backward_model=None)),
        student=student,
    )


def _unfiltered(labels: LabelConfig) -> LabelConfig:
    """All hypotheses are used: a teacher trained for seconds translates badly, but only its time counts."""
    return replace(labels, max_length_ratio=1_000_000, max_repetition=MAX_COUNT, max_ter=None, drop_identical=False)


def _short_training(training: TrainingConfig, size: _RunSize, updates: int) -> TrainingConfig:
    batch = training.batch_tokens // 2 if size.other else training.batch_tokens
    return replace(
        training,
        max_steps=updates,
        max_seconds=None,
        patience=0,
        batch_tokens=max(256, batch),
        eval_steps=updates,
        eval_sentences=size.valid,
    )


def _other_model(model: ModelConfig) -> ModelConfig:
    """Half the depth; twice the depth of a model with one layer."""
    s = shape(model)
    deep = min(s.encoder_layers, s.decoder_layers) > 1 or s.encoder_layers > 1
    depths = [max(1, n // 2) if deep else 2 * n for n in (s.encoder_layers, s.decoder_layers)]
    return replace(model, encoder_layers=depths[0], decoder_layers=depths[1])


def _sample_corpus(corpus: CorpusConfig, text: CorpusStatistics, place: Path, size: _RunSize) -> CorpusConfig:
    """Write evenly spaced pairs of the sample to two files."""
    pair_count = min(len(text.sources), size.pairs + size.valid + 1)
    rows = range(0, len(text.sources), max(1, len(text.sources) // pair_count))[:pair_count]
    names = [place / f"text.{corpus.source}", place / f"text.{corpus.target}"]
    for path, lines in zip(names, (text.sources, text.targets), strict=True):
        write_text(path, "".join(" ".join(lines[row].split()) + "\n" for row in rows))
    return replace(
        corpus,
        train=[str(path) for path in names],
        valid=[],
        test=[],
        dataset=None,
        valid_size=max(1, min(size.valid, pair_count // 4)),
        test_size=1,
        max_train=None,
    )


def _next_size(done: RunConfig, last: _RunSize, seconds: float, next_size: _RunSize) -> _RunSize:
    """Size of a run of this duration, by the times of the last run."""
    paces = {}
    for name, units in (("teacher", last.teacher), ("labels", last.pairs), ("student", last.student)):
        record = read_step(Path(done.run_dir) / name)
        result = result_of(ModelResult, record)
        whole = result.train_seconds if result.train_seconds is not None else record.seconds if record else 0.0
        duration = whole - (result.validation_seconds or 0.0)
        paces[name] = max(1e-4, duration / units)
    updates = {name: int(_OF_A_RUN[name] * seconds / paces[name]) for name in ("teacher", "student")}
    pairs = int(_OF_A_RUN["labels"] * seconds / paces["labels"])
    # The lengths must differ even if time is short, or startup cannot be separated from work.
    least = {"short": 1, "longer": 3, "other": 2}[next_size.name]
    pairs = max(200 * least, pairs)
    return replace(
        next_size,
        teacher=max(20 * least, updates["teacher"]),
        student=max(20 * least, updates["student"]),
        pairs=pairs,
        valid=max(16, min(next_size.valid, pairs // 4)),
    )
