"""Students that read pictures, as steps of a run: from text to a trained student and its baseline."""

from __future__ import annotations

import itertools
import logging
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

pytest.importorskip("PIL")
pytest.importorskip("fontTools")
from helpers.pictures import write_fonts
from safetensors.numpy import load_file

from distilmt.config import ObjectiveConfig, OnPolicyConfig, RunConfig, StudentConfig, loading
from distilmt.config.commands import CostConfig, PlanConfig
from distilmt.data import tokenizer as tokenizers
from distilmt.data.tokenizer import Tokenizer
from distilmt.labels.store import LabelStore
from distilmt.losses.ctc import ctc_loss, initial_head
from distilmt.losses.records import Reading
from distilmt.models.architectures import new_model
from distilmt.models.base import Seq2SeqModel
from distilmt.models.batch import Batch, make_frame_batch
from distilmt.models.checkpoint import load_model
from distilmt.models.whisper import WhisperModel
from distilmt.models.whisper_search import greedy_search
from distilmt.pipeline import runner
from distilmt.pipeline.frame_checks import check_frames
from distilmt.pipeline.steps.frame_inputs import training_frames
from distilmt.pipeline.steps.train import student_job
from distilmt.recipes import cost, plan
from distilmt.training.batching import collate, epoch_batches
from distilmt.training.throughput import seconds_per_update
from distilmt.training.train_step import Stepper
from distilmt.training.trainer import TrainingJob, train
from distilmt.utils.errors import UserError
from distilmt.utils.run_dir import read_json


@pytest.fixture
def config(finished_run: Path, tmp_path: Path) -> RunConfig:
    """A finished run on text whose student is to read pictures now: in two updates, with two pictures of each text."""
    shutil.copytree(finished_run, tmp_path / "run")
    training_font, held_out_font = write_fonts(tmp_path)
    keys = {
        "run_dir": tmp_path / "run",
        "student.input": "image",
        "student.rendering.variants": 2,
        "student.rendering.clean_fraction": 1.0,
        "student.rendering.fonts": f"[{training_font}]",
        "student.rendering.held_out_fonts": f"[{held_out_font}]",
        "student.training.max_steps": 2,
        "student.training.eval_steps": 2,
        "student.training.precision": "auto",
    }
    flags = [part for key, value in keys.items() for part in (f"--{key}", str(value))]
    return loading.load([str(finished_run.parent / "run.yaml"), *flags])


def test_from_text_to_student_and_baseline(config: RunConfig) -> None:
    teacher = (config.paths.teacher / "model.safetensors").read_bytes()
    runner.run(config, "baseline")
    assert (config.paths.teacher / "model.safetensors").read_bytes() == teacher
    rendering = config.student.rendering
    for name in ("student", "baseline"):
        directory = config.paths.step(name)
        assert read_json(directory / "config.json")["num_mel_bins"] == rendering.height * rendering.columns_per_frame
        assert isinstance(load_model(directory), WhisperModel)
        (line,) = read_json(directory / "log.json")
        assert line["update"] == 2 and {"bleu", "chrf", "train_loss"} <= line.keys()
    weights = [load_file(config.paths.step(name) / "model.safetensors") for name in ("student", "baseline")]
    assert any((weights[0][name] != weights[1][name]).any() for name in weights[0]), "other targets, other weights"
    assert not config.paths.renderings("image").exists()


def test_a_student_starts_from_the_encoder_of_another(config: RunConfig, tmp_path: Path) -> None:
    """At a learning rate of zero it stays, and so does the projection to characters."""
    config.student.objective = replace(config.student.objective, ctc_weight=0.3)
    runner.execute_step("student", config)
    shutil.copytree(config.paths.student, tmp_path / "start")
    training = replace(config.student.training, learning_rate=0)
    config.student = replace(config.student, pretrained=str(tmp_path / "start"), training=training)
    config.student = replace(config.student, pretrained_parts="encoder")
    runner.execute_step("student", config)
    for file in ("model.safetensors", "ctc_head.safetensors"):
        before, after = load_file(tmp_path / "start" / file), load_file(config.paths.student / file)
        same = {name: np.allclose(value, after[name], atol=1e-6) for name, value in before.items()}
        assert all(same[name] for name in before if name.startswith(("model.encoder", "ctc")))
        assert all(same.values()) == (file != "model.safetensors")


@pytest.fixture
def tokenizer(config: RunConfig) -> Tokenizer:
    return tokenizers.load(config.paths.tokenizer)


@pytest.fixture
def job(config: RunConfig, tokenizer: Tokenizer) -> TrainingJob:
    return student_job(config, config.paths, tokenizer)[0]


def picture_model(config: RunConfig, tokenizer: Tokenizer) -> Seq2SeqModel:
    return new_model(config.student.model, tokenizer, 0.0, config.seed)


class Killed(Exception):
    """Stands for the end of the process."""


