"""`distilmt plan`: how much text is worth labelling, estimated from students of small parts of it.

Corpus, tokenizer and teacher are those of the run, made as the run would make them. Then the configured student is
trained on nested random subsets of the text, for equally many updates on each, so that they differ by the data alone;
and once on the biggest for half as many, to tell what more updates would bring. All are scored on the validation
sentences: the test set is not touched. Every subset has a run directory of its own under `plan/` in which the
pipeline's own steps are done, so that a plan that is cut off goes on; the run later takes the labels that are there.
"""

from __future__ import annotations

import math
import statistics
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from distilmt import __version__
from distilmt.config import RunConfig
from distilmt.config.commands import PlanConfig
from distilmt.data import prepare
from distilmt.pipeline import preflight, runner
from distilmt.pipeline.dependencies import non_default
from distilmt.planning.recommendation import METRICS, Point, Question, Rates, answer
from distilmt.report.plan import write as write_plan
from distilmt.utils import progress
from distilmt.utils.errors import UserError
from distilmt.utils.run_dir import done_as, fingerprint, link, read_json, read_step, write_json

PLAN, SUBSET = "plan", "size-"
_SHARED = ("corpus", "tokenizer", "teacher")
_FRACTIONS = (1 / 16, 1 / 8, 1 / 4, 1 / 2, 1)
"""The subsets, as shares of the biggest, which is a quarter of the text or what there is time to label."""
_BIGGEST = 1 / 4
_LEAST = 16
"""Sentences of the smallest subset."""
_LABEL_SHARE, _TRAIN_SHARE = 0.4, 0.85
"""Of the minutes for labels, at most; and of what is left for updates: the rest goes into validating."""
_LEAST_UPDATES, _VALIDATIONS, _ASKED_FIRST = 100, 4, 64


def run(config: PlanConfig, run_config: RunConfig) -> Path:
    """Do all that is not done yet; returns the directory of the plan.

    Raises:
        UserError: there is too little text to plan with, or fewer sentences than a subset was to have.
    """
    root = Path(run_config.run_dir)
    preflight.check(run_config, exporting=False)
    if _answered(config, run_config):
        return root / PLAN
    with runner.started(run_config, whole=False):
        for step in _SHARED:
            runner.do(step, run_config)
        decided = _decided(config, run_config)
        for size in sorted(decided["sizes"], reverse=True):
            label(run_config, size)
        all_arms = arms(_seeds(config, run_config), run_config, decided["sizes"], decided["updates"])
        for number, arm in enumerate(all_arms, 1):
            progress.say(f"{arm.size} sentences, {arm.updates} updates: student {number} of {len(all_arms)}")
            train(arm)
        found = _told(config, run_config, all_arms, decided)
        write_plan(found | {"asked": _asked(config, run_config)}, root / PLAN)
    return root / PLAN


def _seeds(config: PlanConfig, run: RunConfig) -> list[int]:
    return list(dict.fromkeys(config.seeds or [run.seed]))


def _asked(config: PlanConfig, run: RunConfig) -> str:
    """Stands for all that an answer depends on."""
    made = [done_as(Path(run.run_dir) / step) for step in _SHARED]
    own = [non_default(asdict(config), asdict(PlanConfig())), non_default(asdict(run), asdict(RunConfig()))]
    own[1].pop("run_dir", None)
    return fingerprint([own, made, __version__])


def _answered(config: PlanConfig, run: RunConfig) -> bool:
    """Whether the same was asked before, and nothing has changed since."""
    place = Path(run.run_dir) / PLAN
    if not all((place / f"plan.{kind}").exists() for kind in ("json", "md", "html")):
        return False
    same = read_json(place / "plan.json").get("asked") == _asked(config, run)
    return same and all(runner.is_done(step, run) for step in _SHARED)


@dataclass(frozen=True)
class Arm:
    """One training: on a subset, with a seed; `share` of the updates."""

    size: int
    seed: int
    share: float
    run: RunConfig

    @property
    def place(self) -> Path:
        """Its run directory."""
        return Path(self.run.run_dir)

    @property
    def updates(self) -> int:
        """Of its training."""
        return self.run.student.training.updates


def arms(seeds: Sequence[int], run: RunConfig, sizes: Sequence[int], updates: int) -> list[Arm]:
    """All trainings: every size with the first seed, then with the next; and on the biggest with half the updates."""
    wanted = [(size, 1.0) for size in sizes] + [(max(sizes), 0.5)]
    return [_arm(run, size, seed, share, updates) for seed in seeds for size, share in wanted]


