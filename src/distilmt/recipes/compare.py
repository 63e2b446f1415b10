"""`distilmt compare`: compare methods on one set of labels, with equal updates and several seeds.

Corpus, tokenizer, teacher and labels are made once. Every method and seed has its own run directory under `methods/`,
with links to them. It runs the pipeline's own steps, one student at a time or several in parallel, so an interrupted
comparison resumes. The tables are rewritten after every student, from all finished ones.
"""

from __future__ import annotations

import logging
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import cast

from distilmt.config import RunConfig
from distilmt.config.comparison import CompareConfig
from distilmt.data import prepare
from distilmt.export.formats import require_ctranslate2
from distilmt.pipeline import preflight, runner
from distilmt.pipeline.steps.failure_constraint import FailureConstraint, check_limits
from distilmt.rendering.rendering_cache import remove_renderings
from distilmt.report import comparison
from distilmt.report.comparison_schema import TrainedModel
from distilmt.utils import parallel, progress
from distilmt.utils.errors import UserError
from distilmt.utils.run_dir import fingerprint, link, locked, read_json, write_text
from distilmt.utils.run_paths import RunPaths
from distilmt.utils.step_results import ModelResult, ScoresResult, read_result, to_record

logger = logging.getLogger(__name__)

_SHARED = ("corpus", "tokenizer", "teacher", "labels")


@dataclass(frozen=True)
class MethodTrial:
    """A method with a seed."""

    method: str
    run: RunConfig

    @property
    def run_dir(self) -> Path:
        """Its run directory."""
        return Path(self.run.run_dir)


def run(config: CompareConfig) -> Path:
    """Run everything that is not finished; returns the run directory.

    Raises:
        UserError: a method requires other labels than the others.
    """
    root = Path(config.run.run_dir)
    check_limits(config.run, config.failure_limits)
    preflight.check(config.run, exporting=False)
    for name, method in config.methods.items():
        _check_input(config.run, name, method)
        preflight.check_models(method)
        preflight.check_objective(method)
        if not runner.same_labels(config.run, method):
            raise UserError(
                f"method {name!r} requires other labels: all methods share one set, so remove its label settings"
            )
    all_trials = list(method_trials(config))
    with runner.open_run(config.run):
        for step in (*_SHARED, "teacher-scores"):
            runner.execute_step(step, config.run)
        for trial in all_trials:
            _link_shared(trial, root)
        # Only students with the current settings: a changed method must not show its old results.
        done = [trial for trial in all_trials if _is_done(trial)]
        if done:
            logger.info(f"{len(done)} of {len(all_trials)} students are already done")
            write_tables(config, done)
        with closing(
            _train_trials([trial for trial in all_trials if trial not in done], len(done), config.jobs)
        ) as finished_trials:
            for trial in finished_trials:
                done.append(trial)
                _remove_pictures(trial, [other for other in all_trials if other not in done])
                write_tables(config, sorted(done, key=all_trials.index))
    return root


def _check_input(run_config: RunConfig, name: str, method: RunConfig) -> None:
    """Check that a method's student is exported and reads what all others read.

    Raises:
        UserError: it does not.
    """
    if method.student.input != "image":
        require_ctranslate2(method.student.model.architecture, "compare")
    test_pictures = [
        (run.student.input, replace(run.student.rendering, fonts=[], variants=1)) for run in (run_config, method)
    ]
    if test_pictures[0] != test_pictures[1]:
        raise UserError(
            f"method {name!r} reads other test sources than the others: of student.input and student.rendering it may "
            "change fonts and variants alone"
        )


def method_trials(config: CompareConfig) -> Iterator[MethodTrial]:
    """All methods with the first seed, then with the next: partial results cover every method early."""
    for seed in config.seeds:
        for name, method in config.methods.items():
            run_dir = config.run.paths.methods / name / f"seed-{seed}"
            # Early stopping would give unequal numbers of updates.
            student = replace(method.student, training=replace(method.student.training, patience=0))
            yield MethodTrial(name, replace(method, run_dir=str(run_dir), seed=seed, student=student))


def _link_shared(trial: MethodTrial, root: Path) -> None:
    """Create the run directory of a trial, with links to the shared steps."""
    trial.run_dir.mkdir(parents=True, exist_ok=True)
    link_steps(trial.run_dir, root, *_SHARED)
    if trial.run.student.input == "image":
        link(trial.run.paths.renderings("image"), _shared_pictures(trial, root))
    write_text(trial.run.paths.config, runner.dump(trial.run))
    if trial.run.labels.selects:
        link_steps(trial.run_dir, _selection_dir(trial.run, RunPaths(root)), "selection")


def _shared_pictures(trial: MethodTrial, root: Path) -> Path:
    """Training pictures of all methods with the same seed."""
    return RunPaths(root).renderings("image") / f"seed-{trial.run.seed}"


def _remove_pictures(trial: MethodTrial, pending: list[MethodTrial]) -> None:
    """Delete the training pictures of a seed after its last student."""
    if trial.run.student.input == "image" and all(other.run.seed != trial.run.seed for other in pending):
        remove_renderings(trial.run.paths.renderings("image").resolve())


def _is_done(trial: MethodTrial) -> bool:
    return runner.is_done("student", trial.run) and runner.is_done("scores", trial.run)


