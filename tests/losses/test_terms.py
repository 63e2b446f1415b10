"""The list of loss terms: what iterates over it, and what a new term or divergence takes."""

from dataclasses import dataclass, replace

import pytest
import torch
from helpers import toy

from distilmt.config import ObjectiveConfig, TrainingConfig
from distilmt.config.bounds import BOUNDS, bounded, check_bounds
from distilmt.config.effects import keys_of
from distilmt.config.student import parameter_of
from distilmt.losses import terms
from distilmt.losses.distillation import LossSettings, TokenTargets, chunked_loss, reference_loss
from distilmt.losses.divergences import DIVERGENCES, DivergenceKind, divergence
from distilmt.losses.terms import TERMS, LossTerm, Need, active_terms, loss_signature, needs, on_policy_objective
from distilmt.models.architectures import new_model
from distilmt.training.batching import Ragged, TargetSide, TrainingSet, collate, epoch_batches
from distilmt.training.train_step import Stepper
from distilmt.utils.errors import UserError

ALL = ObjectiveConfig(
    kd_weight=0.5,
    ce_weight=0.4,
    ranking_weight=0.3,
    entropy_mode="penalty",
    entropy_weight=-0.2,
    hidden_state_weight=0.1,
    attention_weight=0.6,
    r_drop_weight=0.7,
    ctc_weight=0.8,
)


def test_the_weight_of_every_term_is_a_bounded_key():
    weights = [term.weight_key for term in TERMS]
    assert len(set(weights)) == len({term.name for term in TERMS}) == len(TERMS)
    for key in weights:
        assert BOUNDS in ObjectiveConfig.__dataclass_fields__[key].metadata
    assert [term.weight(ALL) for term in TERMS] == [getattr(ALL, key) for key in weights]


def test_every_weight_of_the_configuration_is_a_term():
    weights = {key for key in ObjectiveConfig.__dataclass_fields__ if key.endswith("_weight")}
    assert weights == {term.weight_key for term in TERMS}


def test_terms_are_active_by_weight():
    assert [term.weight_key for term in active_terms(ObjectiveConfig())] == ["kd_weight", "ce_weight"]
    assert active_terms(ALL) == TERMS
    assert "entropy_weight" not in {term.weight_key for term in active_terms(replace(ALL, entropy_mode="none"))}
    # Terms within the distillation of a row are weighted with it.
    without = {term.weight_key for term in active_terms(replace(ALL, kd_weight=0.0))}
    assert without == {"ce_weight", "r_drop_weight", "hidden_state_weight", "attention_weight", "ctc_weight"}


def test_needs_are_those_of_active_terms():
    assert needs(ALL) == set(Need)
    assert needs(ObjectiveConfig()) == {Need.TOP_K, Need.LABELS}
    assert needs(ObjectiveConfig(kd_weight=0, ranking_weight=1.0)) == {Need.LABELS}


def test_on_policy_updates_train_on_probabilities():
    own = on_policy_objective(replace(ALL, teacher_annealing=True))
    assert own == replace(
        ALL, kd_weight=1.0, ce_weight=0.0, hidden_state_weight=0.0, attention_weight=0.0, ctc_weight=0.0
    )
    assert not needs(own) & {Need.LABELS, Need.STATES, Need.ATTENTION}


def test_the_signature_names_terms_and_settings():
    assert loss_signature(ObjectiveConfig()) == "token-level0.7+cross-entropy0.3"
    assert loss_signature(ObjectiveConfig(kd_weight=0, ce_weight=1)) == "cross-entropy1"
    assert loss_signature(replace(ALL, divergence="js", token_selection="queue", teacher_annealing=True)) == (
        "token-level0.5-js0.1+cross-entropy0.4+entropy-0.2+ranking0.3+r-drop0.7+hidden-state0.1+attention0.6-learned"
        "+ctc0.8+annealing+queue0.5"
    )
    assert loss_signature(ObjectiveConfig(entropy_mode="weight_low")).endswith("+entropy-weight_low")


@dataclass
class ToyObjective(ObjectiveConfig):
    """What `config/student.py` gets for a new divergence with a parameter, and for a new term."""

    renyi_order: float = parameter_of(0.5, 0.01, 0.99, "renyi")
    """Order of the Rényi divergence."""
    activation_weight: float = bounded(0.0, 0, 1000)
    """Weight of activation regularization."""


def renyi(log_student, teacher, order):
    """log Σ q^α p^(1 − α) / (α − 1), [N], from log p and q [N, n]."""
    return ((1 - order) * log_student + order * teacher.clamp_min(1e-30).log()).logsumexp(-1) / (order - 1)


@pytest.fixture
def new_divergence(monkeypatch):
    monkeypatch.setitem(DIVERGENCES, "renyi", DivergenceKind(renyi, ("renyi_order",)))


