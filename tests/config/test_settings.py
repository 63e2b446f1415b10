import dataclasses
import math
import typing

import pytest
import yaml

from distilmt.config import RunConfig, ShortlistConfig, SourceConfig, fields, loading
from distilmt.config.commands import (
    CompressConfig,
    CostConfig,
    DemoConfig,
    LabelsConfig,
    PlanConfig,
    ServeConfig,
)
from distilmt.config.comparison import CompareConfig
from distilmt.config.failure_limits import FailureLimits
from distilmt.config.translate import TranslateConfig
from distilmt.pipeline import runner
from distilmt.utils.errors import UserError


def written(tmp_path, text):
    path = tmp_path / "run.yaml"
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_teachers_of_the_hub_are_named_with_or_without_hf():
    assert loading.load(["--teacher.path", "hf:team/model"]).teacher.path == "team/model"
    assert loading.load_distill(["--teacher", "hf:team/model"]).teacher == "team/model"
    assert loading.load_demo(["--teacher", "hf:team/model"]).teacher == "team/model"
    for arguments in (["--teacher", "hf:"], ["--teacher", "hf:team/model@v2"]):
        with pytest.raises(UserError, match=r"^teacher is 'hf:"):
            loading.load_distill(arguments)


def test_defaults_are_the_dataclasses():
    assert loading.load([]) == RunConfig()
    assert loading.load_demo([]) == DemoConfig()


def test_flags_win_over_the_file(tmp_path):
    path = written(
        tmp_path,
        "seed: 5\nstudent:\n  model: {preset: small, ffn_dim: 77}\n  training: {max_steps: 3}\nlabels: {top_k: 0}\n",
    )
    result = loading.load([path, "--seed", "6", "--student.model.preset=tiny", "--teacher.training.max_steps=9"])
    assert (result.seed, result.student.model.preset, result.student.model.ffn_dim) == (6, "tiny", 77)
    assert (result.student.training.max_steps, result.teacher.training.max_steps) == (3, 9)
    assert result.labels.top_k == 0 and result.labels.beam_size == RunConfig().labels.beam_size
    assert result.teacher.model.preset == "teacher", "what is not named keeps its default"


def test_a_dumped_configuration_reads_the_same(tmp_path):
    config = loading.load(["--seed=9", "--corpus.train", "a.en", "b.it", "--labels.max_sentences=5"])
    path = written(tmp_path, runner.dump(config))
    assert loading.load([path]) == config
    assert yaml.safe_load(runner.dump(config))["corpus"]["train"] == ["a.en", "b.it"]


@pytest.mark.parametrize("value", ["1e-3", "0.001", "1.0e-3"])
def test_numbers_as_people_write_them(tmp_path, value):
    """YAML 1.1 takes 1e-3 for text."""
    path = written(tmp_path, f"student: {{training: {{learning_rate: {value}}}}}\n")
    assert loading.load([path]).student.training.learning_rate == 0.001
    result = loading.load([f"--student.training.learning_rate={value}"])
    assert result.student.training.learning_rate == 0.001


def test_lists(tmp_path):
    for arguments in (["--train", "a b.en", "c.it"], ['--train=["a b.en", "c.it"]'], ["--train", '["a b.en", "c.it"]']):
        assert loading.load_demo(arguments).train == ["a b.en", "c.it"]
    assert loading.load_demo(["--train", "a.tsv", "--minutes", "3"]).train == ["a.tsv"]
    assert loading.load(["--export.student", "int8"]).export.student == ["int8"]


