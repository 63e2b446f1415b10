"""Toy tokenizers and one toy model, made once; no network."""

from __future__ import annotations

import logging
import os
import shutil
from pathlib import Path

import pytest
from helpers import commands, toy
from helpers.shared import built_once
from hypothesis import settings

os.environ["HF_HUB_OFFLINE"] = "1"


# The same examples in every run, so that a change passes or fails by itself. HYPOTHESIS_PROFILE=random tries new ones
# (`make test-all` does). Without deadlines: a busy machine fails no test.
settings.register_profile("repeatable", derandomize=True, database=None, deadline=None, max_examples=33)
settings.register_profile("random", derandomize=False, deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "repeatable"))

_CORES = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set()


def pytest_configure(config):
    """Keep each of xdist's workers to cores of its own, if there are enough: none waits for others' threads."""
    worker, count = os.environ.get("PYTEST_XDIST_WORKER", ""), int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "0"))
    share = len(_CORES) // count if worker.startswith("gw") else 0
    if share:
        first = int(worker[2:]) * share
        os.sched_setaffinity(0, sorted(_CORES)[first : first + share])


@pytest.fixture
def two_cores():
    """For tests of work side by side: all cores of the machine, of which there must be two."""
    if not _CORES:
        yield
        return
    if len(_CORES) < 2:
        pytest.skip("needs two cores")
    own = os.sched_getaffinity(0)
    os.sched_setaffinity(0, _CORES)
    yield
    os.sched_setaffinity(0, own)


@pytest.fixture(scope="module")
def no_gpu():
    """Several processes are tested on processors: no machine that runs tests has a GPU for each of them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CUDA_VISIBLE_DEVICES", "")
        patch.setattr("torch.cuda.is_available", lambda: False)
        yield


@pytest.fixture(scope="session")
def shared_tokenizer(tmp_path_factory):
    """One vocabulary for both sides."""
    return _tokenizer(tmp_path_factory.mktemp("shared"), chinese=False)


@pytest.fixture(scope="session")
def split_tokenizer(tmp_path_factory):
    """A vocabulary for Latin script and one for Chinese."""
    return _tokenizer(tmp_path_factory.mktemp("split"), chinese=True)


@pytest.fixture(scope="session", params=["shared", "split"])
def tokenizer(request, shared_tokenizer, split_tokenizer):
    """Both kinds, one after the other."""
    return shared_tokenizer if request.param == "shared" else split_tokenizer


def _tokenizer(directory: Path, chinese: bool):
    from distilmt.config import TokenizerConfig
    from distilmt.data import tokenizer

    tokenizer.train(*toy.pairs(300, chinese=chinese), TokenizerConfig(vocab_size=420), directory, seed=1)
    return tokenizer.load(directory)


@pytest.fixture(scope="session")
def trained_model(tmp_path_factory, shared_tokenizer) -> Path:
    """The directory of a Marian model that has learned the toy pair a little."""
    from helpers.training import train_toy

    return built_once(tmp_path_factory, "trained-model", lambda directory: train_toy(directory, shared_tokenizer))


@pytest.fixture(scope="session")
def exported_model(trained_model) -> Path:
    """The trained model as CTranslate2, float32."""
    return trained_model / "ct2"


@pytest.fixture(scope="session")
def finished_run(tmp_path_factory) -> Path:
    """The directory of a finished toy run; `../run.yaml` is its configuration. Copy, don't change."""
    built = built_once(tmp_path_factory, "built-run", run_toy)
    directory = tmp_path_factory.mktemp("finished-run")
    shutil.copytree(built, directory, symlinks=True, dirs_exist_ok=True)
    for path in (directory / "run.yaml", directory / "run" / "config.yaml"):
        path.write_text(path.read_text().replace(str(built / "run"), str(directory / "run")))
    return directory / "run"


def run_toy(directory: Path) -> None:
    """A toy run in a process that starts from nothing; other tests compare theirs with it."""
    config = toy.write_config(directory / "run.yaml", toy.run_config(directory))
    process = commands.fresh_distilmt("run", config, "--quiet")
    assert process.returncode == 0, process.stderr.decode()[-3000:]


class _Messages(logging.Handler):
    """Collects the texts of log messages."""

    def __init__(self, lines: list[str]) -> None:
        super().__init__()
        self.lines = lines

    def emit(self, record: logging.LogRecord) -> None:
        kind = "warning: " if record.levelno == logging.WARNING else ""
        self.lines.append(f"{kind}{record.getMessage()}")


@pytest.fixture
def messages():
    """Texts that distilmt logs during a test, warnings with `warning: ` before them, as a list that grows."""
    logger, handler = logging.getLogger("distilmt"), _Messages([])
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    yield handler.lines
    logger.removeHandler(handler)
    logger.setLevel(level)


@pytest.fixture(scope="session")
def picture_student(tmp_path_factory, shared_tokenizer):
    """A student of random weights that reads pictures, exported as it is shipped."""
    from helpers.pictures import RENDERING, new_picture_model

    from distilmt.export.ctranslate2_pictures import export_pictures

    directory = tmp_path_factory.mktemp("pictures") / "student"
    export_pictures(new_picture_model(shared_tokenizer), shared_tokenizer, directory, "float32", RENDERING)
    return directory


@pytest.fixture(scope="session")
def speech_student(tmp_path_factory, shared_tokenizer):
    """A student of random weights that reads speech, exported as it is shipped."""
    from helpers.speech import export_speech_model

    directory = tmp_path_factory.mktemp("speech") / "student"
    export_speech_model(shared_tokenizer, directory)
    return directory
