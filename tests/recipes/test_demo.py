import json
from dataclasses import replace
from pathlib import Path

import pytest
from helpers import commands, toy

from distilmt.config.commands import DemoConfig
from distilmt.models.presets import shape
from distilmt.recipes import demo, demo_recipe, time_budget
from distilmt.recipes.time_budget import RunClock
from distilmt.utils import pretrained
from distilmt.utils.errors import UserError
from distilmt.utils.run_paths import RunPaths


def test_more_minutes_carry_bigger_models():
    sizes = [demo_recipe.scale_for(minutes) for minutes in (2, 20, 60, 300)]
    for part in ("teacher", "student"):
        widths = [(shape(getattr(size, part)).d_model, shape(getattr(size, part)).encoder_layers) for size in sizes]
        assert widths == sorted(widths) and widths[0] < widths[-1]
    for size in sizes:
        teacher, student = shape(size.teacher), shape(size.student)
        assert student.d_model == teacher.d_model, "the student starts from the teacher's layers"
        assert student.encoder_layers + student.decoder_layers < teacher.encoder_layers + teacher.decoder_layers


def test_first_plan():
    config = demo.first_plan(DemoConfig(pair="en-zh_CN", train=["a.tsv"], seed=4, report_language="zh"), Path("x"))
    assert (config.corpus.source, config.corpus.target, config.corpus.train) == ("en", "zh_CN", ["a.tsv"])
    assert config.corpus.dataset is None and (config.run_dir, config.seed, config.report_language) == ("x", 4, "zh")
    config = demo.first_plan(DemoConfig(dataset="hf:some/set", teacher="some/teacher"), Path("x"))
    assert config.student.initialization == "random"  # its layers know other pieces
    assert config.corpus.dataset == "hf:some/set" and config.teacher.path == "some/teacher"
    config = demo.first_plan(DemoConfig(teacher="train"), Path("x"))
    assert (config.teacher.path, config.student.initialization) == (None, "spaced")
    assert demo.first_plan(DemoConfig(), Path("x")).corpus.dataset in ("debian", "hf:Helsinki-NLP/opus-100")


def test_the_built_in_teacher_gives_its_vocabulary_to_a_student_of_random_weights():
    config = demo.first_plan(DemoConfig(dataset="debian"), Path("x"))
    assert config.teacher.path == config.tokenizer.path == str(pretrained.TEACHER)
    assert config.student.initialization == "random" and config.student.objective.kd_weight > 0
    assert config.student.baseline and config.labels.top_k > 0
    assert config.evaluation.student_beam_size == 1
    longer = demo.first_plan(DemoConfig(dataset="debian", minutes=60), Path("x"))
    assert (config.student.model.d_model or 0) < (longer.student.model.d_model or 0)


@pytest.mark.parametrize(
    ("config", "teacher", "minutes"),
    [
        (DemoConfig(dataset="debian"), str(pretrained.TEACHER), 6.0),
        (DemoConfig(dataset="debian", minutes=60), str(pretrained.TEACHER), 60),
        (DemoConfig(dataset="debian", teacher="train"), None, 20),
        (DemoConfig(dataset="debian", teacher="models/mine"), "models/mine", 20),
        (DemoConfig(dataset="debian", pair="en-de"), None, 20),
        (DemoConfig(train=["a.tsv"]), None, 20),
        (DemoConfig(dataset="hf:some/set"), None, 20),
    ],
)
def test_the_built_in_teacher_is_for_its_own_pair_and_text(config, teacher, minutes):
    assert demo_recipe.teacher_path(config) == teacher
    assert demo_recipe.minutes(config) == minutes


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (DemoConfig(pair="italian"), "write it like en-it"),
        (DemoConfig(pair="en-"), "write it like en-it"),
        (DemoConfig(pair="it-it"), "two different languages"),
        (DemoConfig(minutes=1), "set it to at least 2"),
        (DemoConfig(minutes=-5), "set it to at least 2"),
    ],
)
def test_mistakes_are_reported(config, message):
    with pytest.raises(UserError, match=message):
        demo.first_plan(config, Path("x"))


