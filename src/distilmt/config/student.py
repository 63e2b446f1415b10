"""The student and its training objective."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal, TypeAlias

from distilmt.config.augmentation import AugmentationConfig
from distilmt.config.bounds import MAX_COUNT, MAX_TOP_K, bounded
from distilmt.config.choices import HeadMapping
from distilmt.config.effects import affects, config_field
from distilmt.config.rendering import RenderingConfig
from distilmt.config.training import ModelConfig, TrainingConfig
from distilmt.config.voices import VoicesConfig
from distilmt.utils.errors import UserError
from distilmt.utils.json_types import JsonMapping

_BOTH = affects("student", "baseline")
FRAME_ARCHITECTURE = "whisper"
"""The architecture of students that read pictures or hear speech."""
FrameConfig: TypeAlias = RenderingConfig | VoicesConfig
"""How text becomes the frames that a student perceives: pictures, or speech."""

Divergence = Literal["kl", "reverse_kl", "symmetric_kl", "js", "tv", "skewed_kl", "skewed_reverse_kl"]
"""Divergences between two distributions; their formulas are in `losses/divergences.py`."""
Tail = Literal["bucket", "uniform", "renormalize", "zero"]
"""Uses of the probability outside the teacher's top k; their formulas are in `losses/top_k.py`."""


def parameter_of(default: float, minimum: float, maximum: float, *divergences: Divergence) -> float:
    """A parameter of some divergences: its default, its bounds, and the divergences that it matters for."""
    return bounded(default, minimum, maximum, affects(when=lambda objective: objective["divergence"] in divergences))


@dataclass
class ObjectiveConfig:
    """Training objective of the student: a weighted sum of losses per target token."""

    kd_weight: float = bounded(0.7, 0, 1000)
    """Weight of token-level distillation: cross-entropy between the teacher's and the student's distributions."""
    ce_weight: float = bounded(0.3, 0, 1000)
    """Weight of the cross-entropy with hard targets: the tokens of the sequence (hypothesis or reference)."""
    teacher_annealing: bool = False
    """Teacher annealing: `kd_weight` falls to zero by the last update; `ce_weight` grows by the same amount."""
    reference_fraction: float = bounded(0.5, 0, 1)
    """Fraction of training sentences whose target is the reference instead of the teacher's hypothesis."""
    temperature: float = bounded(1.0, 0.01, 100)
    """Temperature of both distributions; the loss term is multiplied by its square."""
    top_k: int | None = bounded(None, 1, MAX_TOP_K)
    """Number of stored log-probabilities to use; null uses all."""
    tail: Tail = "bucket"
    """Probability outside the top k: one bucket, spread evenly over all other tokens, over the top k, or left out."""
    divergence: Divergence = "kl"
    """Divergence between the teacher's and the student's distribution; all but `kl` need `tail: bucket`."""
    skew_alpha: float = parameter_of(0.1, 0.001, 0.999, "js", "skewed_kl", "skewed_reverse_kl")
    """β of `js` (0.5 is symmetric), α of the skewed divergences."""
    entropy_mode: Literal["none", "penalty", "weight_high", "weight_low", "temperature"] = "none"
    """Reward the student's entropy; weight positions by the teacher's, high or low; or soften the most certain ones."""
    entropy_weight: float = bounded(0.01, -100, 100, affects(when=lambda own: own["entropy_mode"] == "penalty"))
    """Weight of the reward under `entropy_mode: penalty`; a negative value penalizes uncertainty."""
    token_selection: Literal["all", "batch", "queue", "hard_gate", "teacher_better"] = "all"
    """Positions with token-level distillation: all, the hardest, or where student or teacher is more confident."""
    selection_fraction: float = bounded(
        0.5, 0.001, 0.999, affects(when=lambda own: own["token_selection"] in ("batch", "queue"))
    )
    """Fraction of positions that count as the hardest under `batch` and `queue`."""
    ranking_weight: float = bounded(0.0, 0, 1000)
    """Weight of the hinge loss that ranks tokens in the teacher's order (TIE-KD), within the distillation term."""
    hidden_state_weight: float = bounded(0.0, 0, 1000)
    """Weight of the distance between the student's and the teacher's hidden states; loads the teacher in training."""
    attention_weight: float = bounded(0.0, 0, 1000)
    """Weight of the divergence between the student's and the teacher's attention; loads the teacher in training."""
    head_mapping: HeadMapping = config_field("learned", affects(when=lambda own: own["attention_weight"] > 0))
    """Learn which heads to compare (Align-to-Distill), or compare heads one to one in layers of equal depth."""
    r_drop_weight: float = bounded(0.0, 0, 1000)
    """Weight of R-Drop: divergence between two passes with different dropout. An update takes twice as long."""
    ctc_weight: float = bounded(0.0, 0, 1000, _BOTH)
    """Weight of CTC under `input: image` and `speech`: the encoder is to name the characters; the baseline's too. With
    `kd_weight` and `ce_weight` 0 it is trained alone, without the decoder: a start for `student.pretrained`."""

    def __post_init__(self) -> None:
        if self.divergence != "kl" and self.tail != "bucket":
            raise UserError(f"objective.tail is {self.tail!r}, but divergence {self.divergence!r} needs tail: bucket")