def _train_trials(pending_trials: list[MethodTrial], before: int, jobs: int) -> Generator[MethodTrial, None, None]:
    """Train and score trials, sequentially or in parallel; yields each when finished. `before`: number done earlier."""
    total = before + len(pending_trials)
    if jobs == 1:
        for number, trial in enumerate(pending_trials, before + 1):
            logger.info(f"{trial.method}, seed {trial.run.seed}: student {number} of {total}")
            _train(trial)
            yield trial
        return
    with (
        progress.task(f"students, {jobs} at once", total, "students", before) as task,
        closing(parallel.run_in_processes(_train, pending_trials, jobs)) as finished_trials,
    ):
        for number, trial in enumerate(finished_trials, before + 1):
            logger.info(f"{trial.method}, seed {trial.run.seed}: done, {number} of {total}")
            task.advance(1)
            yield trial


def _train(trial: MethodTrial) -> None:
    if trial.run.student.input == "image":
        trial.run.paths.renderings("image").resolve().mkdir(parents=True, exist_ok=True)
    with locked(trial.run_dir):
        runner.execute_step("student", trial.run)
        runner.execute_step("scores", trial.run)


def _selection_dir(run_config: RunConfig, paths: RunPaths) -> Path:
    """Directory of the labels with this selection; made once for all methods and seeds."""
    labels = run_config.labels
    reverse = f"-{fingerprint(labels.backward_model)}" if labels.backward_model else ""
    selection_dir = paths.selections / f"{labels.rerank}-{labels.rerank_metric}-{labels.n_best}{reverse}"
    selection_dir.mkdir(parents=True, exist_ok=True)
    link_steps(selection_dir, paths.root, *_SHARED)
    runner.execute_step("selection", replace(run_config, run_dir=str(selection_dir)))
    return selection_dir


def link_steps(directory: Path, other: Path, *names: str) -> None:
    """Create links in a directory to steps of another."""
    for name in names:
        link(directory / name, other / name)


def write_tables(config: CompareConfig, done: list[MethodTrial]) -> None:
    """Write comparison.json, .md and .html from the finished students."""
    run_config, paths = config.run, config.run.paths
    test, train = prepare.load_split(paths.corpus, "test"), prepare.load_training_pairs(paths.corpus)
    teacher = _scores(paths.step("teacher-scores"))
    teacher["parameters"] = _parameters(paths.teacher)
    if rows := _picture_rows(done):
        test = test.take(rows)
        teacher = _with_rows(teacher, rows, test["target"].to_pylist(), run_config.corpus.target)
    constraint = FailureConstraint(run_config, config.failure_limits)
    report = comparison.build(
        facts={
            "pair": {"source": run_config.corpus.source, "target": run_config.corpus.target},
            "updates": run_config.student.all_updates,
            "jobs": config.jobs,
            "beam_size": run_config.evaluation.beam_of("student"),
            "bootstrap": run_config.evaluation.bootstrap_samples,
            "baseline": config.baseline,
            "language": run_config.report_language,
            "signatures": {name: _signature(method) for name, method in config.methods.items()},
            "config": asdict(run_config),
            "max_failures": config.failure_limits.as_dict(),
        },
        teacher=teacher,
        students=[_student_report(trial, constraint) for trial in done],
        test=(test["source"].to_pylist(), test["target"].to_pylist()),
        training_targets=train["target"].to_pylist(),
        limits=config.failure_limits,
    )
    comparison.write(report, paths.root)


def _picture_rows(done: list[MethodTrial]) -> list[int]:
    """Numbers of the test sentences that students of pictures have read, the same ones for all; else empty."""
    if not done or done[0].run.student.input != "image":
        return []
    from distilmt.pipeline.steps.score import ROWS

    return list(read_json(done[0].run.paths.step("scores") / ROWS))


def _with_rows(teacher: TrainedModel, rows: Sequence[int], references: Sequence[str], target: str) -> TrainedModel:
    """The teacher's translations and scores of some test sentences; its token metrics stay those of all."""
    from distilmt.pipeline.steps.score import scored

    chosen = {name: [lines[row] for row in rows] for name, lines in teacher["translations"].items()}
    scores = to_record(scored(chosen, references, target))
    return cast(TrainedModel, {**teacher, "translations": chosen, **{name: scores[name] for name in chosen}})


def _student_report(trial: MethodTrial, constraint: FailureConstraint) -> TrainedModel:
    """Results of a trained student, with its failures if these are limited."""
    student = read_result(ModelResult, trial.run.paths.student)
    assert student.best_score is not None and student.train_seconds is not None
    report: TrainedModel = {
        "method": trial.method,
        "seed": trial.run.seed,
        "validation": student.best_score,
        "train_seconds": student.train_seconds,
        "parameters": student.parameters,
        "curve": read_json(trial.run.paths.student / "log.json"),
        **_scores(trial.run.paths.step("scores")),
    }
    if constraint.limits:
        shipped, beam = trial.run.paths.step("scores") / "int8", trial.run.evaluation.beam_of("student")
        report["failures"] = constraint.rates(shipped, beam)
    return report


def _scores(directory: Path) -> TrainedModel:
    """Results of the step `scores` and its translations."""
    from distilmt.pipeline.steps import TRANSLATIONS

    scores = to_record(read_result(ScoresResult, directory))
    return cast(TrainedModel, {**scores, "translations": read_json(directory / TRANSLATIONS)})


def _parameters(teacher: Path) -> int | None:
    return read_result(ModelResult, teacher).parameters


def _signature(method: RunConfig) -> str:
    from distilmt.pipeline.steps import signature

    return signature(method)
