"""The student, and what it learns by."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from distilmt.config.bounds import MAX_COUNT, MAX_TOP_K, bounded
from distilmt.config.effects import affects, config_field
from distilmt.config.training import ModelConfig, TrainingConfig
from distilmt.utils.errors import UserError

_BOTH = affects("student", "baseline")


def _skewed(objective: Mapping[str, Any]) -> bool:
    return "js" in objective["divergence"] or "skewed" in objective["divergence"]


@dataclass
class ObjectiveConfig:
    """What the student minimises: a weighted sum of cross-entropies per target token."""

    kd_weight: float = bounded(0.7, 0, 1000)
    """Weight of the cross-entropy between the teacher's and the student's word distributions."""
    ce_weight: float = bounded(0.3, 0, 1000)
    """Weight of the cross-entropy against the words of the sequence itself (hypothesis or reference)."""
    teacher_annealing: bool = False
    """Let `kd_weight` fall to zero by the last update and `ce_weight` take over what it loses (teacher annealing)."""
    reference_fraction: float = bounded(0.5, 0, 1)
    """Share of updates' sentences whose target is the reference instead of the teacher's hypothesis."""
    temperature: float = bounded(1.0, 0.01, 100)
    """Both distributions are softened by it; the term is multiplied by its square."""
    top_k: int | None = bounded(None, 1, MAX_TOP_K)
    """Use fewer of the stored log-probabilities; null uses all."""
    tail: Literal["bucket", "uniform", "renormalize", "zero"] = "bucket"
    """Mass outside the top k: a bucket, one spread evenly over all other words, spread over the top k, or left out."""
    divergence: Literal["kl", "reverse_kl", "symmetric_kl", "js", "tv", "skewed_kl", "skewed_reverse_kl"] = "kl"
    """How the student's distribution is compared with the teacher's; all but `kl` need the tail `bucket`."""
    skew_alpha: float = bounded(
        0.1,
        0.001,
        0.999,
        affects(when=_skewed),
    )
    """β of `js` (0.5 is symmetric), α of the skewed divergences."""
    entropy_mode: Literal["none", "penalty", "weight_high", "weight_low", "temperature"] = "none"
    """Reward the student's entropy; weigh positions by the teacher's, high or low; or soften certain positions most."""
    entropy_weight: float = bounded(0.01, -100, 100, affects(when=lambda own: own["entropy_mode"] == "penalty"))
    """Of the reward under `entropy_mode: penalty`; below zero it is the reverse, a penalty of uncertainty."""
    token_selection: Literal["all", "batch", "queue", "hard_gate", "teacher_better"] = "all"
    """Positions the teacher's words are learnt at: all, the hardest, where the student is surer, or the teacher is."""
    selection_fraction: float = bounded(
        0.5, 0.001, 0.999, affects(when=lambda own: own["token_selection"] in ("batch", "queue"))
    )
    """Share of positions that count as the hardest under `batch` and `queue`."""
    ranking_weight: float = bounded(0.0, 0, 1000)
    """Weight of the hinge that puts words in the teacher's order (TIE-KD), within the word term."""
    hidden_state_weight: float = bounded(0.0, 0, 1000)
    """Weight of the distance between student's and teacher's hidden states; the teacher is then kept in memory."""
    attention_weight: float = bounded(0.0, 0, 1000)
    """Weight of the divergence of the student's attention from the teacher's; the teacher is then kept in memory."""
    head_mapping: Literal["learned", "same"] = config_field(
        "learned", affects(when=lambda own: own["attention_weight"] > 0)
    )
    """Learn which heads are to be compared (Align-to-Distill), or compare heads one by one in the layers as far up."""
    r_drop_weight: float = bounded(0.0, 0, 1000)
    """Weight of R-Drop: two passes under different dropout should say the same. An update takes twice as long."""

    @property
    def online(self) -> bool:
        """Whether the teacher is needed in memory."""
        return self.hidden_state_weight > 0 or self.attention_weight > 0

    def __post_init__(self) -> None:
        if self.divergence != "kl" and self.tail != "bucket":
            raise UserError(f"objective.tail is {self.tail!r}, but divergence {self.divergence!r} needs tail: bucket")


def _on(policy: Mapping[str, Any]) -> bool:
    return bool(policy["steps"] > 0)


@dataclass
class OnPolicyConfig:
    """A last stretch in which the teacher says how it would go on from what the student itself has said."""

    steps: int = bounded(0, 0, MAX_COUNT)
    """Updates of every round; 0 leaves it out."""
    rounds: int = bounded(1, 1, 1000, affects(when=_on))
    """How often the student translates anew and is trained on what the teacher says of it."""
    student_data_fraction: float = bounded(0.5, 0.001, 1, affects(when=_on))
    """Share of sentences that are read after the student's own words; the others after the reference's."""
    sampling_temperature: float = bounded(1.0, 0, 100, affects(when=_on))
    """Temperature at which the student's words are drawn; 0 takes its best by beam search."""
    max_sentences: int | None = bounded(None, 1, MAX_COUNT, affects(when=_on))
    """Most sentences of a round, drawn at random; null takes all."""
    learning_rate: float = bounded(5e-4, 0, 10, affects(when=_on))
    """Peak learning rate of a round."""


@dataclass
class StudentConfig:
    """The small model."""

    model: ModelConfig = field(default_factory=lambda: ModelConfig(preset="tiny"), metadata=_BOTH)
    """Shape of the student."""
    initialization: Literal["random", "first", "spaced"] = "random"
    """`first` copies the teacher's first layers, `spaced` some spaced evenly; both need its width and vocabulary."""
    objective: ObjectiveConfig = field(default_factory=ObjectiveConfig)
    """What is minimised."""
    training: TrainingConfig = field(default_factory=TrainingConfig, metadata=_BOTH)
    """How it is trained; the baseline is trained the same way, without the teacher."""
    on_policy: OnPolicyConfig = field(default_factory=OnPolicyConfig)
    """A last stretch on the student's own words."""
    baseline: bool = config_field(True, affects("baseline", "exports", "evaluation", "report"))
    """Train the same student without the teacher as well."""

    @property
    def all_updates(self) -> int:
        """Updates of the whole training."""
        return self.training.max_steps + self.on_policy.steps * self.on_policy.rounds

    def __post_init__(self) -> None:
        if self.objective.r_drop_weight and not self.training.dropout:
            raise UserError(
                "student.objective.r_drop_weight compares two passes under dropout, but student.training.dropout is 0: "
                "set it above 0, or r_drop_weight to 0"
            )
