"""Comparison of methods for students that read pictures: equal pictures, equal test sentences, with and without CTC."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import yaml

pytest.importorskip("PIL")
pytest.importorskip("fontTools")
from helpers import toy
from helpers.pictures import write_fonts

from distilmt.config.comparison import CompareConfig
from distilmt.config.loading import load_comparison
from distilmt.recipes import compare
from distilmt.utils.errors import UserError
from distilmt.utils.run_dir import read_json

REFERENCES = {"kd_weight": 0.0, "ce_weight": 1.0, "reference_fraction": 1.0}
METHODS = {
    "references": {"student": {"objective": REFERENCES}},
    "both": {"student": {"objective": {"kd_weight": 0.9, "ctc_weight": 0.3}}},
}


def comparison(finished_run: Path, directory: Path, **methods: object) -> CompareConfig:
    """Methods for the labels of a finished run on text; two updates each."""
    shutil.copytree(finished_run, directory / "run", dirs_exist_ok=True)
    training_font, held_out_font = write_fonts(directory)
    config = yaml.safe_load((finished_run.parent / "run.yaml").read_text())
    rendering = {"fonts": [training_font], "held_out_fonts": [held_out_font], "variants": 1, "max_columns": 280}
    training = config["student"]["training"] | {"max_steps": 2, "eval_steps": 2, "precision": "auto"}
    config["student"] |= {"input": "image", "rendering": rendering, "training": training}
    config |= {"run_dir": str(directory / "run"), "methods": METHODS | methods, "seeds": [1]}
    return load_comparison([str(toy.write_config(directory / "compare.yaml", config))])


def test_methods_for_pictures(finished_run: Path, tmp_path: Path) -> None:
    config = comparison(finished_run, tmp_path)
    root = compare.run(config)
    result = json.loads((root / "comparison.json").read_text())
    methods = {method["name"]: method["runs"][0] for method in result["methods"]}
    assert set(methods) == set(config.methods)
    rows = read_json(root / "methods" / "both" / "seed-1" / "scores" / "rows.json")
    whole = len(read_json(root / "teacher-scores" / "translations.json")["beam"])
    assert 0 < len(rows) < whole, "some test texts are wider than the pictures"
    assert result["sentences"] == len(rows)
    for run in methods.values():
        assert {"beam", "greedy", "int8"} <= set(run) and run["token_metrics"]["agreement"] is not None
    losses = {run["token_metrics"]["cross_entropy"] for run in methods.values()}
    assert len(losses) == 2, "each method has weights of its own"
    assert not list(root.glob("pictures/seed-1/pictures-*")), "the pictures of a finished seed are deleted"
    student = root / "methods" / "both" / "seed-1" / "student" / "model.safetensors"
    before = student.stat().st_mtime_ns
    compare.run(config)
    assert student.stat().st_mtime_ns == before


def test_methods_that_read_other_pictures_are_refused(finished_run: Path, tmp_path: Path) -> None:
    config = comparison(finished_run, tmp_path, taller={"student": {"rendering": {"height": 48}}})
    with pytest.raises(UserError, match="'taller' reads other test sources"):
        compare.run(config)
