from pathlib import Path

from distilmt.config import RunConfig
from distilmt.pipeline.step import RUN_STEPS
from distilmt.utils.run_paths import RunPaths

PATHS = RunPaths(Path("run"))


def test_a_step_is_in_the_directory_of_its_name():
    for step in RUN_STEPS:
        assert getattr(PATHS, step) == PATHS.step(step) == Path("run") / step
    assert RunConfig(run_dir="run").paths == PATHS
    assert PATHS.export("student-int8") == Path("run/exports/student-int8")


def test_a_subset_of_a_plan_knows_its_run(tmp_path):
    run = RunPaths(tmp_path)
    for size in (200, 100):
        run.subset(size).root.mkdir(parents=True)
    assert [each.root.name for each in run.subsets] == ["size-100", "size-200"]
    assert run.subset(100).planned_run == run.planned_run == run
    assert RunPaths(run.subset(100).root / "seed-1").planned_run.root.name == "seed-1"


def test_directories_that_hold_runs_are_named():
    assert [path.name for path in PATHS.with_runs] == ["plan", "compressed", "methods", "selections"]
