"""Cache of the responses of a program or server, so that no request is made (or paid) twice."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from hashlib import blake2b
from pathlib import Path

from distilmt.teachers.scored_text import ScoredText

_PART = 500
_FORMER_KINDS = {"answer_tokens": "completion_tokens", "money": "cost"}


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
            file.execute("BEGIN IMMEDIATE")  # of several processes one renames the tables of an older version
            _rename_former_tables(file)
            file.execute(
                "CREATE TABLE IF NOT EXISTS responses (key BLOB PRIMARY KEY, hypotheses TEXT NOT NULL) WITHOUT ROWID"
            )
            file.execute("CREATE TABLE IF NOT EXISTS usage (kind TEXT PRIMARY KEY, amount REAL NOT NULL)")

    def lookup(self, texts: Sequence[str], count: int, temperature: float) -> dict[str, list[ScoredText]]:
        """Stored responses of those texts that were requested before with the same settings."""
        keys = {self._key(text, count, temperature): text for text in texts}
        responses: dict[str, list[ScoredText]] = {}
        with closing(self._open()) as file:
            for part in _parts(list(keys)):
                marks = ",".join("?" * len(part))
                query = f"SELECT key, hypotheses FROM responses WHERE key IN ({marks})"
                for key, hypotheses in file.execute(query, part):
                    stored = json.loads(hypotheses)  # texts, and pairs of a text and a score
                    responses[keys[key]] = [(each, 0.0) if isinstance(each, str) else tuple(each) for each in stored]
        return responses

    def store(
        self,
        responses: Mapping[str, Sequence[ScoredText]],
        count: int,
        temperature: float,
        usage: Mapping[str, float] | None = None,
    ) -> None:
        """Store responses, and the usage of this process so far (tokens, requests, cost)."""
        rows = [
            (self._key(text, count, temperature), json.dumps(_stored(each), ensure_ascii=False))
            for text, each in responses.items()
        ]
        usage = dict(usage or {})
        more = {kind: amount - self._usage.get(kind, 0.0) for kind, amount in usage.items()}
        with closing(self._open()) as file, file:
            file.executemany("INSERT OR REPLACE INTO responses VALUES (?, ?)", rows)
            file.executemany(
                "INSERT INTO usage VALUES (?, ?) ON CONFLICT (kind) DO UPDATE SET amount = amount + excluded.amount",
                list(more.items()),
            )
        self._usage = usage

    def usage(self) -> dict[str, float]:
        """Total usage of all processes."""
        return totals(self._path)

    def _open(self) -> sqlite3.Connection:
        return sqlite3.connect(self._path, timeout=60)

    def _key(self, text: str, count: int, temperature: float) -> bytes:
        request = json.dumps([self._teacher, text, count, temperature])
        return blake2b(request.encode(), digest_size=16).digest()


def _stored(translations: Sequence[ScoredText]) -> list[str | ScoredText]:
    """A translation without a score as text alone, as older versions stored all."""
    return [each if each[1] else each[0] for each in translations]


def totals(path: Path) -> dict[str, float]:
    """Requests, tokens, cost and responses without a translation, by kind, over all processes that wrote the file."""
    if not path.exists():
        return {}
    with closing(sqlite3.connect(path, timeout=60)) as file:
        if "spent" in _tables(file):
            rows = file.execute("SELECT what, much FROM spent").fetchall()
            return dict(sorted((_FORMER_KINDS.get(kind, kind), amount) for kind, amount in rows))
        return dict(file.execute("SELECT kind, amount FROM usage ORDER BY kind"))


def cache_file(run_dir: Path) -> Path:
    """The cache of a run; a run that an older version began has it under its former name."""
    former = run_dir / "answers.sqlite"
    return former if former.exists() else run_dir / "responses.sqlite"


def _rename_former_tables(file: sqlite3.Connection) -> None:
    tables = _tables(file)
    if "answers" in tables:
        file.execute("ALTER TABLE answers RENAME TO responses")
        file.execute("ALTER TABLE responses RENAME COLUMN said TO hypotheses")
    if "spent" in tables:
        file.execute("ALTER TABLE spent RENAME TO usage")
        file.execute("ALTER TABLE usage RENAME COLUMN what TO kind")
        file.execute("ALTER TABLE usage RENAME COLUMN much TO amount")
        for former, kind in _FORMER_KINDS.items():
            file.execute("UPDATE usage SET kind = ? WHERE kind = ?", (kind, former))


def _tables(file: sqlite3.Connection) -> set[str]:
    return {name for (name,) in file.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}


def _parts(keys: list[bytes]) -> list[list[bytes]]:
    return [keys[i : i + _PART] for i in range(0, len(keys), _PART)]
