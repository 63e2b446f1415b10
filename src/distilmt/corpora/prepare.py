"""The corpus step: read, clean, split, and write train, valid and test as Parquet."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from distilmt import progress
from distilmt.config import CorpusConfig
from distilmt.corpora import apt, debian, huggingface, splitting, staging
from distilmt.corpora.cleaning import Cleaner, Report
from distilmt.corpora.readers import Pair, Splits, check_files, read_lines, read_pairs
from distilmt.errors import UserError
from distilmt.rundir import atomic_path, fingerprint_files, write_json

REFERENCES = "references"
"""Step of a run in which the teacher gives references."""
_TOLD = 1000


@dataclass
class _Origin:
    """Where rows come from: `name` starts their ids."""

    name: str
    pairs: Iterable[Pair]
    monolingual: bool = False
    report: Report = field(default_factory=Report)
    rows: range = range(0)
    """Its rows in the staged file."""


def prepare(config: CorpusConfig, seed: int, directory: Path) -> dict[str, object]:
    """Write `train.parquet`, `valid.parquet`, `test.parquet` and `cleaning.json`.

    Args:
        config: where pairs come from and what is dropped.
        seed: of what is drawn at random (Debian's split is the same for every seed).
        directory: where to; made if missing.

    Returns:
        Pairs per split, pairs read for training (`read`), and `dropped` ones by reason.

    Raises:
        UserError: an input cannot be used, or nothing is left to train on.
    """
    directory.mkdir(parents=True, exist_ok=True)
    cleaner = Cleaner(config.cleaning, config.source, config.target)
    held = {"valid": Report(), "test": Report()}
    splits = _open(config, held["valid"])
    origins = _origins(config, splits)
    staged = directory / ".cleaned.parquet"
    try:
        cleaner.hold_out([*(splits.valid or ()), *(splits.test or ())])
        _stage(origins, cleaner, staged)
        _write_splits(config, seed, splits, cleaner, staged, directory, origins, held)
    finally:
        staged.unlink(missing_ok=True)
    train = Report.of([origin.report for origin in origins])
    told = {"train": train, **held}
    counts: dict[str, object] = {name: report.kept for name, report in told.items()}
    if len(origins) > 1:
        told |= {origin.name: origin.report for origin in origins if origin.name != "train"}
    write_json(directory / "cleaning.json", {name: report.as_dict() for name, report in told.items()})
    return {**counts, "read": train.read, "dropped": dict(train.dropped)}


def inputs(config: CorpusConfig) -> dict[str, str]:
    """Fingerprints of everything `prepare` reads; Debian's indices are fetched if they are not there yet."""
    _check(config)
    found: dict[str, str] = {}
    for split, paths in (
        ("train", config.train),
        ("valid", config.valid),
        ("test", config.test),
        ("mono", config.monolingual),
    ):
        check_files(paths)
        found.update({f"{split}:{path}": fingerprint_files(Path(path)) for path in paths})
    if config.name == "debian":
        found["debian"] = apt.fetch([config.source, config.target], apt.default_cache()).fingerprint
    elif config.name:
        found[config.name] = huggingface.data_fingerprint(config.name)
    return found


def load(directory: Path, split: str) -> pa.Table:
    """A split written by `prepare`: columns id, source, target.

    Raises:
        UserError: the file is missing or damaged.
    """
    with _whole(directory, split) as path:
        found = pq.read_table(path, columns=staging.SCHEMA.names)
    # A corpus of one language has no references of its own: the teacher gave some, in a step of the run.
    references = directory.resolve().parent / REFERENCES
    if split == "train" or found["target"].null_count < found.num_rows or not (references / path.name).exists():
        return found
    with _whole(references, split) as path:
        return pq.read_table(path, columns=staging.SCHEMA.names)


def pairs(directory: Path) -> pa.Table:
    """The training sentences that have a translation; of a corpus of one language, those that the teacher gave.

    Raises:
        UserError: a file is missing or damaged.
    """
    train = load(directory, "train")
    found = train.filter(train["target"].is_valid())
    return found if found.num_rows else load(directory.resolve().parent / REFERENCES, "sample")


def count(directory: Path, split: str) -> int:
    """Rows of a split written by `prepare`.

    Raises:
        UserError: the file is missing or damaged.
    """
    with _whole(directory, split) as path:
        return pq.read_metadata(path).num_rows


def chosen(directory: Path, split: str, flags: staging.Flags, size: int) -> Iterator[pa.Table]:
    """The flagged rows of a split in order, as tables of `size`, read as they are asked for.

    Raises:
        UserError: the file is missing or damaged.
    """
    with _whole(directory, split) as path:
        yield from staging.chosen(path, flags, size)


@contextmanager
def _whole(directory: Path, split: str) -> Iterator[Path]:
    """A split's file; what goes wrong when it is read becomes a line with the remedy."""
    path = directory / f"{split}.parquet"
    try:
        yield path
    except FileNotFoundError:
        raise UserError(f"{path} is missing: run the corpus step first") from None
    except (pa.ArrowException, OSError):
        raise UserError(f"{path} is damaged: delete {directory} and run the corpus step again") from None


def _check(config: CorpusConfig) -> None:
    if config.name and config.train:
        raise UserError("set corpus.train (files) or corpus.name (debian or hf:NAME): both are set")
    if not (config.name or config.train or config.monolingual):
        raise UserError(
            "set corpus.train (files), corpus.name (debian or hf:NAME) or corpus.monolingual (text): neither is set"
        )
    if config.name and config.name != "debian" and not config.name.startswith("hf:"):
        raise UserError(f"corpus.name is {config.name!r}: write debian or hf:NAME, or name files with corpus.train")


def _open(config: CorpusConfig, valid_report: Report) -> Splits:
    """The pairs of all origins; files named for valid and test go before what the origin splits off."""
    _check(config)
    origin = _open_origin(config)
    valid = list(read_pairs(config.valid, config.source, config.target)) if config.valid else origin.valid
    test = list(read_pairs(config.test, config.source, config.target)) if config.test else origin.test
    return Splits(origin.train, None if valid is None else _cut(valid, config.valid_size, valid_report), test)


def _open_origin(config: CorpusConfig) -> Splits:
    if not config.name and not config.train:
        return Splits((), None, None)
    if not config.name:
        return Splits(read_pairs(config.train, config.source, config.target), None, None)
    if config.name != "debian":
        return huggingface.read(config.name, config.source, config.target)
    indices = apt.fetch([config.source, config.target], apt.default_cache())
    records = list(debian.pairs(indices, config.source, config.target))
    valid_size = 0 if config.valid else config.valid_size
    return splitting.split(records, valid_size, 0 if config.test else config.test_size)


def _cut(pairs: list[Pair], size: int, report: Report) -> list[Pair]:
    """The first validation pairs that are not empty."""
    report.read = len(pairs)
    kept: list[Pair] = []
    for pair in pairs:
        if not pair.source.strip() or not pair.target.strip():
            report.drop("empty", pair)
        elif len(kept) == size:
            report.drop("over_valid_size", pair)
        else:
            kept.append(pair)
    return kept


def _origins(config: CorpusConfig, splits: Splits) -> list[_Origin]:
    """The pairs, and behind them the files of one language: of several, each has a number in its ids."""
    origins = [_Origin("train", splits.train)] if config.name or config.train else []
    several = len(config.monolingual) > 1
    for number, path in enumerate(config.monolingual, 1):
        origins.append(_Origin(f"mono-{number}" if several else "mono", read_lines(path), monolingual=True))
    return origins


def _stage(origins: list[_Origin], cleaner: Cleaner, staged: Path) -> None:
    """Write the clean rows, valid and test not yet drawn from them."""
    with progress.task("clean sentences", None, "pairs") as task:
        staging.write_rows(staged, (row for origin in origins for row in _clean(origin, cleaner, task)))
    start = 0
    for origin in origins:
        origin.rows = range(start, start + origin.report.kept)
        start = origin.rows.stop
    _complain_if_empty(origins)


def _clean(origin: _Origin, cleaner: Cleaner, task: progress.Task) -> Iterator[staging.Row]:
    for pair in cleaner.clean(_told(origin.pairs, task), origin.report, origin.monolingual):
        target = None if origin.monolingual else pair.target
        yield staging.Row(f"{origin.name}-{pair.line:06d}", pair.source, target)


def _told(pairs: Iterable[Pair], task: progress.Task) -> Iterator[Pair]:
    number = 0
    for number, pair in enumerate(pairs, 1):
        if number % _TOLD == 0:
            task.advance(_TOLD)
        yield pair
    task.advance(number % _TOLD)


def _write_splits(
    config: CorpusConfig,
    seed: int,
    splits: Splits,
    cleaner: Cleaner,
    staged: Path,
    directory: Path,
    origins: list[_Origin],
    held: dict[str, Report],
) -> None:
    random = np.random.default_rng(seed)
    sizes = {"test": config.test_size, "valid": config.valid_size}
    given = {"test": splits.test, "valid": splits.valid}
    missing = {name: sizes[name] for name in sizes if given[name] is None}
    drawn = staging.draw(staged, _drawn_from(origins), missing, random)
    stays = _remaining(staged, drawn, cleaner, origins)
    _subsample(stays, config.max_train, random, origins)
    _complain_if_empty(origins)
    for name, report in held.items():
        pairs = given[name] or []
        rows = [staging.Row(_id_in(name, row.id), *row[1:]) for row in drawn.get(name, {}).values()]
        report.read = max(report.read, len(rows) + len(pairs))
        with atomic_path(directory / f"{name}.parquet") as path:
            staging.write_pairs(path, name, pairs) if pairs else staging.write_rows(path, rows)
    with atomic_path(directory / "train.parquet") as path:
        staging.copy_rows(staged, stays, path)


def _drawn_from(origins: list[_Origin]) -> range:
    """The rows valid and test are drawn from: pairs, or sentences of one language where there are no pairs."""
    pairs = [origin.rows for origin in origins if not origin.monolingual]
    rows = pairs or [origin.rows for origin in origins]
    return range(rows[0].start, rows[-1].stop)


def _id_in(split: str, name: str) -> str:
    """A row's id in another split: `train-000017` becomes `test-000017`, `mono-000017` `test-mono-000017`."""
    return f"{split}-{name.removeprefix('train-')}"


def _remaining(staged: Path, drawn: staging.Drawn, cleaner: Cleaner, origins: list[_Origin]) -> staging.Flags:
    """Which rows stay in train once valid and test are drawn; those that do not are counted as dropped."""
    stays = np.ones(origins[-1].rows.stop, bool)
    if not drawn:
        return stays
    held_out = set().union(*drawn.values())
    for rows in drawn.values():
        cleaner.hold_out(Pair(0, row.source, row.target or "") for row in rows.values())
    numbered = enumerate(staging.read_rows(staged))
    for origin in origins:
        for number, row in islice(numbered, len(origin.rows)):
            pair = Pair(int(row.id.rsplit("-", 1)[1]), row.source, row.target or "")
            if number in held_out or cleaner.leaks(pair):
                origin.report.drop("split_off" if number in held_out else "in_test", pair)
                stays[number] = False
    return stays


def _subsample(stays: staging.Flags, size: int | None, random: np.random.Generator, origins: list[_Origin]) -> None:
    rows = np.flatnonzero(stays)
    if size is None or size >= len(rows):
        return
    before = [np.count_nonzero(stays[origin.rows.start : origin.rows.stop]) for origin in origins]
    stays[random.choice(rows, len(rows) - max(0, size), replace=False)] = False
    for origin, count in zip(origins, before, strict=True):
        after = np.count_nonzero(stays[origin.rows.start : origin.rows.stop])
        if after < count:
            origin.report.count("not_drawn", int(count - after))


def _complain_if_empty(origins: list[_Origin]) -> None:
    report = Report.of([origin.report for origin in origins])
    if report.kept > 0:
        return
    reasons = sorted(report.dropped.items(), key=lambda item: -item[1])[:4]
    told = ", ".join(f"{reason} {count}" for reason, count in reasons)
    raise UserError(
        f"train has 0 pairs left of {report.read} (dropped: {told}):"
        " loosen corpus.cleaning, or check that the files and languages are the right ones"
    )
