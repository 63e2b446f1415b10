"""A student that is trained further on its user's own text."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from helpers import toy

from distilmt.compression.pruning import narrow_ffn
from distilmt.config import loading
from distilmt.config.adapt import AdaptConfig
from distilmt.data import prepare
from distilmt.data.tokenizer import load as load_tokenizer
from distilmt.inference.translator import Translator
from distilmt.models.base import STACKS
from distilmt.models.checkpoint import load_model, save_model
from distilmt.models.initialization import unit_norms
from distilmt.recipes import adapt
from distilmt.recipes.adapt_start import read_start
from distilmt.recipes.adapt_text import Texts
from distilmt.utils.errors import UserError
from distilmt.utils.step_results import CorpusResult


def own_text(directory: Path, count: int = 150) -> list[str]:
    """Pairs of the toy languages whose targets end otherwise than those of all other text."""
    sources, targets = toy.pairs(count, seed=5)
    names = [directory / "mine.en", directory / "mine.it"]
    for name, lines in zip(names, (sources, [line.replace(".", "!") for line in targets]), strict=True):
        name.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return [str(name) for name in names]


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory, finished_run: Path) -> AdaptConfig:
    """The student of the finished run is adapted, in a short time and with a rate that shows."""
    place = tmp_path_factory.mktemp("adapt")
    run_dir = str(place / "run")
    return AdaptConfig(
        str(finished_run), own_text(place), minutes=0.2, held_out=15, run_dir=run_dir, learning_rate=0.01, epochs=40
    )


@pytest.fixture(scope="module")
def adapted(config: AdaptConfig) -> Path:
    """The finished adaptation."""
    return adapt.run(config)


def test_the_table_compares_before_and_after_on_both_texts(adapted: Path) -> None:
    result = json.loads((adapted / "adaptation.json").read_text())
    assert [test["text"] for test in result["tests"]] == ["own-text", "old-text"]
    for test in result["tests"]:
        assert test["sentences"] == prepare.count_rows(adapted / test["text"], "test") == 15
        assert [row["metric"] for row in test["comparisons"]] == ["bleu", "chrf"]
    assert result["pair"] == {"source": "en", "target": "it"}
    table = (adapted / "adaptation.md").read_text()
    assert "| your text | 15 |" in table and "| old text | 15 |" in table
    assert Translator(adapted / "exports" / "student-int8").translate(["bar den."])


def test_training_reads_both_texts_and_no_test_sentence_of_either(adapted: Path, finished_run: Path) -> None:
    train = prepare.load_split(adapted / "corpus", "train").to_pylist()
    own, old = (prepare.load_split(adapted / name, "train").to_pylist() for name in ("own-text", "old-text"))
    sources = {row["source"] for row in train}
    assert sources & {row["source"] for row in own} and sources & {row["source"] for row in old}
    assert sources <= {row["source"] for row in [*own, *old]}
    held_out = {
        row["source"]
        for directory in (adapted / "own-text", adapted / "old-text")
        for split in ("valid", "test")
        for row in prepare.load_split(directory, split).to_pylist()
    }
    assert len(held_out) == 60 and not sources & held_out
    trained_on = prepare.load_split(finished_run / "corpus", "train")["source"].to_pylist()
    assert {row["source"] for row in old} <= set(trained_on)
    valid = prepare.load_split(adapted / "corpus", "valid")["target"].to_pylist()
    assert [line.endswith("!") for line in valid] == [True, False] * 15


def test_it_learns_from_the_weights_of_the_student(adapted: Path, finished_run: Path) -> None:
    before, after = (load_model(path).state_dict() for path in (finished_run / "student", adapted / "student"))
    assert before.keys() == after.keys()
    name = "network.model.encoder.layers.0.fc1.weight"
    assert 0 < float((before[name] - after[name]).norm()) < float(before[name].norm())
    teacher = load_model(adapted / "teacher").state_dict()
    assert all(bool((value == teacher[key]).all()) for key, value in before.items())


def test_a_finished_adaptation_is_not_trained_again(adapted: Path, config: AdaptConfig, messages: list[str]) -> None:
    before = (adapted / "student" / "step.json").stat().st_mtime_ns
    assert adapt.run(config) == adapted
    assert (adapted / "student" / "step.json").stat().st_mtime_ns == before
    assert any(line.startswith("student: already done") for line in messages)


@pytest.mark.slow
def test_an_export_alone_and_the_translations_of_a_teacher(
    config: AdaptConfig, finished_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    export = tmp_path / "exported"
    shutil.copytree(finished_run / "exports" / "student-int8", export)
    options = replace(config, student=str(export), text=config.text[:1], teacher=str(finished_run / "teacher"))
    root = adapt.run(replace(options, run_dir=str(tmp_path / "run")))
    result = json.loads((root / "adaptation.json").read_text())
    assert [test["text"] for test in result["tests"]] == ["own-text"]
    assert "There is no old text" in (root / "adaptation.md").read_text()
    sources = Path(config.text[0]).read_text().splitlines()
    lines = Translator(finished_run / "exports" / "teacher").translate(sources, beam_size=4)
    pairs = {row["source"]: row["target"] for row in prepare.load_split(root / "own-text", "train").to_pylist()}
    assert len(pairs) > 5  # the cleaning drops what the toy teacher repeats
    agreeing = sum(pairs[s] == t for s, t in zip(sources, lines, strict=True) if s in pairs)
    assert agreeing > len(pairs) // 2  # the teacher labels in int8


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"text": []}, "no text is named: name sentence pairs of your own with --text mine.en mine.de"),
        ({"text": ["none.en", "none.it"]}, "none.en does not exist: check text and old_text"),
        ({"teacher": "models/big"}, "teacher and two files are both given"),
        ({"pair": "en-de"}, "translates from en to it, but pair is en-de"),
        ({"pair": "en"}, "pair is 'en': write the language pair like en-it"),
        ({"student": "none"}, "none is not a directory: name a run, an export"),
    ],
)
def test_what_does_not_go_together_is_one_line(
    config: AdaptConfig, tmp_path: Path, changes: dict[str, object], message: str
) -> None:
    with pytest.raises(UserError, match=message):
        adapt.run(replace(config, run_dir=str(tmp_path / "run"), **changes))  # type: ignore[arg-type]
    assert not (tmp_path / "run").exists()


def test_a_start_without_languages_needs_the_pair(finished_run: Path, tmp_path: Path) -> None:
    shutil.copytree(finished_run / "student", tmp_path / "model")
    with pytest.raises(UserError, match="does not say which languages it translates: name them with --pair en-it"):
        read_start(AdaptConfig(str(tmp_path / "model")))
    start = read_start(AdaptConfig(str(tmp_path / "model"), pair="en-it"))
    assert start.pair == ("en", "it") and start.corpus is None
    in_run = read_start(AdaptConfig(str(finished_run / "exports" / "student-int8")))
    assert in_run.corpus == finished_run / "corpus" and in_run.directory == finished_run / "student"


def test_a_pruned_student_is_one_line(finished_run: Path, tmp_path: Path) -> None:
    model = load_model(finished_run / "student")
    units = {stack: [unit_norms(layer.feed_forward) for layer in model.layers(stack)] for stack in STACKS}
    save_model(narrow_ffn(model, 32, 16, units), load_tokenizer(finished_run / "tokenizer"), tmp_path)
    with pytest.raises(UserError, match=r"was pruned: its encoder and its decoder have other widths .* \(32 and 16"):
        read_start(AdaptConfig(str(tmp_path), pair="en-it"))


def test_own_text_is_repeated_where_old_text_is_plentiful() -> None:
    def repeats(own: int, old: int, share: float = 0.5) -> int:
        return Texts(CorpusResult(own), CorpusResult(old)).repeats(share)

    assert [repeats(100, old) for old in (50, 100, 250, 10_000)] == [1, 1, 2, 4]
    assert repeats(100, 1000, 0.9) == 1 and repeats(100, 1000, 0) == 1
    assert Texts(CorpusResult(100), None).repeats(0.5) == 1


def test_the_student_is_named_by_position() -> None:
    config = loading.load_adapt(["runs/demo", "--text", "a.en", "a.it", "--old-share", "0.3"])
    assert (config.student, config.text, config.old_share) == ("runs/demo", ["a.en", "a.it"], 0.3)
    with pytest.raises(UserError, match="name a student: a run directory such as runs/demo"):
        loading.load_adapt(["--text", "a.en", "a.it"])