def _arm(run: RunConfig, size: int, seed: int, share: float, updates: int) -> Arm:
    place = subset(run, size) / (f"seed-{seed}" + ("" if share == 1 else "-half"))
    made = max(1, round(share * updates))
    training = replace(
        run.student.training,
        updates=made,
        seconds=None,
        patience=0,  # whoever stopped early would not have had as many updates
        validate_every=math.ceil(made / _VALIDATIONS),
    )
    student = replace(
        run.student, training=training, on_policy=replace(run.student.on_policy, updates=0), baseline=False
    )
    return Arm(size, seed, share, replace(_labelling(run, size), run_dir=str(place), seed=seed, student=student))


def subset(run: RunConfig, size: int) -> Path:
    """Directory of a subset."""
    return Path(run.run_dir) / PLAN / f"{SUBSET}{size}"


def _labelling(run: RunConfig, size: int) -> RunConfig:
    """The run as it would be with so many sentences labelled, in a subset's directory."""
    return replace(run, run_dir=str(subset(run, size)), labels=replace(run.labels, max_sentences=size))


def label(run: RunConfig, size: int) -> None:
    """Let the teacher speak of a subset; the first sentences in the order in which the run draws them."""
    place, root = subset(run, size), Path(run.run_dir)
    place.mkdir(parents=True, exist_ok=True)
    for name in _SHARED:
        link(place / name, root / name)
    for name in ("labels", "selection") if run.labels.selects else ("labels",):
        runner.do(name, _labelling(run, size))


def train(arm: Arm) -> None:
    """Train a student on a subset whose labels are there, and score it on the validation sentences."""
    arm.place.mkdir(parents=True, exist_ok=True)
    for name in (*_SHARED, "labels", *(["selection"] if arm.run.labels.selects else [])):
        link(arm.place / name, arm.place.parent / name)
    runner.do("student", arm.run)
    runner.do("validation", arm.run)


def _decided(config: PlanConfig, run: RunConfig) -> dict[str, Any]:
    """Sizes and updates: as before with the same settings, or decided now."""
    path = Path(run.run_dir) / PLAN / "decided.json"
    asked = {key: value for key, value in asdict(config).items() if key not in ("worth", "metric", "price")}
    asked, own = non_default(asked, asdict(PlanConfig())), non_default(asdict(run), asdict(RunConfig()))
    made = [done_as(Path(run.run_dir) / step) for step in _SHARED]
    wanted = fingerprint([asked, made, own.get("labels"), own.get("student"), run.seed])
    found = read_json(path) if path.exists() else {}
    if found.get("settings") != wanted:
        total = prepare.count(Path(run.run_dir) / "corpus", "train")
        sizes = _given(config.sizes, total) if config.sizes else _sizes(config, run, total)
        found = {"settings": wanted, "sizes": sizes}
        write_json(path, found)
    if "updates" not in found:
        found |= trainings(config, run, found["sizes"])
        write_json(path, found)
    told = ", ".join(f"{size:,}" for size in found["sizes"])
    progress.say(f"subsets of {told} sentences, {found['updates']} updates each")
    return dict(found)


def _given(sizes: Sequence[int], total: int) -> list[int]:
    if max(sizes) > total:
        raise UserError(f"--sizes names {max(sizes)} sentences, but there are {total} to train on: name fewer")
    return sorted(set(sizes))


def _sizes(config: PlanConfig, run: RunConfig, total: int) -> list[int]:
    biggest = int(total * _BIGGEST)
    there = read_step(Path(run.run_dir) / "labels") if runner.is_done("labels", run) else None
    if there is None or there.result["sentences"] < biggest:
        pace = _label_pace(run, min(biggest, _ASKED_FIRST))
        biggest = min(biggest, int(_LABEL_SHARE * config.minutes * 60 / pace))
    sizes = sorted({size for fraction in _FRACTIONS if (size := int(biggest * fraction)) >= _LEAST})
    if len(sizes) < 3:
        raise UserError(
            f"the biggest subset would have {biggest} of {total} sentences, too few for a curve: give it more "
            "--minutes, name --sizes, or label all"
        )
    return sizes


