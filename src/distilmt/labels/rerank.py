"""Reranks the teacher's hypotheses in a store, without decoding again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from sacrebleu.metrics.bleu import BLEU

from distilmt.config import LabelConfig
from distilmt.labels.chrf import pairwise_chrf
from distilmt.labels.ensemble import LabelingTask
from distilmt.labels.labeling import Labeler
from distilmt.labels.manifest import label_header
from distilmt.labels.rows import LabelRow, rows_of
from distilmt.labels.store import LabelStore
from distilmt.labels.store_writer import LabelWriter
from distilmt.models.checkpoint import weights_fingerprint
from distilmt.teachers.backward_model import BackwardModel
from distilmt.utils import progress
from distilmt.utils.step_results import SelectionResult

Utility = Callable[[Sequence[str], Sequence[str]], np.ndarray]
"""Scores of H hypotheses against R references, [H, R]."""


def utility(name: str, bleu_tokenizer: str = "13a") -> Utility:
    """A metric of hypotheses against references, 0 to 100: sentence chrF, or sentence BLEU with add-one smoothing."""
    if name == "chrf":
        return pairwise_chrf
    metric = BLEU(smooth_method="add-k", effective_order=True, tokenize=bleu_tokenizer)

    def bleu(hypotheses: Sequence[str], references: Sequence[str]) -> np.ndarray:
        return np.array([[metric.sentence_score(h, [r]).score for r in references] for h in hypotheses])

    return bleu


def oracle_ranking(hypotheses: Sequence[str], reference: str, score: Utility) -> list[int]:
    """Order by similarity to the reference: sequence-level interpolation (Kim & Rush 2016, section 3.3)."""
    return _descending(score(hypotheses, [reference])[:, 0])


def mbr_ranking(hypotheses: Sequence[str], score: Utility) -> list[int]:
    """Order by mean utility against all others: minimum Bayes risk over the candidates.

    As in Finkelstein and Freitag (2023), who use a neural metric; every candidate has the same weight.
    """
    scores = score(hypotheses, hypotheses)
    np.fill_diagonal(scores, 0.0)
    return _descending(scores.sum(1).round(9))


def _descending(scores: np.ndarray) -> list[int]:
    """Indices of scores in descending order; stable for equal scores."""
    return np.argsort(-scores, kind="stable").tolist()  # type: ignore[no-any-return]


def rerank(
    store: LabelStore, config: LabelConfig, job: LabelingTask | None, score: Utility, directory: Path
) -> SelectionResult:
    """Write a store whose first hypothesis is the selected one; resumes an interrupted call.

    Each of the `config.n_best` best hypotheses gets its own row. If the selected hypothesis is not the first of the
    beam, the teacher scores its tokens again.

    Args:
        store: the candidates.
        config: settings of the selection.
        job: the teacher; None if the store has no top-k.
        score: the utility.
        directory: the new store.

    Returns:
        Counts, for the step's record.
    """
    writer = LabelWriter(directory, {**label_header(store.manifest), "choice": _choice(config)}, store.k)
    # The candidates exist: no translator is needed, so no export is written.
    labeler = Labeler(replace(job, config=replace(job.config, num_hypotheses=0)), directory) if job else None
    reverse = BackwardModel(config.backward_model) if config.backward_model else None
    changed = selected = 0
    done = writer.done()
    rows_before = sum(int(shard["rows"]) for number, shard in enumerate(store.manifest["shards"]) if number in done)
    with progress.task("reranking", store.rows, "sentences", rows_before) as bar:
        for number, table in enumerate(store.shards()):
            rows = rows_of(table, store.k)
            rankings = [_ranking(row, config, score) for row in rows]
            changed += sum(order[:1] not in ([], [0]) for order in rankings)
            selected += sum(map(len, rankings))
            if number not in done:
                chosen = _reordered_rows(rows, rankings, labeler)
                writer.write_shard(_with_backward_scores(chosen, reverse) if reverse else chosen, number)
                bar.advance(len(rows))
    writer.finish()
    return SelectionResult(store.rows, changed, selected)


def _choice(config: LabelConfig) -> list[object]:
    """What the selection depends on, for the header of its store."""
    backward = config.backward_model and weights_fingerprint(Path(config.backward_model))
    return [config.rerank, config.rerank_metric, config.n_best, backward]


def _with_backward_scores(rows: Sequence[LabelRow], reverse: BackwardModel) -> list[LabelRow]:
    """Rows with the backward score of the first hypothesis."""
    indices = [index for index, row in enumerate(rows) if row.hypotheses and row.hypotheses[0][0]]
    pairs = [(rows[index].source, rows[index].hypotheses[0][0]) for index in indices]
    scores = dict(zip(indices, reverse.scores(*map(list, zip(*pairs, strict=True))), strict=True)) if pairs else {}
    return [replace(row, reverse=scores.get(index)) for index, row in enumerate(rows)]


def _ranking(row: LabelRow, config: LabelConfig, score: Utility) -> list[int]:
    """Indices of the hypotheses to train on, without duplicate texts."""
    texts = [text for text, _, _ in row.hypotheses]
    order = list(range(len(texts)))
    if len(texts) > 1 and config.rerank == "mbr":
        order = mbr_ranking(texts, score)
    elif len(texts) > 1 and config.rerank == "oracle" and row.reference:
        order = oracle_ranking(texts, row.reference, score)
    elif config.rerank == "likelihood":
        order = _descending(np.array([likelihood for _, _, likelihood in row.hypotheses]))
    first: dict[str, int] = {}
    for index in order:
        first.setdefault(texts[index], index)
    return list(first.values())[: config.n_best]


def _reordered_rows(rows: Sequence[LabelRow], rankings: Sequence[list[int]], labeler: Labeler | None) -> list[LabelRow]:
    """One row per selected hypothesis, with that one first; a row without hypotheses stays unchanged."""
    others = [(i, index) for i, indices in enumerate(rankings) for index in indices if index > 0]
    tokens = [rows[i].hypotheses[index][1] for i, index in others]
    tops = labeler.score_top_k([rows[i].source for i, _ in others], tokens) if others and labeler else []
    top_by_hypothesis = dict(zip(others, tops, strict=True)) if labeler else {}
    new_rows = []
    for i, (row, indices) in enumerate(zip(rows, rankings, strict=True)):
        for number, index in enumerate(indices or [0]):
            alternatives = [h for j, h in enumerate(row.hypotheses) if j != index]
            hypotheses = [row.hypotheses[index], *alternatives] if row.hypotheses else []
            name = f"{row.id}#{number + 1}" if number else row.id
            new_rows.append(
                replace(row, id=name, hypotheses=hypotheses, top=top_by_hypothesis.get((i, index), row.top))
            )
    return new_rows
