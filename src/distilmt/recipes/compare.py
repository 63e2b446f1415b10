"""`distilmt compare`: methods side by side on one set of labels, at equal updates, with several seeds.

Corpus, tokenizer, teacher and labels are made once. Every method and seed then has a run directory of its own under
`methods/`, in which those are links, and the pipeline's own steps are done, one student at a time or several side by
side: a comparison that is cut off goes on. The tables are written anew after every student, from all that are there.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from distilmt.config import RunConfig
from distilmt.config.commands import CompareConfig
from distilmt.data import prepare
from distilmt.pipeline import preflight, runner
from distilmt.report import comparison
from distilmt.utils import parallel, progress
from distilmt.utils.errors import UserError
from distilmt.utils.run_dir import fingerprint, link, locked, read_json, read_step, write_text

_SHARED = ("corpus", "tokenizer", "teacher", "labels")


@dataclass(frozen=True)
class Arm:
    """A method with a seed."""

    method: str
    run: RunConfig

    @property
    def place(self) -> Path:
        """Its run directory."""
        return Path(self.run.run_dir)


def run(config: CompareConfig) -> Path:
    """Do all that is not done yet; returns the run directory.

    Raises:
        UserError: a method wants other labels than the others.
    """
    root = Path(config.run.run_dir)
    preflight.check(config.run, exporting=False)
    for name, method in config.methods.items():
        preflight.check_models(method)
        if not runner.same_labels(config.run, method):
            raise UserError(f"method {name!r} wants other labels from the teacher: all methods share one set of labels")
    all_arms = list(arms(config))
    with runner.started(config.run):
        for step in (*_SHARED, "teacher-scores"):
            runner.do(step, config.run)
        for arm in all_arms:
            _link_shared(arm, root)
        # Only what is done with today's settings: a method that was changed must not show its old figures.
        done = [arm for arm in all_arms if _is_done(arm)]
        if done:
            progress.say(f"{len(done)} of {len(all_arms)} students are done already")
            write_tables(config, done)
        with closing(_trained([arm for arm in all_arms if arm not in done], len(done), config.jobs)) as trained:
            for arm in trained:
                done.append(arm)
                write_tables(config, sorted(done, key=all_arms.index))
    return root


def arms(config: CompareConfig) -> Iterator[Arm]:
    """All methods with the first seed, then with the next: early on there is something of every method to be seen."""
    for seed in config.seeds:
        for name, method in config.methods.items():
            place = Path(config.run.run_dir) / "methods" / name / f"seed-{seed}"
            # Whoever stopped early would not have had as many updates.
            student = replace(method.student, training=replace(method.student.training, patience=0))
            yield Arm(name, replace(method, run_dir=str(place), seed=seed, student=student))


def _link_shared(arm: Arm, root: Path) -> None:
    """Give an arm its run directory, with links to what it shares with the others."""
    arm.place.mkdir(parents=True, exist_ok=True)
    _link(arm.place, root, *_SHARED)
    write_text(arm.place / "config.yaml", runner.dump(arm.run))
    if arm.run.labels.selects:
        _link(arm.place, _selected(arm.run, root), "selection")


def _is_done(arm: Arm) -> bool:
    return runner.is_done("student", arm.run) and runner.is_done("scores", arm.run)


def _trained(arms_: list[Arm], before: int, jobs: int) -> Generator[Arm, None, None]:
    """Train and score one after another, or some at once; gives each when it is done. `before` were done earlier."""
    total = before + len(arms_)
    if jobs == 1:
        for number, arm in enumerate(arms_, before + 1):
            progress.say(f"{arm.method}, seed {arm.run.seed}: student {number} of {total}")
            _train(arm)
            yield arm
        return
    with (
        progress.task(f"students, {jobs} at once", total, "students", before) as task,
        closing(parallel.side_by_side(_train, arms_, jobs)) as trained,
    ):
        for number, arm in enumerate(trained, before + 1):
            progress.say(f"{arm.method}, seed {arm.run.seed}: done, {number} of {total}")
            task.advance(1)
            yield arm


def _train(arm: Arm) -> None:
    with locked(arm.place):
        runner.do("student", arm.run)
        runner.do("scores", arm.run)


def _selected(run_config: RunConfig, root: Path) -> Path:
    """Where the labels are that were chosen in this way; made once for all methods and seeds."""
    labels = run_config.labels
    reverse = f"-{fingerprint(labels.reverse)}" if labels.reverse else ""
    place = root / "selections" / f"{labels.choose}-{labels.utility}-{labels.keep}{reverse}"
    place.mkdir(parents=True, exist_ok=True)
    _link(place, root, *_SHARED)
    runner.do("selection", replace(run_config, run_dir=str(place)))
    return place


def _link(place: Path, other: Path, *names: str) -> None:
    """Links in a directory to steps of another."""
    for name in names:
        link(place / name, other / name)


def write_tables(config: CompareConfig, done: list[Arm]) -> None:
    """Write comparison.json, .md and .html from the students that are done."""
    root, run_config = Path(config.run.run_dir), config.run
    test, train = prepare.load(root / "corpus", "test"), prepare.pairs(root / "corpus")
    found = comparison.build(
        about={
            "pair": {"source": run_config.corpus.source, "target": run_config.corpus.target},
            "updates": run_config.student.all_updates,
            "jobs": config.jobs,
            "beam_size": run_config.evaluation.beam_size,
            "bootstrap": run_config.evaluation.bootstrap,
            "baseline": config.baseline,
            "language": run_config.language,
            "signatures": {name: _signature(method) for name, method in config.methods.items()},
            "config": asdict(run_config),
        },
        teacher=_scores(root / "teacher-scores") | {"parameters": _parameters(root / "teacher")},
        students=[_finished(arm) for arm in done],
        test=(test["source"].to_pylist(), test["target"].to_pylist()),
        training_targets=train["target"].to_pylist(),
    )
    comparison.write(found, root)


def _finished(arm: Arm) -> dict[str, Any]:
    """What is known of a trained student."""
    record = read_step(arm.place / "student")
    assert record is not None
    return {
        "method": arm.method,
        "seed": arm.run.seed,
        "validation": record.result["best_score"],
        "train_seconds": record.result["train_seconds"],
        "parameters": record.result["parameters"],
        "curve": read_json(arm.place / "student" / "log.json"),
        **_scores(arm.place / "scores"),
    }


def _scores(directory: Path) -> dict[str, Any]:
    record = read_step(directory)
    assert record is not None
    return {**record.result, "translations": read_json(directory / "translations.json")}


def _parameters(teacher: Path) -> int | None:
    record = read_step(teacher)
    return record.result.get("parameters") if record else None


def _signature(method: RunConfig) -> str:
    from distilmt.pipeline.steps import signature

    return signature(method)
