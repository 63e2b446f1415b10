"""Whole roads on toy languages, through the command line."""

import json
import shutil
from dataclasses import replace

import pytest
import torch
from helpers import commands, toy

from distilmt.config.loading import load
from distilmt.inference.translator import Translator
from distilmt.labels.store import LabelStore
from distilmt.models.checkpoint import load_model, weights_fingerprint
from distilmt.pipeline.step import RUN_STEPS, step_named
from distilmt.pipeline.steps.train import make_teacher
from distilmt.report.schema import CurvePoint, RunReport, Step, System, TranslationExample
from distilmt.utils.run_dir import read_step
from distilmt.utils.step_results import result_of, to_record

FILES = {
    "corpus": {"train.parquet", "valid.parquet", "test.parquet", "cleaning.json"},
    "tokenizer": {"source.spm", "target.spm", "vocab.json", "tokenizer_config.json"},
    "teacher": {"model.safetensors", "config.json", "log.json", "source.spm", "target.spm", "vocab.json"},
    "labels": {"manifest.json"} | {f"shard-{i:05d}.parquet" for i in range(6)},
    "student": {"model.safetensors", "config.json", "log.json", "source.spm", "target.spm", "vocab.json"},
    "baseline": {"model.safetensors", "config.json", "log.json", "source.spm", "target.spm", "vocab.json"},
    "exports": {"teacher", "student-int8", "baseline-int8"},
    "evaluation": {"speed.json", "teacher.json", "teacher.txt", "student-int8.json", "baseline-int8.health.json"},
    "report": set(),
}


def done(config, *arguments):
    """Run the road, and read its report."""
    process = commands.distilmt("run", config, "--json", *arguments)
    assert process.returncode == 0, process.stderr.decode()[-3000:]
    return json.loads(process.stdout)


def records(run):
    return {name: (run / name / "step.json").read_bytes() for name in RUN_STEPS if (run / name).exists()}


def contents(run):
    return {path: path.stat().st_mtime_ns for path in run.rglob("*") if path.is_file()}


def test_every_file_is_there(finished_run):
    assert set(FILES) == set(RUN_STEPS)
    for step, names in FILES.items():
        actual = {path.name for path in (finished_run / step).iterdir()}
        assert names | {"step.json"} <= actual
        assert not {name for name in actual if name.startswith(".") or "checkpoint" in name or "started" in name}
        assert read_step(finished_run / step).name == step
    for name in ("config.yaml", "report.json", "report.html"):
        assert (finished_run / name).stat().st_size > 500
    LabelStore(finished_run / "labels").check()


def test_the_report_holds_what_its_schema_states(finished_run):
    report = json.loads((finished_run / "report.json").read_text())
    assert set(RunReport.__annotations__) <= set(report)
    assert report["pair"] == {"source": "en", "target": "it"} and report["test"]["sentences"] == 25
    systems = {system["name"]: system for system in report["systems"]}
    assert set(systems) == FILES["exports"]
    for system in systems.values():
        assert set(System.__annotations__) <= set(system)
        card = json.loads((finished_run / "exports" / system["name"] / "card.json").read_text())
        assert card["scores"]["test bleu"] == system["bleu"] and card["signature"] == report["signature"]
        assert 0 <= system["bleu"] <= 100 and system["parameters"] > 1000 and system["peak_rss_bytes"] > 1 << 20
    assert systems["student-int8"]["file_bytes"] < systems["teacher"]["file_bytes"]
    assert [step["name"] for step in report["steps"]] == [s for s in RUN_STEPS if s != "report"]
    assert all(set(Step.__annotations__) <= set(step) for step in report["steps"])
    assert set(report["curves"]) == {"teacher", "student", "baseline"}
    assert all(set(CurvePoint.__annotations__) <= set(point) for point in report["curves"]["student"])
    assert report["examples"] and all(TranslationExample.__required_keys__ <= set(e) for e in report["examples"])
    assert report["comparisons"]
    for part in (
        "teacher:trained",
        "decode:beam2",
        "k:4",
        "loss:token-level0.7+cross-entropy0.3",
        "updates:20",
        "seed:1",
    ):
        assert part in report["signature"].split("|") or any(p.startswith(part) for p in report["signature"].split("|"))


