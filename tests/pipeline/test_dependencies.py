"""Every key of a run changed in a finished one: what is redone is what the key affects, and nothing disappears."""

from __future__ import annotations

import dataclasses
import os
import shutil
import typing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from distilmt import config as configs
from distilmt.config import RunConfig, loading
from distilmt.config.effects import keys_of
from distilmt.config.renamed import former
from distilmt.pipeline import dependencies, runner
from distilmt.pipeline.backups import backup_directories
from distilmt.pipeline.settings import flat, settings_of
from distilmt.pipeline.step import RUN_STEPS, Step, step_named
from distilmt.utils.errors import UserError
from distilmt.utils.run_dir import StepRecord, read_json, read_step, write_json
from distilmt.utils.step_results import result_of

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

KEYS = keys_of(RunConfig)
REPORT = ("report.json", "report.html")
# Where the files are what counts; and the place of the run itself.
_BY_CONTENT = {"run_dir", *(f"corpus.{key}" for key in ("train", "valid", "test", "monolingual", "dataset", "sources"))}
# Whether these were felt depends on what was computed: at most the steps named are redone.
_MAY_BE_FELT = ("patience", "max_seconds", "max_length_ratio", "max_repetition", "max_ter", "eval_sentences")
_UNREAD = ("export.formats", "export.licenses.teacher", "export.licenses.data", "export.huggingface_type")
_UNREAD += ("corpus.identify_languages",)


def other_value(name: str, kind: type, default: Any, value: Any) -> Any:
    hint = typing.get_type_hints(kind)[name.rsplit(".", 1)[-1]]
    if name in ("export.teacher", "export.student"):
        return ["int16"]
    if name == "export.formats":
        return ["marian"]
    special = {"corpus.source": "fr", "corpus.target": "de", "teacher.endpoint.extra": {"top_p": 0.5}}
    if name in special:
        return special[name]
    choices = [x for part in (hint, *typing.get_args(hint)) for x in typing.get_args(part)]
    choices = [x for x in choices if isinstance(x, str) and x != value]
    if choices:
        return choices[0]
    if isinstance(value, bool):
        return not value
    if isinstance(value, list):
        return ["elsewhere"]
    if isinstance(value, str) or hint == (str | None):
        return "elsewhere {text}"
    if isinstance(value, float) or "float" in str(hint):
        return 0.5 if value != 0.5 else 0.25
    return 3 if value != 3 else 2


def replaced(config: Any, name: str, value: Any) -> Any:
    first, _, remainder = name.partition(".")
    inner = replaced(getattr(config, first), remainder, value) if remainder else value
    return dataclasses.replace(config, **{first: inner})


def owner(name: str) -> tuple[type, Any]:
    value: Any = RunConfig()
    for part in name.split(".")[:-1]:
        value = getattr(value, part)
    return type(value), value


def changed(config: RunConfig, name: str) -> RunConfig:
    if name.endswith(".architecture") or name == "student.input":
        raise UserError("the int8 exports of the toy run are of Marian models")
    value = flat(config)[name]
    return replaced(config, name, other_value(name, *owner(name), value))


def expected(config: RunConfig, name: str) -> set[str]:
    """Steps that are redone according to metadata, and those that read them."""
    values, key = flat(changed(config, name)), KEYS[name]
    direct = set(key.steps & set(RUN_STEPS)) if key.matters(values) and not key.resumed else set()
    if name in _UNREAD:
        return direct
    redone = set(direct)
    if "selection" in key.steps and changed(config, name).labels.selects:
        redone |= {"selection", "student"}
    for name in RUN_STEPS:
        redone |= {name} if set(step_named(name).inputs(config)) & redone else set()
    return redone


def _copy_records(finished_run: Path, root: Path) -> None:
    """What a decision is taken from: records and logs; a stand-in of a few bytes for each model and shard."""
    for step in RUN_STEPS:
        (root / step).mkdir(parents=True)
        for name in ("step.json", "log.json"):
            if (finished_run / step / name).exists():
                shutil.copy(finished_run / step / name, root / step / name)
        (root / step / "model.safetensors").write_text(step)
        record = read_json(root / step / "step.json")
        write_json(root / step / "step.json", record | {"files": {}})  # checksums would be those of the real files
    for name in REPORT:
        (root / name).write_text("finished")