def test_empty_files_and_null(tmp_path):
    assert loading.load([written(tmp_path, "# nothing\n")]) == RunConfig()
    assert loading.load([written(tmp_path, "labels: {max_sentences: null}\n")]).labels.max_sentences is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("sed: 1", r"unknown key 'sed': did you mean 'seed'\?"),
        (
            "student: {training: {max_step: 1}}",
            r"'student.training.max_step': did you mean 'student.training.max_steps'\?",
        ),
        ("labels: {topk: 1}", r"did you mean 'labels.top_k'\?"),
        ("student: {preset: tiny}", "unknown key 'student.preset'"),
        ("labels: 3", "labels must hold keys: beam_size"),
        ("- 1", "must hold keys and values"),
        ("just text", "must hold keys and values"),
        ("a: [1", "is not YAML .*: correct it"),
        ("seed: many", "^seed is many: it must be a whole number$"),
        ("labels: {top_k: 1.5}", "^labels.top_k is 1.5: it must be a whole number$"),
        ("student: {model: {preset: huge}}", "^student.model.preset is huge: it must be one of .*small.* or null$"),
        ("student: {baseline: perhaps}", "^student.baseline is perhaps: it must be true or false$"),
        ("corpus: {train: text.en}", "^corpus.train is text.en: it must be a list$"),
        (
            "student: {training: {max_seconds: long}}",
            "^student.training.max_seconds is long: it must be a number or null$",
        ),
        ("corpus: {source: it, target: it}", "name two different languages"),
        ("1: 2", "unknown key '1'"),
    ],
)
def test_mistakes_in_the_file_are_reported_in_one_line(tmp_path, text, message):
    with pytest.raises(UserError, match=message) as result:
        loading.load([written(tmp_path, text)])
    assert "\n" not in str(result.value) and len(str(result.value)) < 700


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--sed=1"], r"unknown option --sed: did you mean 'seed'\?"),
        (["--student.training.max_step", "1"], r"did you mean 'student.training.max_steps'\?"),
        (["--seed", "many"], "^seed is many: it must be a whole number$"),
        (["--student.objective.tail", "x"], "^student.objective.tail is x: it must be one of bucket, .*zero$"),
        (["--seed"], "seed"),
        (["--seed=1", "stray"], "stray"),
        (["nothing.yaml"], "nothing.yaml does not exist"),
        (["--student.model.preset=huge"], "preset"),
    ],
)
def test_mistakes_in_flags_are_reported_in_one_line(arguments, message):
    with pytest.raises(UserError, match=message) as result:
        loading.load(arguments)
    assert "\n" not in str(result.value)


@pytest.mark.parametrize(
    "change",
    [
        "student.training.eval_steps=0",
        "student.training.max_steps=-1",
        "student.training.batch_tokens=0",
        "teacher.training.dropout=1.0",
        "teacher.training.dropout=-0.1",
        "teacher.training.label_smoothing=1.5",
        "labels.shard_size=0",
        "labels.beam_size=0",
        "labels.num_hypotheses=0",
        "labels.top_k=-1",
        "labels.max_sentences=0",
        "labels.compute_type=int9",
        "evaluation.beam_size=0",
        "tokenizer.vocab_size=0",
        "student.objective.temperature=0",
        "student.objective.reference_fraction=1.5",
        "student.model.max_positions=1",
        'export.student=["int9"]',
        "export.student=[]",
    ],
)
def test_values_that_cannot_work_are_refused_before_any_work(change):
    with pytest.raises(UserError, match=change.split("=")[0].split(".")[-1]):
        loading.load([f"--{change}"])


def test_a_teacher_that_translates_nothing_must_give_something_else():
    words = ["--labels.num_hypotheses=0", "--labels.score_on=reference", "--student.objective.reference_fraction=1"]
    assert loading.load(words).labels.num_hypotheses == 0
    with pytest.raises(UserError, match=r"reference_fraction of 0\.5 has no translations"):
        loading.load(words[:2])
    with pytest.raises(UserError, match="there would be no labels"):
        loading.load([*words, "--labels.top_k=0"])


def test_layers_are_copied_only_where_the_pieces_are_the_same():
    layers = ["--student.initialization=first", "--teacher.path=models/some"]
    with pytest.raises(UserError, match="initialization is first"):
        loading.load(layers)
    assert loading.load([*layers, "--tokenizer.path=models/some"]).student.initialization == "first"


def test_every_key_is_described():
    result = list(fields.fields(RunConfig))
    assert len(result) > 80 and all(documentation for *_, documentation in result)