def test_default_directories():
    assert demo.default_directory(DemoConfig()) == "runs/demo"
    assert demo.default_directory(DemoConfig(pair="en-de")) == "runs/demo-en-de"
    assert demo.default_directory(DemoConfig(train=["a.tsv"])) == "runs/demo-en-it"


def test_a_plan_is_preserved_until_it_is_requested_something_else(tmp_path):
    instance = iter(range(10))

    def plan(config):
        return time_budget.cached_plan(tmp_path, "teacher", config, lambda: {"max_steps": next(instance)})

    config = DemoConfig(run_dir=str(tmp_path))
    assert plan(config) == plan(config) == {"max_steps": 0}
    assert plan(replace(config, report_language="zh")) == {"max_steps": 0}, "a page in Chinese needs no other teacher"
    assert plan(replace(config, minutes=30)) == {"max_steps": 1}
    assert json.loads((tmp_path / "plan.json").read_text())["teacher"]["plan"] == {"max_steps": 1}


@pytest.mark.parametrize(("seconds", "pace"), [(0.0, 0.1), (-50.0, 0.1), (10.0, 0.1), (5000.0, 0.01)])
def test_lengths_fit(seconds, pace):
    result = time_budget.training_lengths(seconds, pace)
    assert result["max_steps"] * pace <= max(1.05 * seconds, 20 * pace) + 1e-9
    assert 1 <= result["eval_steps"] <= result["max_steps"] and 1 <= result["warmup_steps"] <= result["max_steps"]
    assert -(-result["max_steps"] // result["eval_steps"]) <= 5


@pytest.mark.slow
def test_the_whole_demo_takes_the_minutes_it_was_given(tmp_path):
    import subprocess
    import sys
    import time

    files = toy.write_corpus(tmp_path, 3000)
    arguments = ["demo", "--minutes", "2", "--run_dir", str(tmp_path / "run"), "--train", *files, "--json"]
    begin = time.monotonic()
    command = [sys.executable, "-m", "distilmt", *arguments]
    process = subprocess.run(command, capture_output=True, env=commands.environment(), timeout=500, check=False)
    assert process.returncode == 0, process.stderr.decode()[-3000:]
    assert time.monotonic() - begin < 200
    report = json.loads(process.stdout)
    assert {system["name"] for system in report["systems"]} >= {"teacher", "student-int8", "baseline-int8"}
    # A language that is a table of words is learnt even in so short a time.
    assert next(s["bleu"] for s in report["systems"] if s["name"] == "teacher") > 20
    again = subprocess.run(command, capture_output=True, env=commands.environment(), timeout=100, check=False)
    assert again.returncode == 0 and json.loads(again.stdout) == report


@pytest.mark.parametrize(("pace", "layers", "measured"), [(0.1, 5, [5]), (1.0, 3, [5, 3])])
def test_a_slow_machine_trains_a_shallower_teacher(tmp_path, monkeypatch, pace, layers, measured):
    requests = []

    class Text:
        tokens = 1_000_000

        def pace(self, model, training):
            requests.append(model.encoder_layers)
            return pace

    monkeypatch.setattr(demo.EncodedPairs, "of", lambda *_: Text())
    config = DemoConfig(minutes=20, teacher="train")
    first = demo.first_plan(config, tmp_path)
    teacher = demo.with_teacher(first, demo.plan_teacher(config, first, tmp_path, RunClock(RunPaths(tmp_path)))).teacher
    assert requests == measured
    assert (teacher.model.encoder_layers, teacher.model.decoder_layers) == (layers, layers)
    assert teacher.training.batch_tokens == (2048 if layers == 5 else 1024)
    assert teacher.training.max_steps == pytest.approx(0.42 * 990 * 1.05 / pace, rel=0.02)
