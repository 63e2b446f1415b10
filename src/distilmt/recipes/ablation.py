"""Ablation: cost and gain of every change between the teacher and the shipped model, on the test set."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import NamedTuple, cast

from distilmt.compression.search import Variant
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


class StageVariant(NamedTuple):
    """A stage before its export: its change, the variant, and whether later stages build on it."""

    label: str
    variant: Variant
    taken: bool = True


def stage_variants(chosen: Variant, whole: int, models: Collection[str], bits: int) -> Iterator[StageVariant]:
    """From the teacher to what is shipped, one change at a time.

    Args:
        chosen: what is shipped.
        whole: beam size of the run.
        models: names of the models that exist.
        bits: bits of the quantization-aware training.
    """
    shapes = _ancestors(chosen.shape)
    trained = [name for name in shapes if not name.endswith(("qat", "vocabulary"))]
    for model in ("teacher", "baseline", *trained):
        if model in models:
            yield StageVariant(model, Variant(model, "float32", False, whole))
    base, plain = trained[-1], replace(chosen, shortlist=False, beam_size=whole)
    yield from _export_variants(replace(plain, shape=base))
    rounded = "qat" if base == "student" else f"{base}+qat"
    if rounded in models and chosen.compute_type.startswith("int8"):
        yield StageVariant(f"trained with {bits}-bit weights", replace(plain, shape=rounded), rounded in shapes)
    if chosen.shape.endswith("vocabulary"):
        yield StageVariant("unused tokens removed", plain)
    if chosen.shortlist:
        yield StageVariant("with a shortlist", replace(chosen, beam_size=whole))
    if chosen.beam_size != whole:
        yield StageVariant(f"beam {chosen.beam_size}", chosen)


def _export_variants(chosen: Variant) -> Iterator[StageVariant]:
    """Variants between a model in float32 and the selected export, one change at a time."""
    if chosen.compute_type != "float32":
        yield StageVariant(f"in {chosen.compute_type}", replace(chosen, bits=8, packed=False))
    if chosen.packed:
        yield StageVariant("packed", replace(chosen, bits=8))
    if chosen.bits < 8:
        yield StageVariant(f"{chosen.bits}-bit weights", chosen)


def _ancestors(shape: str) -> list[str]:
    """A model's name and those of its ancestors, `student` first."""
    parts = [] if shape == "student" else shape.split("+")
    return ["student", *("+".join(parts[: n + 1]) for n in range(len(parts)))]


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
    return speed.measure_interleaved(paths, speed.SpeedInputs(sample), beams, rounds=rounds, seed=config.seed)


def _differences(
    config: RunConfig, lines: Sequence[str], teacher: Sequence[str], references: Sequence[str]
) -> dict[str, TeacherDifference]:
    target, samples = config.corpus.target, config.evaluation.bootstrap_samples
    comparisons = quality.paired_bootstrap(("a", lines), ("b", teacher), references, target, samples, config.seed)
    return {
        row["metric"]: {"difference": row["difference"], "ci": row["ci"], "p_value": row["p_value"]}
        for row in comparisons
    }
