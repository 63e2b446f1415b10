"""The text of `distilmt adapt`: your own and the old one, each with its training, validation and test sentences.

Both are directories like the corpus of a run. The corpus of the adaptation mixes their training sentences, and is
validated on the validation sentences of both, so that the best checkpoint is one that has not forgotten.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import chain, zip_longest
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from distilmt.config import CorpusConfig, LabelConfig, RunConfig, SourceConfig, TeacherConfig
from distilmt.config.adapt import AdaptConfig
from distilmt.data import parquet, prepare
from distilmt.data.readers.files import files_of, read_lines
from distilmt.pipeline.step_directory import run_step
from distilmt.recipes.adapt_start import Start
from distilmt.utils import progress
from distilmt.utils.errors import UserError
from distilmt.utils.run_dir import atomic_path, fingerprint_files, step_fingerprint
from distilmt.utils.step_results import CorpusResult, result_of

OWN, OLD = "own-text", "old-text"
"""Directories of the two texts in the run directory."""
_HELD_OUT = "held-out"
"""Directory of the validation and test sentences of both."""
_MOST_OLD = 200_000
"""Old training sentences that are read at most: far more than a short training can use."""
_MOST_REPEATS = 4
"""How often own text is repeated at most, so that a pass over it meets more of the old text."""
_PART = 2000


@dataclass(frozen=True)
class Texts:
    """The texts in a run directory."""

    own: CorpusResult
    old: CorpusResult | None

    def repeats(self, old_share: float) -> int:
        """How often a sentence of the own text is in the training text: more than once where old text is plentiful."""
        if self.old is None or not old_share:
            return 1
        target_size = old_share / (1 - old_share) * self.own.train
        return int(max(1, min(_MOST_REPEATS, self.old.train // max(1, target_size))))


def prepare_texts(config: AdaptConfig, start: Start, root: Path) -> Texts:
    """Read, clean and split both texts, unless that is done; write the validation and test sentences of both.

    Raises:
        UserError: a text cannot be read, or the teacher cannot translate it.
    """
    own = _prepare_own(config, start, root / OWN)
    old = _prepare_old(config, start, root / OLD)
    (root / _HELD_OUT).mkdir(exist_ok=True)
    for split in ("valid", "test"):
        tables = [prepare.load_split(root / name, split) for name in ((OWN, OLD) if old else (OWN,))]
        with atomic_path(root / _HELD_OUT / f"{split}.parquet") as path:
            parquet.write_rows(path, _in_turn([table.to_pylist() for table in tables]))
    return Texts(own, old)


def mixed_corpus(config: AdaptConfig, start: Start, root: Path, texts: Texts | None) -> CorpusConfig:
    """The corpus of the run: both texts by their shares; before they are prepared, their files alone."""
    sources = [SourceConfig([str(root / OWN / "train.parquet")], id="own")]
    if texts is not None and texts.old is not None and config.old_share:
        repeats, share = texts.repeats(config.old_share), config.old_share
        weight = repeats * share / (1 - share) * texts.own.train / max(1, texts.old.train)
        sources[0].weight = float(repeats)
        sources.append(SourceConfig([str(root / OLD / "train.parquet")], id="old", weight=min(1.0, max(0.001, weight))))
    source, target = start.pair
    valid, test = ([str(root / _HELD_OUT / f"{split}.parquet")] for split in ("valid", "test"))
    return CorpusConfig(source, target, valid=valid, test=test, sources=sources, valid_size=2 * config.held_out)


def _prepare_own(config: AdaptConfig, start: Start, directory: Path) -> CorpusResult:
    source, target = start.pair
    corpus = CorpusConfig(source, target, config.text, valid_size=config.held_out, test_size=config.held_out)
    inputs = {"text": fingerprint_files(*files_of(config.text, target))}
    settings = {"teacher": config.teacher, "pair": [source, target], "held_out": config.held_out, "seed": config.seed}

    def work(place: Path) -> CorpusResult:
        if not config.teacher:
            return prepare.prepare(corpus, config.seed, place)
        translated = _translate(config, start, place)
        return prepare.prepare(replace(corpus, train=[str(translated)]), config.seed, place)

    return result_of(CorpusResult, run_step(directory, inputs, settings, work))


def _translate(config: AdaptConfig, start: Start, directory: Path) -> Path:
    """The teacher's translations of the text, as pairs."""
    from distilmt.labels.ensemble import TeacherEnsemble
    from distilmt.pipeline.steps.references import translation_task
    from distilmt.teachers import existing

    place = directory / "teacher"
    place.mkdir(exist_ok=True)
    run = RunConfig(corpus=CorpusConfig(*start.pair), teacher=TeacherConfig(config.teacher), labels=LabelConfig())
    existing.write_pointer(run.teacher, start.pair, place)
    ensemble = TeacherEnsemble(translation_task(run, place), place / "model")
    sentences = [pair.source for pair in read_lines(config.text[0]) if pair.source.strip()]
    rows: list[parquet.CorpusRow] = []
    with progress.task("translations of your text", len(sentences), "sentences") as bar:
        for begin in range(0, len(sentences), _PART):
            part = sentences[begin : begin + _PART]
            for number, (text, hypotheses) in enumerate(zip(part, ensemble.translate(part), strict=True), begin):
                if hypotheses and hypotheses[0].text:
                    rows.append(parquet.CorpusRow(f"own-{number:06d}", text, hypotheses[0].text))
            bar.advance(len(part))
    if not rows:
        raise UserError(f"teacher {config.teacher} returned no translation: run it by hand")
    with atomic_path(directory / "translated.parquet") as path:
        parquet.write_rows(path, rows)
    return directory / "translated.parquet"


