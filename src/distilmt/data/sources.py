"""Open the sources of a corpus that the configuration names."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from distilmt.config import CorpusConfig, SourceConfig
from distilmt.data import splitting
from distilmt.data.cleaning import CleaningReport
from distilmt.data.pairs import Pair, Splits
from distilmt.data.readers import apt, debian, debian_messages, huggingface, mtdata, opus
from distilmt.data.readers.compressed import plain_name
from distilmt.data.readers.files import files_of, read_lines, read_pairs
from distilmt.utils.errors import UserError
from distilmt.utils.run_dir import fingerprint_files

MESSAGES = "debian-messages"
_OF_PACKAGES = ("debian", MESSAGES)
"""Data sets that are split by source package."""
_RESERVED = frozenset({"train", "valid", "test", "mono"})


@dataclass
class CorpusSource:
    """One source of rows."""

    name: str
    """Prefix of its ids; unique among the sources."""
    pairs: Iterable[Pair]
    locations: list[str]
    """Files, or the name of a data set."""
    license: str | None = None
    monolingual: bool = False
    register: str | None = None
    """Of rows without one."""
    weight: float = 1.0
    min_score: float | None = None
    report: CleaningReport = field(default_factory=CleaningReport)
    rows: range = range(0)
    """Its rows among all clean rows."""


def open_sources(config: CorpusConfig) -> tuple[list[CorpusSource], Splits]:
    """All sources, pairs before monolingual text; and the held-out splits of the first one.

    Raises:
        UserError: the configuration names no source, or one that cannot be used.
    """
    check_sources(config)
    origins, splits = [], Splits((), None, None)
    if config.dataset or config.train:
        report = CleaningReport()
        splits = _open_training(config, report)
        locations = [config.dataset] if config.dataset else config.train
        license = config.license or splits.license
        origins.append(CorpusSource("train", splits.train, locations, license, register=config.register, report=report))
    used_ids = set(_RESERVED)
    for source in config.sources:
        origins.append(_open_source(source, config, _id(source, used_ids)))
    several = len(config.monolingual) > 1
    for number, path in enumerate(config.monolingual, 1):
        name = f"mono-{number}" if several else "mono"
        report = CleaningReport()
        pairs = read_lines(path, report.count_unreadable)
        register = plain_name(Path(path)).rsplit(".", 1)[0] if config.registers else None
        origins.append(CorpusSource(name, pairs, [path], monolingual=True, register=register, report=report))
    return origins, splits


def check_sources(config: CorpusConfig) -> None:
    """Check that the configuration names a valid set of sources.

    Raises:
        UserError: no source is set, or two main sources.
    """
    if config.dataset and config.train:
        raise UserError(
            "set corpus.train (files) or corpus.dataset (a data set): both are set; put more into corpus.sources"
        )
    if not (config.dataset or config.train or config.sources or config.monolingual):
        raise UserError(
            "set corpus.train (files), corpus.dataset (debian, debian-messages, hf:NAME, opus:NAME or mtdata:ID),"
            " corpus.sources or corpus.monolingual: neither is set"
        )
    if config.cleaning.keep_best and not any(source.score for source in config.sources):
        raise UserError("cleaning.keep_best needs scores: set score of a source in corpus.sources, or set it to false")
    for key, name in (
        ("corpus.dataset", config.dataset),
        *(("corpus.sources, dataset", each.dataset) for each in config.sources),
    ):
        if name and name not in _OF_PACKAGES and not name.startswith(("hf:", "opus:", "mtdata:")):
            raise UserError(
                f"{key} is {name!r}: write debian, debian-messages, hf:NAME, opus:NAME or mtdata:ID, or name files"
            )


def fingerprints(config: CorpusConfig, snapshots: Mapping[str, str] = MappingProxyType({})) -> dict[str, str]:
    """Fingerprints of all inputs; data sets of Debian, OPUS and mtdata are downloaded if missing.

    Args:
        config: the sources.
        snapshots: by name, fingerprints of data sets that are neither downloaded nor read.

    Raises:
        UserError: an input is missing, or cannot be downloaded.
    """
    check_sources(config)
    named = {"train": config.train, "valid": config.valid, "test": config.test, "mono": config.monolingual}
    digests: dict[str, str] = {}
    for key, paths in (*named.items(), *(("source", source.files) for source in config.sources)):
        for path in paths:
            digests[f"{key}:{path}"] = fingerprint_files(*files_of([path], config.target))
    for name in _dataset_names(config):
        digests[name] = snapshots.get(name) or _name_fingerprint(name, config.source, config.target)
    return digests


def published_datasets(config: CorpusConfig) -> list[str]:
    """Data sets whose fingerprint may change although the configuration and this machine's files do not."""
    return [name for name in _dataset_names(config) if not name.startswith("hf:")]


