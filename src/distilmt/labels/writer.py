"""Writes a label store: shards of sentences, labeled in this process or on a cluster."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa

from distilmt.config import LabelConfig
from distilmt.config.effects import keys_of
from distilmt.inference.teacher_reference import TeacherReference
from distilmt.labels import ray_executor
from distilmt.labels.ensemble import LabelingTask
from distilmt.labels.label_cache import LabelCache
from distilmt.labels.labeling import Labeler
from distilmt.labels.rows import Shard
from distilmt.labels.store_writer import LabelWriter
from distilmt.labels.trial import TeacherCheck
from distilmt.models.checkpoint import weights_fingerprint
from distilmt.teachers import existing
from distilmt.teachers.response_cache import totals
from distilmt.utils import progress
from distilmt.utils.errors import UserError
from distilmt.utils.json_types import JsonObject
from distilmt.utils.run_dir import fingerprint_files
from distilmt.utils.step_results import LabelResult

logger = logging.getLogger(__name__)


def write_label_store(
    shards: Iterable[pa.Table], total: int, job: LabelingTask, directory: Path, before: Sequence[Path] = ()
) -> LabelResult:
    """Write a label store; resumes an interrupted call.

    Args:
        shards: the sentences, `job.config.shard_size` per table: columns id, source and target (the reference, may be
            null). They are read on demand; those that an earlier call labeled are skipped.
        total: sentences of all shards.
        job: teacher and settings.
        directory: the store.
        before: other stores: their labels are reused if they are from the same teacher and settings.

    Returns:
        Counts, for the step's record; the seconds per sentence are of those that this call labeled.

    Raises:
        UserError: top-k is requested from a teacher with another vocabulary; its first hypotheses are unusable; or
            raised by `ray_executor.label_shards`.
    """
    pointer = existing.read_pointer(job.teacher)
    _check_top_k(pointer, job)
    header = _header(job, pointer)
    writer, cache = LabelWriter(directory, header, job.config.top_k), LabelCache(before, header, job.config.top_k)
    rows_before, labeled = int(writer.manifest["rows"]), _LabeledRows()
    with progress.task("labeling", total, "sentences", rows_before) as bar:
        for sentences, shard in _write_missing(shards, job, writer, cache):
            labeled.add(shard)
            bar.advance(sentences.num_rows)
    usage = _usage_totals(pointer, labeled.usage)
    writer.finish(usage)
    return LabelResult(
        sentences=total,
        shards=len(writer.done()),
        reused=int(writer.manifest["rows"]) - rows_before - labeled.rows,
        seconds_per_sentence=labeled.seconds / labeled.rows if labeled.rows else None,
        decoded_again=labeled.decoded_again or None,
        usage=usage or None,
    )


@dataclass
class _LabeledRows:
    """What this call labeled."""

    rows: int = 0
    decoded_again: int = 0
    seconds: float = 0.0
    usage: Counter[str] = field(default_factory=Counter)
    """Of workers, which store no responses."""

    def add(self, shard: Shard) -> None:
        """Count a shard."""
        self.rows += shard.rows
        self.decoded_again += shard.decoded_again
        self.seconds += shard.seconds
        self.usage.update(shard.usage)


def _write_missing(
    shards: Iterable[pa.Table], job: LabelingTask, writer: LabelWriter, cache: LabelCache
) -> Iterator[tuple[pa.Table, Shard]]:
    """Label and write the missing shards; yields the sentences of each, and those of them that were labeled."""
    waiting: dict[int, pa.Table] = {}
    check = TeacherCheck(job)
    missing_shards = _shards_to_label(shards, writer, cache, waiting)
    if job.config.executor == "ray":
        labeled_shards = ray_executor.label_shards(missing_shards, job, writer.directory)
    else:
        labeled_shards = _label_locally(missing_shards, job, writer.directory, check)
    for number, shard in labeled_shards:
        sentences = waiting.pop(number)
        writer.add(cache.complete_shard(sentences, shard), number)
        yield sentences, shard
        check.on_shard_end(shard)


def _check_top_k(pointer: TeacherReference | None, job: LabelingTask) -> None:
    """Refuse top-k probabilities of a teacher that has another vocabulary than the tokenizer."""
    if pointer and job.needs_top_k:
        raise UserError(
            f"teacher {pointer['name']!r} has another vocabulary than the tokenizer, so it has no top-k "
            "probabilities: set labels.top_k and student.objective.kd_weight to 0, or for a Marian teacher "
            "tokenizer.path to its directory"
        )


def _usage_totals(pointer: TeacherReference | None, of_workers: Mapping[str, float]) -> dict[str, float]:
    """Usage of a program or server in this run, summed over all calls, those of workers excepted; also logged."""
    path = pointer.get("cache_file") if pointer else None
    stored = totals(Path(path)) if path else {}
    summed = {kind: stored.get(kind, 0.0) + of_workers.get(kind, 0.0) for kind in (*stored, *of_workers)}
    counts = {kind: amount for kind, amount in summed.items() if amount}
    if pointer and counts:
        amounts = ", ".join(f"{kind.replace('_', ' ')} {amount:,.10g}" for kind, amount in counts.items())
        logger.info(f"usage of {pointer['name']} in this run: {amounts}")
    return counts


def _shards_to_label(
    shards: Iterable[pa.Table], writer: LabelWriter, cache: LabelCache, waiting: dict[int, pa.Table]
) -> Iterator[tuple[int, pa.Table]]:
    """Numbers of the missing shards with their uncached sentences; completely cached shards are written at once."""
    done = writer.done()
    for number, sentences in enumerate(shards):
        if number in done:
            continue
        unknown = sentences.filter(pa.array(~cache.contains(sentences)))
        if unknown.num_rows:
            waiting[number] = sentences
            yield number, unknown
        else:
            writer.add(cache.complete_shard(sentences, None), number)


def _label_locally(
    shards: Iterable[tuple[int, pa.Table]], job: LabelingTask, directory: Path, check: TeacherCheck
) -> Iterator[tuple[int, Shard]]:
    """Label in this process, one shard after another; the teacher is loaded for the first one."""
    labeler = None
    for number, sentences in shards:
        labeler = labeler or Labeler(job, directory)
        check.on_shard_begin(labeler.ensemble, sentences)
        yield number, labeler.shard(sentences)


def sample_mask(total: int, max_rows: int | None, seed: tuple[int, ...]) -> np.ndarray:
    """Random mask of `max_rows` sentences to label: [total] bool."""
    flags = np.ones(total, dtype=bool)
    if max_rows is not None and max_rows < total:
        flags[np.random.default_rng(seed).permutation(total)[max_rows:]] = False
    return flags


def seconds_per_sentence(sentences: pa.Table, job: LabelingTask, directory: Path) -> float:
    """Seconds per sentence of the teacher on this machine, measured on the given sentences."""
    labeler = Labeler(job, directory)
    labeler.label(sentences.slice(0, 32))
    begin = time.monotonic()
    labeler.label(sentences)
    return (time.monotonic() - begin) / max(1, int(sentences.num_rows))


def _header(job: LabelingTask, pointer: TeacherReference | None) -> JsonObject:
    """Header of a store: everything that its labels depend on."""
    files = fingerprint_files(job.teacher / existing.POINTER) if pointer else weights_fingerprint(job.teacher)
    others = [_weights(Path(path)) for path in job.config.ensemble]
    return ({"generation_model": weights_fingerprint(job.generation_model)} if job.generation_model else {}) | {
        "teacher": "+".join([files, *others]),
        "tokenizer": job.tokenizer.fingerprint,
        "decoding": _decoding(job.config),
        "target_vocab_size": len(job.tokenizer.target.tokens),
    }


def _decoding(config: LabelConfig) -> JsonObject:
    """The decoding settings that a store records; without a temperature of 0, which older stores did not have."""
    recorded = {name for name, key in keys_of(LabelConfig).items() if key.effect.in_label_header}
    values = {name: value for name, value in asdict(config).items() if name in recorded}
    return values if config.sampling_temperature else {n: v for n, v in values.items() if n != "sampling_temperature"}


def _weights(path: Path) -> str:
    """Fingerprint of a model of an ensemble, in CTranslate2's format or safetensors."""
    return fingerprint_files(path / "model.bin") if (path / "model.bin").exists() else weights_fingerprint(path)
