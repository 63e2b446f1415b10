"""`distilmt demo`: a complete run on real text, scaled to the given minutes."""

from __future__ import annotations

from distilmt.cli.command import Command
from distilmt.cli.output import Output
from distilmt.config import loading
from distilmt.config.commands import DemoConfig


def _run(arguments: list[str], output: Output) -> int:
    config = loading.load_demo(arguments)
    with output.progress():
        if config.task == "classify":
            from distilmt.recipes import classify

            root = classify.run(config)
        else:
            from distilmt.recipes import demo

            root = demo.run(config)
    if config.task == "classify":
        output.table(root / "report")
    else:
        output.report(root)
    return 0


COMMANDS = {
    "demo": Command(
        "demo",
        "Distills a translator from real text within a time limit: it downloads a corpus, labels text with the "
        "built-in teacher (or trains one), trains and exports a student, and writes a report. An interrupted demo "
        "resumes.",
        {},
        (DemoConfig,),
        ("", "--pair en-de --minutes 60", "--train text.en text.it --minutes 120", "--task classify"),
        _run,
        {"--health": "Show failures in the challenge sets after the results."},
        needs_arguments=False,
        resumes=lambda arguments: not any("classify" in argument for argument in arguments),
    )
}
