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


def message(capsys, *arguments) -> str:
    capsys.readouterr()
    assert cli.main(["cost", *map(str, arguments)]) == 0
    return capsys.readouterr().out


def refused(capsys, *arguments) -> str:
    capsys.readouterr()
    assert cli.main(["cost", *map(str, arguments)]) == 2
    result = capsys.readouterr()
    assert result.out == "" and result.err.count("\n") == 1
    return result.err


def test_before_a_run_it_counts_and_states_what_seconds_need(capsys, tmp_path):
    config = toy.write_config(tmp_path / "run.yaml", toy.run_config(tmp_path))
    result = message(capsys, config, "--quiet")
    assert result == ""
    result = json.loads(message(capsys, config, "--json"))
    rows = {row["name"]: row for row in result["predicted"]}
    assert list(rows) == ["teacher", "labels", "student", "baseline", "exports"]
    assert rows["teacher"]["parameters"] > rows["student"]["parameters"] > 1000
    assert rows["teacher"]["seconds"] is None and result["rates"] is None and result["measured"] == []
    assert any("--calibrate" in note and "--calibration_run" in note for note in result["notes"])
    assert not (tmp_path / "run").exists()  # a prediction creates nothing
    wide = json.loads(message(capsys, config, "--json", "--student.model.ffn_dim", "320"))["predicted"]
    assert (
        wide[2]["parameters"] > rows["student"]["parameters"] and wide[0]["parameters"] == rows["teacher"]["parameters"]
    )


def test_a_table_for_people(capsys, tmp_path, finished_run):
    config = toy.write_config(tmp_path / "run.yaml", toy.run_config(tmp_path))
    result = message(capsys, config, "--calibration_run", finished_run)
    for part in ("| parameters", "decoder, attention", "twice the corpus", "O(u·b", "Rates from the steps of"):
        assert part in result
    rows = json.loads(message(capsys, config, "--calibration_run", finished_run, "--json"))["predicted"]
    assert all(row["seconds"] > 0 and row["peak_rss_bytes"] > 1e7 for row in rows[:4])


def test_a_finished_run_is_its_own_witness_only_before_it(capsys, tmp_path, finished_run):
    run = tmp_path / "run"
    shutil.copytree(finished_run, run)
    again = json.loads(message(capsys, finished_run.parent / "run.yaml", "--run_dir", run, "--json"))
    assert str(run) in again["rates"]["source"] and again["measured"] == []
    neighbor = json.loads(message(capsys, run, "--json"))
    assert neighbor["rates"] is None and {row["name"] for row in neighbor["measured"]} >= {
        "teacher",
        "labels",
        "student",
    }
    shown = message(capsys, run, "--calibration_run", finished_run)
    assert "time, predicted" in shown and "time, measured" in shown and "  error" in shown


def test_what_cannot_be_requested(capsys, tmp_path):
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
def test_short_runs_report_what_a_longer_one_takes(capsys, tmp_path, finished_run):
    """The rates are kept, and predict a run that was done; on a shared machine only roughly."""
    config = toy.write_config(tmp_path / "run.yaml", toy.run_config(tmp_path))
    result = json.loads(message(capsys, config, "--calibrate", "--minutes", "0.5", "--json"))
    assert "--calibrate" in result["rates"]["source"] and list((tmp_path / "cache" / "distilmt").glob("cost-*.json"))
    later = json.loads(message(capsys, finished_run, "--json"))
    assert later["rates"]["date"] == result["rates"]["date"]
    real = {row["name"]: row["seconds"] for row in later["measured"]}
    for row in later["predicted"][:4]:
        assert 0.1 * real[row["name"]] < row["seconds"] < 10 * real[row["name"]], row["name"]
