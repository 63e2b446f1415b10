"""`distilmt labels`: check, describe, merge, split and select from label stores."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from distilmt.config import LabelConfig
from distilmt.config.commands import LabelsConfig
from distilmt.labels.store import LabelStore
from distilmt.utils.arguments import check_written_path
from distilmt.utils.errors import UserError
from distilmt.utils.run_paths import RunPaths
from distilmt.utils.step_results import to_record

CommandOutput = tuple[str, dict[str, Any]]
"""Text output, and the same as data."""


def run(config: LabelsConfig) -> CommandOutput:
    """Run the action of the command.

    Raises:
        UserError: a store cannot be used for it.
    """
    written = {"merge": 0, "split": 1, "select": 1}
    if config.action in written:
        check_written_path("the new store", config.paths[written[config.action]])
    actions = {"check": _check, "info": _info, "merge": _merge, "split": _split, "select": _select}
    return actions[config.action](config, [Path(path) for path in config.paths])


def _check(config: LabelsConfig, paths: list[Path]) -> CommandOutput:
    store = LabelStore(paths[0], unfinished=True)
    store.check()
    summary = {"rows": store.rows, "shards": len(store.manifest["shards"]), "complete": store.complete}
    if store.complete:
        return f"{paths[0]}: {store.rows} sentences, complete and intact", summary
    return (
        f"{paths[0]}: {store.rows} sentences in {summary['shards']} shards, all intact; it is not finished: "
        "run `distilmt label` again to resume",
        summary,
    )


def _info(config: LabelsConfig, paths: list[Path]) -> CommandOutput:
    from distilmt.labels.store_tools import describe

    description = describe(LabelStore(paths[0], unfinished=True))
    return "\n".join(f"{key}: {value}" for key, value in description.items()), description


def _merge(config: LabelsConfig, paths: list[Path]) -> CommandOutput:
    from distilmt.labels.store_tools import merge

    stores = [LabelStore(path) for path in paths[1:]]
    merge(stores, paths[0], config.prefix_ids)
    rows = sum(store.rows for store in stores)
    return f"{paths[0]}: {rows} sentences of {len(stores)} stores", {"rows": rows}


def _split(config: LabelsConfig, paths: list[Path]) -> CommandOutput:
    from distilmt.labels.store_tools import by_id_file, by_row_boundaries, split

    store, parts = LabelStore(paths[0]), config.parts or 2
    if config.ids:
        rows = split(store, paths[1], by_id_file(Path(config.ids)))
    elif config.first:
        rows = split(store, paths[1], by_row_boundaries([0, config.first]))
    else:
        rows = split(store, paths[1], by_row_boundaries([store.rows * part // parts for part in range(parts)]), parts)
    return "\n".join(f"{paths[1]}/part-{i}: {count} sentences" for i, count in enumerate(rows, 1)), {"rows": rows}


def _select(config: LabelsConfig, paths: list[Path]) -> CommandOutput:
    from distilmt.evaluation.quality import tokenizer_for
    from distilmt.labels.rerank import rerank, utility

    store = LabelStore(paths[0])
    labels = LabelConfig(
        rerank=config.rerank,
        rerank_metric=config.rerank_metric,
        n_best=config.n_best,
        backward_model=config.backward_model,
        top_k=store.k,
        ensemble=config.teachers[1:],
    )
    if not labels.selects:
        raise UserError(
            "nothing to select by: give --rerank oracle, mbr or likelihood, --n_best 2 or more, or --backward_model DIR"
        )
    score = utility(config.rerank_metric, tokenizer_for(config.target))
    summary = to_record(
        rerank(store, labels, _scoring_task(store, config, labels) if store.k else None, score, paths[1])
    )
    return "\n".join(f"{key}: {value}" for key, value in summary.items()), summary


def _scoring_task(store: LabelStore, config: LabelsConfig, labels: LabelConfig) -> Any:
    """The teachers of a store, to score the selected hypotheses.

    Raises:
        UserError: they are not the teachers of the store, or none was given.
    """
    from distilmt.data import tokenizer as tokenizers
    from distilmt.labels.ensemble import LabelingTask
    from distilmt.models.checkpoint import weights_fingerprint

    own_teacher = RunPaths(store.directory.parent).teacher
    teachers = [Path(path) for path in config.teachers]
    if not teachers and own_teacher.is_dir():
        teachers = [own_teacher]
    if "+".join(weights_fingerprint(path) for path in teachers) != store.manifest["teacher"]:
        raise UserError(
            f"{store.directory} contains top-k of its teacher, which must score the selected hypotheses: give its "
            f"directory, and those of an ensemble, with --teachers{' (these are others)' if teachers else ''}"
        )
    tokenizer = tokenizers.load(teachers[0])
    store.require(tokenizer.fingerprint)
    return LabelingTask(teachers[0], tokenizer, labels, "", "", needs_top_k=True)
