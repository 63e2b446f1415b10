"""What commands other than `run` are told: a dataclass each, whose fields are their flags."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from distilmt.config import ComputeType, RunConfig
from distilmt.errors import UserError


@dataclass
class CompareConfig:
    """`distilmt compare CONFIG.yaml`: methods side by side, on the same labels, for as many updates each."""

    run: RunConfig
    """What all share: corpus, tokenizer, teacher and labels are made once in its run directory."""
    methods: dict[str, RunConfig]
    """For every method's name the same run with its own `student`, and what is chosen from the labels."""
    seeds: list[int]
    """Every method is trained once with each."""
    baseline: str
    """The method all others are compared with."""
    jobs: int = 1
    """Students trained at once, each on its share of the cores."""


@dataclass
class CompressConfig:
    """`distilmt compress RUN_DIR`: the smallest or fastest model made of a run's student that keeps a promise."""

    path: str = ""
    """A run directory whose student is trained."""
    max_drop: float = 0.5
    """Most points that may be lost on the validation sentences."""
    metric: Literal["bleu", "chrf"] = "bleu"
    """Points of what."""
    against: Literal["teacher", "student"] = "teacher"
    """Lost against the teacher, or against the student as it is; both in float32 at the run's beam."""
    goal: Literal["smallest", "fastest"] = "smallest"
    """What is looked for among those that keep the promise."""
    layers: bool = True
    """Try to leave out layers, those first without which the cross-entropy rises least."""
    ffn: float = 0.5
    """Try to leave this share of the feed-forward units, those that add most to the states; 1 leaves them all."""
    vocabulary: int = 1
    """Leave out pieces that the training text has fewer times; 0 keeps all."""
    rounds: int = 3
    """How often something may be cut off, one after another."""
    recovery_updates: int | None = None
    """Updates of training after every cut, on the student's labels; null takes a quarter of the student's own."""
    recovery_rate: float = 0.1
    """Learning rate of all training here, as a share of the student's: too high a one undoes what was learnt."""
    qat_updates: int | None = None
    """Updates with weights of the fewest `bits`, at the end; null takes a quarter of the student's own, 0 none."""
    types: list[ComputeType] = field(default_factory=lambda: ["float32", "int8_float16"])
    """CTranslate2 types that are tried; `int8_float16` keeps what is not int8 in 16 bits on disk."""
    packed: bool = True
    """Pack the files (.xz): distilmt unpacks them in memory, and `unxz` for every other program."""
    bits: list[int] = field(default_factory=lambda: [8, 6, 4])
    """Bits that int8 weights are rounded to, 3 to 8. What computes is int8 all the same; the files pack smaller."""
    beams: list[int] = field(default_factory=lambda: [4, 1])
    """Beams that are tried."""
    shortlist: bool = False
    """Try a lexical shortlist (needs the extra `shortlist`)."""
    baseline: str | None = None
    """Directory of a student without a teacher that stands beside in the budget; null takes the run's own."""
    jobs: int = 1
    """Trainings at once, each on its share of the cores."""


@dataclass
class CostConfig:
    """`distilmt cost CONFIG.yaml` or `distilmt cost RUN_DIR`, beside the keys of a run."""

    fit: bool = False
    """Measure this machine first, by short runs like the one that is configured; what was found is kept."""
    minutes: float = 3.0
    """How long that may take, about."""
    like: str | None = None
    """A run directory whose records tell how fast this machine is, in place of the last fit."""

    finished: bool = False
    """Whether a run directory was named: what was measured then stands beside what is predicted."""

    def __post_init__(self) -> None:
        if self.minutes < 0.5:
            raise UserError(f"--minutes {self.minutes:g} is too short to measure anything: give it 0.5 at least")


@dataclass
class PlanConfig:
    """`distilmt plan CONFIG.yaml`, beside the keys of a run: how much text is worth labelling."""

    minutes: float = 20.0
    """How long labelling subsets and training on them may take, about; corpus and teacher come before it."""
    worth: float = 0.3
    """Points that doubling the text must gain to be worth it."""
    metric: Literal["bleu", "chrf"] = "bleu"
    """Points of what, on the validation sentences."""
    sizes: list[int] | None = None
    """Sentences of the subsets, three sizes at least; null takes 1/64 to 1/4 of the text, or what the minutes allow."""
    updates: int | None = None
    """Updates of every training; null takes what the minutes allow, at most those of the run's student."""
    seeds: list[int] | None = None
    """Every subset is trained on once with each; null takes the run's."""
    price: float | None = None
    """What the teacher asks for a sentence, in any currency; null leaves money out."""

    def __post_init__(self) -> None:
        if not self.minutes > 0:
            raise UserError(f"--minutes {self.minutes:g} is too short to learn anything: give it 2 or more")
        if not self.worth > 0:
            raise UserError(f"--worth {self.worth:g} would have you label all text there is: give it a gain above 0")
        if self.sizes is not None and (len(set(self.sizes)) < 3 or min(self.sizes) < 1):
            raise UserError(
                f"--sizes {','.join(map(str, self.sizes))}: a curve needs three different sizes, such as 500,2000,8000"
            )
        if self.updates is not None and self.updates < 2:
            raise UserError(f"--updates {self.updates} is too few: give 2 at least, better some hundreds")
        if self.price is not None and not self.price >= 0:
            raise UserError(f"--price {self.price:g} is below 0: give what a sentence costs")


@dataclass
class DemoConfig:
    """`distilmt demo`: the main job on real text, sized to the time there is."""

    task: Literal["translate", "classify"] = "translate"
    """`classify` distils classifiers of Debian's package descriptions instead (needs the extra `classify`)."""
    pair: str = "en-it"
    """Languages, source first: en-it, en-da, en-fr, en-de, en-pt_BR, en-ja, … (any that Debian translates into)."""
    minutes: float = 20.0
    """How long the whole thing may take; more minutes give a better translator."""
    run_dir: str | None = None
    """Directory of the run; runs/demo for en-it, runs/demo-PAIR for others."""
    train: list[str] = field(default_factory=list)
    """Your own text instead: two parallel files, or one .tsv, .jsonl or .parquet file; each may end in .gz."""
    valid: list[str] = field(default_factory=list)
    """Validation text of your own; split off the training text when empty."""
    test: list[str] = field(default_factory=list)
    """Test text of your own; split off the training text when empty."""
    corpus: str | None = None
    """`debian` or `hf:NAME[:CONFIG]`; Debian's package descriptions where apt is there, else opus-100 from the hub."""
    teacher: str | None = None
    """A Hugging Face seq2seq directory or hub name to distil instead of training a teacher."""
    seed: int = 1
    """Seed of everything random."""
    language: Literal["en", "zh"] = "en"
    """Language of the report."""


@dataclass
class TranslateConfig:
    """`distilmt translate RUN_OR_MODEL_DIR`."""

    path: str = ""
    """A run directory, or an exported model."""
    system: str = "student-int8"
    """Which export of a run directory is used; `compressed` is that of `distilmt compress`."""
    beam_size: int | None = None
    """1 is greedy; null takes what the model was compressed for, else 4."""
    threads: int = 0
    """CPU threads; 0 takes one per core."""
    shortlist: bool | None = None
    """Whether the model's shortlist is used; null uses it if there is one."""