def _on(policy: JsonMapping) -> bool:
    return bool(policy["steps"] > 0)


@dataclass
class OnPolicyConfig:
    """Final on-policy phase: the teacher scores the student's own translations (GKD, ImitKD)."""

    steps: int = bounded(0, 0, MAX_COUNT)
    """Updates per round; 0 skips the phase."""
    rounds: int = bounded(1, 1, 1000, affects(when=_on))
    """Number of rounds: in each, the student translates and is then trained on the teacher's scores."""
    student_data_fraction: float = bounded(0.5, 0.001, 1, affects(when=_on))
    """Fraction of sentences with prefixes of the student's own translation; the others use the reference's."""
    sampling_temperature: float = bounded(1.0, 0, 100, affects(when=_on))
    """Sampling temperature of the student's translations; 0 uses beam search."""
    max_sentences: int | None = bounded(None, 1, MAX_COUNT, affects(when=_on))
    """Maximum sentences per round, sampled at random; null: all."""
    learning_rate: float = bounded(5e-4, 0, 10, affects(when=_on))
    """Peak learning rate of each round."""


def _reads_text(student: JsonMapping) -> bool:
    return bool(student["input"] == "text")


def _reads_pictures(student: JsonMapping) -> bool:
    return bool(student["input"] == "image")


def _hears_speech(student: JsonMapping) -> bool:
    return bool(student["input"] == "speech")


@dataclass
class StudentConfig:
    """The small model."""

    model: ModelConfig = field(default_factory=lambda: ModelConfig(preset="tiny"), metadata=_BOTH)
    """Shape of the student."""
    input: Literal["text", "image", "speech"] = config_field("text", _BOTH)
    """The source text, a picture of it, or its sound. The latter two imply `model.architecture: whisper`."""
    rendering: RenderingConfig = field(
        default_factory=RenderingConfig, metadata=affects("student", "baseline", when=_reads_pictures)
    )
    """Pictures of the source text under `input: image`."""
    voices: VoicesConfig = field(
        default_factory=VoicesConfig, metadata=affects("student", "baseline", when=_hears_speech)
    )
    """Sound of the source text under `input: speech`."""
    initialization: Literal["random", "first", "spaced"] = "random"
    """`first` copies the teacher's first layers, `spaced` evenly spaced ones; both need its width and vocabulary."""
    pretrained: str | None = config_field(None, affects("student", "baseline", holds="model"))
    """A trained student whose weights student and baseline start from: run, export, model directory or `hf:NAME`."""
    pretrained_parts: Literal["all", "encoder"] = config_field(
        "all", affects("student", "baseline", when=lambda student: bool(student["pretrained"]))
    )
    """`encoder` leaves the decoder of `pretrained` out: for other target vocabularies, where `input` is not text."""
    objective: ObjectiveConfig = field(default_factory=ObjectiveConfig)
    """The training objective."""
    training: TrainingConfig = field(default_factory=TrainingConfig, metadata=_BOTH)
    """Training settings; the baseline is trained with the same ones, without the teacher."""
    augmentation: AugmentationConfig = field(
        default_factory=AugmentationConfig, metadata=affects("student", "baseline", when=_reads_text)
    )
    """Disturbed and additional sentences in the training of student and baseline."""
    on_policy: OnPolicyConfig = field(default_factory=OnPolicyConfig)
    """Final phase on the student's own translations."""
    baseline: bool = config_field(True, affects("baseline", "exports", "evaluation", "report", selects_exports=True))
    """Also train the same student without the teacher."""

    def __post_init__(self) -> None:
        if self.pretrained and self.initialization != "random":
            raise UserError(
                f"student.pretrained and student.initialization {self.initialization} are both set: the weights come "
                "from one model, so set initialization to random"
            )
        if self.frames is not None and self.augmentation.nonzero_keys:
            raise UserError(
                f"student.augmentation.{self.augmentation.nonzero_keys[0]} disturbs text, but student.input is "
                f"{self.input}: set it to 0; `rendering` and `voices` vary pictures and speech"
            )
        if self.frames is not None:
            self.model = replace(self.model, architecture=FRAME_ARCHITECTURE, frame_size=self.frames.frame_size)

    @property
    def frames(self) -> FrameConfig | None:
        """How text becomes the frames that the student perceives; None if it reads text."""
        if self.input == "image":
            return self.rendering
        return self.voices if self.input == "speech" else None

    @property
    def all_updates(self) -> int:
        """Total updates of the training."""
        return self.training.max_steps + self.on_policy.steps * self.on_policy.rounds
