"""The terms of the student's objective, in one list.

Training, on-policy updates, checks, the loss signature and the cost estimate iterate over `TERMS`. A new term is an
entry here and its weight in `config/student.py` (docs/how-to/extend.md). There are three kinds:

- the two weighted sums that `per_token` computes for every row: token-level distillation and cross-entropy;
- terms within the distillation of a row (`row_loss`);
- terms of a whole batch, from its states (`batch_loss`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import Enum, auto

from torch import Tensor

from distilmt.config import ObjectiveConfig
from distilmt.losses.attention import attention_loss, initial_mixtures
from distilmt.losses.ctc import ctc_loss
from distilmt.losses.divergences import divergence_signature, entropy
from distilmt.losses.hidden_states import hidden_state_loss, initial_projections
from distilmt.losses.r_drop import r_drop_loss
from distilmt.losses.ranking import ranking
from distilmt.losses.records import BatchStates, ModelDimensions, RowOutcomes


class Need(Enum):
    """What must be at hand to compute a term."""

    LABELS = auto()
    """The tokens of the target, hypothesis or reference."""
    TOP_K = auto()
    """The teacher's top-k log-probabilities."""
    RUNNER_UP = auto()
    """The student's highest logit outside the teacher's top k, which costs a pass over the logits."""
    STATES = auto()
    """The hidden states of student and teacher: the teacher is in memory."""
    ATTENTION = auto()
    """Their attention scores: the teacher is in memory."""
    SECOND_PASS = auto()
    """A second forward pass with other dropout masks."""
    CHARACTERS = auto()
    """The characters of the pictures that the student reads."""


TEACHER_IN_MEMORY = frozenset([Need.STATES, Need.ATTENTION])


@dataclass(frozen=True)
class LossTerm:
    """One weighted term of the objective."""

    name: str
    """Its name in the loss signature."""
    weight_key: str
    """The key of `ObjectiveConfig` that holds its weight; at 0 the term is off."""
    needs: frozenset[Need]
    on_policy: float | None
    """Its weight in on-policy updates; None: the configured weight."""
    row_loss: Callable[[RowOutcomes], Tensor] | None = None
    """Computes it from the outcomes of N rows, [N]; it is weighted like the distillation of its row."""
    batch_loss: Callable[[BatchStates, ObjectiveConfig], Tensor] | None = None
    """Computes it from the states of a batch: a scalar, summed over target tokens."""
    parameters: Callable[[ObjectiveConfig, ModelDimensions, ModelDimensions], dict[str, Tensor]] | None = None
    """Initial values, by name, of what is trained with the student for this term, from student and teacher."""
    enabled: Callable[[ObjectiveConfig], bool] | None = None
    """Whether the objective uses it, where a key other than its weight decides that."""
    details: Callable[[ObjectiveConfig], str] | None = None
    """Further settings of the term in the loss signature."""
    logit_passes: int = 0
    """How often it computes the logits of each forward pass again: its part of the cost estimate besides `needs`."""

    def weight(self, objective: ObjectiveConfig) -> float:
        """Its weight in an objective; 0 if it is off."""
        if self.enabled is not None and not self.enabled(objective):
            return 0.0
        if self.row_loss is not None and objective.kd_weight == 0:
            return 0.0
        return float(getattr(objective, self.weight_key))

    def signature(self, objective: ObjectiveConfig) -> str:
        """`ranking0.5`: its name and weight, and its other settings."""
        details = self.details(objective) if self.details is not None else ""
        return f"{self.name}{self.weight(objective):g}{details}"


def _reversed_entropy(rows: RowOutcomes) -> Tensor:
    """The student's entropy as a reward: less loss for more entropy, [N]."""
    return -entropy((rows.logits - rows.total[:, None]).exp())


def _ranking(rows: RowOutcomes) -> Tensor:
    """The ranking loss of the teacher's top-k tokens, [N]."""
    assert rows.runner_up is not None
    probabilities = (rows.logits[:, :-1] - rows.total[:, None]).exp()  # [N, k]
    return ranking(probabilities, (rows.runner_up - rows.total).exp(), rows.teacher[:, :-1])


def _hidden_states(states: BatchStates, objective: ObjectiveConfig) -> Tensor:
    assert states.features is not None
    return hidden_state_loss(states.features)


def _attention(states: BatchStates, objective: ObjectiveConfig) -> Tensor:
    assert states.features is not None
    return attention_loss(states.features, objective.head_mapping)