def test_steps_state_what_they_did(finished_run):
    results = {name: read_step(finished_run / name).result for name in RUN_STEPS}
    assert (results["corpus"]["train"], results["corpus"]["valid"], results["corpus"]["test"]) == (355, 20, 25)
    assert results["labels"]["sentences"] == LabelStore(finished_run / "labels").rows == 355
    assert results["teacher"]["updates"] == 30 and results["student"]["updates"] == results["baseline"]["updates"] == 20
    assert results["student"]["parameters"] == results["baseline"]["parameters"] < results["teacher"]["parameters"]


def test_records_hold_the_results_of_their_steps(finished_run):
    for name in RUN_STEPS:
        record = read_step(finished_run / name)
        assert to_record(result_of(step_named(name).result_type, record)) == record.result, name


def test_what_is_deployed_is_what_was_measured(finished_run):
    import pyarrow.parquet as pq

    sources = pq.read_table(finished_run / "corpus" / "test.parquet")["source"].to_pylist()
    for name in ("student-int8", "teacher"):
        output = (finished_run / "evaluation" / f"{name}.txt").read_text().splitlines()
        assert output == Translator(finished_run / "exports" / name).translate(sources, beam_size=2)


def test_a_second_run_does_nothing(finished_run):
    before = contents(finished_run)
    done(finished_run.parent / "run.yaml")
    after = contents(finished_run)
    changed = {path.relative_to(finished_run).as_posix() for path in before if after.get(path) != before[path]}
    assert changed <= {"config.yaml", ".lock"} and set(before) == set(after)


