"""Asks the teacher: whole translations by beam search, and the distribution at every word with teacher forcing."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa

from distilmt.data import tokenizer as tokenizers
from distilmt.data.tokenizer import EOS
from distilmt.inference.base import Hypothesis
from distilmt.labels.ensemble import LabelJob, Speakers
from distilmt.labels.rows import LabelRow, Shard, schema_of, shard_of
from distilmt.models.checkpoint import load_marian
from distilmt.teachers import existing
from distilmt.teachers.marian import WordScorer
from distilmt.training.batching import Ragged, cut, make_batch
from distilmt.utils.errors import UserError

_BATCH_TOKENS = 3000


def _same_pieces(path: Path, job: LabelJob) -> None:
    if tokenizers.load(path).fingerprint != job.tokenizer.fingerprint:
        raise UserError(
            f"labels.ensemble names {path}, whose pieces are not those of the teacher: train it with tokenizer.path "
            "set to the teacher's tokenizer, or leave it out"
        )


class Asker:
    """The teachers, loaded in both their forms: CTranslate2 for translations, torch for word distributions."""

    def __init__(self, job: LabelJob, directory: Path) -> None:
        self.job = job
        self.own = existing.pointer(job.teacher) is None
        teachers = [job.teacher, *map(Path, job.config.ensemble)]
        for path in teachers[1:] if self.own else []:
            _same_pieces(path, job)
        self.speakers = Speakers(job, directory) if job.config.hypotheses else None
        self.scorer = None
        if job.wants_words:
            self.scorer = WordScorer([load_marian(path) for path in teachers], job.tokenizer, job.config.top_k)
        self.ids = {piece: i for i, piece in enumerate(job.tokenizer.target.pieces)}

    @property
    def decoded_again(self) -> int:
        """Sentences whose translation in a narrow type came to nothing, and that were translated in float32."""
        return self.speakers.decoded_again if self.speakers else 0

    def shard(self, sentences: pa.Table) -> Shard:
        """The labels of some sentences as a file of a store."""
        before, begin = self.decoded_again, time.monotonic()
        found = shard_of(self.label(sentences), schema_of(len(self.job.tokenizer.target.pieces)))
        return replace(found, decoded_again=self.decoded_again - before, seconds=time.monotonic() - begin)

    def label(self, sentences: pa.Table) -> list[LabelRow]:
        """The labels of some sentences, in order."""
        sources, references = sentences["source"].to_pylist(), sentences["target"].to_pylist()
        found = self.speakers.translate(sources) if self.speakers else [[] for _ in sources]
        tokens = [[self._tokens(h) for h in hypotheses] for hypotheses in found]
        wants = self.job.config.score_on
        first = [t[0] if t else [] for t in tokens]
        on_hypothesis = self.words(sources, first) if wants != "reference" else [None] * len(sources)
        reference_tokens = self._reference_tokens(references)
        on_reference = self.words(sources, reference_tokens) if wants != "hypothesis" else [None] * len(sources)
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
                found,
                tokens,
                on_hypothesis,
                reference_tokens,
                on_reference,
                strict=True,
            )
        ]

    def _tokens(self, hypothesis: Hypothesis) -> list[int]:
        """Ids with `</s>`: the teacher's own pieces where it shares the vocabulary, else its text in ours."""
        if not self.own:
            return self.job.tokenizer.target.encode([hypothesis.text])[0]
        return [*(self.ids[piece] for piece in hypothesis.tokens), EOS]

    def _reference_tokens(self, references: Sequence[str | None]) -> list[list[int]]:
        encoded = self.job.tokenizer.target.encode([r or "" for r in references])
        return [ids if r else [] for ids, r in zip(encoded, references, strict=True)]

    def words(self, sources: list[str], targets: list[list[int]]) -> list[tuple[np.ndarray, np.ndarray] | None]:
        """Top-k of every position of some targets; None where there is no target or it is too long to be scored."""
        answers: list[tuple[np.ndarray, np.ndarray] | None] = [None] * len(sources)
        if self.scorer is None:
            return answers
        longest = self.scorer.max_length
        source = Ragged.of(self.job.tokenizer.source.encode(sources))
        target = Ragged.of(targets)
        widths = np.maximum(source.lengths, target.lengths)
        rows = np.flatnonzero((target.lengths > 0) & (widths <= longest))
        for part in (rows[batch] for batch in cut(source.lengths[rows], target.lengths[rows], _BATCH_TOKENS)):
            ids, values = self._score(source, target, part)
            ends = np.cumsum(target.lengths[part])[:-1]
            for row, top, logprobs in zip(part, np.split(ids, ends), np.split(values, ends), strict=True):
                answers[row] = (top, logprobs)
        return answers

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
