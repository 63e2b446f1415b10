"""The last stretch of training, on the student's own words."""

import json
import shutil

import pytest
from helpers import commands, toy

from distilmt.config.loading import load, load_comparison
from distilmt.labels.store import LabelStore
from distilmt.pipeline.steps import on_policy
from distilmt.utils.errors import UserError
from distilmt.utils.run_dir import read_json, read_step
from distilmt.utils.step_results import ModelResult

POLICY = {"steps": 6, "rounds": 2, "max_sentences": 40}


@pytest.fixture(scope="module")
def run(finished_run, tmp_path_factory):
    """A student with two rounds; its stages are kept."""
    from distilmt.pipeline import runner, steps

    directory = tmp_path_factory.mktemp("policy") / "run"
    shutil.copytree(finished_run, directory)
    keys = [f"--student.on_policy.{key}={value}" for key, value in POLICY.items()]
    config = load([str(finished_run.parent / "run.yaml"), "--run_dir", str(directory), *keys])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(steps, "clean_up", lambda _: None)
        runner.execute_step("student", config)
    return config, directory


def test_the_student_translates_and_the_teacher_scores(run, finished_run):
    _, directory = run
    first, second = (LabelStore(directory / "student" / f"round-{n}" / "labels") for n in (1, 2))
    for store in (first, second):
        store.check()
        assert store.rows == 40 and store.k == 4
        assert store.manifest["teacher"] == LabelStore(finished_run / "labels").manifest["teacher"]
        assert store.arrays("hypothesis").top_ids is not None and store.arrays("reference").top_ids is not None
    assert first.manifest["generation_model"] != second.manifest["generation_model"]
    assert first.ids() != second.ids()
    output = dict(zip(first.ids(), first.hypotheses(), strict=True))
    labels = LabelStore(finished_run / "labels")
    teachers = dict(zip(labels.ids(), labels.hypotheses(), strict=True))
    assert sum(output[i] != teachers[i] for i in output) > 20


def test_all_stages_are_one_training(run):
    _, directory = run
    result = read_step(directory / "student").result
    assert result["updates"] == 20 + 2 * 6 and 0 <= result["stage"] <= 2
    log = read_json(directory / "student" / "log.json")
    updates = [line["update"] for line in log]
    assert updates == sorted(set(updates)) and updates[-1] == 32
    assert [line["seconds"] for line in log] == sorted(line["seconds"] for line in log)
    stage = directory / "student" / ["first", "round-1", "round-2"][result["stage"]]
    model = "model.safetensors"
    assert (directory / "student" / model).read_bytes() == (stage / model).read_bytes()
    assert result["best_score"] == max(line["bleu"] for line in log)


def test_the_best_stage_is_preserved(tmp_path):
    places = [tmp_path / name for name in ("first", "round-1", "round-2")]
    for number, place in enumerate(places):
        place.mkdir()
        (place / "model.safetensors").write_text(str(number))
        (place / "log.json").write_text(json.dumps([{"update": 10, "seconds": 1.0}]))
    stages = [
        ModelResult(best_score=score, updates=10, best_update=10, train_seconds=2.0, validation_seconds=0.5)
        for score in (1.0, 3.0, 3.0)
    ]
    actual = on_policy.keep_best(tmp_path, places, stages)
    assert (tmp_path / "model.safetensors").read_text() == "1"
    totals = ModelResult(best_score=3.0, updates=30, best_update=20, stage=1, train_seconds=6.0, validation_seconds=1.5)
    assert actual == totals
    assert [line["seconds"] for line in read_json(tmp_path / "log.json")] == [1.0, 3.0, 5.0]


def test_a_whole_run_leaves_no_stages(finished_run, tmp_path):
    directory = tmp_path / "run"
    shutil.copytree(finished_run, directory)
    keys = [
        "--student.on_policy.steps",
        "5",
        "--student.on_policy.student_data_fraction",
        "1",
        "--student.baseline",
        "false",
    ]
    # The teacher's states and attention are learnt before, not in the rounds.
    keys += ["--student.objective.hidden_state_weight", "0.1", "--student.objective.attention_weight", "0.1"]
    process = commands.distilmt("run", finished_run.parent / "run.yaml", "--quiet", "--run_dir", directory, *keys)
    assert process.returncode == 0, process.stderr.decode()[-3000:]
    inside = {path.name for path in (directory / "student").iterdir()}
    assert not {"first", "round-1", "result.json", "validation"} & inside and "model.safetensors" in inside
    assert "on-policy:1x5.1" in (directory / "report.html").read_text()


def test_its_updates_count_in_a_comparison(tmp_path):
    longer = {"student": {"on_policy": {"steps": 5}}}
    equal = {"student": {"on_policy": {"steps": 5}, "training": {"max_steps": 15}}}
    for method, refused in ((longer, True), (equal, False)):
        values = toy.run_config(tmp_path) | {"methods": {"plain": {}, "own-words": method}, "seeds": [1]}
        config = toy.write_config(tmp_path / "compare.yaml", values)
        if refused:
            with pytest.raises(UserError, match="own-words"):
                load_comparison([str(config)])
        else:
            assert load_comparison([str(config)]).methods["own-words"].student.all_updates == 20


def test_a_share_of_nothing_is_refused(tmp_path):
    config = toy.write_config(tmp_path / "run.yaml", toy.run_config(tmp_path))
    with pytest.raises(UserError, match=r"on_policy\.student_data_fraction"):
        load([str(config), "--student.on_policy.student_data_fraction", "0"])
