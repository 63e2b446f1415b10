"""Every number of every documented command, at values that no number should have."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
import yaml
from helpers import commands
from hypothesis import given, settings
from hypothesis import strategies as st

from distilmt.config import RunConfig, fields, loading
from distilmt.config.commands import (
    CompressConfig,
    CostConfig,
    DemoConfig,
    LabelsConfig,
    PlanConfig,
    ServeConfig,
)
from distilmt.config.comparison import CompareConfig
from distilmt.config.translate import TranslateConfig
from distilmt.utils.errors import UserError

VALUES = ["-1", "0", str(10**21), "NaN", "inf", ""]
METHODS = {"methods": {"one": {}, "two": {"student": {"objective": {"kd_weight": 0.2}}}}}


def run_names(kind=RunConfig):
    return [name for name in fields.bounds_of(kind) if not name.startswith("corpus.sources.")]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A directory with the files that commands are given."""
    directory = tmp_path_factory.mktemp("numbers")
    (directory / "config.yaml").write_text(yaml.safe_dump({"run_dir": str(directory)}))
    (directory / "compare.yaml").write_text(yaml.safe_dump(METHODS))
    return directory


COMMANDS = {
    "run": (loading.load, [], run_names()),
    "demo": (loading.load_demo, [], run_names(DemoConfig)),
    "translate": (loading.load_translate, ["{}"], run_names(TranslateConfig)),
    "serve": (loading.load_serve, ["{}"], run_names(ServeConfig)),
    "labels": (loading.load_labels, ["split", "{}", "{}/out"], run_names(LabelsConfig)),
    "compress": (loading.load_compress, ["{}"], run_names(CompressConfig)),
    "cost": (loading.load_cost, ["{}/config.yaml"], [*run_names(CostConfig), *run_names()[::9]]),
    "plan": (loading.load_plan, ["{}/config.yaml"], [*run_names(PlanConfig), *run_names()[::9]]),
    "compare": (loading.load_comparison, ["{}/compare.yaml"], ["seeds", "jobs", *run_names()[::9]]),
}


def test_all_numbers_of_all_commands_are_here():
    kinds = [CompareConfig, CompressConfig, CostConfig, DemoConfig, LabelsConfig, PlanConfig, RunConfig]
    for kind, command in zip(
        [*kinds, ServeConfig, TranslateConfig],
        ["compare", "compress", "cost", "demo", "labels", "plan", "run", "serve", "translate"],
        strict=True,
    ):
        own = [n for n in run_names(kind) if not n.startswith(("run.", "methods."))]
        assert own and set(own) <= set(COMMANDS[command][2])


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("share", [11, pytest.param(1, marks=pytest.mark.slow)])
def test_numbers_are_refused_in_one_line_or_taken(place, command, share):
    """Loading a run takes a quarter of a second: of its keys a share is tried quickly, each value with some of them."""
    load, before, names = COMMANDS[command]
    before = [word.format(place) for word in before]
    for number, name in enumerate(names):
        for value in VALUES[number % share :: share] if len(names) > 12 else VALUES:
            joined = number % 2
            try:
                load([*before, *([f"--{name}={value}"] if joined else [f"--{name}", value])])
            except UserError as error:
                text = str(error)
                assert "\n" not in text and name.split(".")[-1] in text and len(text) < 300, (name, value, text)
                assert "class '" not in text and "Parser key" not in text, (name, value, text)
            else:
                assert value in ("0", "-1"), f"{name} took {value!r}"


