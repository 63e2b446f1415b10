"""`distilmt labels`: what is done with whole stores, from the command line."""

from __future__ import annotations

import json
import shutil

import pytest

from distilmt import cli
from distilmt.labels.manifest import MANIFEST
from distilmt.labels.store import LabelStore
from distilmt.utils.run_dir import read_json, write_json


def message(capsys, *arguments):
    status = cli.main(["labels", *map(str, arguments)])
    result = capsys.readouterr()
    return status, result.out, result.err


def refused(capsys, *arguments):
    status, out, error = message(capsys, *arguments)
    assert (status, out, error.count("\n")) == (2, "", 1)
    return error


@pytest.fixture
def store(finished_run, tmp_path):
    shutil.copytree(finished_run / "labels", tmp_path / "run" / "labels")
    return tmp_path / "run" / "labels"


def test_check_and_info(store, capsys):
    assert message(capsys, "check", store)[:2] == (0, f"{store}: 355 sentences, complete and intact\n")
    status, out, _ = message(capsys, "info", store, "--json")
    result = json.loads(out)
    assert status == 0 and result["rows"] == 355 and result["shards"] == 6 and result["k"] == 4
    assert result["teacher"] == LabelStore(store).manifest["teacher"] and result["hypothesis_tokens"] > 355
    assert "decoding: " in message(capsys, "info", store)[1]


def test_an_unfinished_store_is_checked_for_what_is_there(store, capsys):
    manifest = read_json(store / MANIFEST)
    del manifest["shards"][1]
    write_json(store / MANIFEST, manifest | {"complete": False, "rows": 355 - 64})
    status, out, _ = message(capsys, "check", store)
    assert status == 0 and "291 sentences in 5 shards, all intact; it is not finished" in out
    assert json.loads(message(capsys, "check", store, "--json")[1])["complete"] is False


def test_split_and_merge(store, tmp_path, capsys):
    assert message(capsys, "split", store, tmp_path / "parts", "--first", "100")[0] == 0
    parts = [tmp_path / "parts" / f"part-{i}" for i in (1, 2)]
    assert [LabelStore(part).rows for part in parts] == [100, 255]
    assert message(capsys, "merge", tmp_path / "again", *parts)[0] == 0
    assert LabelStore(tmp_path / "again").ids() == LabelStore(store).ids()
    assert "is in more than one of" in refused(capsys, "merge", tmp_path / "both", store, store)
    assert message(capsys, "merge", tmp_path / "both", store, store, "--prefix_ids", "true")[0] == 0
    assert LabelStore(tmp_path / "both").rows == 710


def test_select_requests_the_teacher_for_words_of_what_it_chooses(store, finished_run, tmp_path, capsys):
    assert "nothing to select by" in refused(capsys, "select", store, tmp_path / "out")
    several = store.parent / "several"
    shutil.copytree(store, several)
    assert "--teachers" in refused(capsys, "select", store, tmp_path / "out", "--rerank", "oracle")
    assert "these are others" in refused(
        capsys, "select", store, tmp_path / "out", "--rerank", "oracle", "--teachers", finished_run / "student"
    )
    assert not (tmp_path / "out").exists()
    teacher = ["--teachers", finished_run / "teacher"]
    assert message(capsys, "select", several, tmp_path / "out", "--rerank", "oracle", "--n_best", "2", *teacher)[0] == 0
    chosen = LabelStore(tmp_path / "out")
    chosen.check()
    assert chosen.rows == 355 and chosen.manifest["choice"] == ["oracle", "chrf", 2, None]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["chek", "x"], "did you mean 'check'"),
        (["check"], "takes 1 directory, not 0"),
        (["merge", "x", "y"], "takes 3 or more directories"),
        (["split", "x", "y", "--parts", "2", "--first", "1"], "exclude each other"),
        (["split", "x", "y", "--part", "2"], "did you mean 'parts'"),
        (["info", "nowhere"], "contains no labels"),
    ],
)
def test_mistakes_get_one_line(arguments, expected, capsys):
    assert expected in refused(capsys, *arguments)
