"""`distilmt cost` as people use it."""

import json
import shutil

import pytest
from helpers import toy

from distilmt import cli


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    """No rates but those that a test measures."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def told(capsys, *arguments) -> str:
    capsys.readouterr()
    assert cli.main(["cost", *map(str, arguments)]) == 0
    return capsys.readouterr().out


def refused(capsys, *arguments) -> str:
    capsys.readouterr()
    assert cli.main(["cost", *map(str, arguments)]) == 2
    found = capsys.readouterr()
    assert found.out == "" and found.err.count("\n") == 1
    return found.err


def test_before_a_run_it_counts_and_says_what_seconds_need(capsys, tmp_path):
    config = toy.write_config(tmp_path / "run.yaml", toy.run_config(tmp_path))
    found = told(capsys, config, "--quiet")
    assert found == ""
    found = json.loads(told(capsys, config, "--json"))
    rows = {row["name"]: row for row in found["predicted"]}
    assert list(rows) == ["teacher", "labels", "student", "baseline", "exports"]
    assert rows["teacher"]["parameters"] > rows["student"]["parameters"] > 1000
    assert rows["teacher"]["seconds"] is None and found["rates"] is None and found["measured"] == []
    assert any("--calibrate" in note and "--calibration_run" in note for note in found["notes"])
    assert not (tmp_path / "run").exists()  # asking makes nothing
    wide = json.loads(told(capsys, config, "--json", "--student.model.ffn_dim", "320"))["predicted"]
    assert (
        wide[2]["parameters"] > rows["student"]["parameters"] and wide[0]["parameters"] == rows["teacher"]["parameters"]
    )


def test_a_table_for_people(capsys, tmp_path, finished_run):
    config = toy.write_config(tmp_path / "run.yaml", toy.run_config(tmp_path))
    found = told(capsys, config, "--calibration_run", finished_run)
    for part in ("| parameters", "decoder, attention", "twice the corpus", "O(u·b", "Rates from the steps of"):
        assert part in found
    rows = json.loads(told(capsys, config, "--calibration_run", finished_run, "--json"))["predicted"]
    assert all(row["seconds"] > 0 and row["peak_rss_bytes"] > 1e7 for row in rows[:4])


def test_a_finished_run_is_its_own_witness_only_before_it(capsys, tmp_path, finished_run):
    run = tmp_path / "run"
    shutil.copytree(finished_run, run)
    again = json.loads(told(capsys, finished_run.parent / "run.yaml", "--run_dir", run, "--json"))
    assert str(run) in again["rates"]["source"] and again["measured"] == []
    beside = json.loads(told(capsys, run, "--json"))
    assert beside["rates"] is None and {row["name"] for row in beside["measured"]} >= {"teacher", "labels", "student"}
    shown = told(capsys, run, "--calibration_run", finished_run)
    assert "time, predicted" in shown and "time, measured" in shown and "  error" in shown


def test_what_cannot_be_asked(capsys, tmp_path):
    assert "name a YAML file" in refused(capsys, "--calibrate")
    assert "no config.yaml" in refused(capsys, tmp_path)
    config = toy.write_config(tmp_path / "run.yaml", toy.run_config(tmp_path))
    assert "minutes is 0.0: it must be at least 0.5" in refused(capsys, config, "--calibrate", "--minutes", "0")
    assert "minutes is many: it must be a number" in refused(capsys, config, "--minutes", "many")
    assert "no config.yaml" in refused(capsys, config, "--calibration_run", tmp_path)
    assert "did you mean" in refused(capsys, config, "--student.model.fnn", "3")
    (tmp_path / "other").mkdir()
    shutil.copy(config, tmp_path / "other" / "config.yaml")
    assert "no finished teacher" in refused(capsys, config, "--calibration_run", tmp_path / "other")


@pytest.mark.slow
def test_short_runs_tell_what_a_longer_one_takes(capsys, tmp_path, finished_run):
    """The rates are kept, and predict a run that was done; on a shared machine only roughly."""
    config = toy.write_config(tmp_path / "run.yaml", toy.run_config(tmp_path))
    found = json.loads(told(capsys, config, "--calibrate", "--minutes", "0.5", "--json"))
    assert "--calibrate" in found["rates"]["source"] and list((tmp_path / "cache" / "distilmt").glob("cost-*.json"))
    later = json.loads(told(capsys, finished_run, "--json"))
    assert later["rates"]["date"] == found["rates"]["date"]
    real = {row["name"]: row["seconds"] for row in later["measured"]}
    for row in later["predicted"][:4]:
        assert 0.1 * real[row["name"]] < row["seconds"] < 10 * real[row["name"]], row["name"]
