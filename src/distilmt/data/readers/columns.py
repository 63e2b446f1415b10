"""Sentence pairs from Parquet, with an optional score column."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from distilmt.data.pairs import Pair
from distilmt.data.readers.language_tags import language_columns as named_columns
from distilmt.data.readers.records import REGISTER, parallel_texts, register_of, score_of
from distilmt.utils.errors import UserError
from distilmt.utils.json_types import JsonObject

_BATCH_ROWS = 4096


def read_parquet(path: Path, source: str, target: str, score: str | None) -> Iterator[Pair | UserError]:
    """Read rows in batches of some thousands. Raises UserError as `read_pairs`."""
    try:
        with pq.ParquetFile(path, pre_buffer=False) as file:  # else all data read so far stays in memory
            names = file.schema_arrow.names
            if score and score not in names:
                raise UserError(f"{path} has no column {score!r} (it has {', '.join(names[:12])}): name another column")
            texts = named_columns(names, source, target) or ("source", "target", "translation")
            column_names = [name for name in names if name in (*texts, score, REGISTER)]
            if file.metadata.num_rows:
                parallel_texts(_blank(file.schema_arrow), source, target, str(path))
            line = 0
            for batch in file.iter_batches(batch_size=_BATCH_ROWS, columns=column_names):
                for record in batch.to_pylist():
                    line += 1
                    where = f"{path}, row {line}"
                    yield _pair(record, line, (source, target, score), where)
    except (pa.ArrowException, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        # A damaged footer comes as an OSError without a number.
        raise UserError(f"{path} is not a complete Parquet file ({_first_line(error)}): write it again") from None
    except UnicodeDecodeError:
        raise UserError(f"{path}: a row after row {line} is not UTF-8: write the file again as UTF-8") from None


def _pair(record: JsonObject, line: int, keys: tuple[str, str, str | None], where: str) -> Pair | UserError:
    source, target, score = keys
    try:
        return Pair(
            line,
            *parallel_texts(record, source, target, where),
            score_of(record[score], where) if score else None,
            register_of(record.get(REGISTER)),
        )
    except UserError as error:
        return error


def _blank(schema: pa.Schema) -> dict[str, object]:
    """A record with null in all of a schema's columns, to check for the required ones."""
    record: dict[str, object] = {}
    for column in schema:
        nested = pa.types.is_struct(column.type)
        record[column.name] = {child.name: None for child in column.type} if nested else None
    return record


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]
