"""Commands that use the results of a run: compression, label stores, the server."""

from __future__ import annotations

import json
import logging

from distilmt.cli.output import show_progress, show_table, take_flags

_LABELS_USAGE = """Usage: distilmt labels ACTION DIR ... [--json] [--KEY VALUE ...]

  check DIR            check unique ids, checksums, positions equal to tokens; for an unfinished store its finished part
  info DIR             teacher, tokenizer, decoding, rows, tokens, bytes
  merge OUT DIR DIR …  merge several stores into one
  split DIR OUT        OUT/part-1, part-2 …: --parts 3, --first 10000 or --ids FILE
  select DIR OUT       choose one or several hypotheses again: --rerank mbr, --n_best 2; nothing is translated again"""


def compress(arguments: list[str]) -> int:
    """`distilmt compress RUN_DIR`: find the smallest or fastest model within the quality constraint."""
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
    """`distilmt labels check|info|merge|split|select`: operations on whole label stores."""
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
    """`distilmt serve MODEL…`: serve translations over HTTP until stopped."""
    from distilmt.config import fields, loading
    from distilmt.config.commands import ServeConfig

    if not arguments or {"-h", "--help"} & set(arguments):
        print(f"Usage: distilmt serve RUN_OR_MODEL_DIR… [--KEY VALUE ...]\n\n{fields.describe(ServeConfig)}")
        return 0
    arguments, flags = take_flags(arguments)
    config = loading.load_serve(arguments)
    show_progress(flags)
    from distilmt.serving import server

    # It logs errors of clients, which they get as responses.
    logging.getLogger("python_multipart").setLevel(logging.CRITICAL)
    server.run(config)
    return 0
