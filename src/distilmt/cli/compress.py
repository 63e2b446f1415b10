"""`distilmt compress RUN_DIR`: find the smallest or fastest model within the quality constraint."""

from __future__ import annotations

from distilmt.cli.command import Command
from distilmt.cli.output import Output
from distilmt.config import loading
from distilmt.config.commands import CompressConfig


def _run(arguments: list[str], output: Output) -> int:
    config, run_config = loading.load_compress(arguments)
    with output.progress():
        from distilmt.recipes import compress

        directory = compress.run(config, run_config)
    output.table(directory / "ablation")
    return 0


COMMANDS = {
    "compress": Command(
        "compress",
        "Finds the smallest or fastest version of a run's student that loses no more quality than is allowed: layers, "
        "feed-forward units and tokens are removed, weights quantized. The result is compressed/model in the run "
        "directory; compressed/ablation.html has the cost and gain of each change.",
        {"RUN_DIR": "A run directory with a trained student."},
        (CompressConfig,),
        ("runs/demo --max-drop 0.5 --metric bleu", "runs/demo --objective fastest --jobs 2"),
        _run,
        resumes=lambda _: True,
    )
}
