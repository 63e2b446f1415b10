"""`distilmt trial CONFIG.yaml`: try a teacher on a few sentences before it labels, and is paid for, all of them."""

from __future__ import annotations

from distilmt.cli.command import Command
from distilmt.cli.output import Output
from distilmt.config import RunConfig, loading
from distilmt.config.commands import TrialConfig


def _run(arguments: list[str], output: Output) -> int:
    config, run_config = loading.load_trial(arguments)
    with output.progress():
        from distilmt.recipes import trial
        from distilmt.report.trial import trial_text

        result = trial.run(config, run_config)
    output.result(result, trial_text(result))
    return 0 if result["verdict"] == "yes" else 1


COMMANDS = {
    "trial": Command(
        "trial",
        "Lets an existing teacher (teacher.url, teacher.command or teacher.path) translate some of the sentences that "
        "the run labels, and judges the result: sentences without a label and why, agreement with the references or "
        "between two samples, speed, price of these and of all sentences. The verdict is yes or no; the exit status of "
        "no is 1. The run reuses the responses of a server. The result is stored in trial/trial.json.",
        {"CONFIG.yaml|RUN_DIR": "File with the keys of a run, or the directory of a run."},
        (TrialConfig, RunConfig),
        ("llm.yaml", "llm.yaml --sentences 200 --max_failures 2 --json"),
        _run,
        resumes=lambda _: True,
    )
}
