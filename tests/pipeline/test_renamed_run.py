"""A finished run whose files have the former names of keys: nothing in it is done again."""

import json
import shutil

import pytest
import yaml
from helpers import commands

from distilmt.config import RunConfig, renamed
from distilmt.utils.run_dir import read_json, write_json


def former_settings(settings):
    keys = {new: old for old, new in renamed.RUN.items()}
    names = {key: {b: a for a, b in own.items()} for key, own in renamed.VALUES["RunConfig"].items()}
    return {
        keys.get(key, key): names.get(key, {}).get(value, value) if isinstance(value, str) else value
        for key, value in settings.items()
    }


@pytest.fixture(scope="module")
def former_run(finished_run, tmp_path_factory):
    """A copy of a finished run with the names of before in all its files."""
    run = tmp_path_factory.mktemp("former") / "run"
    shutil.copytree(finished_run, run)
    config = run / "config.yaml"
    values = yaml.safe_load(config.read_text()) | {"run_dir": str(run)}
    mark = config.read_text().split("\n")[0]
    config.write_text(f"{mark}\n{yaml.safe_dump(renamed.former(RunConfig, values), sort_keys=False)}")
    for path in run.glob("*/step.json"):
        record = read_json(path)
        write_json(path, record | {"settings": former_settings(record["settings"])})
    manifest = read_json(run / "labels" / "manifest.json")
    own = {"num_hypotheses": "hypotheses", "sampling_temperature": "sampling"}
    decoding = {own.get(key, key): value for key, value in manifest["decoding"].items()}
    write_json(run / "labels" / "manifest.json", manifest | {"decoding": decoding})
    return run


def test_nothing_is_done_again(former_run):
    before = {path: path.read_bytes() for path in former_run.glob("*/step.json")}
    process = commands.distilmt("run", former_run / "config.yaml")
    assert process.returncode == 0, process.stderr
    assert b"done again" not in process.stdout + process.stderr
    assert {path: path.read_bytes() for path in former_run.glob("*/step.json")} == before
    assert not list(former_run.glob("*.before-*")) and "kd_weight" in (former_run / "config.yaml").read_text()


def test_it_is_reported_translated_with_and_its_cost_is_reported(former_run):
    (former_run / "report.html").unlink()
    assert commands.distilmt("run", former_run / "config.yaml").returncode == 0
    assert (former_run / "report.html").exists()
    assert commands.distilmt("translate", former_run, "--text", "ba ri").returncode == 0
    process = commands.distilmt("cost", former_run, "--json")
    assert process.returncode == 0 and json.loads(process.stdout)["measured"], process.stderr


def test_damaged_labels_are_mended_next_to_the_others(former_run):
    shard = former_run / "labels" / "shard-00001.parquet"
    whole = shard.read_bytes()
    shard.write_bytes(whole[:-1])
    process = commands.distilmt("run", former_run / "config.yaml")
    assert process.returncode == 0 and shard.stat().st_size == len(whole), process.stderr