def test_a_file_that_is_not_text(tmp_path):
    (tmp_path / "run.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UserError, match="is not text in UTF-8: name a YAML file"):
        loading.load([str(tmp_path / "run.yaml")])
    with pytest.raises(UserError, match=r"is a directory without config.yaml: if it is a run's, copy "):
        loading.load([str(tmp_path)])
    (tmp_path / "config.yaml").touch()
    with pytest.raises(UserError, match=r"is a directory: name .*/config\.yaml$"):
        loading.load([str(tmp_path)])


@pytest.mark.parametrize("flag", ["--labels.ensemble=[no/such]", "--labels.backward_model=no/such"])
def test_models_that_are_not_there_are_refused_before_anything_is_trained(flag):
    with pytest.raises(UserError, match="no/such, which is not a directory"):
        loading.load([flag])


def test_label_takes_the_keys_of_labels_without_their_room():
    result = loading.of_section(
        ["run.yaml", "--executor", "ray", "--ray_address=auto", "--seed", "3", "--labels.n_best", "2"], "labels"
    )
    assert result == [
        "run.yaml",
        "--labels.executor",
        "ray",
        "--labels.ray_address=auto",
        "--seed",
        "3",
        "--labels.n_best",
        "2",
    ]


def test_who_labels_changes_no_step():
    here, there = loading.load([]), loading.load(["--labels.executor", "ray", "--labels.max_workers", "8"])
    assert runner.same_labels(here, there)


COMMAND_KINDS = [
    CompareConfig,
    CompressConfig,
    CostConfig,
    DemoConfig,
    LabelsConfig,
    PlanConfig,
    RunConfig,
    ServeConfig,
    ShortlistConfig,
    SourceConfig,
    TranslateConfig,
]


def numeric_fields(kind):
    """Dotted names of all fields that may hold a number, in dataclasses within dataclasses and lists too."""
    for field in dataclasses.fields(kind):
        hint = typing.get_type_hints(kind)[field.name]
        for inner in [hint, *typing.get_args(hint), *(a for h in typing.get_args(hint) for a in typing.get_args(h))]:
            if inner is FailureLimits:
                continue  # the value of a text that is parsed, no keys of their own
            if dataclasses.is_dataclass(inner):
                yield from (f"{field.name}.{name}" for name in numeric_fields(inner))
            elif inner in (int, float):
                yield field.name


@pytest.mark.parametrize("kind", COMMAND_KINDS)
def test_every_number_has_finite_bounds_that_hold_its_default(kind):
    limits = fields.bounds_of(kind)
    assert set(numeric_fields(kind)) == set(limits)
    for name, interval in limits.items():
        assert math.isfinite(interval.minimum) and math.isfinite(interval.maximum), name
        assert interval.minimum < interval.maximum, name
    if kind not in (CompareConfig, SourceConfig):
        for name, _, default, _ in fields.fields(kind):
            values = default if isinstance(default, list) else [default]
            assert all(v in limits[name] for v in values if name in limits and v is not None), name


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 10**21, -(10**21)])
def test_no_bounds_hold_what_is_no_usable_number(value):
    assert all(value not in interval for kind in COMMAND_KINDS for interval in fields.bounds_of(kind).values())


def test_the_config_of_a_copied_run_is_of_the_copy(tmp_path):
    copy = tmp_path / "copy"
    (copy / "corpus").mkdir(parents=True)
    (copy / "corpus" / "step.json").write_text("{}")
    text = yaml.safe_dump({"run_dir": str(tmp_path / "original"), "corpus": {"source": "en", "target": "it"}})
    (copy / "config.yaml").write_text(text)
    (copy / "mine.yaml").write_text(text)
    assert loading.load([str(copy / "config.yaml")]).run_dir == str(copy)
    assert loading.load([str(copy / "config.yaml"), "--run_dir", "other"]).run_dir == "other"
    assert loading.load([str(copy / "mine.yaml")]).run_dir == str(tmp_path / "original")