@pytest.fixture
def new_term(monkeypatch):
    """Activation regularization (Merity et al. 2017); the fixture is the list of its values, one for every update."""
    values = []

    def activation(states, objective):
        loss = states.hidden.square().mean(-1).sum()  # [N, d] -> scalar
        values.append(loss.item())
        return loss

    term = LossTerm("activation", "activation_weight", frozenset(), on_policy=0.0, batch_loss=activation)
    monkeypatch.setattr(terms, "TERMS", [*TERMS, term])
    return values


def targets_of(seed, n=12, vocabulary=30, k=4):
    random = torch.Generator().manual_seed(seed)
    logprobs, top_ids = (2 * torch.randn(n, vocabulary, generator=random)).log_softmax(-1).topk(k)
    return TokenTargets(torch.randint(vocabulary, (n,), generator=random), top_ids, logprobs.double())


@pytest.mark.usefixtures("new_divergence")
def test_a_new_divergence_takes_its_formula_and_its_keys():
    objective = ToyObjective(kd_weight=0.8, ce_weight=0.2, divergence="renyi", renyi_order=0.3)
    hidden = torch.randn(12, 6, generator=torch.Generator().manual_seed(1), dtype=torch.float64).requires_grad_()
    weight = torch.randn(30, 6, generator=torch.Generator().manual_seed(2), dtype=torch.float64).requires_grad_()
    settings, targets = LossSettings(objective), targets_of(3)
    fast, _ = chunked_loss(hidden, weight, None, targets, settings, chunk=5)
    plain = reference_loss(hidden @ weight.T, targets, settings).sum()
    torch.testing.assert_close(fast, plain, rtol=1e-6, atol=0)
    for a, b in zip(
        torch.autograd.grad(fast, (hidden, weight)), torch.autograd.grad(plain, (hidden, weight)), strict=True
    ):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-6)
    other = reference_loss(hidden @ weight.T, targets, LossSettings(replace(objective, renyi_order=0.9))).sum()
    assert abs((other - plain).item()) > 0.01, "the parameter reaches the formula"
    assert loss_signature(objective) == "token-level0.8-renyi0.3+cross-entropy0.2"
    with pytest.raises(UserError, match=r"renyi_order is 1\.5: it must be at least 0\.01"):
        check_bounds(replace(objective, renyi_order=1.5), "student.objective.")
    key = keys_of(ToyObjective)["renyi_order"]
    assert key.matters(vars(objective)) and not key.matters(vars(replace(objective, divergence="js")))


@pytest.mark.usefixtures("new_divergence")
def test_a_new_divergence_has_the_properties_of_the_family():
    teacher = torch.tensor([[0.5, 0.25, 0.25]], dtype=torch.float64)
    student = torch.tensor([[0.25, 0.5, 0.25]], dtype=torch.float64)
    assert divergence("renyi", teacher.log(), teacher, 0.3).abs().item() < 1e-12
    logits = student.log().requires_grad_()
    optimizer, values = torch.optim.Adam([logits], 0.05), []
    for _ in range(100):
        optimizer.zero_grad()
        loss = divergence("renyi", logits.log_softmax(-1), teacher, 0.3).sum()
        loss.backward()
        optimizer.step()
        values.append(loss.item())
    assert values[0] > 0.01 and values[-1] < 0.02 * values[0]


CONFIG = TrainingConfig(
    max_steps=40, batch_tokens=400, learning_rate=5e-3, warmup_steps=2, eval_steps=40, precision="fp32", dropout=0.0
)


def losses_of_updates(tokenizer, objective, updates=15):
    """Cross-entropy of a small model in each of its first updates."""
    sources, targets = toy.pairs(60)
    encoded = Ragged.of(tokenizer.target.encode(targets))
    reference = TargetSide(encoded, encoded.lengths > 1)
    data = TrainingSet(Ragged.of(tokenizer.source.encode(sources)), reference, None, tokenizer.pad, 1.0, 64)
    stepper = Stepper(new_model(toy.MICRO, tokenizer, 0.0, 1), CONFIG, objective, 1)
    batch, tokens = collate(data, *epoch_batches(data, 400, 1, 0)[0])
    return [stepper.update(number, batch, tokens).nll.item() for number in range(1, updates + 1)]


def test_a_new_term_is_trained_with(shared_tokenizer, new_term):
    objective = ToyObjective(kd_weight=0, ce_weight=1, activation_weight=0.001)
    for weight in (0.001, 5.0):
        losses = losses_of_updates(shared_tokenizer, replace(objective, activation_weight=weight))
        assert losses[-1] < losses[0]
    weak, strong = new_term[:15], new_term[15:]
    assert strong[0] == weak[0] and strong[-1] < 0.9 * weak[-1]


@pytest.mark.usefixtures("new_term")
def test_a_new_term_is_in_all_that_goes_through_the_list():
    objective = ToyObjective(activation_weight=0.5)
    assert loss_signature(objective).endswith("+activation0.5")
    assert on_policy_objective(objective).activation_weight == 0
    assert not terms.needs_teacher_in_memory(objective)
