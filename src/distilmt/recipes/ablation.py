"""Ablation: cost and gain of every change between the teacher and the shipped model, on the test set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import cast

from distilmt.config import RunConfig
from distilmt.data import prepare
from distilmt.evaluation import quality, speed
from distilmt.recipes.compress_steps import score_export
from distilmt.report.ablation_schema import StageResult, StageSpeed, TeacherDifference
from distilmt.utils.progress import task
from distilmt.utils.sizes import total_bytes


@dataclass(frozen=True)
class Stage:
    """One stage of the ablation."""

    label: str
    """Its change."""
    path: Path
    """The export."""
    beam_size: int
    taken: bool = True
    """Whether later stages build on this one; otherwise it was only tried."""


def measure_stages(config: RunConfig, stages: Sequence[Stage]) -> list[StageResult]:
    """Scores, bytes, speed and memory of every stage, and differences from the first (the teacher).

    All are timed in turn. Differences are tested by paired bootstrap.
    """
    references = prepare.load_split(config.paths.corpus, "test")["target"].to_pylist()
    results = []
    with task("translating the test set", len(stages), "systems") as bar:
        for stage in stages:
            results.append(score_export(config, stage.path, "test", stage.beam_size))
            bar.advance(1, bleu=round(results[-1]["scores"]["bleu"], 2))
    systems = {str(number): (stage.path, stage.beam_size) for number, stage in enumerate(stages)}
    speeds = _speeds(config, systems, config.evaluation.benchmark_rounds)
    first = results[0]["translations"]
    return [
        StageResult(
            label=stage.label,
            beam_size=stage.beam_size,
            taken=stage.taken,
            scores=result["scores"],
            bytes=total_bytes(stage.path),
            speed=cast(StageSpeed, asdict(speeds[str(number)])),
            against_teacher=_differences(config, result["translations"], first, references) if number else {},
        )
        for number, (stage, result) in enumerate(zip(stages, results, strict=True))
    ]


def median_latencies(config: RunConfig, systems: Mapping[str, tuple[Path, int]]) -> dict[str, float]:
    """Median milliseconds of single test sentences on one thread, by name; systems are exports and their beams."""
    return {name: measurement.latency_ms["p50"] for name, measurement in _speeds(config, systems, rounds=1).items()}


def _speeds(config: RunConfig, systems: Mapping[str, tuple[Path, int]], rounds: int) -> dict[str, speed.Speed]:
    test = prepare.load_split(config.paths.corpus, "test")["source"].to_pylist()
    sample = [line for line in test if line.strip()][: config.evaluation.benchmark_sentences]
    paths, beams = (
        {name: path for name, (path, _) in systems.items()},
        {name: beam for name, (_, beam) in systems.items()},
    )
    return speed.measure_interleaved(paths, sample, beams, rounds=rounds, seed=config.seed)


def _differences(
    config: RunConfig, lines: Sequence[str], teacher: Sequence[str], references: Sequence[str]
) -> dict[str, TeacherDifference]:
    target, samples = config.corpus.target, config.evaluation.bootstrap_samples
    comparisons = quality.paired_bootstrap(("a", lines), ("b", teacher), references, target, samples, config.seed)
    return {
        row["metric"]: {"difference": row["difference"], "ci": row["ci"], "p_value": row["p_value"]}
        for row in comparisons
    }