def test_a_killed_training_ends_with_the_same_weights(config, tokenizer, job, tmp_path) -> None:
    """Over three epochs, so that both variants are read, and the first again; pictures are rendered anew."""
    training = replace(job.config, batch_tokens=2000, max_steps=20, eval_steps=10)
    objective = replace(job.objective, ctc_weight=0.3)  # with parameters of its own
    job = replace(job, config=training, objective=objective)
    scores = itertools.count(1.0)  # every validation is the best so far

    def validate(model: Seq2SeqModel) -> dict[str, float]:
        return {"bleu": next(scores), "chrf": 0.0}

    def killed(line: object) -> None:
        raise Killed

    whole, result, _ = train(picture_model(config, tokenizer), job, validate, tmp_path / "whole")
    assert result.updates == 20 and len(epoch_batches(job.data, 2000, 1, 0)) < 8
    (again := tmp_path / "again").mkdir()
    training = replace(training, save_interval_seconds=0)
    with pytest.raises(Killed):
        train(picture_model(config, tokenizer), replace(job, config=training), validate, again, killed)
    shutil.rmtree(config.paths.renderings("image"))
    fresh, _ = student_job(config, config.paths, tokenizer)
    resumed = train(
        picture_model(config, tokenizer), replace(fresh, config=training, objective=objective), validate, again
    )[0]
    for name, weight in whole.state_dict().items():
        assert np.array_equal(weight.numpy(), resumed.state_dict()[name].numpy()), name


def test_a_picture_alone_is_trained_on_as_in_a_batch(config, tokenizer, job) -> None:
    model = picture_model(config, tokenizer).eval().requires_grad_(False)
    rows, use_reference = np.arange(5), np.zeros(5, dtype=bool)
    batch, targets = collate(job.data, rows, use_reference, epoch=1)
    together = model.decoder_states(batch)
    assert len(together) == len(targets.ids) and targets.top_ids is not None
    alone = [model.decoder_states(collate(job.data, rows[i : i + 1], use_reference[:1], 1)[0]) for i in rows]
    np.testing.assert_allclose(together.numpy(), np.concatenate([each.numpy() for each in alone]), atol=1e-5)
    other, _ = collate(job.data, rows, use_reference, epoch=0)
    assert other.frames is not None and batch.frames is not None
    assert not torch.equal(other.frames.values, batch.frames.values), "every variant has other pictures"
    again, _ = collate(job.data, rows, use_reference, epoch=3)
    assert again.frames is not None and torch.equal(again.frames.values, batch.frames.values)


def test_batches_count_positions_of_the_encoder(job) -> None:
    batch, _ = collate(job.data, np.arange(3), np.zeros(3, dtype=bool))
    lengths = job.data.source_lengths(0)[:3]
    assert len(batch.source.ids) == lengths.sum() and (lengths != job.data.source.lengths[:3]).any()


def test_cached_decoding_equals_forced_decoding(config, tokenizer, job) -> None:
    model = picture_model(config, tokenizer).eval().requires_grad_(False)
    assert isinstance(model, WhisperModel)
    frames = job.data.frames.frames(np.arange(4), 0)
    searched = greedy_search(model, frames)
    assert all(searched)
    for source, ids in zip(frames, searched, strict=True):
        flat, special = np.array([*ids, model.special_ids.end], np.int64), model.special_ids
        batch = make_frame_batch([source], flat, np.array([len(flat)]), special.start)
        best = model.logits(model.decoder_states(batch)).argmax(-1).tolist()
        assert best[: len(ids)] == ids


def test_texts_without_a_picture_are_counted_once_and_left_out(config, tokenizer, caplog, monkeypatch) -> None:
    texts = LabelStore(config.paths.labels).column("source")
    changed = [f"{text} 山" if number < 7 else text for number, text in enumerate(texts)]
    monkeypatch.setattr(LabelStore, "column", lambda self, name: changed if name == "source" else _column(self, name))
    job, _ = student_job(config, config.paths, tokenizer)
    with caplog.at_level(logging.WARNING):
        rows = [job.data.choose(1, epoch)[0] for epoch in (0, 1, 2)]
    assert all(not {*range(7)} & {*chosen.tolist()} and len(chosen) for chosen in rows)
    (message,) = [record.getMessage() for record in caplog.records if "no picture" in record.getMessage()]
    assert message.startswith(f"7 of {len(texts)} texts have no pictures: 7 have characters that no font has (")


def test_no_picture_at_all_is_one_line_that_names_the_packages(config, monkeypatch) -> None:
    monkeypatch.setattr(LabelStore, "column", lambda self, name: ["山水"] * self.rows)
    pictures = training_frames(config, config.paths, LabelStore(config.paths.labels).ids())
    with pytest.raises(UserError, match=r"^\d+ of \d+ texts have no pictures.*apt-get install fonts") as error:
        pictures.positions(0)
    assert "\n" not in str(error.value)