def test_a_changed_student_leaves_teacher_and_labels_alone(finished_run, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(finished_run, run)
    before, files = records(run), contents(run)
    arguments = ["--run_dir", str(run), "--student.objective.temperature=2"]  # no business of the baseline's
    report = done(finished_run.parent / "run.yaml", *arguments)
    after = records(run)
    remaining = {name for name in before if before[name] == after[name]}
    assert remaining == {"corpus", "tokenizer", "teacher", "labels", "baseline"}
    assert all(contents(run)[path] == files[path] for name in remaining for path in (run / name).rglob("*.parquet"))
    assert "T:2" in report["signature"].split("|")


def test_more_forms_of_a_finished_student(finished_run, tmp_path):
    """Nothing is trained again; every form has a card, and is compared with the model itself."""
    pytest.importorskip("onnxscript")
    pytest.importorskip("onnxruntime")
    run = tmp_path / "run"
    shutil.copytree(finished_run, run)
    before = records(run)
    keys = ["--run_dir", run, "--export.formats", "[huggingface,onnx,argos,marian]"]
    keys += ["--export.licenses.teacher", "CC-BY-NC-4.0"]
    process = commands.distilmt("export", finished_run.parent / "run.yaml", *keys)
    assert process.returncode == 0, process.stderr.decode()[-3000:]
    after = records(run)
    assert {name for name in before if before[name] != after[name]} == {"exports"}
    exports = run / "exports"
    forms = {"student-huggingface", "student-onnx", "student.argosmodel", "student-marian"}
    assert forms | {"student-int8", "agreement.json"} <= {path.name for path in exports.iterdir()}
    signature = json.loads((run / "report.json").read_text())["signature"]
    for name in ("student-int8", "teacher", "student-huggingface", "student-onnx", "student-marian"):
        card = json.loads((exports / name / "card.json").read_text())
        assert card["signature"] == signature and card["non_commercial"] and card["parameters"] > 1000
        assert card["bytes"] == sum((exports / name / file).stat().st_size for file in card["files"])
        assert "validation bleu" in card["scores"]
    agreement = json.loads((exports / "agreement.json").read_text())
    assert agreement["sentences"] == 20
    different = {name: process.get("different") for name, process in agreement["exports"].items()}
    assert different["student-huggingface"] == different["student-onnx"] == 0
    assert different["student-marian"] is different["student.argosmodel"] is None  # not run here, as the file states
    assert {"student-int8", "student-onnx-int8"} <= set(different)
    assert "of 20 greedy translations differ from transformers'" in process.stderr.decode() + process.stdout.decode()


def test_until(finished_run, tmp_path):
    """Each command stops after its step, and the next one resumes there."""
    config = finished_run.parent / "run.yaml"
    for command, last in (("prepare", "corpus"), ("label", "labels")):
        process = commands.distilmt(command, config, "--run_dir", tmp_path / "run", "--quiet")
        assert process.returncode == 0, process.stderr.decode()[-2000:]
        there = [name for name in RUN_STEPS if (tmp_path / "run" / name / "step.json").exists()]
        assert there == list(RUN_STEPS[: RUN_STEPS.index(last) + 1])
    # The same seed makes the same corpus, pieces, teacher and labels, in whichever command.
    for name in ("corpus/train.parquet", "tokenizer/vocab.json", "teacher/model.safetensors"):
        assert (tmp_path / "run" / name).read_bytes() == (finished_run / name).read_bytes()
    shards = [
        [table.to_pylist() for table in LabelStore(run / "labels").shards()] for run in (tmp_path / "run", finished_run)
    ]
    assert shards[0] == shards[1]


def test_chinese(tmp_path):
    """Other script, so split vocabularies; scored by characters; the page in Chinese; all types; no baseline."""
    changes = {
        "report_language": "zh",
        "student": {"baseline": False, "initialization": "first", "model": {"d_model": 32, "ffn_dim": 64}},
        "export": {"teacher": ["float32"], "student": ["float32", "int8"]},
    }
    report = done(toy.write_config(tmp_path / "run.yaml", toy.run_config(tmp_path, chinese=True, **changes)))
    run = tmp_path / "run"
    assert not read_step(run / "tokenizer").result["shared"] and (run / "exports/student-int8/target.spm").exists()
    assert "tok:zh" in report["test"]["bleu_signature"]
    assert [system["name"] for system in report["systems"]] == ["teacher", "student", "student-int8"]
    assert not (run / "baseline").exists()
    assert read_step(run / "student").result["layers_copied"] == {"encoder": [0], "decoder": [0]}
    assert "init:first" in report["signature"]
    assert 'lang="zh' in (run / "report.html").read_text(encoding="utf-8")


def test_a_marian_teacher_from_outside(tmp_path, trained_model, exported_model):
    """With its pieces it gives word labels, and it is taken over unchanged."""
    changes = {
        "tokenizer": {"path": str(trained_model)},
        "teacher": {"path": str(trained_model)},
        "student": {"baseline": False},
    }
    report = done(toy.write_config(tmp_path / "run.yaml", toy.run_config(tmp_path, 150, **changes)))
    run = tmp_path / "run"
    store = LabelStore(run / "labels")
    assert store.k == 4 and store.arrays("hypothesis").top_ids is not None
    assert (run / "tokenizer" / "source.spm").read_bytes() == (trained_model / "source.spm").read_bytes()
    import pyarrow.parquet as pq

    sources = pq.read_table(run / "corpus" / "test.parquet")["source"].to_pylist()
    ours = Translator(run / "exports" / "teacher").translate(sources, 2)
    assert ours == Translator(exported_model).translate(sources, 2)
    assert f"teacher:{trained_model}" in report["signature"]


@pytest.fixture
def stranger(tmp_path):
    """A teacher with another architecture and another tokenizer."""
    from helpers.pretrained_models import t5

    t5(tmp_path / "t5")
    return tmp_path / "t5"


def test_any_other_teacher_from_outside(tmp_path, stranger):
    """It gives translations only; token probabilities are refused before anything is trained."""
    words = {
        "teacher": {"path": str(stranger)},
        "student": {"baseline": False},
        "corpus": {"valid_size": 8, "test_size": 8},  # random weights write long texts, for which edit rates are slow
    }
    config = toy.write_config(tmp_path / "words.yaml", toy.run_config(tmp_path, 150, **words))
    message = commands.error_line(commands.distilmt("run", config, "--quiet"))
    assert "set labels.top_k and student.objective.kd_weight to 0" in message
    # Random weights loop and write long; a teacher of which nearly all is dropped would be refused.
    loose = {"top_k": 0, "max_length_ratio": 1000.0, "max_repetition": 1000, "drop_identical": False}
    changes = toy.merged(words, {"labels": loose, "student": {"objective": {"kd_weight": 0.0, "ce_weight": 1.0}}})
    report = done(toy.write_config(tmp_path / "run.yaml", toy.run_config(tmp_path, 150, **changes)))
    run = tmp_path / "run"
    store = LabelStore(run / "labels")
    store.check()
    assert store.k == 0 and store.rows == read_step(run / "corpus").result["train"] > 50
    assert not (run / "teacher" / "model.safetensors").exists(), "it is pointed to, not copied"
    assert "k:0" in report["signature"].split("|")
    assert {system["name"] for system in report["systems"]} == {"teacher", "student-int8"}
    for key, value in (
        ("student.objective.hidden_state_weight", "1"),
        ("student.objective.attention_weight", "1"),
        ("student.on_policy.steps", "5"),
    ):
        message = commands.error_line(commands.distilmt("run", tmp_path / "run.yaml", "--quiet", f"--{key}", value))
        assert key in message and "set it to 0" in message


def test_with_the_teachers_states_and_attention(finished_run, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(finished_run, run)
    weights = ("--student.objective.hidden_state_weight", "0.5", "--student.objective.attention_weight", "0.1")
    report = done(finished_run.parent / "run.yaml", "--run_dir", run, *weights)
    assert "hidden-state0.5+attention0.1-learned" in report["signature"]
    assert not any("projection" in name or "mixture" in name for name in load_model(run / "student").state_dict())


def test_a_student_teaches_the_next(finished_run, tmp_path):
    """In two steps: the student of one run, with its run's pieces, is the teacher of another."""
    assistant = finished_run / "student"
    changes = {
        "tokenizer": {"path": str(finished_run / "tokenizer")},
        "teacher": {"path": str(assistant)},
        "student": {"baseline": False},
    }
    done(toy.write_config(tmp_path / "run.yaml", toy.run_config(tmp_path, **changes)))
    store = LabelStore(tmp_path / "run" / "labels")
    assert store.k == 4  # word distributions too
    assert store.manifest["teacher"] == weights_fingerprint(assistant)


def test_a_teacher_is_trained_further(finished_run, tmp_path):
    """Training starts from its weights: at a learning rate of zero they stay."""
    for name in ("corpus", "tokenizer"):
        shutil.copytree(finished_run / name, tmp_path / "further" / name)
    config = load([str(finished_run.parent / "run.yaml"), "--run_dir", str(tmp_path / "further")])
    training = replace(config.teacher.training, max_steps=2, learning_rate=0.0, eval_sentences=2)
    config.teacher = replace(config.teacher, initialization=str(finished_run / "teacher"), training=training)
    make_teacher(config, tmp_path / "further" / "teacher")
    before, after = (load_model(path / "teacher").state_dict() for path in (finished_run, tmp_path / "further"))
    assert all(torch.allclose(value, after[name], atol=1e-6) for name, value in before.items())


def test_an_ensemble_of_two(finished_run, tmp_path):
    """Another seed's teacher labels as well; the labels are made again, the teacher is not."""
    run, other = tmp_path / "run", tmp_path / "other"
    shutil.copytree(finished_run, run)
    config = finished_run.parent / "run.yaml"
    keys = ["--quiet", "--run_dir", other, "--seed", "2", "--tokenizer.path", finished_run / "tokenizer"]
    process = commands.distilmt("train-teacher", config, *keys)
    assert process.returncode == 0, process.stderr.decode()[-3000:]
    before = (run / "teacher" / "step.json").read_bytes()
    ensemble = ["--labels.ensemble", f"[{other / 'teacher'}]", "--labels.rerank", "mbr", "--labels.n_best", "2"]
    done(config, "--run_dir", run, *ensemble)
    assert (run / "teacher" / "step.json").read_bytes() == before
    labels, chosen = LabelStore(run / "labels"), LabelStore(run / "selection")
    assert "+" in labels.manifest["teacher"] and chosen.rows > labels.rows
