"""First step of a run with only source-language text: the teacher translates the references.

Scores then measure agreement with the teacher. The target tokenizer is trained on its translations of a part of the
training sentences.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from distilmt.config import RunConfig
from distilmt.data import prepare
from distilmt.labels.ensemble import LabelingTask, TeacherEnsemble
from distilmt.pipeline.steps.train import labeled_mask
from distilmt.teachers import existing
from distilmt.utils import progress
from distilmt.utils.errors import UserError
from distilmt.utils.run_dir import atomic_path
from distilmt.utils.run_paths import RunPaths
from distilmt.utils.step_results import ReferencesResult

SAMPLE = 20_000
"""Training sentences whose translations train the target tokenizer."""
_PART = 2000


def write_references(config: RunConfig, directory: Path) -> ReferencesResult:
    """Write `valid.parquet`, `test.parquet` and `sample.parquet`: id, source, and the teacher's translation as target.

    Sentences without a translation are left out. A complete split is not translated again.

    Raises:
        UserError: there is no teacher, or it returns nothing.
    """
    paths = RunPaths(directory.parent)
    if not config.teacher.named:
        raise UserError(
            "a teacher cannot be trained on corpus.monolingual alone: set teacher.path, teacher.command or "
            "teacher.url, or add pairs with corpus.train"
        )
    existing.write_pointer(config.teacher, (config.corpus.source, config.corpus.target), directory)
    ensemble, counts = None, dict[str, int]()
    for split in ("valid", "test", "sample"):
        file = directory / f"{split}.parquet"
        if not file.exists():
            ensemble = ensemble or TeacherEnsemble(translation_task(config, directory), directory / "translation_model")
            _write(_sentences(config, paths, split), ensemble, file)
        counts[split] = pq.read_metadata(file).num_rows
        if not counts[split]:
            raise UserError(
                f"teacher {config.teacher.named!r} returned no translation of the {split} sentences: run it by hand"
            )
    return ReferencesResult(**counts)


def _sentences(config: RunConfig, paths: RunPaths, split: str) -> pa.Table:
    if split != "sample":
        return prepare.load_split(paths.corpus, split)
    flags = labeled_mask(config, prepare.count_rows(paths.corpus, "train"), config.labels.max_sentences)
    flags[flags.nonzero()[0][min(SAMPLE, config.tokenizer.input_sentence_size) :]] = False
    return pa.concat_tables(prepare.iter_selected(paths.corpus, "train", flags, SAMPLE))


def translation_task(config: RunConfig, directory: Path) -> LabelingTask:
    """A labeling task for the best translation only."""
    labels = replace(config.labels, num_hypotheses=1, sampling_temperature=0.0, top_k=0, ensemble=[])
    pair = (config.corpus.source, config.corpus.target)
    no_tokenizer: Any = None  # an external teacher has its own tokenizer
    return LabelingTask(directory, no_tokenizer, labels, *pair, needs_top_k=False, endpoint=config.teacher.endpoint)


def _write(table: pa.Table, ensemble: TeacherEnsemble, file: Path) -> None:
    translations: list[str | None] = []
    with progress.task(f"references of {file.stem}", table.num_rows, "sentences") as bar:
        for begin in range(0, table.num_rows, _PART):
            sources = table["source"].slice(begin, _PART).to_pylist()
            translations += [n_best[0].text if n_best else None for n_best in ensemble.translate(sources)]
            bar.advance(len(sources))
    whole = table.set_column(2, "target", pa.array([text or None for text in translations], pa.string()))
    with atomic_path(file) as temporary:
        pq.write_table(whole.filter(whole["target"].is_valid()), temporary)
