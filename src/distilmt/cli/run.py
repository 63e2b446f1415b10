"""`distilmt run` and its parts: run all unfinished steps of a configuration up to a step."""

from __future__ import annotations

from functools import partial

from distilmt.cli.command import Command
from distilmt.cli.output import Output
from distilmt.config import EvaluationConfig, LabelConfig, RunConfig, loading

_LAST_STEPS = {
    "run": "report",
    "prepare": "corpus",
    "train-teacher": "teacher",
    "label": "labels",
    "train-student": "baseline",
    "export": "exports",
    "evaluate": "report",
}
TRAINING = [name for name in _LAST_STEPS if name != "prepare"]
"""Commands that several processes under torchrun can execute together."""
_DESCRIPTIONS = {
    "run": "Runs all unfinished steps of a configuration: corpus, tokenizer, teacher, labels, student, baseline, "
    "exports, evaluation, report. Steps that are done already are skipped.",
    "prepare": "Reads and cleans the text of a configuration, and holds out validation and test sentences.",
    "train-teacher": "Runs the steps of a configuration up to the teacher: trains it, or adopts an existing one.",
    "label": "Runs the steps of a configuration up to the labels: the teacher translates and scores the training text. "
    "The keys of `labels` may be given without the section: --executor ray.",
    "train-student": "Runs the steps of a configuration up to the student and its baseline, which is trained without "
    "the teacher.",
    "export": "Runs the steps of a configuration up to the exported models.",
    "evaluate": "Runs the steps of a configuration up to the report, and prints the results. The keys of `evaluation` "
    "may be given without the section: --against NAME=FILE, once for each file, sets the student beside the outputs of "
    "other systems, a line or a JSON entry for every test sentence.",
}
_SECTIONS: dict[str, tuple[str, type]] = {
    "label": ("labels", LabelConfig),
    "evaluate": ("evaluation", EvaluationConfig),
}
"""Commands that accept the keys of a section without its name: the section and its dataclass."""
_EXAMPLES = {
    "run": ("configs/multi30k-en-de.yaml", "configs/multi30k-en-de.yaml --student.training.max_steps 2000 --seed 2"),
    "label": ("configs/multi30k-en-de.yaml", "run.yaml --executor ray --ray-address HOST:PORT"),
    "evaluate": ("configs/multi30k-en-de.yaml --health", "runs/demo/config.yaml --against other=other.it"),
}


def _run(name: str, arguments: list[str], output: Output) -> int:
    config = loading.load(loading.of_section(arguments, _SECTIONS[name][0]) if name in _SECTIONS else arguments)
    with output.progress():
        from distilmt.pipeline import runner

        root = runner.run(config, _LAST_STEPS[name])
        reported = _LAST_STEPS[name] == "report" or runner.is_reported(config)
    if reported:
        output.report(root)
    else:
        output.last_step(root, _LAST_STEPS[name])  # an existing report is of other steps
    return 0


COMMANDS = {
    name: Command(
        name,
        _DESCRIPTIONS[name],
        {"CONFIG.yaml": "File with keys of the run; flags override it."},
        (_SECTIONS[name][1], RunConfig) if name in _SECTIONS else (RunConfig,),
        _EXAMPLES.get(name, ("configs/multi30k-en-de.yaml",)),
        partial(_run, name),
        {"--health": "Show failures in the challenge sets after the results."},
        resumes=lambda _: True,
    )
    for name in _LAST_STEPS
}