@pytest.fixture
def run(finished_run, tmp_path, monkeypatch):
    """A finished run with a marker in every step, whose steps take no time: they write what they were done with."""
    _copy_records(finished_run, tmp_path / "run")
    for step in RUN_STEPS:
        (tmp_path / "run" / step / "marker").write_text(f"finished {step}")
    config = loading.load([str(finished_run.parent / "run.yaml"), "--run_dir", str(tmp_path / "run")])
    redone: list[str] = []

    def instant(self: Step, config: RunConfig, directory: Path) -> DataclassInstance:
        redone.append(self.name)
        settings = runner.step_settings(self, config)
        (directory / "model.safetensors").write_text(f"{self.name} {settings}")
        if self.name == "report":
            for file in REPORT:
                (Path(config.run_dir) / file).write_text("new")
        old = read_step(finished_run / self.name)
        result = result_of(self.result_type, old)
        return replace(result, updates=config.student.training.max_steps) if self.name == "student" else result

    monkeypatch.setattr(Step, "work", instant)
    monkeypatch.setattr(os, "fsync", lambda _: None)
    # Not this test's: some of these values are refused, and no run is started here.
    monkeypatch.setattr("distilmt.pipeline.preflight.check", lambda config, exporting: None)
    return config, redone


def markers(root: Path) -> set[str]:
    return {path.read_text() for path in root.rglob("marker")}


NAMES = sorted(set(KEYS) - _BY_CONTENT)
# Done as a whole run: the first and the last key of every section; all others where there is time.
_SECTIONS = [
    [name for name in NAMES if name.rpartition(".")[0] == part] for part in {n.rpartition(".")[0] for n in NAMES}
]
_QUICK = {name for names in _SECTIONS for name in (names[0], names[-1])}
_BOTH_WAYS = [name if name in _QUICK else pytest.param(name, marks=pytest.mark.slow) for name in NAMES]


def test_every_key_makes_the_steps_differ_that_it_affects(finished_run):
    """Decided from records alone."""
    config = loading.load([str(finished_run.parent / "run.yaml"), "--run_dir", str(finished_run)])
    records = {step: read_step(finished_run / step) for step in RUN_STEPS}
    for name in NAMES:
        try:
            new = changed(config, name)
        except UserError:
            continue  # refused by its dataclass
        direct = {step for step, record in records.items() if _differs(step, record, new)}
        key = KEYS[name]
        affected = set(key.steps & set(RUN_STEPS)) if key.matters(flat(new)) and not key.resumed else set()
        if name == "student.baseline":
            affected = {"report"}
        if name in ("student.training.max_steps", "student.training.max_seconds", "student.training.patience"):
            affected -= {"baseline"}  # which is trained as long as the student was
        if name.rsplit(".", 1)[-1] in _MAY_BE_FELT:
            assert direct in (set(), affected), name
        else:
            assert direct == affected, name


def _differs(step: str, record: StepRecord, new: RunConfig) -> bool:
    requested = step_named(step)
    rules, settings = runner.step_rules(requested, new), runner.step_settings(requested, new)
    return bool(rules.differences(record, record.inputs, settings))


@pytest.mark.parametrize("name", _BOTH_WAYS)
def test_a_changed_key_redoes_what_it_affects_and_loses_nothing(run, name):
    config, redone = run
    try:
        new = changed(config, name)
    except UserError:
        pytest.skip("refused by its dataclass")
    if name == "corpus.cleaning.keep_best":
        pytest.skip("needs a source with scores")
    runner.run(new)
    target_value = expected(config, name)
    if name == "student.baseline":
        target_value = {"report"}  # what is not wanted any more needs nothing anew
    if name.rsplit(".", 1)[-1] in _MAY_BE_FELT:
        # The baseline is trained as long as the student was, which these do not change here.
        assert set(redone) in (set(), target_value, target_value - {"baseline"})
    else:
        assert set(redone) == target_value
    assert markers(Path(config.run_dir)) == {f"finished {step}" for step in RUN_STEPS}
    redone.clear()
    runner.run(config)
    assert not redone, "what was finished before is brought back"


NEUTRAL = {
    "corpus.license": "CC0",
    "corpus.max_train": 100_000,
    "tokenizer.input_sentence_size": 400_000,
    "labels.shard_size": 65,
    "labels.max_sentences": 100_000,
    "labels.backward_keep_fraction": 0.5,
    "labels.max_length_ratio": 1000.0,
    "teacher.source_prefix": "x",
    "teacher.training.max_seconds": 100_000.0,
    "teacher.training.patience": 100_000,
    "teacher.training.eval_sentences": 100_000,
    "student.training.max_seconds": 100_000.0,
    "student.objective.top_k": 4,
    "student.objective.entropy_weight": 0.3,
    "student.objective.skew_alpha": 0.3,
    "student.on_policy.rounds": 3,
    "export.node_modules": "elsewhere",
    "teacher.endpoint.max_tokens": 7,
    "labels.executor": "ray",
}


