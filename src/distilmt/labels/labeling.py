"""Labels of the teacher: translations by beam search, and top-k probabilities by forced decoding."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa

from distilmt.data import tokenizer as tokenizers
from distilmt.data.tokenizer import EOS
from distilmt.inference.base import Hypothesis
from distilmt.labels.ensemble import LabelingTask, TeacherEnsemble
from distilmt.labels.rows import LabelRow, Shard, schema_of, shard_of
from distilmt.models.batch import make_batch
from distilmt.models.checkpoint import load_model
from distilmt.teachers import existing
from distilmt.teachers.top_k import SCORING_TOKENS, TopKScorer
from distilmt.training.batching import Ragged, token_batches
from distilmt.utils.errors import UserError


def _check_shared_vocabulary(path: Path, job: LabelingTask) -> None:
    if tokenizers.load(path).fingerprint != job.tokenizer.fingerprint:
        raise UserError(
            f"labels.ensemble contains {path}, which has another vocabulary than the teacher: train it with "
            "tokenizer.path set to the teacher's tokenizer, or remove it"
        )


class Labeler:
    """The teachers, loaded in both forms: CTranslate2 for translations, torch for top-k probabilities."""

    def __init__(self, job: LabelingTask, directory: Path) -> None:
        self.job = job
        self.shares_vocabulary = existing.read_pointer(job.teacher) is None
        teachers = [job.teacher, *map(Path, job.config.ensemble)]
        for path in teachers[1:] if self.shares_vocabulary else []:
            _check_shared_vocabulary(path, job)
        self.ensemble = TeacherEnsemble(job, directory) if job.config.num_hypotheses else None
        self.scorer = None
        if job.needs_top_k:
            self.scorer = TopKScorer([load_model(path) for path in teachers], job.tokenizer, job.config.top_k)
        self.token_ids = {token: i for i, token in enumerate(job.tokenizer.target.tokens)}

    @property
    def decoded_again(self) -> int:
        """Sentences decoded again in float32 because the low-precision output was degenerate."""
        return self.ensemble.decoded_again if self.ensemble else 0

    def shard(self, sentences: pa.Table) -> Shard:
        """Label sentences; returns the file of a shard."""
        before, usage_before, begin = self.decoded_again, self._unstored_usage(), time.monotonic()
        shard = shard_of(self.label(sentences), schema_of(len(self.job.tokenizer.target.tokens)))
        usage = self._unstored_usage()
        usage.subtract(usage_before)
        return replace(
            shard, decoded_again=self.decoded_again - before, seconds=time.monotonic() - begin, usage=dict(usage)
        )

    def _unstored_usage(self) -> Counter[str]:
        return self.ensemble.unstored_usage() if self.ensemble else Counter()

    def label(self, sentences: pa.Table) -> list[LabelRow]:
        """Label sentences; returns rows in their order."""
        sources, references = sentences["source"].to_pylist(), sentences["target"].to_pylist()
        n_best_lists = self.ensemble.translate(sources) if self.ensemble else [[] for _ in sources]
        tokens = [[self._tokens(h) for h in hypotheses] for hypotheses in n_best_lists]
        wants = self.job.config.score_on
        first = [t[0] if t else [] for t in tokens]
        on_hypothesis = self.score_top_k(sources, first) if wants != "reference" else [None] * len(sources)
        reference_tokens = self._reference_tokens(references)
        on_reference = self.score_top_k(sources, reference_tokens) if wants != "hypothesis" else [None] * len(sources)
        return [
            LabelRow(
                id=identity,
                source=source,
                reference=reference,
                hypotheses=[(h.text, t, h.score) for h, t in zip(hypotheses, ids, strict=True)],
                top=top,
                reference_tokens=ref_ids if wants != "hypothesis" else None,
                reference_top=ref_top,
            )
            for identity, source, reference, hypotheses, ids, top, ref_ids, ref_top in zip(
                sentences["id"].to_pylist(),
                sources,
                references,
                n_best_lists,
                tokens,
                on_hypothesis,
                reference_tokens,
                on_reference,
                strict=True,
            )
        ]

    def _tokens(self, hypothesis: Hypothesis) -> list[int]:
        """Ids with `</s>`: the teacher's own tokens if it shares the vocabulary, else its text tokenized again."""
        if not self.shares_vocabulary:
            return self.job.tokenizer.target.encode([hypothesis.text])[0]
        return [*(self.token_ids[token] for token in hypothesis.tokens), EOS]

    def _reference_tokens(self, references: Sequence[str | None]) -> list[list[int]]:
        encoded = self.job.tokenizer.target.encode([r or "" for r in references])
        return [ids if r else [] for ids, r in zip(encoded, references, strict=True)]

    def score_top_k(self, sources: list[str], targets: list[list[int]]) -> list[tuple[np.ndarray, np.ndarray] | None]:
        """Top-k ids and log-probabilities, [positions, k] each, of every target; None if it is empty or too long."""
        top_k: list[tuple[np.ndarray, np.ndarray] | None] = [None] * len(sources)
        if self.scorer is None:
            return top_k
        longest = self.scorer.max_length
        source = Ragged.of(self.job.tokenizer.source.encode(sources))
        target = Ragged.of(targets)
        widths = np.maximum(source.lengths, target.lengths)
        rows = np.flatnonzero((target.lengths > 0) & (widths <= longest))
        for part in (
            rows[batch] for batch in token_batches(source.lengths[rows], target.lengths[rows], SCORING_TOKENS)
        ):
            ids, values = self._score(source, target, part)
            ends = np.cumsum(target.lengths[part])[:-1]
            for row, top, logprobs in zip(part, np.split(ids, ends), np.split(values, ends), strict=True):
                top_k[row] = (top, logprobs)
        return top_k

    def _score(self, source: Ragged, target: Ragged, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        assert self.scorer is not None
        batch = make_batch(
            source.flat[source.positions(rows)].astype(np.int64),
            source.lengths[rows],
            target.flat[target.positions(rows)].astype(np.int64),
            target.lengths[rows],
            self.job.tokenizer.pad,
        )
        return self.scorer(batch)
