"""Training towards a teacher's hidden states and attention."""

from dataclasses import replace

import pytest
import torch
from helpers import toy

from distilmt.config import ObjectiveConfig, TrainingConfig
from distilmt.losses.records import BatchStates
from distilmt.losses.terms import batch_losses
from distilmt.models.architectures import new_model
from distilmt.training.batching import Ragged, TargetSide, TrainingSet, collate, epoch_batches
from distilmt.training.train_step import Stepper
from distilmt.training.trainer import TrainingJob, train
from distilmt.utils.errors import UserError

CONFIG = TrainingConfig(
    max_steps=12, batch_tokens=400, learning_rate=5e-3, warmup_steps=2, eval_steps=3, precision="fp32", dropout=0.0
)
OBJECTIVE = ObjectiveConfig(kd_weight=0, ce_weight=0, reference_fraction=1, hidden_state_weight=1.0)
ATTENTION = replace(OBJECTIVE, hidden_state_weight=0.0, attention_weight=1.0)
WIDE = replace(toy.MICRO, d_model=48, encoder_layers=3, decoder_layers=2)


def data(tokenizer):
    sources, targets = toy.pairs(150)
    encoded = Ragged.of(tokenizer.target.encode(targets))
    source = Ragged.of(tokenizer.source.encode(sources))
    return TrainingSet(source, TargetSide(encoded, encoded.lengths > 1), None, tokenizer.pad, 1.0, 64)


def feature_distance(stepper, batch, states):
    """Weighted distance of a student's states from its teacher's, summed over tokens."""
    features = stepper.feature_distillation.records(batch, states)
    none = torch.zeros(0, 0)
    return float(batch_losses(BatchStates(none, none, 0, features=features), stepper.objective))


def flat(model):
    return torch.cat([p.detach().flatten() for p in model.parameters()])


@pytest.mark.parametrize(
    ("shape", "objective"),
    [
        (toy.MICRO, OBJECTIVE),
        (WIDE, OBJECTIVE),
        (WIDE, ATTENTION),
        (replace(WIDE, num_heads=4), ATTENTION),
        (WIDE, replace(ATTENTION, head_mapping="same")),
    ],
)
def test_the_student_comes_nearer(shared_tokenizer, shape, objective):
    teacher = new_model(shape, shared_tokenizer, 0.3, 7)
    before = flat(teacher)
    config = replace(CONFIG, max_steps=60)
    stepper = Stepper(new_model(toy.MICRO, shared_tokenizer, 0.0, 1), config, objective, 1, teacher)
    rows = data(shared_tokenizer)
    batch, targets = collate(rows, *epoch_batches(rows, 400, 1, 0)[0])

    def distance():
        states = stepper.feature_distillation.empty_states()
        with torch.no_grad():
            there = batch.to(stepper.device)
            stepper.model.decoder_rows(there, states=states)
            return feature_distance(stepper, there, states) / len(targets.ids)

    begin, trained = (
        distance(),
        [p.detach().clone() for p in stepper.feature_distillation.auxiliary.parameters.values()],
    )
    for number in range(1, 61):
        stepper.update(number, batch, targets)
    assert distance() < 0.5 * begin
    assert torch.equal(flat(teacher).cpu(), before.cpu())
    assert not any(
        torch.equal(a, b.detach())
        for a, b in zip(trained, stepper.feature_distillation.auxiliary.parameters.values(), strict=True)
    )


@pytest.mark.parametrize("heads", ["learned", "same"])
def test_a_model_is_not_far_from_itself(shared_tokenizer, heads):
    """Where heads are compared one by one, or the mixture is the identity."""
    objective = replace(OBJECTIVE, attention_weight=1.0, head_mapping=heads)
    models = [new_model(WIDE, shared_tokenizer, 0.0, 7) for _ in range(2)]
    stepper = Stepper(models[0], CONFIG, objective, 1, models[1])
    for name, mixture in stepper.feature_distillation.auxiliary.parameters.items():
        if "mixture" in name:
            mixture.data.copy_(torch.eye(len(mixture)))
    rows = data(shared_tokenizer)
    batch = collate(rows, *epoch_batches(rows, 400, 1, 0)[0])[0].to(stepper.device)
    states = stepper.feature_distillation.empty_states()
    with torch.no_grad():
        stepper.model.decoder_rows(batch, states=states)
        distance = feature_distance(stepper, batch, states)
    assert distance == pytest.approx(0, abs=1e-3)


def test_a_teacher_is_needed(shared_tokenizer):
    for objective in (OBJECTIVE, ATTENTION):
        with pytest.raises(ValueError, match="need a teacher"):
            Stepper(new_model(toy.MICRO, shared_tokenizer, 0.0, 1), CONFIG, objective, 1)


def test_other_heads_cannot_be_compared_one_by_one(shared_tokenizer):
    teacher = new_model(replace(WIDE, num_heads=4), shared_tokenizer, 0.0, 7)
    objective = replace(ATTENTION, head_mapping="same")
    with pytest.raises(UserError, match="4 heads and the student 2: set it to learned"):
        Stepper(new_model(toy.MICRO, shared_tokenizer, 0.0, 1), CONFIG, objective, 1, teacher)


@pytest.mark.parametrize("heads", ["learned", "same"])
def test_going_on_makes_the_same(tmp_path, shared_tokenizer, heads):
    states = 1.0 if heads == "learned" else 0.0  # nothing is trained beside the student then
    objective = replace(ATTENTION, ce_weight=1.0, hidden_state_weight=states, head_mapping=heads)

    def job(config=CONFIG):
        return TrainingJob(
            "toy", data(shared_tokenizer), config, objective, 1, new_model(WIDE, shared_tokenizer, 0.0, 7)
        )

    def model():
        return new_model(toy.MICRO, shared_tokenizer, 0.0, 1)

    def improving(begin=0):
        calls = iter(range(begin, 100))
        return lambda _: {"bleu": float(next(calls)), "chrf": 0.0}

    class Cut(Exception):
        pass

    def cut():
        score = improving()

        def validate(network):
            actual = score(network)
            if actual["bleu"] == 2.0:
                raise Cut
            return actual

        return validate

    whole, *_ = train(model(), job(), improving(), tmp_path / "whole")
    with pytest.raises(Cut):
        train(model(), job(), cut(), tmp_path / "cut")
    again, result, _ = train(model(), job(), improving(2), tmp_path / "cut")
    assert result.updates == 12
    assert torch.equal(flat(whole), flat(again))


def test_its_weight_is_the_same_next_to_r_drop(shared_tokenizer):
    """Without dropout two passes are equal: what R-Drop averages changes nothing, nor may it halve the distance."""
    rows = data(shared_tokenizer)
    batch, targets = collate(rows, *epoch_batches(rows, 400, 1, 0)[0])
    weights = []
    for share in (0.0, 1.0):
        objective = replace(OBJECTIVE, ce_weight=1.0, r_drop_weight=share)
        teacher = new_model(WIDE, shared_tokenizer, 0.0, 7)
        stepper = Stepper(new_model(toy.MICRO, shared_tokenizer, 0.0, 1), CONFIG, objective, 1, teacher)
        stepper.update(1, batch, targets)
        weights.append(stepper.feature_distillation.auxiliary.state()["projection.0.exp_avg"])
    torch.testing.assert_close(*weights)
