"""The cache of responses, also one that an older version wrote."""

from __future__ import annotations

import sqlite3
from contextlib import closing

from distilmt.teachers.response_cache import ResponseCache, cache_file, totals


def former_file(path, cache):
    """The rows of a cache with the tables of older versions."""
    with closing(sqlite3.connect(cache)) as file:
        rows = file.execute("SELECT key, hypotheses FROM responses").fetchall()
    with closing(sqlite3.connect(path)) as file, file:
        file.execute("CREATE TABLE answers (key BLOB PRIMARY KEY, said TEXT NOT NULL) WITHOUT ROWID")
        file.execute("CREATE TABLE spent (what TEXT PRIMARY KEY, much REAL NOT NULL)")
        file.executemany("INSERT INTO answers VALUES (?, ?)", rows)
        file.executemany("INSERT INTO spent VALUES (?, ?)", [("money", 1.5), ("answer_tokens", 9.0), ("requests", 2.0)])


def test_responses_are_stored_by_text_and_settings(tmp_path):
    ResponseCache(tmp_path / "r.sqlite", "t").store({"a": [("A", 0.0), ("B", -1.5)]}, 2, 0.5, {"cost": 1.0})
    again = ResponseCache(tmp_path / "r.sqlite", "t")
    assert again.lookup(["a", "b"], 2, 0.5) == {"a": [("A", 0.0), ("B", -1.5)]}
    assert again.lookup(["a"], 1, 0.5) == {} and again.usage() == {"cost": 1.0}
    assert ResponseCache(tmp_path / "r.sqlite", "other").lookup(["a"], 2, 0.5) == {}


def test_a_cache_of_an_older_version_is_used_and_its_usage_counts(tmp_path):
    ResponseCache(tmp_path / "new.sqlite", "t").store({"a": [("A", 0.0)]}, 1, 0.0)
    old = tmp_path / "answers.sqlite"
    former_file(old, tmp_path / "new.sqlite")
    before = {"completion_tokens": 9.0, "cost": 1.5, "requests": 2.0}
    assert totals(old) == before  # reading alone changes nothing
    cache = ResponseCache(cache_file(tmp_path), "t")
    assert cache.lookup(["a"], 1, 0.0) == {"a": [("A", 0.0)]}
    cache.store({"b": [("B", 0.0)]}, 1, 0.0, {"cost": 0.5})
    assert totals(old) == before | {"cost": 2.0}
    assert ResponseCache(old, "t").lookup(["a", "b"], 1, 0.0) == {"a": [("A", 0.0)], "b": [("B", 0.0)]}


def test_a_new_run_has_the_new_name(tmp_path):
    assert cache_file(tmp_path).name == "responses.sqlite"
