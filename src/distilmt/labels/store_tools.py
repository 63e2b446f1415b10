"""Describe, merge and split label stores, shard by shard, so that memory does not grow."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from distilmt.labels.ids import first_duplicate_id, hashes_of
from distilmt.labels.manifest import stored_header
from distilmt.labels.rows import Shard, file_of
from distilmt.labels.store import LabelStore
from distilmt.labels.store_writer import LabelWriter
from distilmt.utils import progress
from distilmt.utils.errors import UserError
from distilmt.utils.json_types import JsonObject
from distilmt.utils.run_dir import atomic_directory

Parts = Callable[[pa.Table], np.ndarray]
"""Returns the part number of each row of a table; called with the tables in order."""


def describe(store: LabelStore) -> JsonObject:
    """Header and size of a store."""
    entries, hypotheses = store.manifest["shards"], 0
    for table in store.shards(["hypotheses"]):
        hypotheses += pc.sum(pc.list_value_length(table["hypotheses"])).as_py() or 0
    return stored_header(store.manifest) | {
        "complete": store.complete,
        "shards": len(entries),
        "rows": store.rows,
        "hypotheses": hypotheses,
        "hypothesis_tokens": store.token_count(),
        "reference_tokens": store.reference_token_count(),
        "bytes": sum((store.directory / entry["name"]).stat().st_size for entry in entries),
    }


def merge(stores: Sequence[LabelStore], directory: Path, rename: bool = False) -> None:
    """Merge several stores into one: their shards one after another.

    Args:
        stores: stores of the same teacher and settings, with different sentences.
        directory: the new store.
        rename: put `1:` in front of the ids of the first, `2:` of the second, and so on.

    Raises:
        UserError: `directory` exists, the headers of the stores differ, an id is in two of them, or a shard is
            damaged.
    """
    for store in stores[1:]:
        _check_same_header(stores[0], store)
    duplicate = None if rename else first_duplicate_id(lambda: (t for store in stores for t in store.shards(["id"])))
    if duplicate is not None:
        raise UserError(
            f"id {duplicate!r} is in more than one of {', '.join(str(s.directory) for s in stores)}: merge stores of "
            "different sentences; if they are, --prefix_ids true puts 1:, 2: … in front of the ids"
        )
    with _new_directory(directory) as temporary, progress.task("merging", sum(s.rows for s in stores), "rows") as bar:
        writer = _writer(stores[0], temporary)
        for number, store in enumerate(stores, 1):
            for shard in _renamed(store, f"{number}:") if rename else store.files():
                writer.add(shard, len(writer.done()))
                bar.advance(shard.rows)
        writer.finish()


def _renamed(store: LabelStore, prefix: str) -> Iterator[Shard]:
    for table in store.shards():
        ids = pc.binary_join_element_wise(prefix, table["id"], "")
        yield file_of(table.set_column(table.column_names.index("id"), table.schema.field("id"), ids))


def _check_same_header(one: LabelStore, other: LabelStore) -> None:
    header, other_header = stored_header(one.manifest), stored_header(other.manifest)
    different = [key for key in header | other_header if header.get(key) != other_header.get(key)]
    if different:
        raise UserError(
            f"{other.directory} was made with another {', '.join(different)} than {one.directory}: label its sentences "
            "again with the same teacher and settings"
        )


def split(store: LabelStore, directory: Path, part_of: Parts, parts: int = 2) -> list[int]:
    """Split a store into `directory/part-1`, `part-2` and so on; rows stay in order.

    Args:
        store: the store to split.
        directory: parent directory of the parts.
        part_of: the part of each row.
        parts: number of parts.

    Returns:
        Rows of each part.

    Raises:
        UserError: `directory` exists, a part would be empty, or a shard is damaged.
    """
    with _new_directory(directory) as temporary, progress.task("splitting", store.rows, "rows") as bar:
        writers = [_writer(store, temporary / f"part-{number}") for number in range(1, parts + 1)]
        for table in store.shards():
            numbers = part_of(table)
            for number in np.unique(numbers).tolist():
                chosen = table.filter(pa.array(numbers == number))
                writers[number].add(file_of(chosen), len(writers[number].done()))
            bar.advance(table.num_rows)
        rows = [int(writer.manifest["rows"]) for writer in writers]
        if not all(rows):
            raise UserError(f"part-{rows.index(0) + 1} of {store.directory} would have no rows: choose other parts")
        for writer in writers:
            writer.finish()
    return rows


def by_row_boundaries(boundaries: Sequence[int]) -> Parts:
    """Parts that start at these rows, the first at 0."""
    begun = 0

    def part_of(table: pa.Table) -> np.ndarray:
        nonlocal begun
        begun += table.num_rows
        return np.searchsorted(boundaries, np.arange(begun - table.num_rows, begun), side="right") - 1

    return part_of


def by_id_file(path: Path) -> Parts:
    """Two parts: the rows whose ids are in a file, one per line, and the others.

    Raises:
        UserError: there is no such file.
    """
    try:
        ids = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        raise UserError(f"{path} is not a text file: give one with one id per line") from None
    hashes = np.unique(hashes_of([i for i in ids if i]))
    return lambda table: np.where(np.isin(hashes_of(table["id"].to_pylist()), hashes), 0, 1)


def _writer(like: LabelStore, directory: Path) -> LabelWriter:
    header = {key: value for key, value in stored_header(like.manifest).items() if key not in ("format", "k")}
    return LabelWriter(directory, header, like.k)


@contextmanager
def _new_directory(directory: Path) -> Iterator[Path]:
    """Write a directory atomically; temporary files of a killed call are removed.

    Raises:
        UserError: it exists already.
    """
    if directory.exists():
        raise UserError(f"{directory} already exists: delete it, or choose another directory")
    for stray in directory.parent.glob(f".{directory.name}.*.tmp"):
        shutil.rmtree(stray, ignore_errors=True)
    with atomic_directory(directory) as temporary:
        yield temporary
