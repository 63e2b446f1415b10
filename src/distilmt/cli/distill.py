"""`distilmt distill`: a student of your own teacher on your own text, within a number of minutes."""

from __future__ import annotations

from distilmt.cli.command import Command
from distilmt.cli.output import Output
from distilmt.config import loading
from distilmt.config.distill import DistillConfig


def _run(arguments: list[str], output: Output) -> int:
    config = loading.load_distill(arguments)
    with output.progress():
        from distilmt.recipes import distill

        root = distill.run(config)
    output.report(root)
    return 0


COMMANDS = {
    "distill": Command(
        "distill",
        "Distills your own teacher on your own text: the teacher translates as much as fits into the minutes, a "
        "student is trained on its labels, exported and compared with it. An interrupted run resumes. To change more "
        "than these keys, edit a copy of config.yaml in the run directory and continue with `distilmt run`.",
        {},
        (DistillConfig,),
        (
            "--teacher models/opus-mt-en-it --text mine.en --pair en-it",
            "--teacher models/nllb --text mine.en --pair en-it --minutes 240 --test news.en news.it",
        ),
        _run,
        {"--health": "Show failures in the challenge sets after the results."},
        resumes=lambda _: True,
    )
}
