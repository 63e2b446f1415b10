"""`distilmt compare CONFIG.yaml`: compare methods on the same labels, at equal updates."""

from __future__ import annotations

from distilmt.cli.command import Command
from distilmt.cli.output import Output
from distilmt.config import RunConfig, loading
from distilmt.config.comparison import CompareOptions


def _run(arguments: list[str], output: Output) -> int:
    config = loading.load_comparison(arguments)
    with output.progress():
        from distilmt.recipes import compare

        root = compare.run(config)
    output.table(root / "comparison")
    return 0


COMMANDS = {
    "compare": Command(
        "compare",
        "Compares methods on the same labels, with the same number of updates. The file has the keys of a run and also "
        "`methods` (by name, the keys of `student` and `labels` in which each method differs), `seeds` (default 1, 2 "
        "and 3) and `baseline` (the method that the others are compared with; default: the first). Tables are in "
        "comparison.md, .html and .json in the run directory, updated after every student.",
        {"CONFIG.yaml": "File with the keys of a run and with methods."},
        (CompareOptions, RunConfig),
        ("configs/compare-multi30k.yaml", "configs/compare-multi30k.yaml --only word,sequence --seeds 1,2 --jobs 2"),
        _run,
        resumes=lambda _: True,
    )
}
