"""The step before all others where there is text of the source language alone: the teacher gives the references.

What is measured then is agreement with the teacher. The pieces of the target language are learnt from its translations
of a part of the training sentences.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from distilmt.config import RunConfig
from distilmt.data import prepare
from distilmt.labels.ensemble import LabelJob, Speakers
from distilmt.labels.writer import drawn
from distilmt.teachers import existing
from distilmt.utils import progress
from distilmt.utils.errors import UserError
from distilmt.utils.run_dir import atomic_path

SAMPLE = 20_000
"""Training sentences from whose translations the target language's pieces are learnt."""
_PART = 2000


def ask_references(config: RunConfig, directory: Path) -> dict[str, Any]:
    """Write `valid.parquet`, `test.parquet` and `sample.parquet`: id, source, and as target what the teacher says.

    Sentences to which it says nothing are left out. A split that was written whole is not asked for again.

    Raises:
        UserError: no teacher is named, or it says nothing.
    """
    root = directory.parent
    if not config.teacher.named:
        raise UserError(
            "corpus.monolingual alone cannot teach a teacher: name one with teacher.path, teacher.command or "
            "teacher.url, or pairs with corpus.train"
        )
    existing.point(config.teacher, (config.corpus.source, config.corpus.target), directory)
    speakers, counts = None, {}
    for split in ("valid", "test", "sample"):
        file = directory / f"{split}.parquet"
        if not file.exists():
            speakers = speakers or Speakers(_job(config, directory), directory / "speaker")
            _write(_sentences(config, root, split), speakers, file)
        counts[split] = pq.read_metadata(file).num_rows
        if not counts[split]:
            raise UserError(f"teacher {config.teacher.named!r} says nothing to the {split} sentences: try it by hand")
    return counts


def _sentences(config: RunConfig, root: Path, split: str) -> pa.Table:
    if split != "sample":
        return prepare.load(root / "corpus", split)
    flags = drawn(prepare.count(root / "corpus", "train"), config.labels.max_sentences, (config.seed, 3))
    flags[flags.nonzero()[0][min(SAMPLE, config.tokenizer.sample) :]] = False
    return pa.concat_tables(prepare.chosen(root / "corpus", "train", flags, SAMPLE))


def _job(config: RunConfig, directory: Path) -> LabelJob:
    """A job that asks for the best translation alone."""
    labels = replace(config.labels, hypotheses=1, sampling=0.0, top_k=0, ensemble=[])
    pair = (config.corpus.source, config.corpus.target)
    no_pieces: Any = None  # a teacher that is pointed to has pieces of its own
    return LabelJob(directory, no_pieces, labels, *pair, wants_words=False, endpoint=config.teacher.endpoint)


def _write(table: pa.Table, speakers: Speakers, file: Path) -> None:
    said: list[str | None] = []
    with progress.task(f"references of {file.stem}", table.num_rows, "sentences") as bar:
        for begin in range(0, table.num_rows, _PART):
            sources = table["source"].slice(begin, _PART).to_pylist()
            said += [found[0].text if found else None for found in speakers.translate(sources)]
            bar.advance(len(sources))
    whole = table.set_column(2, "target", pa.array([text or None for text in said], pa.string()))
    with atomic_path(file) as temporary:
        pq.write_table(whole.filter(whole["target"].is_valid()), temporary)
