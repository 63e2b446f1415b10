"""Writes a label store: shards of sentences, asked of the teacher one after another."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from distilmt import progress
from distilmt.errors import UserError
from distilmt.labels.ask import Asker, LabelJob
from distilmt.labels.reuse import Kept
from distilmt.labels.rows import table_of
from distilmt.labels.store import LabelWriter
from distilmt.rundir import fingerprint_files
from distilmt.teachers import external
from distilmt.teachers.local import weights_fingerprint


def label(
    shards: Iterable[pa.Table], total: int, job: LabelJob, directory: Path, before: Sequence[Path] = ()
) -> dict[str, Any]:
    """Write a label store; go on where an earlier call was cut off.

    Args:
        shards: the sentences, `job.config.shard_size` a table: columns id, source and target (the reference, may be
            null). They are taken one by one; those that were labelled by an earlier call are passed over.
        total: sentences of all shards.
        job: who is asked, and what.
        directory: the store.
        before: other stores: what they hold of the same teacher's answers is taken from there.

    Returns:
        Counts, for the step's record; `seconds_per_sentence` of those that were asked by this call, None without any.

    Raises:
        UserError: word distributions are wanted of a teacher that has another vocabulary.
    """
    outside = external.pointer(job.teacher)
    if outside and job.wants_words:
        raise UserError(
            f"teacher {outside!r} has another vocabulary than the tokenizer, so it cannot give word distributions: "
            "set labels.top_k and student.objective.word to 0, or for a Marian teacher tokenizer.path to its directory"
        )
    header = _header(job, outside)
    writer, kept = LabelWriter(directory, header, job.config.top_k), Kept(before, header, job.config.top_k)
    done, asker, asked, reused, seconds = writer.done(), None, 0, 0, 0.0
    labelled = min(done * job.config.shard_size, total)
    with progress.task("labelling", total, "sentences", labelled) as bar:
        for sentences in islice(shards, done, None):
            unknown = sentences.filter(pa.array(~kept.known(sentences)))
            asker = asker or (Asker(job, directory) if unknown.num_rows else None)
            begin = time.monotonic()
            rows = asker.label(unknown) if asker and unknown.num_rows else []
            seconds += time.monotonic() - begin
            writer.write_shard(kept.whole(sentences, table_of(rows, writer.schema)))
            asked, reused = asked + len(rows), reused + sentences.num_rows - len(rows)
            bar.advance(sentences.num_rows)
    writer.finish()
    pace = seconds / asked if asked else None
    return {"sentences": total, "shards": writer.done(), "reused": reused, "seconds_per_sentence": pace}


def drawn(total: int, most: int | None, seed: tuple[int, ...]) -> np.ndarray:
    """Which of so many sentences are labelled, `most` of them at random: [total] bool."""
    flags = np.ones(total, dtype=bool)
    if most is not None and most < total:
        flags[np.random.default_rng(seed).permutation(total)[most:]] = False
    return flags


def seconds_per_sentence(sentences: pa.Table, job: LabelJob, directory: Path) -> float:
    """How long the teacher takes for a sentence on this machine, measured on the sentences given."""
    asker = Asker(job, directory)
    asker.label(sentences.slice(0, 32))
    begin = time.monotonic()
    asker.label(sentences)
    return (time.monotonic() - begin) / max(1, sentences.num_rows)


def _header(job: LabelJob, outside: str | None) -> dict[str, Any]:
    """What a store's labels depend on."""
    files = fingerprint_files(job.teacher / external.POINTER) if outside else weights_fingerprint(job.teacher)
    others = [weights_fingerprint(Path(path)) for path in job.config.ensemble]
    return ({"speaker": weights_fingerprint(job.speaker)} if job.speaker else {}) | {
        "teacher": "+".join([files, *others]),
        "tokenizer": job.tokenizer.fingerprint,
        "decoding": {k: v for k, v in asdict(job.config).items() if k in _DECODING and (v or k != "sampling")},
        "target_vocab_size": len(job.tokenizer.target.pieces),
    }


_DECODING = ("beam_size", "hypotheses", "length_penalty", "compute_type", "score_on", "sampling")