@pytest.mark.parametrize("name", sorted(NEUTRAL))
def test_what_changes_nothing_redoes_nothing(run, name):
    config, redone = run
    if name == "labels.max_length_ratio" and read_step(Path(config.run_dir) / "student").result["hypotheses_dropped"]:
        pytest.skip("the toy teacher's answers are too long")
    if name == "teacher.training.eval_sentences":  # 10 of 20 sentences were decoded: the bound was reached
        assert expected(config, name) >= {"teacher"}
        return
    runner.run(replaced(config, name, NEUTRAL[name]))
    assert not redone


def test_another_spelling_or_place_of_a_file_redoes_nothing(run, tmp_path):
    config, redone = run
    train = config.corpus.train
    copies = [shutil.copy(path, tmp_path) for path in train]
    relative = [os.path.relpath(path) for path in train]
    for files in (relative, [f"{Path(path).parent}/./{Path(path).name}" for path in train], copies):
        runner.run(replaced(config, "corpus.train", [str(file) for file in files]))
        assert not redone
    Path(copies[0]).write_text("another text\n" * 400)
    runner.run(replaced(config, "corpus.train", list(map(str, copies))))
    assert redone[0] == "corpus" and markers(tmp_path) == {f"finished {step}" for step in RUN_STEPS}


@pytest.mark.parametrize("spelling", ["{}/", "{}/.", "{}"])
def test_another_spelling_of_a_teacher_redoes_nothing(tmp_path, spelling):
    (tmp_path / "model.safetensors").write_text("weights")
    one = replaced(RunConfig(), "teacher.path", str(tmp_path))
    other = replaced(RunConfig(), "teacher.path", spelling.format(os.path.relpath(tmp_path)))
    other = replaced(other, "teacher.training.max_steps", 7)
    rules = dependencies.StepDependencies(step_named("teacher"), other, {})
    assert rules.effective(settings_of(step_named("teacher"), one)) == rules.effective(
        settings_of(step_named("teacher"), other)
    )


CLASSES = sorted(
    name for name in configs.__all__ if dataclasses.is_dataclass(getattr(configs, name)) and name != "ShortlistConfig"
)


@pytest.mark.parametrize("name", CLASSES)
def test_a_new_key_with_a_default_leaves_finished_runs_done(run, name):
    """As an upgrade finds them: the records lack the key."""
    config, redone = run
    for step in RUN_STEPS:
        path = Path(config.run_dir) / step / "step.json"
        record = read_json(path)
        for key in list(record["settings"]):
            kind = owner(key)[0].__name__ if key in KEYS else ""
            if kind == name and flat(config)[key] == KEYS[key].default:
                del record["settings"][key]
        write_json(path, record)
    runner.run(config)
    assert not redone


def test_a_run_of_before_there_were_dotted_names_stays_done(run):
    """Records as the release before wrote them."""
    config, redone = run
    root, values = Path(config.run_dir), former(RunConfig, dataclasses.asdict(config))
    pair = {"source": "en", "target": "it"}
    labels, student = values["labels"], values["student"]
    used = ("max_length_ratio", "max_repetition", "drop_copies", "max_ter", "reverse_keep")
    later = ("choose", "utility", "keep", "reverse", "engine", "address", "workers", "worker_cores", "worker_gpus")
    cleaning = {key: values["corpus"]["cleaning"][key] for key in ("min_words", "max_words", "max_ratio")}
    corpus = {key: values["corpus"][key] for key in ("source", "target", "train", "valid", "test", "name")}
    old = {
        "corpus": corpus | {"valid_size": 20, "test_size": 25, "max_train": None, "cleaning": cleaning, "seed": 1},
        "tokenizer": values["tokenizer"] | {"seed": 1},
        "teacher": {key: values["teacher"][key] for key in ("path", "model", "training")} | pair | {"seed": 1},
        "labels": {key: value for key, value in labels.items() if key not in (*used, *later)} | pair | {"seed": 1},
        "student": {k: v for k, v in student.items() if k != "baseline"} | {k: labels[k] for k in used} | {"seed": 1},
        "baseline": {"model": student["model"], "training": student["training"], "updates": 20, "seed": 1},
        "exports": {k: v for k, v in values["export"].items() if k != "node_modules"} | pair,
        "evaluation": values["evaluation"] | pair | {"seed": 1},
        "report": {"language": "en", "config": values},
    }
    for step, actual in old.items():
        record = read_json(root / step / "step.json")
        record["settings"] = actual
        if step == "corpus":
            digests = list(record["inputs"].values())
            record["inputs"] = dict(zip([f"train:{path}" for path in config.corpus.train], digests, strict=True))
        write_json(root / step / "step.json", record)
    runner.run(config)
    assert not redone
    runner.run(replaced(config, "labels.beam_size", 3))
    assert redone[0] == "labels" and backup_directories(root / "teacher") == []
