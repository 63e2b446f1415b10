"""A finished corpus of a published data set stays valid when its publisher has another version."""

import json
import shutil
from pathlib import Path

import pytest
from helpers import apt_archive

from distilmt.config import CorpusConfig, RunConfig
from distilmt.data.readers import apt
from distilmt.pipeline import runner
from distilmt.utils.run_dir import read_step

pytestmark = pytest.mark.skipif(shutil.which("apt-get") is None, reason="apt-get is not here")


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    repository = apt_archive.Repository(tmp_path)
    apt.fetch(["en", "it"], apt.default_cache(), repository.config)
    return repository


def publish_again(repository) -> None:
    """Another version in the archive, and in a new cache."""
    repository.write("i18n/Translation-it", apt_archive.ITALIAN.replace("piccolo strumento", "strumento piccolo"))
    shutil.rmtree(apt.default_cache())
    apt.fetch(["en", "it"], apt.default_cache(), repository.config)


def corpus(run: Path, **keys) -> RunConfig:
    return RunConfig(str(run), corpus=CorpusConfig(dataset="debian", **keys))


def test_a_finished_corpus_stays_valid(repository, tmp_path, messages):
    config = corpus(tmp_path / "run")
    first = runner.execute_step("corpus", config)
    publish_again(repository)
    assert runner.is_done("corpus", config)
    assert runner.execute_step("corpus", config) == first
    shutil.rmtree(apt.default_cache())  # nothing is downloaded for it
    assert runner.execute_step("corpus", config) == first
    assert not (tmp_path / "cache/distilmt/apt").exists()
    lines = [line for line in messages if "debian stays as it was read" in line]
    assert len(lines) == 2 and first.inputs["debian"][:8] in lines[0]


def test_a_new_run_and_a_new_setting_read_the_present_version(repository, tmp_path):
    first = runner.execute_step("corpus", corpus(tmp_path / "run"))
    publish_again(repository)
    other = runner.execute_step("corpus", corpus(tmp_path / "other"))
    assert other.inputs != first.inputs
    changed = runner.execute_step("corpus", corpus(tmp_path / "run", max_train=2))
    assert changed.inputs == other.inputs == json.loads((tmp_path / "run/corpus/step.json").read_text())["inputs"]
    # With the former setting, the former corpus with its own snapshot is used again.
    assert runner.execute_step("corpus", corpus(tmp_path / "run")) == first == read_step(tmp_path / "run/corpus")
