"""`distilmt serve MODEL…`: serve translations over HTTP until stopped."""

from __future__ import annotations

import logging

from distilmt.cli.command import Command
from distilmt.cli.output import Output
from distilmt.config import loading
from distilmt.config.commands import ServeConfig


def _run(arguments: list[str], output: Output) -> int:
    config = loading.load_serve(arguments)
    with output.progress():
        from distilmt.serving import server

        # It logs errors of clients, which they get as responses.
        logging.getLogger("python_multipart").setLevel(logging.CRITICAL)
        server.run(config)
    return 0


COMMANDS = {
    "serve": Command(
        "serve",
        "Serves exported models and run directories with LibreTranslate's API and a web page until it is stopped.",
        {
            "RUN_OR_MODEL ...": "Exported models, run directories, or models of the Hugging Face hub (hf:OWNER/NAME); "
            "en-it=DIR sets the languages of a model that does not declare them."
        },
        (ServeConfig,),
        ("runs/demo", "runs/demo en-de=models/ende --port 8080 --memory 1GB"),
        _run,
    )
}
