"""`distilmt labels`: label stores checked, described, merged, split and selected from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from distilmt.config import LabelConfig
from distilmt.config.commands import LabelsConfig
from distilmt.labels.store import LabelStore
from distilmt.utils.errors import UserError

CommandOutput = tuple[str, dict[str, Any]]
"""A text for people, and the same for machines."""


def run(config: LabelsConfig) -> CommandOutput:
    """Do what is asked.

    Raises:
        UserError: a store cannot be used for that.
    """
    actions = {"check": _check, "info": _info, "merge": _merge, "split": _split, "select": _select}
    return actions[config.action](config, [Path(path) for path in config.paths])


def _check(config: LabelsConfig, paths: list[Path]) -> CommandOutput:
    store = LabelStore(paths[0], unfinished=True)
    store.check()
    summary = {"rows": store.rows, "shards": len(store.manifest["shards"]), "complete": store.complete}
    if store.complete:
        return f"{paths[0]}: {store.rows} sentences, all there and whole", summary
    return (
        f"{paths[0]}: {store.rows} sentences in {summary['shards']} shards, all whole; it is not finished: "
        "run `distilmt label` again, it goes on",
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
            "nothing to select by: give --rerank oracle or mbr, --n_best 2 or more, or --backward_model DIR"
        )
    score = utility(config.rerank_metric, tokenizer_for(config.target))
    summary = rerank(store, labels, _scoring_task(store, config, labels) if store.k else None, score, paths[1])
    return "\n".join(f"{key}: {value}" for key, value in summary.items()), summary


def _scoring_task(store: LabelStore, config: LabelsConfig, labels: LabelConfig) -> Any:
    """The teachers a store was made with, to be asked for words of what is chosen.

    Raises:
        UserError: these are others, or none was named.
    """
    from distilmt.data import tokenizer as tokenizers
    from distilmt.labels.ensemble import LabelingTask
    from distilmt.models.checkpoint import weights_fingerprint

    default_directory = store.directory.parent / "teacher"
    teachers = [Path(path) for path in config.teachers] or [default_directory] * default_directory.is_dir()
    if "+".join(weights_fingerprint(path) for path in teachers) != store.manifest["teacher"]:
        raise UserError(
            f"{store.directory} holds words of its teacher, which is asked again for what is chosen: name its "
            f"directory, and those of an ensemble, with --teachers{' (these are others)' * bool(teachers)}"
        )
    tokenizer = tokenizers.load(teachers[0])
    store.require(tokenizer.fingerprint)
    return LabelingTask(teachers[0], tokenizer, labels, "", "", needs_top_k=True)
