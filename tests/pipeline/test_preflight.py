from pathlib import Path

import pytest

from distilmt.config import RunConfig, TeacherConfig, TokenizerConfig
from distilmt.pipeline.preflight import check_models
from distilmt.utils import pretrained
from distilmt.utils.errors import UserError

TEACHER = str(pretrained.TEACHER)


def run(initialization: str, tokenizer: str | None = None) -> RunConfig:
    config = RunConfig("run", teacher=TeacherConfig(initialization=initialization))
    config.tokenizer = TokenizerConfig(path=tokenizer)
    return config


def test_a_training_that_starts_from_a_model_shares_its_vocabulary(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"teacher.initialization \S+/none is not a directory: give one with a trained"):
        check_models(run(str(tmp_path / "none")))
    with pytest.raises(UserError, match=r"has a vocabulary of its own: set tokenizer.path to that directory too"):
        check_models(run(TEACHER))
    check_models(run(TEACHER, TEACHER))
