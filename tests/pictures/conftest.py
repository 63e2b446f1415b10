"""A student of random weights that reads pictures, exported as it is shipped."""

from __future__ import annotations

from pathlib import Path

import pytest
from helpers.pictures import RENDERING, new_picture_model

from distilmt.export.ctranslate2_pictures import export_pictures


@pytest.fixture(scope="session")
def picture_student(tmp_path_factory, shared_tokenizer) -> Path:
    directory = tmp_path_factory.mktemp("pictures") / "student"
    export_pictures(new_picture_model(shared_tokenizer), shared_tokenizer, directory, "float32", RENDERING)
    return directory
