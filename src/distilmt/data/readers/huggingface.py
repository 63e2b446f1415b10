"""Sentence pairs from Hugging Face data sets, on disk or on the hub."""

from __future__ import annotations

import errno
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from distilmt.data.pairs import Pair, Splits
from distilmt.data.readers.bad_rows import RowErrorCallback, skip_unreadable
from distilmt.data.readers.language_tags import language_columns
from distilmt.data.readers.records import REGISTER, parallel_texts, register_of, score_of
from distilmt.utils.errors import UserError
from distilmt.utils.extras import install_command
from distilmt.utils.run_dir import fingerprint, read_json

if TYPE_CHECKING:
    from datasets import Dataset, DatasetDict

_VALID = ("validation", "valid", "dev")


def read_dataset(
    name: str, source: str, target: str, score: str | None = None, report: RowErrorCallback | None = None
) -> Splits:
    """Open a data set, with its own validation and test splits if it has them.

    Args:
        name: `hf:NAME[:CONFIG]`, NAME a directory of `save_to_disk` or a name on the hub.
        source: language code, which may name a column (or a key of the column `translation`).
        target: language code, as `source`.
        score: score column.
        report: called with the reason for every unreadable training row, which is left out.

    Raises:
        UserError: the data set cannot be opened, or has no such columns.
    """
    name_or_path, config = _parse(name)
    dataset = _open(name_or_path, config)
    parts: Mapping[str, Dataset] = dataset if isinstance(dataset, Mapping) else {"train": dataset}
    if "train" not in parts:
        raise UserError(f"{name} has no split 'train' (it has {', '.join(parts)}): name another data set")
    rows = {
        split: skip_unreadable(
            _rows(part, source, target, score, f"{name}, {split}"),
            f"{name}, {split}",
            report if split == "train" else None,
        )
        for split, part in parts.items()
    }
    valid = next((rows[split] for split in _VALID if split in rows), None)
    test = rows.get("test")
    license_name = getattr(parts["train"].info, "license", None) or None
    return Splits(
        rows["train"], None if valid is None else list(valid), None if test is None else list(test), license_name
    )


def data_fingerprint(name: str) -> str:
    """Fingerprint of a data set: by content on disk, by name on the hub (without network access)."""
    name_or_path, config = _parse(name)
    states = sorted(Path(name_or_path).rglob("state.json")) if Path(name_or_path).is_dir() else []
    files = sorted((str(path), path.stat().st_size) for state in states for path in state.parent.glob("*.arrow"))
    return fingerprint([name_or_path, config, [read_json(state) for state in states], files])


def _parse(name: str) -> tuple[str, str | None]:
    name_or_path = name.removeprefix("hf:")
    if not name_or_path:
        raise UserError("corpus.dataset is 'hf:' without a data set: write hf:NAME or hf:NAME:CONFIG")
    if Path(name_or_path).is_dir() or ":" not in name_or_path:
        return name_or_path, None
    name_or_path, config = name_or_path.rsplit(":", 1)
    return name_or_path, config


def _library() -> ModuleType:
    try:
        import datasets
    except ImportError:
        raise UserError(
            f"Hugging Face data sets need datasets: {install_command('huggingface')}, or name files instead"
        ) from None
    # A data set's own code is never run, regardless of the environment.
    datasets.config.HF_DATASETS_TRUST_REMOTE_CODE = False
    library: ModuleType = datasets
    return library


def _open(name_or_path: str, config: str | None) -> Dataset | DatasetDict:
    datasets = _library()
    on_disk = Path(name_or_path).is_dir()
    try:
        dataset: Dataset | DatasetDict = (
            datasets.load_from_disk(name_or_path) if on_disk else datasets.load_dataset(name_or_path, config)
        )
        return dataset
    except Exception as error:  # the hub, the network or a damaged file raise various errors
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise
        reason = (str(error).splitlines() or [""])[0][:200] or type(error).__name__
        remedy = "write it again with save_to_disk" if on_disk else "check name and network, or name files instead"
        raise UserError(f"cannot open the data set {name_or_path} ({reason}): {remedy}") from None


def _rows(part: Dataset, source: str, target: str, score: str | None, where: str) -> Iterator[Pair | UserError]:
    names = part.column_names
    if score and score not in names:
        raise UserError(f"{where}: no column {score!r} (it has {', '.join(names[:12])}): name another one with score")
    texts = language_columns(names, source, target) or ("source", "target", "translation")
    column_names = [column for column in names if column in (*texts, score, REGISTER)]
    for line, record in enumerate(part.select_columns(column_names or names), 1):
        row_name = f"{where}, row {line}"
        try:
            yield Pair(
                line,
                *parallel_texts(record, source, target, row_name),
                score_of(record[score], row_name) if score else None,
                register_of(record.get(REGISTER)),
            )
        except UserError as error:
            yield error