_column = LabelStore.column


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"objective": ObjectiveConfig(hidden_state_weight=1)}, "objective.hidden_state_weight is not 0"),
        ({"objective": ObjectiveConfig(attention_weight=1)}, "objective.attention_weight is not 0"),
        ({"on_policy": OnPolicyConfig(steps=1)}, "on_policy.steps is not 0"),
        ({"initialization": "first"}, "initialization is first"),
    ],
)
def test_what_needs_a_student_of_text_is_refused(config, changes, message) -> None:
    with pytest.raises(UserError, match=f"^student.input is image, but student.{message}") as error:
        check_frames(replace(config, student=replace(config.student, **changes)))
    assert "\n" not in str(error.value)


def test_reading_is_only_for_pictures(config) -> None:
    objective = ObjectiveConfig(ctc_weight=0.1)
    with pytest.raises(UserError, match=r"^student\.objective\.ctc_weight is not 0, but student\.input is text"):
        check_frames(replace(config, student=StudentConfig(objective=objective)))


def reading_loss(stepper: Stepper, batch: Batch) -> float:
    assert batch.transcript is not None and stepper.ctc_head is not None
    head = {name.removeprefix("ctc."): parameter for name, parameter in stepper.ctc_head.parameters.items()}
    with torch.no_grad():
        states = batch.source.padded(stepper.model.encode(batch)[: len(batch.source.ids)])
        transcript, lengths = batch.transcript, batch.source.sentences.bincount()
        return ctc_loss(Reading(states, lengths, transcript.characters, transcript.lengths, **head)).item()


def test_the_encoder_learns_to_read(config, tokenizer, job) -> None:
    """CTC alone: less of it on pictures in the course of the updates; the characters are those that are drawn."""
    texts = LabelStore(config.paths.labels).column("source")
    batch, targets = collate(job.data, np.arange(8), np.zeros(8, dtype=bool))
    assert batch.transcript is not None
    assert batch.transcript.lengths.tolist() == [len(text) for text in texts[:8]]
    assert len(batch.transcript.characters.unique()) == len(set("".join(texts[:8])))
    objective = ObjectiveConfig(kd_weight=0, ce_weight=0, ctc_weight=1)
    training = replace(job.config, max_steps=60, warmup_steps=2, learning_rate=0.01, dropout=0.0, precision="fp32")
    model = picture_model(config, tokenizer)
    head = initial_head(len(job.data.alphabet), model.dimensions.d_model)
    stepper = Stepper(model, training, objective, 1, ctc_head=head)
    losses = []
    for number in range(1, 31):
        stepper.update(number, batch, targets)
        losses.append(reading_loss(stepper, batch))
    assert losses[-1] < 0.5 * losses[0]


def test_every_text_has_room_for_its_characters(config, job) -> None:
    """CTC leaves out a text with more characters than outputs; equal neighbors need a blank between them."""
    texts = LabelStore(config.paths.labels).column("source")
    needed = [len(text) + sum(map(str.__eq__, text, text[1:])) for text in texts]
    outputs = job.data.outputs_per_position * job.data.frames.positions(0)[: len(texts)]
    assert (outputs >= np.array(needed)).all()


def test_ctc_alone_trains_the_encoder_alone(config) -> None:
    """Without translations to score, the updates with the smallest loss are the best."""
    config.student.objective = ObjectiveConfig(kd_weight=0, ce_weight=0, ctc_weight=1)
    config.student.training = replace(config.student.training, max_steps=6, learning_rate=0.01, warmup_steps=1)
    untrained = picture_model(config, tokenizers.load(config.paths.tokenizer)).state_dict()
    runner.execute_step("student", config)
    trained = load_model(config.paths.student).state_dict()
    changed = {name for name, value in trained.items() if not torch.equal(value, untrained[name])}
    assert any("encoder.layers" in name for name in changed)
    assert not [name for name in changed if "encoder." not in name], "neither decoder nor embeddings"
    log = read_json(config.paths.student / "log.json")
    losses = [line["train_loss"] for line in log]
    assert len(log) == 3 and "bleu" not in log[0] and losses[-1] < losses[0]
    assert read_json(config.paths.student / "step.json")["result"]["best_score"] == -min(losses)


@pytest.mark.parametrize("command", ["plan", "cost"])
def test_commands_that_count_text_refuse_pictures(config, command) -> None:
    with pytest.raises(UserError, match=f"^distilmt {command} is for students that read text"):
        if command == "plan":
            plan.run(PlanConfig(), config)
        else:
            cost.run(CostConfig(), config, None)


def test_missing_fonts_are_one_line(config) -> None:
    rendering = replace(config.student.rendering, fonts=["fonts-that-do-not-exist"])
    with pytest.raises(UserError, match="no font with scalable glyphs is installed"):
        check_frames(replace(config, student=replace(config.student, rendering=rendering)))


def test_the_pace_of_reading_is_measured(config, tokenizer, job) -> None:
    objective = replace(job.objective, ctc_weight=0.5)
    training = replace(job.config, batch_tokens=256)
    assert seconds_per_update(job.data, config.student.model, training, objective, tokenizer, seconds=0.01) > 0
