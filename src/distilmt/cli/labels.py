"""`distilmt labels ACTION DIR …`: operations on whole label stores."""

from __future__ import annotations

import typing

from distilmt.cli.command import Command
from distilmt.cli.output import Output
from distilmt.config import loading
from distilmt.config.commands import LabelsConfig


def _run(arguments: list[str], output: Output) -> int:
    config = loading.load_labels(arguments)
    with output.progress():
        from distilmt.recipes import label_stores

        text, summary = label_stores.run(config)
    output.result(summary, text)
    return 0


COMMANDS = {
    "labels": Command(
        "labels",
        "Operations on label stores, the directories named `labels` of runs. check DIR: unique ids, checksums, "
        "positions equal to tokens; of an unfinished store its finished part. info DIR: teacher, tokenizer, decoding, "
        "rows, tokens, bytes. merge OUT DIR DIR ...: several stores into one. split DIR OUT: OUT/part-1, part-2, ... "
        "by --parts, --first or --ids. select DIR OUT: choose one or several hypotheses again; nothing is translated "
        "again.",
        {"ACTION": "check, info, merge, split or select.", "DIR ...": "Label stores."},
        (LabelsConfig,),
        (
            "check runs/demo/labels",
            "merge all/labels one/labels two/labels --prefix_ids",
            "split runs/demo/labels parts --parts 3",
            "select runs/demo/labels selected --rerank mbr --n_best 2",
        ),
        _run,
        choices={"ACTION": typing.get_args(typing.get_type_hints(LabelsConfig)["action"])},
    )
}
