"""Translations of the test set by other systems, read from files and checked line by line."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from distilmt.utils.errors import UserError
from distilmt.utils.json_types import JsonMapping

_KEYS = ("translation", "hypothesis", "translations", "target")
"""Keys of a translation in JSON, the first one that is there counts; of several translations the first counts."""


@dataclass(frozen=True)
class EvaluationSentences:
    """The sentences that the systems have translated."""

    ids: Sequence[str]
    sources: Sequence[str]


def check_files(files: Mapping[str, str]) -> None:
    """Check that the files of other systems exist; `files` are paths by name of the system.

    Raises:
        UserError: a file does not exist.
    """
    for name, path in files.items():
        if not Path(path).is_file():
            raise UserError(f"{path} does not exist: check evaluation.against, system {name!r}")


def read_outputs(files: Mapping[str, str], test: EvaluationSentences) -> dict[str, list[str]]:
    """Translations of the test sentences by name of the system.

    Args:
        files: paths by name of the system. A .json or .jsonl file holds texts, or objects with `translation`, and `id`
            or `source`, which must be those of the test set; any other file holds a translation per line.
        test: the sentences of the test set.

    Raises:
        UserError: a file does not exist, cannot be read, or does not fit the test set.
    """
    check_files(files)
    return {name: read_output(Path(path), test) for name, path in files.items()}


def read_output(path: Path, test: EvaluationSentences) -> list[str]:
    """Translations of the test sentences from one file.

    Raises:
        UserError: the file cannot be read, or does not fit the test set.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path} cannot be read ({error}): give a file in UTF-8") from None
    is_json = path.suffix in (".json", ".jsonl", ".ndjson")
    rows = list(_json_rows(path, text)) if is_json else text.removesuffix("\n").split("\n") if text else []
    if len(rows) != len(test.sources):
        raise UserError(
            f"{path} has {len(rows):,} translations, but the test set has {len(test.sources):,} sentences: "
            "give one for each, in the order of corpus/test.parquet"
        )
    return [_translation(path, number, row, test) for number, row in enumerate(rows)]


def _json_rows(path: Path, text: str) -> Iterator[object]:
    """Entries of a JSON array, of the list `translations` of an object, or of JSON Lines."""
    try:
        whole = json.loads(text)
    except ValueError:
        yield from _json_lines(path, text)
        return
    if isinstance(whole, dict) and isinstance(whole.get("translations"), list) and "source" not in whole:
        whole = whole["translations"]
    yield from whole if isinstance(whole, list) else [whole]


def _json_lines(path: Path, text: str) -> Iterator[object]:
    for number, line in enumerate(text.splitlines(), 1):
        try:
            yield json.loads(line)
        except ValueError:
            raise UserError(f"{path}, line {number}: not JSON: write one text or object per line") from None


def _translation(path: Path, index: int, row: object, test: EvaluationSentences) -> str:
    if isinstance(row, str):
        return row
    where = f"{path}, translation {index + 1}"
    if not isinstance(row, Mapping):
        raise UserError(f"{where}: it is {type(row).__name__}, not a text: write a text, or an object with translation")
    for key, expected in (("id", test.ids[index]), ("source", test.sources[index])):
        if key in row and row[key] != expected:
            raise UserError(
                f"{where}: {key} is {row[key]!r}, but in the test set it is {expected!r}: bring both into one order"
            )
    text = _text_of(row)
    if text is None:
        raise UserError(f"{where}: it has no translation: write the text under the key translation")
    return text


def _text_of(row: JsonMapping) -> str | None:
    value = next((row[key] for key in _KEYS if key in row), None)
    if isinstance(value, list) and value:
        value = value[0].get("translation") if isinstance(value[0], dict) else value[0]
    return value if isinstance(value, str) else None
