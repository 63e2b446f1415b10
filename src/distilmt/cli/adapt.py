"""`distilmt adapt STUDENT`: a trained student, trained further on your own text."""

from __future__ import annotations

from distilmt.cli.command import Command
from distilmt.cli.output import Output
from distilmt.config import loading
from distilmt.config.adapt import AdaptConfig


def _run(arguments: list[str], output: Output) -> int:
    config = loading.load_adapt(arguments)
    with output.progress():
        from distilmt.recipes import adapt

        root = adapt.run(config)
    output.table(root / "adaptation")
    return 0


COMMANDS = {
    "adapt": Command(
        "adapt",
        "Trains a student further on your own sentence pairs, with a low learning rate and mixed with old text, so "
        "that it does not forget what it could do. Sentences are held out first: the table compares the student before "
        "and after on your text and on the old one. An interrupted run resumes.",
        {"STUDENT": "A run, an export, a model directory, hf:OWNER/NAME, or demo."},
        (AdaptConfig,),
        (
            "runs/demo --text mine.en mine.it",
            "models/en-it-student --text mine.tsv --old_text general.en general.it --minutes 10",
            "demo --text mine.en --teacher models/opus-mt-en-it",
        ),
        _run,
        resumes=lambda _: True,
    )
}