def _dataset_names(config: CorpusConfig) -> list[str]:
    return list(filter(None, [config.dataset, *(source.dataset for source in config.sources)]))


def _name_fingerprint(name: str, source: str, target: str) -> str:
    if name == "debian":
        return apt.fetch([source, target], apt.default_cache()).fingerprint
    if name == MESSAGES:
        return debian_messages.fetch((source, target), apt.default_cache()).fingerprint
    if name.startswith("hf:"):
        return huggingface.data_fingerprint(name)
    fetched = opus.fetch(name, source, target) if name.startswith("opus:") else mtdata.fetch(name, source, target)
    return fingerprint_files(*map(Path, fetched.files))


def _open_training(config: CorpusConfig, report: CleaningReport) -> Splits:
    if config.dataset not in _OF_PACKAGES:
        return _open(config.dataset, config.train, (config.source, config.target), None, report)
    valid_size = 0 if config.valid else config.valid_size
    records, license = _records(config.dataset, config.source, config.target)
    splits = splitting.split_by_package(records, valid_size, 0 if config.test else config.test_size)
    return splits._replace(license=license)


def _records(name: str, source: str, target: str) -> tuple[list[debian.AlignedSentence], str | None]:
    """All sentence pairs of a data set of Debian's, and its license."""
    if name == MESSAGES:
        messages = debian_messages.fetch((source, target), apt.default_cache())
        return debian_messages.aligned_sentences(messages, source), messages.license
    indices = apt.fetch([source, target], apt.default_cache())
    return list(debian.aligned_sentences(indices, source, target)), None


def _open(
    name: str | None, files: list[str], languages: tuple[str, str], score: str | None, report: CleaningReport
) -> Splits:
    """The corpus of files or of a data set; scores are read from files and Hugging Face data sets."""
    source, target = languages
    if not name:
        return Splits(read_pairs(files, source, target, score, report.count_unreadable), None, None)
    if name.startswith("hf:"):
        return huggingface.read_dataset(name, source, target, score, report.count_unreadable)
    if score:
        raise UserError(f"{name} has no columns: leave out score {score!r}")
    if name in _OF_PACKAGES:
        return _of_packages(name, source, target)
    fetched = opus.fetch(name, source, target) if name.startswith("opus:") else mtdata.fetch(name, source, target)
    pairs = read_pairs(fetched.files, source, target, report=report.count_unreadable)
    return Splits(pairs, None, None, fetched.license)


def _of_packages(name: str, source: str, target: str) -> Splits:
    """A data set of Debian's as an additional source: of messages, only the packages that are always for training."""
    records, license = _records(name, source, target)
    numbered = [
        Pair(line, row.source, row.target)
        for line, row in enumerate(records, 1)
        if name == "debian" or splitting.package_split(row.package) == "train"
    ]
    return Splits(numbered, None, None, license)


def _open_source(source: SourceConfig, config: CorpusConfig, name: str) -> CorpusSource:
    report = CleaningReport()
    splits = _open(source.dataset, source.files, (config.source, config.target), source.score, report)
    return CorpusSource(
        name,
        splits.train,
        [source.dataset] if source.dataset else source.files,
        source.license or splits.license,
        register=source.register,
        weight=source.weight,
        min_score=source.min_score,
        report=report,
    )


def _id(source: SourceConfig, used_ids: set[str]) -> str:
    """Prefix of the ids of a source: as configured, else from its name or file; always unique."""
    base_name = source.dataset or plain_name(Path(source.files[0])).rsplit(".", 1)[0]
    name = source.id or re.sub(r"[^A-Za-z0-9_.]+", "_", base_name.split(":", 1)[-1]).strip("_.")[:40] or "source"
    unique, number = name, 1
    while unique in used_ids:
        if source.id:
            raise UserError(f"corpus.sources: id {source.id!r} is used twice: give every source its own id")
        number += 1
        unique = f"{name}_{number}"
    used_ids.add(unique)
    return unique
