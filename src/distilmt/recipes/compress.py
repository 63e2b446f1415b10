"""`distilmt compress`: the smallest or fastest model from a run's student that meets a quality constraint.

The student is pruned step by step and trained again after each step. Every model is exported in every type, with and
without a shortlist, and scored on the validation set with every beam size. The test set selects nothing: it is used
only for the final ablation, from the teacher to the shipped model.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from distilmt.compression import alignment, search
from distilmt.compression.search import EvaluatedVariant, Variant
from distilmt.config import RunConfig
from distilmt.config.commands import CompressConfig
from distilmt.evaluation.challenge_runner import ChallengeComparison
from distilmt.export.formats import require_ctranslate2
from distilmt.pipeline.step_directory import run_step
from distilmt.pipeline.steps import signature
from distilmt.pipeline.steps.challenges import compare_shipped_model
from distilmt.pipeline.steps.failure_constraint import FailureConstraint, check_limits
from distilmt.recipes import compress_steps
from distilmt.recipes.ablation import Stage, measure_stages, median_latencies, stage_variants
from distilmt.recipes.compress_result import candidate, ship, write_model_card
from distilmt.report import ablation
from distilmt.report.ablation_schema import Ablation, SearchFacts
from distilmt.utils import parallel
from distilmt.utils.errors import UserError
from distilmt.utils.run_dir import locked, read_step, step_fingerprint
from distilmt.utils.run_paths import RunPaths
from distilmt.utils.sizes import total_bytes

logger = logging.getLogger(__name__)

MODEL = "model"
"""Name of the model in the directory of an export."""
_MOST_TIMED = 16


def run(config: CompressConfig, run_config: RunConfig) -> Path:
    """Run everything that is not finished; returns the directory `compressed` of the run.

    Args:
        config: settings of the search.
        run_config: configuration of the trained run.

    Raises:
        UserError: there is no student, or no challenge set for a limit of failures.
    """
    paths = run_config.paths
    check_limits(run_config, config.failure_limits)
    if read_step(paths.student) is None:
        raise UserError(f"{paths.root} has no trained student: finish `distilmt train-student` or `distilmt run` first")
    require_ctranslate2(run_config.student.model.architecture, "compress")
    if config.shortlist:
        alignment.check_installed()
    with locked(paths.compressed):
        ablation.write(_Search(config, run_config).go(), paths.compressed)
    return paths.compressed


class _Search:
    """The models so far, and their measurements."""

    def __init__(self, config: CompressConfig, run_config: RunConfig) -> None:
        self.config, self.run, self.paths = config, run_config, run_config.paths
        baseline = Path(config.baseline) if config.baseline else self.paths.baseline
        self.models = {"teacher": self.paths.teacher, "baseline": baseline, "student": self.paths.student}
        self.points: list[EvaluatedVariant] = []
        self.constraint = FailureConstraint(run_config, config.failure_limits) if config.failure_limits else None

    def go(self) -> Ablation:
        """Search, and measure the results; returns the content of the report."""
        floor = self._score_of(self.config.relative_to) - self.config.max_drop
        self._try("student")
        shape = self._round_weights(self._cut(floor))
        if self.config.vocab_min_count:
            self._make(shape, ["vocabulary"], 0)
        return self._measure(floor)

    # The search.

    def _cut(self, floor: float) -> str:
        """Prune step by step while a model meets the constraint; returns the last one that does."""
        if not (self.config.prune_layers or self.config.ffn_keep_fraction < 1) or not self.config.rounds:
            return "student"
        updates = self._updates(self.config.recovery_steps, 4)
        # A pruned model is trained longer than the student was. Train the student longer, too, for a fair comparison.
        current = max("student", *self._make("student", ["longer"], updates), key=self._score)
        for _ in range(self.config.rounds):
            cuts = compress_steps.available_cuts(
                self.models[current], self.config.prune_layers, self.config.ffn_keep_fraction
            )
            candidates = [name for name in self._make(current, cuts, updates) if self._meets(name, floor)]
            if not candidates:
                limits = " and the limits of failures" if self.constraint else ""
                logger.info(f"{current} cannot be pruned further within {self.config.max_drop:g} points{limits}")
                break
            current = min(candidates, key=self._weight)
        return current

    def _round_weights(self, shape: str) -> str:
        """Train a model with fake quantization at the fewest bits; returns the better of both at these bits."""
        updates = self._updates(self.config.qat_steps, 4)
        if not updates or not any(compute_type.startswith("int8") for compute_type in self.config.compute_types):
            return shape
        rounded = self._make(shape, ["qat"], updates)[0]
        return max(shape, rounded, key=lambda name: self._score(name, min(self.config.bits)))

    def _updates(self, override: int | None, share: int) -> int:
        return max(1, compress_steps.updates_of(self.models["student"]) // share) if override is None else override

    def _make(self, parent: str, cuts: list[compress_steps.Cut], updates: int) -> list[str]:
        """Create models, in parallel if configured, and score them; returns their names."""
        names = [cut if parent == "student" else f"{parent}+{cut}" for cut in cuts]
        plans = [
            compress_steps.CompressionSpec(
                run=replace(self.run, run_dir=str(self.paths.compressed / "models" / name)),
                parent=self.models[parent],
                cut=cut,
                updates=updates,
                rate=self.config.recovery_lr_scale,
                bits=min(self.config.bits),
                ffn=self.config.ffn_keep_fraction,
                least_uses=self.config.vocab_min_count,
            )
            for name, cut in zip(names, cuts, strict=True)
        ]
        for plan in plans:
            compress_steps.prepare_run_dir(plan, self.paths)
        if self.config.jobs > 1 and len(plans) > 1:
            list(parallel.run_in_processes(compress_steps.compress_model, plans, min(self.config.jobs, len(plans))))
        for name, plan in zip(names, plans, strict=True):
            compress_steps.compress_model(plan)
            self.models[name] = plan.student
            self._try(name)
        return names

    def _try(self, shape: str) -> None:
        """Export and score a model in every variant."""
        for variant in self._variants(shape):
            path = self._export_dir(variant)
            for beam in self.config.beam_sizes:
                score = compress_steps.score_export(self.run, path, "valid", beam)["scores"][self.config.metric]
                self.points.append(EvaluatedVariant(replace(variant, beam_size=beam), total_bytes(path), score))
        best = max((p for p in self.points if p.variant.shape == shape), key=lambda point: point.score)
        logger.info(f"{shape}: validation {self.config.metric} {best.score:.2f} ({best.variant.name})")

    def _variants(self, shape: str) -> Iterator[Variant]:
        """All variants of a model's exports."""
        for compute_type in self.config.compute_types:
            for bits in self.config.bits if compute_type.startswith("int8") else (8,):
                for shortlist in (False, True) if self.config.shortlist else (False,):
                    yield Variant(shape, compute_type, shortlist, bits=bits, packed=self.config.xz)

    def _export_dir(self, variant: Variant) -> Path:
        """Export a variant, unless it exists."""
        model = self.models[variant.shape]
        settings = {"type": variant.compute_type, "bits": variant.bits, "packed": variant.packed}
        inputs = {name: step_fingerprint(path) for name, path in (("model", model), ("corpus", self.paths.corpus))}
        if variant.shortlist:
            inputs["labels"] = step_fingerprint(compress_steps.labels_of(self.run, self.paths))
        place = RunPaths(self.paths.compressed).exports / variant.export
        run_step(
            place,
            inputs,
            settings,
            lambda directory: compress_steps.export_variant(self.run, model, variant, directory / MODEL),
        )
        return place / MODEL

    # Quality, size, speed.

    def _score_of(self, model: str) -> float:
        """Measurements of the unchanged teacher or student: float32, at the run's beam size."""
        path = self._export_dir(Variant(model, "float32"))
        evaluation = compress_steps.score_export(self.run, path, "valid", self.run.evaluation.beam_size)
        return float(evaluation["scores"][self.config.metric])

    def _score(self, shape: str, bits: int = 8) -> float:
        """The best variant of a model with at most these bits, over types, beam sizes and shortlists."""
        return max(p.score for p in self.points if p.variant.shape == shape and p.variant.bits <= bits)

    def _meets(self, shape: str, floor: float) -> bool:
        """Whether a model's best variant meets the constraints."""
        best = max((point for point in self.points if point.variant.shape == shape), key=lambda point: point.score)
        return best.score >= floor and not (self.constraint and self._examined(best).breaches)

    def _examined(self, point: EvaluatedVariant) -> EvaluatedVariant:
        """A variant with the limits of failures that it exceeds, which is recorded among all points."""
        if self.constraint is None or point.breaches is not None:
            return point
        breaches = self.constraint.breaches(self._export_dir(point.variant), point.variant.beam_size)
        examined = replace(point, breaches=breaches)
        self.points = [examined if each.variant == point.variant else each for each in self.points]
        return examined

    def _weight(self, shape: str) -> float:
        if self.config.objective == "smallest":
            return float(min(point.bytes for point in self.points if point.variant.shape == shape))
        return compress_steps.decoding_operations(self.models[shape], min(self.config.beam_sizes))

    # Final measurements.

    def _measure(self, floor: float) -> Ablation:
        """Time the models that meet the constraint, select and ship one, and measure the ablation on the test set."""
        chosen = self._choose(floor)
        ship(self._export_dir(chosen.variant), chosen.variant.beam_size, self.paths.compressed_model)
        stages = measure_stages(self.run, self._all_stages(chosen.variant))
        last = [stage for stage in stages if stage["taken"]][-1]
        write_model_card(self.run, self.config.metric, chosen, last, self.models[chosen.variant.shape])
        points = [candidate(point) for point in self.points]
        return ablation.build(self._facts(floor, chosen), points, candidate(chosen), stages)

    def _choose(self, floor: float) -> EvaluatedVariant:
        """Time the cheapest candidates and select one; further ones are timed only if all of these fail too often."""
        goal = self.config.objective
        within = search.satisfying(self.points, floor)
        candidates = sorted(within or search.frontier(self.points, goal), key=self._likely_cost)
        for start in range(0, len(candidates), _MOST_TIMED):
            names = self._time(candidates[start : start + _MOST_TIMED])
            if not (within and self.constraint):
                return self._examined(search.best(self.points, floor, goal) or search.closest(self.points, goal))
            for point in search.cheapest_first([each for each in self.points if each.variant.name in names], goal):
                if not (examined := self._examined(point)).breaches:
                    return examined
        return search.least_excessive(search.satisfying(self.points, floor), goal)

    def _time(self, points: list[EvaluatedVariant]) -> set[str]:
        """Measure the latencies of variants; returns their names."""
        timed = median_latencies(
            self.run, {p.variant.name: (self._export_dir(p.variant), p.variant.beam_size) for p in points}
        )
        self.points = [
            replace(point, milliseconds=timed.get(point.variant.name, point.milliseconds)) for point in self.points
        ]
        return set(timed)

    def _likely_cost(self, point: EvaluatedVariant) -> tuple[float, ...]:
        """Order of timing: the smallest first, or the one with the fewest operations."""
        if self.config.objective == "smallest":
            return point.bytes, -point.score
        variant = point.variant
        work = compress_steps.decoding_operations(self.models[variant.shape], variant.beam_size)
        return variant.compute_type == "float32", not variant.shortlist, work, point.bytes

    def _challenge_results(self, chosen: EvaluatedVariant) -> dict[str, list[ChallengeComparison]]:
        """Challenge results of the shipped model, compared with the teacher."""
        teacher = self._export_dir(Variant("teacher", "float32")), self.run.evaluation.beam_size
        shipped = self._export_dir(chosen.variant), chosen.variant.beam_size
        return {chosen.variant.name: compare_shipped_model(self.run, teacher, shipped)}

    def _facts(self, floor: float, chosen: EvaluatedVariant) -> SearchFacts:
        config, corpus = self.config, self.run.corpus
        return {
            "pair": {"source": corpus.source, "target": corpus.target},
            "signature": signature(self.run),
            "language": self.run.report_language,
            "floor": floor,
            "metric": config.metric,
            "max_drop": config.max_drop,
            "against": config.relative_to,
            "goal": config.objective,
            "max_failures": config.failure_limits.as_dict(),
            "challenge_sets": self._challenge_results(chosen),
        }

    def _all_stages(self, chosen: Variant) -> list[Stage]:
        """Stages of the ablation, which always ends with the shipped model."""
        trained = {name for name, path in self.models.items() if name != "baseline" or _has_weights(path)}
        variants = stage_variants(chosen, self.run.evaluation.beam_size, trained, min(self.config.bits))
        stages, end = [self._stage(*each) for each in variants], self._stage(f"as {chosen.name}", chosen)
        last = [stage for stage in stages if stage.taken][-1]
        return stages if (last.path, last.beam_size) == (end.path, end.beam_size) else [*stages, end]

    def _stage(self, label: str, variant: Variant, taken: bool = True) -> Stage:
        return Stage(label, self._export_dir(variant), variant.beam_size, taken)


def _has_weights(model: Path) -> bool:
    return (model / "model.safetensors").exists()