@settings(max_examples=15, deadline=None)
@given(name=st.sampled_from(run_names()), value=st.floats() | st.integers() | st.text(max_size=12))
def test_whatever_is_given_to_a_key_it_is_one_line_or_lies_in_its_bounds(name, value):
    interval = fields.bounds_of(RunConfig)[name]
    try:
        config = loading.load([f"--{name}={value}"])
    except UserError as error:
        assert str(error).strip() and len(" ".join(str(error).split())) < 600
    else:
        for part in name.split("."):
            config = getattr(config, part)
        assert config is None or config in interval


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["--seed="], "seed is empty: it must be a whole number"),
        (["--labels.max_ter", ""], "labels.max_ter is empty: it must be a number"),
        (["--student.baseline="], "student.baseline is empty: it must be true or false"),
        (["--labels.rerank="], "labels.rerank is empty"),
        (["--labels.length_penalty", "-1e308"], "labels.length_penalty is -1e+308: it must be at least -10 and"),
        (["--corpus.source="], "corpus.source is ''"),
        (["--corpus.source", "../x"], "corpus.source is '../x': use a language code"),
        (["--nonsense"], "unknown option --nonsense (known"),
        (["--teacher.model.encoder_layers", "-1"], "teacher.model.encoder_layers is -1: it must be at least 1"),
        (["--tokenizer.character_coverage", "-1"], "tokenizer.character_coverage is -1.0: it must be at least 0.98"),
    ],
)
def test_the_right_key_is_named(arguments, line):
    with pytest.raises(UserError) as refusal:
        loading.load(arguments)
    assert line in str(refusal.value)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("corpus: {source: en}\nseed: 1\ncorpus: {target: de}\n", "'corpus' occurs twice, in lines 1 and 3"),
        ("labels:\n  top_k: 1\n  n_best: 1\n  top_k: 2\n", "'top_k' occurs twice, in lines 2 and 4"),
        ("a: " + "[" * 5000, "nested too deep"),
        ("a: " + "{a: " * 5000, "nested too deep"),
        ("1: 2\n1: 3\n", "occurs twice"),
        ("x: &a {seed: 1}\ny: {<<: *a, seed: 2}\n", "unknown key 'x'"),
        ("? [1, 2]\n: 3\n", "is not YAML"),
        ("seed: 99999999999999999999999\n", "seed is 99999999999999999999999"),
        ("seed: !!python/object:os.system 1\n", "is not YAML"),
        ("date: 2026-99-99\n", "is not YAML"),
    ],
)
def test_files_that_yaml_takes_in_silence(tmp_path, text, line):
    (tmp_path / "run.yaml").write_text(text)
    with pytest.raises(UserError) as refusal:
        loading.load([str(tmp_path / "run.yaml")])
    assert line in str(refusal.value) and "\n" not in str(refusal.value)


def odd_paths(directory: Path) -> list[Path]:
    (directory / "file").write_text("x")
    (directory / "loop").symlink_to(directory / "loop")
    return [directory / "file", directory / "file" / "x", directory / "loop", directory / ("n" * 300)]


def test_a_path_that_cannot_be_is_one_line(tmp_path, capsys):
    from distilmt import cli

    for path in odd_paths(tmp_path):
        train = ["--corpus.train", str(path), str(path)]
        for command in (
            ["run", str(path)],
            ["prepare", "--run_dir", str(path), *train],
            ["prepare", "--run_dir", str(tmp_path / "new"), *train],
            ["plan", str(path)],
            ["compress", str(path)],
            ["translate", str(path)],
            ["labels", "check", str(path)],
            ["serve", str(path)],
        ):
            assert cli.main([*command, "--quiet"]) == 2, command
            captured = capsys.readouterr()
            assert (
                captured.out == "" and captured.err.startswith("distilmt: error: ") and captured.err.count("\n") == 1
            ), command


@pytest.mark.slow
@pytest.mark.parametrize("command", ["translate", "labels", "cost", "prepare"])
def test_real_processes_refuse_numbers(finished_run, tmp_path, command):
    """Those that end soon, as processes of their own."""
    before, names = {
        "translate": ([finished_run, "--text", "ban."], run_names(TranslateConfig)),
        "labels": (["split", finished_run / "labels", tmp_path / "out"], run_names(LabelsConfig)),
        "cost": ([finished_run], run_names(CostConfig)),
        "prepare": ([finished_run.parent / "run.yaml", "--run_dir", tmp_path / "run"], ["seed", "corpus.max_train"]),
    }[command]
    for name in names:
        for value in VALUES:
            ended: subprocess.CompletedProcess[bytes] = commands.distilmt(command, *before, f"--{name}={value}")
            assert ended.returncode in (0, 2) and b"Traceback" not in ended.stderr, (name, value, ended.stderr)