def _r_drop(states: BatchStates, objective: ObjectiveConfig) -> Tensor:
    assert states.second_hidden is not None
    return r_drop_loss(states.hidden, states.second_hidden, states.output_weight, states.vocabulary)


def _ctc(states: BatchStates, objective: ObjectiveConfig) -> Tensor:
    assert states.reading is not None
    return ctc_loss(states.reading)


TERMS = [
    LossTerm(
        "token-level",
        "kd_weight",
        frozenset([Need.TOP_K]),
        on_policy=1.0,
        details=divergence_signature,
    ),
    # The student's own output is not a label.
    LossTerm("cross-entropy", "ce_weight", frozenset([Need.LABELS]), on_policy=0.0),
    LossTerm(
        "entropy",
        "entropy_weight",
        frozenset([Need.TOP_K]),
        on_policy=None,
        row_loss=_reversed_entropy,
        enabled=lambda objective: objective.entropy_mode == "penalty",
    ),
    LossTerm("ranking", "ranking_weight", frozenset([Need.TOP_K, Need.RUNNER_UP]), on_policy=None, row_loss=_ranking),
    LossTerm(
        "r-drop",
        "r_drop_weight",
        frozenset([Need.SECOND_PASS]),
        on_policy=None,
        batch_loss=_r_drop,
        logit_passes=1,
    ),
    # On-policy updates train on the teacher's probabilities alone: its states on other sentences were learned before.
    LossTerm(
        "hidden-state",
        "hidden_state_weight",
        frozenset([Need.STATES]),
        on_policy=0.0,
        batch_loss=_hidden_states,
        parameters=initial_projections,
    ),
    LossTerm(
        "attention",
        "attention_weight",
        frozenset([Need.ATTENTION]),
        on_policy=0.0,
        batch_loss=_attention,
        parameters=initial_mixtures,
        details=lambda objective: f"-{objective.head_mapping}",
    ),
    LossTerm("ctc", "ctc_weight", frozenset([Need.CHARACTERS]), on_policy=0.0, batch_loss=_ctc),
]
"""All terms. Sums are taken in this order, so that a training can be repeated bit by bit."""


def active_terms(objective: ObjectiveConfig) -> list[LossTerm]:
    """The terms that an objective uses."""
    return [term for term in TERMS if term.weight(objective) != 0]


def needs(objective: ObjectiveConfig) -> frozenset[Need]:
    """What the terms of an objective need."""
    return frozenset().union(*(term.needs for term in active_terms(objective)))


def needs_teacher_in_memory(objective: ObjectiveConfig) -> bool:
    """Whether a term compares states or attention, which labels do not hold."""
    return bool(needs(objective) & TEACHER_IN_MEMORY)


def trains_encoder_alone(objective: ObjectiveConfig) -> bool:
    """Whether CTC is the only term: no token is predicted, so that the decoder is neither computed nor trained."""
    return [term.weight_key for term in active_terms(objective)] == ["ctc_weight"]


def keys_that_need(objective: ObjectiveConfig, need: frozenset[Need]) -> list[str]:
    """The weights, as keys of `ObjectiveConfig`, of the active terms with one of these needs."""
    return [term.weight_key for term in active_terms(objective) if term.needs & need]


def batch_losses(states: BatchStates, objective: ObjectiveConfig) -> Tensor:
    """Weighted sum of the terms of a whole batch, a scalar."""
    total = states.hidden.new_zeros(())
    for term in active_terms(objective):
        if term.batch_loss is not None:
            total = total + term.weight(objective) * term.batch_loss(states, objective)
    return total


def on_policy_objective(objective: ObjectiveConfig) -> ObjectiveConfig:
    """The objective of on-policy updates: the teacher's probabilities on the student's own translations."""
    own = replace(objective, teacher_annealing=False)
    for term in TERMS:
        if term.on_policy is not None:
            setattr(own, term.weight_key, term.on_policy)
    return own


def loss_signature(objective: ObjectiveConfig) -> str:
    """One line with the terms of an objective and all settings that are not the default."""
    parts = [term.signature(objective) for term in active_terms(objective)]
    if objective.teacher_annealing:
        parts.append("annealing")
    if objective.entropy_mode not in ("none", "penalty"):
        parts.append(f"entropy-{objective.entropy_mode}")
    if objective.token_selection != "all":
        fraction = f"{objective.selection_fraction:g}" if objective.token_selection in ("batch", "queue") else ""
        parts.append(objective.token_selection + fraction)
    return "+".join(parts)
