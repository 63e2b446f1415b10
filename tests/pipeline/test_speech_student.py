"""Students that hear speech: a run from text to the report, with a synthesizer made in code."""

from __future__ import annotations

import base64
import io
import shutil
import wave
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

pytest.importorskip("av")
from helpers.voices import write_voices

from distilmt.config import ObjectiveConfig, RunConfig, loading
from distilmt.data import tokenizer as tokenizers
from distilmt.data.tokenizer import Tokenizer
from distilmt.inference.speech_translator import SpeechTranslator
from distilmt.labels.store import LabelStore
from distilmt.losses.ctc import initial_head
from distilmt.models.architectures import new_model
from distilmt.models.base import Seq2SeqModel
from distilmt.pipeline import runner
from distilmt.pipeline.frame_checks import check_frames
from distilmt.pipeline.steps.evaluation_inputs import evaluation_inputs
from distilmt.pipeline.steps.train import student_job
from distilmt.report.html import render
from distilmt.training.batching import collate, epoch_batches
from distilmt.training.train_step import Stepper
from distilmt.training.trainer import TrainingJob, train
from distilmt.utils.errors import UserError
from distilmt.utils.run_dir import read_json

MODELS = ("student", "student-int8", "baseline", "baseline-int8")


def speech_config(finished_run: Path, directory: Path, **changes: object) -> RunConfig:
    """A copy of a finished run on text whose student is to hear forty of its sentences now."""
    shutil.copytree(finished_run, directory / "run")
    training, held_out = write_voices(directory)
    keys = {
        "run_dir": directory / "run",
        "labels.max_sentences": 40,
        "student.input": "speech",
        "student.voices.voices": f"[{training!r}]",
        "student.voices.held_out_voices": f"[{held_out!r}]",
        "student.voices.clean_fraction": 1.0,
        "student.voices.variants": 2,
        "student.voices.max_seconds": 5.0,
        "student.objective.ctc_weight": 0.3,
        "student.training.max_steps": 3,
        "student.training.eval_steps": 3,
        "export.student": "[float32,int8]",
        "export.formats": "[huggingface]",
        **changes,
    }
    flags = [part for key, value in keys.items() for part in (f"--{key}", str(value))]
    return loading.load([str(finished_run.parent / "run.yaml"), *flags])


@pytest.fixture(scope="module")
def config(finished_run: Path, tmp_path_factory: pytest.TempPathFactory) -> RunConfig:
    """A run up to its labels."""
    config = speech_config(finished_run, tmp_path_factory.mktemp("speech"), **{"labels.max_sentences": 16})
    runner.run(config, "labels")
    return config


@pytest.fixture(scope="module")
def whole(finished_run: Path, tmp_path_factory: pytest.TempPathFactory) -> RunConfig:
    """A whole run."""
    config = speech_config(finished_run, tmp_path_factory.mktemp("speech"))
    runner.run(config)
    return config


@pytest.mark.slow
def test_the_whole_road(whole: RunConfig, messages: list[str]) -> None:
    """From labels over trained students to the report; a second run does nothing."""
    config, report = whole, read_json(whole.paths.report_json)
    assert {system["name"] for system in report["systems"]} == {"teacher", *MODELS}
    assert report["pictures"] is None and report["speech"]["left_out"] == 0
    assert [name for name in report["speech"]["held_out_voices"] if "330" in name]
    assert {each["sentences"] for each in report["speech"]["conditions"]} == {25}
    assert not config.paths.renderings("speech").exists()
    for name in ("student", "baseline"):
        assert read_json(config.paths.step(name) / "config.json")["num_mel_bins"] == 320
    runner.run(config)
    assert {line for line in messages if line.startswith(("student:", "exports:", "evaluation:"))} == {
        line for line in messages if "already done" in line and line.startswith(("student:", "exports:", "evaluation:"))
    }
    assert len([line for line in messages if "already done" in line]) > 5


@pytest.mark.slow
def test_exports_translate_the_held_out_voice(whole: RunConfig) -> None:
    """The scored translations are those of the exports, and transformers' are the same."""
    config = whole
    manifest = read_json(config.paths.export("student") / "distilmt.json")
    assert (manifest["input"], manifest["stack"], manifest["max_seconds"]) == ("speech", 4, 5.0)
    test = evaluation_inputs(config, config.paths)
    assert test.perceived is not None and all(source.dtype == np.float32 for source in test.perceived)
    lines = SpeechTranslator(config.paths.export("student-int8")).translate_utterances(test.perceived, 2)
    assert lines == (config.paths.evaluation / "student-int8.txt").read_text(encoding="utf-8").split("\n")[:-1]
    agreement = read_json(config.paths.exports / "agreement.json")
    assert agreement["sentences"] == 20 and agreement["exports"]["student-huggingface"]["different"] == 0
    assert "test bleu" in read_json(config.paths.export("baseline-int8") / "card.json")["scores"]


