"""Chooses among the teacher's candidates for each sentence, from a store, without decoding again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.chrf import CHRF

from distilmt import progress
from distilmt.config import LabelConfig
from distilmt.labels.store import LabelRow, LabelStore, LabelWriter, rows_of
from distilmt.labels.write import Asker, LabelJob

Utility = Callable[[str, str], float]


def utility(name: str, bleu_tokenizer: str = "13a") -> Utility:
    """How good a hypothesis is by a reference, 0 to 100: sentence chrF, or sentence BLEU with add-one smoothing."""
    metric = CHRF() if name == "chrf" else BLEU(smooth_method="add-k", effective_order=True, tokenize=bleu_tokenizer)
    return lambda hypothesis, reference: float(metric.sentence_score(hypothesis, [reference]).score)


def nearest(hypotheses: Sequence[str], reference: str, score: Utility) -> int:
    """The hypothesis nearest the reference: sequence-level interpolation (Kim & Rush 2016, section 3.3)."""
    return int(np.argmax([score(hypothesis, reference) for hypothesis in hypotheses]))


def consensus(hypotheses: Sequence[str], score: Utility) -> int:
    """The hypothesis with the highest mean utility by all others: minimum Bayes risk over the candidates.

    As in Finkelstein and Freitag (2023), whose utility is a neural metric; every candidate counts the same.
    """
    scores = [
        sum(score(hypothesis, other) for j, other in enumerate(hypotheses) if j != i)
        for i, hypothesis in enumerate(hypotheses)
    ]
    return int(np.argmax(scores))


def choose(store: LabelStore, job: LabelJob, score: Utility, directory: Path) -> dict[str, Any]:
    """Write a store whose first hypothesis is the one chosen; go on where an earlier call was cut off.

    Words of the teacher are asked for anew where another hypothesis than the best was chosen.

    Args:
        store: the candidates.
        job: the teacher they are of; `job.config` says how to choose.
        score: the utility.
        directory: the new store.

    Returns:
        Counts, for the step's record.
    """
    config = job.config
    header = {key: store.manifest[key] for key in ("teacher", "tokenizer", "decoding", "target_vocab_size")}
    writer = LabelWriter(directory, header | {"choice": [config.choose, config.utility]}, store.k)
    # The candidates are there: no translator is needed, and nothing is exported for one.
    asker = Asker(replace(job, config=replace(config, hypotheses=0)), directory)
    changed = 0
    with progress.task("choosing", store.rows, "sentences", int(writer.manifest["rows"])) as bar:
        for number, table in enumerate(store.shards()):
            rows = rows_of(table, store.k)
            picked = [_pick(row, config, score) for row in rows]
            changed += sum(index > 0 for index in picked)
            if number >= writer.done():
                writer.write_shard(_reordered(rows, picked, asker))
                bar.advance(len(rows))
    writer.finish()
    return {"sentences": store.rows, "changed": changed}


def _pick(row: LabelRow, config: LabelConfig, score: Utility) -> int:
    texts = [text for text, _, _ in row.hypotheses]
    if len(texts) < 2 or (config.choose == "nearest" and not row.reference):
        return 0
    return nearest(texts, row.reference or "", score) if config.choose == "nearest" else consensus(texts, score)


def _reordered(rows: Sequence[LabelRow], picked: Sequence[int], asker: Asker) -> list[LabelRow]:
    """Rows with the hypothesis picked in front."""
    others = [i for i, index in enumerate(picked) if index > 0]
    tokens = [rows[i].hypotheses[picked[i]][1] for i in others]
    tops = dict(zip(others, asker.words([rows[i].source for i in others], tokens), strict=True)) if others else {}
    found = []
    for i, (row, index) in enumerate(zip(rows, picked, strict=True)):
        rest = [h for j, h in enumerate(row.hypotheses) if j != index]
        hypotheses = [row.hypotheses[index], *rest] if row.hypotheses else []
        found.append(replace(row, hypotheses=hypotheses, top=tops.get(i, row.top)))
    return found
