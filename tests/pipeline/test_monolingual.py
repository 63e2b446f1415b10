"""The whole road with text of one language and a program as teacher."""

import json

import pyarrow.parquet as pq
import pytest
from helpers import commands, toy

from distilmt.labels.store import LabelStore
from distilmt.utils.run_dir import read_step


def config(directory, **changes):
    """A program that shifts letters translates; nobody knows a translation beside it."""
    text = toy.pairs(300, seed=8)[0]
    (directory / "mono.en").write_text("".join(f"{line}\n" for line in text))
    alone = {
        "corpus": {"train": [], "monolingual": [str(directory / "mono.en")]},
        "teacher": {"command": "tr a-z n-za-m"},
        "labels": {"top_k": 0},
        "student": {"objective": {"kd_weight": 0.0, "ce_weight": 1.0, "reference_fraction": 0.0}},
    }
    whole = toy.merged(toy.run_config(directory), toy.merged(alone, changes))
    return toy.write_config(directory / "run.yaml", whole)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    directory = tmp_path_factory.mktemp("mono")
    process = commands.distilmt("run", config(directory), "--quiet")
    assert process.returncode == 0, process.stderr.decode()[-3000:]
    return directory / "run"


def test_the_teacher_gives_the_references(run):
    for split in ("valid", "test", "sample"):
        table = pq.read_table(run / "references" / f"{split}.parquet").to_pydict()
        shifted = [text.translate({97 + i: 97 + (i + 13) % 26 for i in range(26)}) for text in table["source"]]
        assert table["target"] == shifted and len(shifted) >= 20
    assert pq.read_table(run / "corpus" / "test.parquet")["target"].null_count == 25


def test_the_student_learns_from_all_its_translations(run):
    store = LabelStore(run / "labels")
    store.check()
    assert store.rows == read_step(run / "corpus").result["train"] == 255
    assert not (run / "baseline").exists(), "without pairs nothing can be learnt without the teacher"


def test_the_report_states_that_scores_are_agreement(run):
    report = json.loads((run / "report.json").read_text())
    teacher, student = report["systems"]
    assert (teacher["name"], student["name"]) == ("teacher", "student-int8")
    assert teacher["bleu"] == pytest.approx(100) and teacher["file_bytes"] is None
    assert teacher["sentences_per_second"]["batch_64"] > 0
    assert "no references" in (run / "report.html").read_text()


def test_a_second_call_requests_nothing(run, tmp_path):
    process = commands.distilmt("run", run.parent / "run.yaml", "--student.training.max_steps", "21", "--quiet")
    assert process.returncode == 0, process.stderr.decode()[-2000:]
    assert read_step(run / "student").result["updates"] == 21


def test_a_teacher_must_be_named(tmp_path):
    path = config(tmp_path, teacher={"command": None})
    message = commands.error_line(commands.distilmt("run", path, "--quiet"))
    assert "a teacher cannot be trained on corpus.monolingual alone" in message


def test_words_are_refused_at_once(tmp_path):
    path = config(tmp_path, labels={"top_k": 4}, student={"objective": {"kd_weight": 0.5}})
    message = commands.error_line(commands.distilmt("run", path, "--quiet"))
    assert "set labels.top_k and student.objective.kd_weight to 0" in message


@pytest.mark.slow
def test_pairs_and_more_sentences(tmp_path):
    """Both together: pairs teach the teacher and the baseline, all sentences are labelled."""
    path = config(tmp_path, teacher={"command": None}, corpus={"train": toy.write_corpus(tmp_path / "pairs", 300)})
    process = commands.distilmt("run", path, "--quiet")
    assert process.returncode == 0, process.stderr.decode()[-3000:]
    ids = LabelStore(tmp_path / "run" / "labels").ids()
    assert {name.split("-")[0] for name in ids} == {"train", "mono"}
    assert read_step(tmp_path / "run" / "baseline").result["updates"] > 0
