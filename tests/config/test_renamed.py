"""Keys and values by their former names."""

import pytest
import yaml

from distilmt.config import RunConfig, commands, fields, loading, renamed, translate
from distilmt.config.run_loading import load_run_dir
from distilmt.utils.errors import UserError

COMMANDS = {name: {**vars(commands), **vars(translate)}[name] for name in renamed.COMMANDS}


def names_of(kind):
    names = {name for name, *_ in fields.fields(kind)}
    sections = {name.rpartition(".")[0] for name in names}
    return names | sections | {f"corpus.sources.{name}" for name in ("dataset", "license")}


def test_every_name_of_today_is_a_key_and_no_former_one_is():
    assert set(renamed.RUN.values()) <= names_of(RunConfig) and not set(renamed.RUN) & names_of(RunConfig)
    for name, kind in COMMANDS.items():
        own = names_of(kind)
        assert set(renamed.COMMANDS[name].values()) <= own and not set(renamed.COMMANDS[name]) & own, name


def test_every_value_of_today_is_one_of_its_key_and_no_former_one_is():
    hints = {name: str(hint) for name, hint, *_ in fields.fields(RunConfig)}
    for key, names in renamed.VALUES["RunConfig"].items():
        for old, new in names.items():
            assert repr(new) in hints[key] and repr(old) not in hints[key], key


@pytest.mark.parametrize(("old", "new"), renamed.RUN.items(), ids=str)
def test_a_former_key_is_refused_with_its_name(tmp_path, old, new):
    *sections, last = old.split(".")
    values = {last: 1}
    for section in reversed(sections):
        values = {section: [values] if section == "sources" else values}
    path = tmp_path / "run.yaml"
    path.write_text(yaml.safe_dump(values))
    with pytest.raises(UserError) as error:
        loading.load([str(path)])
    assert str(error.value) == f"{path}: {old} is called {new} now"
    if "sources" not in sections:
        with pytest.raises(UserError, match=f"^--{old} is called --{new} now$"):
            loading.load([f"--{old}=1"])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("labels: {rerank: nearest}", "labels.rerank nearest is called oracle now"),
        ("student: {initialization: evenly}", "student.initialization evenly is called spaced now"),
        ("student: {objective: {tail: renormalise}}", "student.objective.tail renormalise is called renormalize now"),
    ],
)
def test_a_former_value_is_refused_with_its_name(tmp_path, text, message):
    path = tmp_path / "run.yaml"
    path.write_text(text)
    with pytest.raises(UserError, match=f"{message}$"):
        loading.load([str(path)])


@pytest.mark.parametrize(
    ("load", "arguments", "message"),
    [
        (loading.load_serve, ["model", "--window-ms", "3"], "--window_ms is called --batch_timeout_ms now"),
        (loading.load_serve, ["model", "--cascade=-1"], "--cascade is called --cascade_threshold now"),
        (loading.load_demo, ["--language", "zh"], "--language is called --report_language now"),
        (loading.load_labels, ["select", "a", "b", "--choose", "mbr"], "--choose is called --rerank now"),
        (loading.load_labels, ["select", "a", "b", "--rerank", "nearest"], "--rerank nearest is called oracle now"),
        (loading.load_plan, ["c.yaml", "--worth", "1"], "--worth is called --min_gain now"),
        (loading.load_cost, ["c.yaml", "--like", "runs/x"], "--like is called --calibration_run now"),
        (loading.load_compress, ["run", "--goal", "fastest"], "--goal is called --objective now"),
        (
            loading.load,
            loading.of_section(["--engine", "ray"], "labels"),
            "--labels.engine is called --labels.executor now",
        ),
    ],
)
def test_a_former_flag_is_refused_with_its_name(load, arguments, message):
    with pytest.raises(UserError, match=f"^{message}$"):
        load(arguments)


FORMER = {
    "language": "zh",
    "corpus": {"name": "debian", "sources": [{"name": "opus:Books/v1", "licence": "CC0"}]},
    "labels": {"hypotheses": 2, "choose": "nearest"},
    "student": {"initialise": "evenly", "objective": {"word": 0.9, "tail": "renormalise"}, "training": {"updates": 7}},
    "export": {"licences": {"teacher": "MIT"}},
}


def test_the_file_of_a_finished_run_is_understood(tmp_path):
    (tmp_path / "labels").mkdir()
    (tmp_path / "labels" / "step.json").write_text("{}")
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(FORMER))
    for run in (load_run_dir(tmp_path, {}), loading.load([str(tmp_path / "config.yaml")])):
        assert (run.report_language, run.corpus.dataset, run.corpus.sources[0].license) == ("zh", "debian", "CC0")
        assert (run.labels.num_hypotheses, run.labels.rerank, run.student.training.max_steps) == (2, "oracle", 7)
        assert (run.student.initialization, run.student.objective.tail) == ("spaced", "renormalize")
        assert (run.student.objective.kd_weight, run.export.licenses.teacher) == (0.9, "MIT")


def test_translation_and_its_reverse():
    today = renamed.translated(FORMER)
    assert renamed.translated(today) == today and renamed.former(RunConfig, today) == FORMER
    settings = {"labels.choose": "nearest", "export.licences.data": None, "student": FORMER["student"], "seed": 1}
    assert renamed.translated_settings(settings) == {
        "labels.rerank": "oracle",
        "export.licenses.data": None,
        "student": today["student"],
        "seed": 1,
    }


def test_the_manifest_of_a_label_store():
    manifest = {
        "k": 1,
        "speaker": "4af0",
        "decoding": {"hypotheses": 1, "sampling": 0.5, "beam_size": 2},
        "choice": ["nearest", "chrf"],
    }
    assert renamed.translated_manifest(manifest) == {
        "k": 1,
        "generation_model": "4af0",
        "decoding": {"num_hypotheses": 1, "sampling_temperature": 0.5, "beam_size": 2},
        "choice": ["oracle", "chrf"],
    }