def _prepare_old(config: AdaptConfig, start: Start, directory: Path) -> CorpusResult | None:
    settings = {"pair": list(start.pair), "held_out": config.held_out, "seed": config.seed}
    if config.old_text:
        corpus = CorpusConfig(
            *start.pair,
            train=config.old_text,
            valid_size=config.held_out,
            test_size=config.held_out,
            max_train=_MOST_OLD,
        )
        inputs = {"text": fingerprint_files(*files_of(config.old_text, start.pair[1]))}
        record = run_step(directory, inputs, settings, lambda place: prepare.prepare(corpus, config.seed, place))
        return result_of(CorpusResult, record)
    if start.corpus is None:
        return None
    corpus_of_run = start.corpus
    inputs = {"corpus": step_fingerprint(corpus_of_run)}
    record = run_step(directory, inputs, settings, lambda place: _sample_corpus(corpus_of_run, config, place))
    return result_of(CorpusResult, record)


def _sample_corpus(corpus: Path, config: AdaptConfig, directory: Path) -> CorpusResult:
    """The sentences of a run's corpus, as many as an adaptation can use."""
    tables = {
        "train": (prepare.load_training_pairs(corpus), _MOST_OLD),
        "valid": (prepare.load_split(corpus, "valid"), config.held_out),
        "test": (prepare.load_split(corpus, "test"), config.held_out),
    }
    counts: dict[str, int] = {}
    for split, (table, most) in tables.items():
        table = table.filter(table["target"].is_valid())
        rows = np.random.default_rng(config.seed).permutation(table.num_rows)[:most]
        with atomic_path(directory / f"{split}.parquet") as path:
            pq.write_table(table.take(pa.array(np.sort(rows))), path)
        counts[split] = len(rows)
    return CorpusResult(counts["train"], counts["valid"], counts["test"])


def _in_turn(tables: list[list[dict[str, str]]]) -> Iterator[parquet.CorpusRow]:
    """Rows of all tables, one of each in turn: a part of them has equal shares of both texts."""
    rows = chain.from_iterable(zip_longest(*tables))
    return (parquet.CorpusRow(**row) for row in rows if row is not None)
