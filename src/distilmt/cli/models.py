"""Commands that begin with what a run left: smaller models, label stores, a server."""

from __future__ import annotations

import json

from distilmt.cli.output import show_progress, show_table, take_flags

_LABELS_USAGE = """Usage: distilmt labels ACTION DIR ... [--json] [--KEY VALUE ...]

  check DIR            every id once, checksums right, positions equal to tokens; of an unfinished store what is there
  info DIR             teacher, tokenizer, decoding, rows, tokens, bytes
  merge OUT DIR DIR …  one store of several
  split DIR OUT        OUT/part-1, part-2 …: --parts 3, --first 10000 or --ids FILE
  select DIR OUT       another hypothesis first, or several: --rerank mbr, --n_best 2; nothing is translated again"""


def compress(arguments: list[str]) -> int:
    """`distilmt compress RUN_DIR`: the smallest or fastest model that loses no more than was allowed."""
    from distilmt.config import fields, loading
    from distilmt.config.commands import CompressConfig

    if not arguments or {"-h", "--help"} & set(arguments):
        print(f"Usage: distilmt compress RUN_DIR [--KEY VALUE ...]\n\n{fields.describe(CompressConfig)}")
        return 0
    arguments, flags = take_flags(arguments)
    config, run_config = loading.load_compress(arguments)
    show_progress(flags)
    from distilmt.recipes import compress as compression

    directory = compression.run(config, run_config)
    show_table(directory / "budget", flags)
    return 0


def labels(arguments: list[str]) -> int:
    """`distilmt labels check|info|merge|split|select`: what is done with whole label stores."""
    from distilmt.config import fields, loading
    from distilmt.config.commands import LabelsConfig

    if not arguments or {"-h", "--help"} & set(arguments):
        print(f"{_LABELS_USAGE}\n\n{fields.describe(LabelsConfig)}")
        return 0 if arguments else 2
    arguments, flags = take_flags(arguments)
    config = loading.load_labels(arguments)
    show_progress(flags)
    from distilmt.recipes import label_stores

    text, summary = label_stores.run(config)
    if "--quiet" not in flags:
        print(json.dumps(summary, ensure_ascii=False) if "--json" in flags else text)
    return 0


def serve(arguments: list[str]) -> int:
    """`distilmt serve MODEL…`: translate for others until stopped."""
    from distilmt.config import fields, loading
    from distilmt.config.commands import ServeConfig

    if not arguments or {"-h", "--help"} & set(arguments):
        print(f"Usage: distilmt serve RUN_OR_MODEL_DIR… [--KEY VALUE ...]\n\n{fields.describe(ServeConfig)}")
        return 0
    arguments, flags = take_flags(arguments)
    config = loading.load_serve(arguments)
    show_progress(flags)
    from distilmt.serving import server

    server.run(config)
    return 0
