"""A student that is trained further on its user's own text."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from helpers import commands, toy

from distilmt.config import loading
from distilmt.config.adapt import AdaptConfig
from distilmt.data import prepare
from distilmt.inference.translator import Translator
from distilmt.recipes import adapt
from distilmt.recipes.adapt_start import read_start
from distilmt.utils.errors import UserError
from distilmt.utils.run_dir import read_step


def own_text(directory: Path, count: int = 300) -> list[str]:
    """Pairs of the toy languages in which each target ends in a word that no text before had."""
    sources, targets = toy.pairs(count, seed=5)
    names = [directory / "mine.en", directory / "mine.it"]
    for name, lines in zip(names, (sources, [line.replace(".", " xo.") for line in targets]), strict=True):
        name.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return [str(name) for name in names]


@pytest.fixture(scope="module")
def adapted(tmp_path_factory: pytest.TempPathFactory, finished_run: Path) -> Path:
    """A run that adapted the student of the finished one."""
    directory = tmp_path_factory.mktemp("adapted")
    config = AdaptConfig(str(finished_run), own_text(directory), held_out=20, epochs=3, run_dir=str(directory / "run"))
    return adapt.run(config)


def test_the_table_compares_before_and_after_on_both_texts(adapted: Path) -> None:
    result = json.loads((adapted / "adaptation.json").read_text())
    assert [test["text"] for test in result["tests"]] == ["own-text", "old-text"]
    for test in result["tests"]:
        assert test["sentences"] == prepare.count_rows(adapted / test["text"], "test") > 5
        assert [row["metric"] for row in test["comparisons"]] == ["bleu", "chrf"]
    assert result["training"]["updates"] >= 20 and result["pair"] == {"source": "en", "target": "it"}
    table = (adapted / "adaptation.md").read_text()
    assert "| your text | 20 |" in table and "| old text | 20 |" in table
    assert Translator(adapted / "exports" / "student-int8").translate(["bar den."])
