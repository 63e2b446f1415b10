"""Cache of the responses of a program or server, so that no request is made (or paid) twice."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from hashlib import blake2b
from pathlib import Path

_PART = 500


class ResponseCache:
    """An SQLite file of responses by text; each batch is stored before the next is requested.

    A killed process loses only the batches in flight.
    """

    def __init__(self, path: Path, teacher: str) -> None:
        """Open or create the file; `teacher` is the fingerprint of the teacher and its request settings."""
        self._teacher = teacher
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        self._usage: dict[str, float] = {}
        with closing(self._open()) as file, file:
            file.execute("PRAGMA journal_mode=WAL")
            file.execute("CREATE TABLE IF NOT EXISTS answers (key BLOB PRIMARY KEY, said TEXT NOT NULL) WITHOUT ROWID")
            file.execute("CREATE TABLE IF NOT EXISTS spent (what TEXT PRIMARY KEY, much REAL NOT NULL)")

    def lookup(self, texts: Sequence[str], count: int, sampling: float) -> dict[str, list[str]]:
        """Stored responses of those texts that were requested before with the same settings."""
        keys = {self._key(text, count, sampling): text for text in texts}
        responses: dict[str, list[str]] = {}
        with closing(self._open()) as file:
            for part in _parts(list(keys)):
                marks = ",".join("?" * len(part))
                for key, response in file.execute(f"SELECT key, said FROM answers WHERE key IN ({marks})", part):
                    responses[keys[key]] = json.loads(response)
        return responses

    def store(
        self, responses: Mapping[str, list[str]], count: int, sampling: float, usage: Mapping[str, float] | None = None
    ) -> None:
        """Store responses, and the usage of this process so far (tokens, requests, cost)."""
        rows = [
            (self._key(text, count, sampling), json.dumps(each, ensure_ascii=False)) for text, each in responses.items()
        ]
        usage = dict(usage or {})
        more = {kind: amount - self._usage.get(kind, 0.0) for kind, amount in usage.items()}
        with closing(self._open()) as file, file:
            file.executemany("INSERT OR REPLACE INTO answers VALUES (?, ?)", rows)
            file.executemany(
                "INSERT INTO spent VALUES (?, ?) ON CONFLICT (what) DO UPDATE SET much = much + excluded.much",
                list(more.items()),
            )
        self._usage = usage

    def usage(self) -> dict[str, float]:
        """Total usage of all processes."""
        return totals(self._path)

    def _open(self) -> sqlite3.Connection:
        return sqlite3.connect(self._path, timeout=60)

    def _key(self, text: str, count: int, sampling: float) -> bytes:
        request = json.dumps([self._teacher, text, count, sampling])
        return blake2b(request.encode(), digest_size=16).digest()


def totals(path: Path) -> dict[str, float]:
    """Requests, tokens, cost and responses without a translation, by kind, over all processes that wrote the file."""
    if not path.exists():
        return {}
    with closing(sqlite3.connect(path, timeout=60)) as file:
        return dict(file.execute("SELECT what, much FROM spent ORDER BY what"))


def _parts(keys: list[bytes]) -> list[list[bytes]]:
    return [keys[i : i + _PART] for i in range(0, len(keys), _PART)]
