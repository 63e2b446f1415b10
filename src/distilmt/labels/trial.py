"""Check a teacher's first hypotheses before thousands of sentences are labeled."""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from distilmt.labels.ensemble import LabelingTask, TeacherEnsemble
from distilmt.labels.rows import Shard
from distilmt.labels.selection import SentenceTexts, filter_hypotheses
from distilmt.teachers import existing
from distilmt.utils.errors import UserError

logger = logging.getLogger(__name__)

SIZE = 100
"""Sentences that are checked."""
_LEAST = 50
"""Minimum number of sentences: `dataset.check_dropped` checks all of them before training."""
_LOUD_SHARE = 0.1
_MOST_SHARE, _MOST_SHARE_OWN = 0.9, 0.99
"""Above this share the teacher is unusable; higher for one that the run trained, as in `dataset.check_dropped`."""
_EXAMPLE = 80


class TeacherCheck:
    """Checks the first hypotheses of a teacher, once."""

    def __init__(self, job: LabelingTask) -> None:
        self._job = job
        self._is_external = existing.read_pointer(job.teacher) is not None
        self._done = not job.config.num_hypotheses
        self._sources: list[str] = []
        self._references: list[str | None] = []
        self._hypotheses: list[str] = []

    def on_shard_begin(self, ensemble: TeacherEnsemble | None, sentences: pa.Table) -> None:
        """Check the beginning of a large shard before all of it is labeled.

        The hypotheses are decoded again with the shard, so that its bytes do not depend on this check: responses of
        a server are cached, and for a model a hundred sentences are cheap.

        Raises:
            UserError: nearly all are unusable.
        """
        if self._done or ensemble is None or sentences.num_rows < 5 * SIZE:
            return
        first = sentences.slice(0, SIZE)
        sources = first["source"].to_pylist()
        hypotheses = [n_best[0].text if n_best else "" for n_best in ensemble.translate(sources)]
        self._add(sources, first["target"].to_pylist(), hypotheses)

    def on_shard_end(self, shard: Shard) -> None:
        """Check the rows of a shard, together with earlier rows if there are few.

        Raises:
            UserError: nearly all are unusable.
        """
        if self._done:
            return
        columns = ["source", "reference", "hypotheses"]
        rows = pq.read_table(pa.BufferReader(shard.content), columns=columns).slice(0, SIZE)
        hypotheses = [n_best[0]["text"] if n_best else "" for n_best in rows["hypotheses"].to_pylist()]
        self._add(rows["source"].to_pylist(), rows["reference"].to_pylist(), hypotheses)

    def _add(self, sources: Sequence[str], references: Sequence[str | None], hypotheses: Sequence[str]) -> None:
        self._sources += sources
        self._references += references
        self._hypotheses += hypotheses
        if len(self._sources) >= _LEAST:
            self._done = True
            self._judge()

    def _judge(self) -> None:
        tokenizer = self._job.tokenizer
        tokens = tokenizer.target.encode(self._hypotheses)
        lengths = np.array([len(ids) for ids in tokenizer.source.encode(self._sources)])
        good, dropped = filter_hypotheses(
            np.array([i for ids in tokens for i in ids], dtype=np.int64),
            np.cumsum([0, *map(len, tokens)]),
            lengths,
            replace(self._job.config, max_ter=None),
            sys.maxsize,  # the length limit is the student's, not the teacher's
            SentenceTexts(self._sources, self._references, self._hypotheses),
        )
        share = 1 - float(good.mean())
        if share < _LOUD_SHARE:
            return
        text = self._message(int(np.argmin(good)), dropped)
        if share >= _MOST_SHARE if self._is_external else share > _MOST_SHARE_OWN and self._job.trains_on_hypotheses:
            raise UserError(f"{text}: {self._remedy()}")
        logger.warning(f"{text}: {self._remedy()}")

    def _message(self, row: int, dropped: dict[str, int]) -> str:
        reasons = ", ".join(f"{reason} {count:,}" for reason, count in sorted(dropped.items()))
        example = f"{_short(self._sources[row])} becomes {_short(self._hypotheses[row])}"
        total = len(self._sources)
        return (
            f"{sum(dropped.values()):,} of the teacher's first {total:,} hypotheses are unusable ({reasons}; {example})"
        )

    def _remedy(self) -> str:
        cause = "check teacher.path, teacher.command or teacher.url, the languages and teacher.source_prefix"
        cause = cause if self._is_external else "train the teacher longer or on more text"
        return f"{cause}, or loosen labels.max_repetition, max_length_ratio or drop_identical"


def _short(text: str) -> str:
    return repr(text if len(text) <= _EXAMPLE else text[: _EXAMPLE - 1] + "…")
