"""`distilmt publish RUN_DIR OWNER/NAME`: upload an exported model of a run to the Hugging Face hub."""

from __future__ import annotations

from pathlib import Path

from distilmt.cli.command import Command
from distilmt.cli.output import Output
from distilmt.config import loading
from distilmt.config.commands import PublishConfig


def _run(arguments: list[str], output: Output) -> int:
    config = loading.load_publish(arguments)
    from distilmt.recipes.publish import publish

    url = publish(Path(config.path), config.repository, config.system, config.private, config.license)
    output.result({"url": url}, url)
    return 0


COMMANDS = {
    "publish": Command(
        "publish",
        "Uploads an exported model of a run to the Hugging Face hub, with its model card: languages, license, teacher, "
        "and the scores on the test set with sacreBLEU's signatures. Needs the extra hub and a token with write access "
        "(`hf auth login`, or HF_TOKEN).",
        {"RUN_DIR": "A run directory.", "OWNER/NAME": "Name on the hub."},
        (PublishConfig,),
        ("runs/demo OWNER/NAME", "runs/demo OWNER/NAME --system compressed --private --license cc-by-4.0"),
        _run,
    )
}
