import signal
import textwrap
from dataclasses import replace

import pytest
import torch
from helpers.processes import Process
from helpers.training import CONFIG, improving, job, model, weights

from distilmt.config import ObjectiveConfig, TrainingConfig
from distilmt.training import checkpoint_files, trainer
from distilmt.training.trainer import train
from distilmt.utils.errors import UserError


def test_loss_goes_down(tmp_path, shared_tokenizer):
    config = TrainingConfig(
        max_steps=120,
        batch_tokens=800,
        learning_rate=8e-3,
        warmup_steps=10,
        eval_steps=20,
        precision="fp32",
        dropout=0.0,
    )
    _, result, log = train(model(shared_tokenizer), job(shared_tokenizer, config, 500), improving(), tmp_path)
    losses = [line["train_loss"] for line in log]
    assert losses[0] > 4 and losses[-1] < 0.6 * losses[0]
    assert losses == sorted(losses, reverse=True)
    assert [line["update"] for line in log] == [20, 40, 60, 80, 100, 120]
    assert all(line["tokens_per_second"] > 0 and line["learning_rate"] > 0 for line in log)
    assert result.updates == result.best_update == 120


def test_same_seed_same_weights(tmp_path, shared_tokenizer):
    actual = [
        weights(train(model(shared_tokenizer), job(shared_tokenizer, seed=seed), improving(), tmp_path / name)[0])
        for name, seed in (("a", 1), ("b", 1), ("c", 2))
    ]
    assert torch.equal(actual[0], actual[1])
    assert not torch.equal(actual[0], actual[2])


class Interruption(Exception):
    """Stands for whatever ends a training."""


