"""Writes a label store: shards of sentences, each asked of the teacher here or on a cluster."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from distilmt.labels import ray_executor
from distilmt.labels.ensemble import LabelJob
from distilmt.labels.label_cache import Kept
from distilmt.labels.labeling import Asker
from distilmt.labels.rows import Shard
from distilmt.labels.store import LabelWriter
from distilmt.labels.trial import Trial
from distilmt.models.checkpoint import weights_fingerprint
from distilmt.teachers import existing
from distilmt.teachers.response_cache import totals
from distilmt.utils import progress
from distilmt.utils.errors import UserError
from distilmt.utils.run_dir import fingerprint_files


def label(
    shards: Iterable[pa.Table], total: int, job: LabelJob, directory: Path, before: Sequence[Path] = ()
) -> dict[str, Any]:
    """Write a label store; go on where an earlier call was cut off.

    Args:
        shards: the sentences, `job.config.shard_size` a table: columns id, source and target (the reference, may be
            null). They are taken as they are needed; those that were labelled by an earlier call are passed over.
        total: sentences of all shards.
        job: who is asked, and what.
        directory: the store.
        before: other stores: what they hold of the same teacher's answers is taken from there.

    Returns:
        Counts, for the step's record; `seconds_per_sentence` of those that were asked by this call, None without any.

    Raises:
        UserError: word distributions are wanted of a teacher that has another vocabulary; its first hypotheses are of
            no use; or `cluster.ask`'s.
    """
    outside = existing.pointer(job.teacher)
    if outside and job.wants_words:
        raise UserError(
            f"teacher {outside['name']!r} has another vocabulary than the tokenizer, so it cannot give word "
            "distributions: set labels.top_k and student.objective.word to 0, or for a Marian teacher tokenizer.path "
            "to its directory"
        )
    header = _header(job, outside)
    writer, kept = LabelWriter(directory, header, job.config.top_k), Kept(before, header, job.config.top_k)
    asked, again, seconds = 0, 0, 0.0
    begun = int(writer.manifest["rows"])
    waiting: dict[int, pa.Table] = {}
    trial = Trial(job)
    with progress.task("labelling", total, "sentences", begun) as bar:
        rest = _unknown(shards, writer, kept, waiting)
        on_cluster = job.config.engine == "ray"
        for number, shard in (
            ray_executor.ask(rest, job, directory) if on_cluster else _ask(rest, job, directory, trial)
        ):
            sentences = waiting.pop(number)
            asked, again, seconds = asked + shard.rows, again + shard.decoded_again, seconds + shard.seconds
            writer.add(kept.completed(sentences, shard), number)
            bar.advance(sentences.num_rows)
            trial.after(shard)
    writer.finish()
    told: dict[str, Any] = {"reused": writer.manifest["rows"] - begun - asked}
    told |= {"seconds_per_sentence": seconds / asked if asked else None}
    told |= {"decoded_again": again} if again else {}
    told |= {"answers": answers} if (answers := _answer_totals(outside)) else {}
    return {"sentences": total, "shards": len(writer.done())} | told


def _answer_totals(outside: dict[str, Any] | None) -> dict[str, float]:
    """What a program's or server's answers to this run came to, all calls together; it is shown as well."""
    path = (outside or {}).get("answers")
    counts = {what: much for what, much in totals(Path(path)).items() if much} if path else {}
    if outside and counts:
        amounts = ", ".join(f"{what.replace('_', ' ')} {much:,.10g}" for what, much in counts.items())
        progress.say(f"answers of {outside['name']} in this run: {amounts}")
    return counts


def _unknown(
    shards: Iterable[pa.Table], writer: LabelWriter, kept: Kept, waiting: dict[int, pa.Table]
) -> Iterator[tuple[int, pa.Table]]:
    """Numbers of the shards that are missing, and what of them is not kept; a shard that is kept whole is written."""
    done = writer.done()
    for number, sentences in enumerate(shards):
        if number in done:
            continue
        unknown = sentences.filter(pa.array(~kept.known(sentences)))
        if unknown.num_rows:
            waiting[number] = sentences
            yield number, unknown
        else:
            writer.add(kept.completed(sentences, None), number)


def _ask(
    shards: Iterable[tuple[int, pa.Table]], job: LabelJob, directory: Path, trial: Trial
) -> Iterator[tuple[int, Shard]]:
    """Label in this process, one shard after another; the teacher is loaded when there is one to be labelled."""
    asker = None
    for number, sentences in shards:
        asker = asker or Asker(job, directory)
        trial.before(asker.speakers, sentences)
        yield number, asker.shard(sentences)


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


def _header(job: LabelJob, outside: dict[str, Any] | None) -> dict[str, Any]:
    """What a store's labels depend on."""
    files = fingerprint_files(job.teacher / existing.POINTER) if outside else weights_fingerprint(job.teacher)
    others = [_weights(Path(path)) for path in job.config.ensemble]
    return ({"speaker": weights_fingerprint(job.speaker)} if job.speaker else {}) | {
        "teacher": "+".join([files, *others]),
        "tokenizer": job.tokenizer.fingerprint,
        "decoding": {k: v for k, v in asdict(job.config).items() if k in _DECODING and (v or k != "sampling")},
        "target_vocab_size": len(job.tokenizer.target.pieces),
    }


def _weights(path: Path) -> str:
    """Stands for a model of an ensemble: CTranslate2's, or of safetensors."""
    return fingerprint_files(path / "model.bin") if (path / "model.bin").exists() else weights_fingerprint(path)


_DECODING = ("beam_size", "hypotheses", "length_penalty", "compute_type", "score_on", "sampling")