@pytest.mark.slow
def test_each_example_has_a_player(whole: RunConfig) -> None:
    report = read_json(whole.paths.report_json)
    page = whole.paths.report_html.read_text(encoding="utf-8")
    assert page.count("<audio controls") == len(report["examples"]) == 4
    assert "held-out voices, degraded" in page and "media-src data:" in page
    with wave.open(io.BytesIO(base64.b64decode(report["examples"][0]["recording"]))) as recording:
        assert recording.getframerate() == 16_000 and recording.getnframes() > 1000
    assert "<audio controls" in render(report, "zh")


@pytest.fixture(scope="module")
def tokenizer(config: RunConfig) -> Tokenizer:
    return tokenizers.load(config.paths.tokenizer)


@pytest.fixture(scope="module")
def job(config: RunConfig, tokenizer: Tokenizer) -> TrainingJob:
    return student_job(config, config.paths, tokenizer)[0]


def speech_model(config: RunConfig, tokenizer: Tokenizer) -> Seq2SeqModel:
    return new_model(config.student.model, tokenizer, 0.0, config.seed)


def test_an_utterance_alone_is_trained_on_as_in_a_batch(config: RunConfig, tokenizer, job) -> None:
    model = speech_model(config, tokenizer).eval().requires_grad_(False)
    rows, use_reference = np.arange(4), np.zeros(4, dtype=bool)
    together = model.decoder_states(collate(job.data, rows, use_reference, epoch=1)[0])
    alone = [model.decoder_states(collate(job.data, rows[i : i + 1], use_reference[:1], 1)[0]) for i in rows]
    np.testing.assert_allclose(together.numpy(), np.concatenate([each.numpy() for each in alone]), atol=1e-5)
    frames = [job.data.frames.frames(rows, epoch) for epoch in (0, 1, 2)]
    assert not np.array_equal(frames[0][0], frames[1][0]), "every variant has other recordings"
    assert np.array_equal(frames[0][0], frames[2][0])


def test_the_encoder_names_the_characters(config: RunConfig, tokenizer, job) -> None:
    """CTC alone, four characters for a position: the loss falls, and the classes are those of the letters."""
    batch, targets = collate(job.data, np.arange(8), np.zeros(8, dtype=bool))
    texts = LabelStore(config.paths.labels).column("source")[:8]
    assert batch.transcript is not None
    assert batch.transcript.lengths.tolist() == [len(text.rstrip(".")) for text in texts]
    objective = ObjectiveConfig(kd_weight=0, ce_weight=0, ctc_weight=1)
    training = replace(job.config, max_steps=60, warmup_steps=2, learning_rate=0.01, dropout=0.0, precision="fp32")
    model = speech_model(config, tokenizer)
    head = initial_head(len(job.data.alphabet), model.dimensions.d_model // job.data.outputs_per_position)
    stepper = Stepper(model, training, objective, 1, ctc_head=head)
    assert stepper.ctc_head is not None and stepper.ctc_head.parameters["ctc.weight"].shape[1] == 4
    before = stepper.ctc_head.parameters["ctc.weight"].clone()
    for number in range(1, 4):
        stepper.update(number, batch, targets)
    assert not torch.equal(before, stepper.ctc_head.parameters["ctc.weight"])


class Killed(Exception):
    """Stands for the end of the process."""


def test_a_killed_training_ends_with_the_same_weights(config: RunConfig, tokenizer, job, tmp_path: Path) -> None:
    """Over several epochs; recordings are made anew."""
    job = replace(job, config=replace(job.config, batch_tokens=200, max_steps=6, eval_steps=3))

    def validate(model: Seq2SeqModel) -> dict[str, float]:
        return {"bleu": 1.0, "chrf": 0.0}

    def killed(line: object) -> None:
        raise Killed

    whole, _, _ = train(speech_model(config, tokenizer), job, validate, tmp_path / "whole")
    assert len(epoch_batches(job.data, 200, 1, 0)) < 6
    (again := tmp_path / "again").mkdir()
    job = replace(job, config=replace(job.config, save_interval_seconds=0))
    with pytest.raises(Killed):
        train(speech_model(config, tokenizer), job, validate, again, killed)
    shutil.rmtree(config.paths.renderings("speech"))
    fresh, _ = student_job(config, config.paths, tokenizer)
    resumed = train(speech_model(config, tokenizer), replace(fresh, config=job.config), validate, again)[0]
    for name, weight in whole.state_dict().items():
        assert np.array_equal(weight.numpy(), resumed.state_dict()[name].numpy()), name


def test_what_does_not_go_together_is_one_line(config: RunConfig) -> None:
    student = config.student
    for changed, message in (
        (replace(student, initialization="first"), "student.input is speech, but student.initialization is first"),
        (replace(student, voices=replace(student.voices, voices=["flite:slt"], language="de")), "none of them is inst"),
        (replace(student, voices=replace(student.voices, stack=32)), r"d_model is 16, no multiple of .*stack, 32"),
    ):
        with pytest.raises(UserError, match=message) as error:
            check_frames(replace(config, student=changed))
        assert "\n" not in str(error.value)