@pytest.mark.parametrize("after", [1, 11, 19])
def test_resumed_training_makes_the_same_weights(tmp_path, shared_tokenizer, after, monkeypatch):
    """Dropout, data order over several epochs, Adam and the average all go on as if nothing had been."""
    straight, whole, _ = train(model(shared_tokenizer), job(shared_tokenizer), improving(), tmp_path / "straight")
    config = TrainingConfig(**vars(CONFIG) | {"save_interval_seconds": 0.0})
    update = trainer.Trainer.update

    def interrupted(self, *part):
        update(self, *part)
        if self.state.update == after:
            raise Interruption

    monkeypatch.setattr(trainer.Trainer, "update", interrupted)
    with pytest.raises(Interruption):
        train(model(shared_tokenizer), job(shared_tokenizer, config), improving(), tmp_path / "cut")
    monkeypatch.setattr(trainer.Trainer, "update", update)
    # Fresh weights of another seed: everything must come from the checkpoint.
    network = model(shared_tokenizer, 9)
    resumed, result, log = train(network, job(shared_tokenizer, config), improving(after // 5), tmp_path / "cut")
    assert torch.equal(weights(straight), weights(resumed))
    assert (result.updates, result.best_update) == (whole.updates, whole.best_update)
    assert [line["update"] for line in log] == [5, 10, 15, 20]


_PROGRAM = """
    import os, signal
    from pathlib import Path
    from distilmt.data import tokenizer
    from distilmt.config import TrainingConfig
    from distilmt.training import trainer
    from helpers.training import CONFIG, improving, job, model
    pieces = tokenizer.load(Path({pieces!r}))
    update = trainer.Trainer.update
    def killed(self, *part):
        update(self, *part)
        if self.state.update == 11:
            os.kill(os.getpid(), signal.SIGKILL)
    trainer.Trainer.update = killed
    config = TrainingConfig(**vars(CONFIG) | {{"save_interval_seconds": 0.0}})
    trainer.train(model(pieces), job(pieces, config), improving(), Path({directory!r}))
"""


def test_killed_training_makes_the_same_weights(tmp_path, shared_tokenizer):
    program = textwrap.dedent(_PROGRAM).format(pieces=str(shared_tokenizer.directory), directory=str(tmp_path / "cut"))
    process = Process(program=program).completed()
    assert process.returncode == -signal.SIGKILL, process.stderr.decode()[-2000:]
    assert (tmp_path / "cut" / checkpoint_files.CHECKPOINT).exists()
    straight, *_ = train(model(shared_tokenizer), job(shared_tokenizer), improving(), tmp_path / "straight")
    resumed, result, _ = train(model(shared_tokenizer, 9), job(shared_tokenizer), improving(2), tmp_path / "cut")
    assert result.updates == 20
    assert torch.equal(weights(straight), weights(resumed))


def test_best_checkpoint_is_preserved(tmp_path, shared_tokenizer):
    seen = []

    def validate(network):
        seen.append(weights(network).clone())
        return {"bleu": [1.0, 7.0, 7.0, 2.0][len(seen) - 1], "chrf": 0.0}

    best, result, _ = train(model(shared_tokenizer), job(shared_tokenizer), validate, tmp_path)
    assert torch.equal(weights(best), seen[1])
    assert not torch.equal(seen[1], seen[3])
    assert (result.best_update, result.best_score) == (10, 7.0)


def test_metric_can_be_chrf(tmp_path, shared_tokenizer):
    scores = iter([(9.0, 1.0), (1.0, 9.0), (1.0, 2.0), (1.0, 3.0)])
    config = TrainingConfig(**vars(CONFIG) | {"metric": "chrf"})
    _, result, _ = train(
        model(shared_tokenizer),
        job(shared_tokenizer, config),
        lambda _: dict(zip(("bleu", "chrf"), next(scores), strict=True)),
        tmp_path,
    )
    assert (result.best_update, result.best_score) == (10, 9.0)


@pytest.mark.parametrize(("patience", "updates"), [(2, 20), (3, 25), (0, 40)])
def test_stops_when_nothing_gets_better(tmp_path, shared_tokenizer, patience, updates):
    config = TrainingConfig(**vars(CONFIG) | {"max_steps": 40, "patience": patience})
    scores = iter([1.0, 3.0, 2.0, 3.0, 1.0, 1.0, 1.0, 1.0])
    _, result, _ = train(
        model(shared_tokenizer), job(shared_tokenizer, config), lambda _: {"bleu": next(scores), "chrf": 0.0}, tmp_path
    )
    assert (result.updates, result.best_update) == (updates, 10)
    # Stopped is stopped: the next call does not train on.
    _, again, _ = train(
        model(shared_tokenizer), job(shared_tokenizer, config), lambda _: {"bleu": 0.0, "chrf": 0.0}, tmp_path
    )
    assert again.updates == updates


def test_word_labels_of_a_teacher_are_learnt(tmp_path, shared_tokenizer):
    """Trained on nothing but the teacher's words, the student's loss against them falls."""
    import numpy as np

    config = TrainingConfig(**vars(CONFIG) | {"max_steps": 60, "eval_steps": 20, "dropout": 0.0})
    instance = job(shared_tokenizer, config)
    side = instance.data.reference
    side.top_ids = np.stack([side.tokens.flat, (side.tokens.flat + 1) % shared_tokenizer.pad], 1).astype(np.uint16)
    side.top_logprobs = np.log(np.array([[0.7, 0.2]])).repeat(len(side.tokens.flat), 0).astype(np.float16)
    instance.objective = ObjectiveConfig(kd_weight=1.0, ce_weight=0.0, reference_fraction=1.0)
    *_, log = train(model(shared_tokenizer), instance, improving(), tmp_path)
    losses = [line["distillation_loss"] for line in log]
    assert losses[-1] < 0.6 * losses[0] and losses[-1] > 0


def test_nothing_to_train_on_is_reported(tmp_path, shared_tokenizer):
    instance = job(shared_tokenizer)
    instance.data.reference.usable[:] = False
    with pytest.raises(UserError, match="no sentence"):
        train(model(shared_tokenizer), instance, improving(), tmp_path)


def test_clear_removes_checkpoints_and_nothing_else(tmp_path, shared_tokenizer):
    train(model(shared_tokenizer), job(shared_tokenizer), improving(), tmp_path)
    (tmp_path / "model.safetensors").write_text("kept")
    checkpoint_files.clear(tmp_path)
    checkpoint_files.clear(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["model.safetensors"]


def test_a_schedule_ends_in_time(tmp_path, shared_tokenizer):
    config = replace(CONFIG, max_steps=100_000, max_seconds=2.0, eval_steps=100_000)
    _, result, log = train(model(shared_tokenizer), job(shared_tokenizer, config), improving(), tmp_path)
    assert 1 <= result.updates < 100_000
    assert 2.0 <= result.train_seconds < 4.0
    assert log[-1]["learning_rate"] <= 0.011 * config.learning_rate


def test_torch_keeps_its_threads_after_a_validation(tmp_path, shared_tokenizer):
    """CTranslate2 may set OpenMP's threads for whoever calls it; training went on with one thread after it was used."""
    seen = []

    def validate(network):
        seen.append(torch.get_num_threads())
        torch.set_num_threads(1)
        return {"bleu": 0.0, "chrf": 0.0}

    before = torch.get_num_threads()
    config = replace(CONFIG, max_steps=6, eval_steps=2, threads=2)
    train(model(shared_tokenizer), job(shared_tokenizer, config), validate, tmp_path)
    torch.set_num_threads(before)
    assert seen == [2, 2, 2]


def test_who_goes_on_does_so_with_the_threads_of_the_checkpoint(tmp_path, shared_tokenizer, monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    seen: list[int] = []
    monkeypatch.setattr("distilmt.training.train_step.training_threads", lambda _: 2)
    monkeypatch.setattr("distilmt.training.train_step.use_threads", seen.append)
    monkeypatch.setattr("distilmt.training.train_step.pick_device", lambda: torch.device("cpu"))
    train(model(shared_tokenizer), job(shared_tokenizer, replace(CONFIG, max_steps=2)), improving(), tmp_path)
    monkeypatch.setattr("distilmt.training.train_step.training_threads", lambda _: 1)
    config = replace(CONFIG, max_steps=4, eval_steps=4)
    train(model(shared_tokenizer), job(shared_tokenizer, config), improving(), tmp_path)
    assert seen == [2, 2, 2, 2]


@pytest.mark.parametrize("name", ["teacher", "student"])
def test_a_training_that_diverges_stops_and_keeps_nothing(tmp_path, shared_tokenizer, name):
    config = replace(CONFIG, learning_rate=1e30, max_steps=40, warmup_steps=0, save_interval_seconds=0.0)
    task = replace(job(shared_tokenizer, config), name=name)
    with pytest.raises(UserError, match=rf"{name}: the .* is not finite at update \d+: lower {name}.training.learning"):
        train(model(shared_tokenizer), task, improving(), tmp_path)
    assert not (tmp_path / checkpoint_files.BEST).exists()
    if (tmp_path / checkpoint_files.CHECKPOINT).exists():
        tensors = checkpoint_files.read_checkpoint(tmp_path / checkpoint_files.CHECKPOINT)[1]
        assert all(torch.isfinite(torch.from_numpy(t)).all() for t in tensors.values())


def test_a_damaged_checkpoint_is_one_line(tmp_path, shared_tokenizer):
    (tmp_path / checkpoint_files.CHECKPOINT).write_bytes(b"\xff" * 100)
    with pytest.raises(UserError, match=r"checkpoint\.safetensors is damaged: delete it"):
        train(model(shared_tokenizer), job(shared_tokenizer), improving(), tmp_path)
