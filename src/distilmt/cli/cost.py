"""`distilmt cost CONFIG.yaml`: predict the cost of a run; `distilmt cost RUN_DIR`: compare with the actual cost."""

from __future__ import annotations

from distilmt.cli.command import Command
from distilmt.cli.output import Output
from distilmt.config import RunConfig, loading
from distilmt.config.commands import CostConfig


def _run(arguments: list[str], output: Output) -> int:
    config, run_config, like = loading.load_cost(arguments)
    with output.progress():
        from distilmt.planning.table import cost_table
        from distilmt.recipes import cost

        forecast = cost.run(config, run_config, like)
    output.result(forecast, "" if output.is_json else cost_table(forecast))
    return 0


COMMANDS = {
    "cost": Command(
        "cost",
        "Predicts the cost of a run. Parameters, multiply-adds, FLOPs and bytes are counted from the configuration and "
        "its text. Seconds and memory need rates of this machine: --calibrate measures them, and --calibration_run "
        "takes them from a finished run. For a run directory the table has measured and predicted values, with the "
        "error.",
        {"CONFIG.yaml|RUN_DIR": "File with the keys of a run, or the directory of a run."},
        (CostConfig, RunConfig),
        ("configs/multi30k-en-de.yaml --calibrate --minutes 3", "runs/demo --json"),
        _run,
    )
}