def _label_pace(run: RunConfig, sentences: int) -> float:
    """Seconds a sentence, on the few that are labelled first in any case."""
    from distilmt.labels.writer import drawn, seconds_per_sentence
    from distilmt.pipeline.steps.train import label_job

    root = Path(run.run_dir)
    table = prepare.load(root / "corpus", "train")
    some = table.filter(pa.array(drawn(table.num_rows, max(1, sentences), (run.seed, 3))))
    with tempfile.TemporaryDirectory(dir=root) as directory:
        return seconds_per_sentence(some, label_job(run, root), Path(directory))


def trainings(config: PlanConfig, run: RunConfig, sizes: Sequence[int]) -> dict[str, Any]:
    """Label the biggest subset; how many updates the minutes then allow, at most what the run is to make.

    Returns:
        `updates`; and `batches`, in how many updates a sentence is seen once: their product with a size is one pass.
    """
    from distilmt.data import tokenizer as tokenizers
    from distilmt.pipeline.steps.train import student_job
    from distilmt.training.batching import epoch_batches
    from distilmt.training.throughput import seconds_per_update

    begin, biggest, student = time.monotonic(), max(sizes), run.student
    label(run, biggest)
    root = subset(run, biggest)
    tokenizer = tokenizers.load(root / "tokenizer")
    job, _ = student_job(run, root, tokenizer)
    batches = len(epoch_batches(job.data, student.training.batch_tokens, 1, 0)) / biggest
    if config.updates:
        return {"updates": config.updates, "batches": batches}
    pace = seconds_per_update(job.data, student.model, student.training, student.objective, tokenizer, job.teacher)
    left = config.minutes * 60 - (time.monotonic() - begin)
    trainings, most = (len(sizes) + 0.5) * len(_seeds(config, run)), student.training.updates
    fit = min(most, int(_TRAIN_SHARE * left / trainings / pace))
    return {"updates": max(min(_LEAST_UPDATES, most), fit), "batches": batches}


def _told(config: PlanConfig, run: RunConfig, trained: Sequence[Arm], decided: dict[str, Any]) -> dict[str, Any]:
    """All that is to be told of students that are done."""
    question = Question(
        config.metric,
        config.worth,
        prepare.count(Path(run.run_dir) / "corpus", "train"),
        decided["updates"],
        run.student.training.updates,
    )
    biggest = subset(run, max(decided["sizes"])) / "labels"
    written = sum(path.stat().st_size for path in biggest.glob("shard-*.parquet"))
    rates = Rates(
        _label_seconds(run, decided["sizes"]),
        written / max(decided["sizes"]),
        _train_seconds(run, trained),
        decided["batches"],
        config.price,
    )
    pair = {"source": run.corpus.source, "target": run.corpus.target}
    return {"pair": pair, "language": run.language, **answer([point(arm) for arm in trained], question, rates)}


def point(arm: Arm) -> Point:
    """What a student came to."""
    student, found = read_step(arm.place / "student"), read_step(arm.place / "validation")
    assert student is not None and found is not None
    scores = {name: found.result[name] for name in METRICS}
    return Point(arm.size, arm.seed, arm.updates, train_seconds=student.result["train_seconds"], **scores)


def _label_seconds(run: RunConfig, sizes: Sequence[int]) -> float | None:
    """A sentence, as the biggest part that was asked for the plan took, else as the run's own labels did."""
    places = [*(subset(run, size) for size in sorted(sizes, reverse=True)), Path(run.run_dir)]
    records = [record for place in places if (record := read_step(place / "labels")) is not None]
    for record in records:
        if record.result.get("seconds_per_sentence"):
            return float(record.result["seconds_per_sentence"])
    whole = [r for r in records if not r.result.get("reused")]
    return whole[-1].seconds / whole[-1].result["sentences"] if whole else None


def _train_seconds(run: RunConfig, trained: Sequence[Arm]) -> float:
    """How long the run's student will take, by the median pace of these."""
    training, paces, checks = run.student.training, [], []
    for arm in trained:
        result = read_step(arm.place / "student").result  # type: ignore[union-attr]
        paces.append((result["train_seconds"] - result["validation_seconds"]) / result["updates"])
        checks.append(result["validation_seconds"] / math.ceil(arm.updates / arm.run.student.training.validate_every))
    validations = math.ceil(training.updates / training.validate_every)
    seconds = training.updates * statistics.median(paces) + validations * statistics.median(checks)
    return min(seconds, training.seconds or math.inf)
