"""The programs in examples/ run, on tiny models; tests/classification tests the one that downloads."""

from __future__ import annotations

import gzip
import re
import runpy
import shutil
import sys
from pathlib import Path

import pytest
from helpers import toy

import distilmt
from distilmt.data.readers.apt import Indices
from distilmt.data.splitting import package_split

EXAMPLES = Path(__file__).parents[1] / "examples"


@pytest.fixture
def run_example(tmp_path, monkeypatch, capsys):
    """Run an example in an empty directory; returns the lines that it prints."""

    def run(name, *arguments):
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(sys, "argv", [name, *map(str, arguments)])
        capsys.readouterr()
        runpy.run_path(str(EXAMPLES / name), run_name="__main__")
        return capsys.readouterr().out.splitlines()

    return run


@pytest.fixture
def run_directory(finished_run, tmp_path):
    shutil.copytree(finished_run, tmp_path / "run")
    return tmp_path / "run"


def test_translate(run_example, finished_run):
    first, several, *ranked = run_example("translate.py", finished_run)
    with distilmt.Translator(finished_run, beam_size=2) as translator:
        assert first == translator.translate("A small editor for text files.")
    assert several.startswith("['") and len(ranked) == 2


def test_evaluate(run_example, tmp_path):
    _, references = toy.pairs(20)
    outputs = {"mine.txt": [*references[:19], "nota."], "other.txt": ["nota."] * 20, "references.txt": references}
    for name, lines in outputs.items():
        (tmp_path / name).write_text("".join(f"{line}\n" for line in lines))
    bleu, chrf = run_example("evaluate.py", *outputs, "it")
    assert re.fullmatch(r"BLEU \d+\.\d+ \[\d+\.\d+, \d+\.\d+\] nrefs:1.*tok:13a.*", bleu)
    assert chrf.endswith("p = 0.001") and "difference +" in chrf


def test_distill_from_yaml(run_example, run_directory, tmp_path):
    """Corpus, teacher and labels are there: another seed and another length train another student."""
    values = toy.run_config(tmp_path, 60, run_dir=str(tmp_path / "new"))
    config = toy.write_config(tmp_path / "example.yaml", values)
    *systems, report = run_example("distill_yaml.py", config)
    assert [line.partition(":")[0] for line in systems] == ["teacher", "student-int8", "baseline-int8"]
    assert Path(report) == tmp_path / "new" / "report.html" and Path(report).exists()
    assert distilmt.Run(tmp_path / "new").config.student.training.max_steps == 15


def test_distill_from_three_arguments(run_example, trained_model, tmp_path):
    (tmp_path / "mine.en").write_text("".join(f"{line}\n" for line in toy.pairs(700, seed=6)[0]))
    score, _translation, command = run_example("distill.py", trained_model, tmp_path / "mine.en", "en-it", 0.1)
    assert re.match(r"[\d.]+ \d+ bytes", score)
    assert command == "continue with: distilmt run runs/distill-en-it/config.yaml"
    assert (tmp_path / "runs" / "distill-en-it" / "report.html").exists()


@pytest.mark.slow
def test_compress(run_example, run_directory):
    scores, _translation, report = run_example("compress.py", run_directory)
    assert "'test bleu'" in scores and Path(report).exists()


def test_labels_as_a_dataset(run_example, finished_run):
    pytest.importorskip("datasets")
    number, pair, columns, *_ = run_example("labels_dataset.py", finished_run / "labels")
    assert number == "355 sentences, top 4" and "→" in pair
    assert {"'source'", "'hypotheses'", "'top_ids'"} <= set(re.findall(r"'\w+'", columns))


def test_loss_in_a_plain_loop(run_example):
    losses = [float(line.split()[1]) for line in run_example("loss_plain_loop.py")]
    assert losses[0] > losses[1] > losses[2]


def test_loss_in_the_trainer_of_hugging_face(run_example, trained_model):
    pytest.importorskip("accelerate")
    *_, last = run_example("loss_trainer.py", trained_model, trained_model)
    assert re.fullmatch(r"loss \d+\.\d+", last)


def test_the_list_is_whole():
    named = set(re.findall(r"\]\((\w+\.py)\)", (EXAMPLES / "README.md").read_text(encoding="utf-8")))
    assert named == {path.name for path in EXAMPLES.glob("*.py")}


def description_index(path, language, texts):
    """An index file of package descriptions; `texts` are long descriptions by package."""
    stanzas = [
        f"Package: {name}\nDescription-md5: {name}\nDescription-{language}: summary in {language}\n {text}\n"
        for name, text in texts.items()
    ]
    path.write_bytes(gzip.compress("\n".join(stanzas).encode()))
    return path


def test_debian_sentences(run_example, tmp_path, monkeypatch):
    """Neither sentences of held-out packages nor those that are like one of them are in the text."""
    names = [f"p{number}" for number in range(60)]
    held_out = next(name for name in names if package_split(name) == "test")
    like, unlike = [name for name in names if package_split(name) == "train"][:2]
    start = "It reads the names of all blue files and prints them twice,"
    english = {held_out: f"{start} as here.", like: f"{start} or not.", unlike: "It draws lines on the screen."}
    portuguese = {held_out: "Lê os nomes de todos os arquivos azuis."}
    translations = {
        language: description_index(tmp_path / f"{language}.gz", language, texts)
        for language, texts in (("en", english), ("pt_BR", portuguese))
    }
    packages = tmp_path / "packages.tsv.gz"
    packages.write_bytes(gzip.compress("".join(f"{name}\t{name}\tutils\n" for name in english).encode()))
    monkeypatch.setattr("distilmt.data.readers.apt.fetch", lambda *_: Indices(translations, packages, ""))
    assert run_example("debian_sentences.py", "pt_BR", "debian.en") == ["debian.en: 2 sentences"]
    assert (tmp_path / "debian.en").read_text() == "summary in en\nIt draws lines on the screen.\n"
