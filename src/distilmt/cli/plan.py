"""`distilmt plan CONFIG.yaml`: decide how much text to label, and predict the cost."""

from __future__ import annotations

from distilmt.cli.command import Command
from distilmt.cli.output import Output
from distilmt.config import RunConfig, loading
from distilmt.config.commands import PlanConfig


def _run(arguments: list[str], output: Output) -> int:
    config, run_config = loading.load_plan(arguments)
    with output.progress():
        from distilmt.recipes import plan

        root = plan.run(config, run_config)
    output.table(root / "plan")
    return 0


COMMANDS = {
    "plan": Command(
        "plan",
        "Trains the configured student on small random parts of the text and predicts, for every size up to the whole "
        "text, the expected score, time, bytes and money. A missing teacher is trained first, as in the run; the run "
        "later reuses teacher and labels. The table is in plan/plan.md, .html (with the curve) and .json in the run "
        "directory.",
        {"CONFIG.yaml|RUN_DIR": "File with the keys of a run, or the directory of a run."},
        (PlanConfig, RunConfig),
        ("configs/multi30k-en-de.yaml --minutes 20", "run.yaml --sizes 500,2000,8000 --seeds 1,2,3 --min_gain 0.5"),
        _run,
        resumes=lambda _: True,
    )
}
