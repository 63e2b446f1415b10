"""Schema of `report.json`. Keys are stable; new ones may be added. Values not measured are null or missing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypedDict, cast

from distilmt.evaluation.challenge_runner import ChallengeComparison
from distilmt.evaluation.quality import Comparison
from distilmt.evaluation.score_slices import SliceScore

Facts = Mapping[str, object]
"""Values by name that are shown as they are."""


class LanguagePair(TypedDict):
    """Language codes."""

    source: str
    target: str


class Scores(TypedDict):
    """Scores of one system over a whole test set, as in `distilmt.evaluation.quality.TranslationScores`."""

    bleu: float
    chrf: float
    ter: float
    bleu_signature: str
    chrf_signature: str
    ter_signature: str


class Test(TypedDict, total=False):
    """The test set and the settings of its scores."""

    sentences: int
    bleu_signature: str
    chrf_signature: str
    ter_signature: str


class System(TypedDict, total=False):
    """One exported model: size, scores (BLEU, chrF 0 to 100, TER 0 and up), speed on one thread, memory."""

    name: str
    parameters: int | None
    file_bytes: int | None
    bleu: float | None
    chrf: float | None
    ter: float | None
    beam_size: int
    sentences_per_second: dict[str, float] | None
    tokens_per_second: dict[str, float] | None
    latency_ms: dict[str, float] | None
    load_seconds: float
    timed_sentences: dict[str, int]
    peak_rss_bytes: int | None
    health: dict[str, int] | None


class Step(TypedDict):
    """Cost of a step."""

    name: str
    seconds: float
    peak_rss_bytes: int


class Cost(TypedDict):
    """Cost of teacher, labels, student, baseline or exports: the first four fields are counted, the others measured.

    `macs_per_token` holds multiply-adds of a forward pass: `encoder` (attention, feed_forward) per source token,
    `decoder` (attention, feed_forward, vocabulary) per target token. `flops` are of the whole step, `bytes` the `kept`
    ones.
    """

    name: str
    parameters: int | None
    macs_per_token: dict[str, dict[str, float]] | None
    flops: float | None
    seconds: float | None
    peak_rss_bytes: float | None
    bytes: dict[str, float]


class CurvePoint(TypedDict, total=False):
    """One line of a training log; validation scores are present only after a validation.

    `length` is the length of the validation translations relative to the references.
    """

    update: int
    seconds: float
    train_loss: float | None
    learning_rate: float
    tokens_per_second: float
    bleu: float | None
    chrf: float | None
    length: float


class PerceivedSource(TypedDict, total=False):
    """What the students have read or heard instead of a source: a PNG or a wav file in base64; missing for text."""

    picture: str
    recording: str


class TranslationExample(PerceivedSource):
    """Translations of one test sentence by all systems. `chosen` is `random` or `differs`; `chrf` is per sentence."""

    source: str
    reference: str
    translations: dict[str, str]
    chosen: str
    chrf: dict[str, float]


class PictureCondition(TypedDict):
    """Scores of a system on other pictures of the test set.

    `fonts` is `held_out` or `training`, `degradation` is `clean` or `degraded`. `sentences` is the size of the sample,
    the same one under all conditions: evenly spread over the test set, and with a picture under each of them.
    """

    fonts: str
    degradation: str
    system: str
    bleu: float
    chrf: float
    sentences: int


class PictureFacts(TypedDict):
    """The test pictures of students that read pictures.

    `rows` are the numbers of the test sentences that have one, `left_out` is how many have none, `settings` those keys
    of `student.rendering` that steer size and degradation.
    """

    rows: list[int]
    left_out: int
    held_out_fonts: list[str]
    seed: int
    settings: dict[str, float]
    conditions: list[PictureCondition]


class SpeechCondition(TypedDict):
    """As `PictureCondition`, for other recordings of the test set; `voices` is `held_out` or `training`."""

    voices: str
    degradation: str
    system: str
    bleu: float
    chrf: float
    sentences: int


class SpeechFacts(TypedDict):
    """As `PictureFacts`, for the test recordings of students that hear speech."""

    rows: list[int]
    left_out: int
    held_out_voices: list[str]
    seed: int
    settings: dict[str, float]
    conditions: list[SpeechCondition]


class RunReport(TypedDict):
    """The whole report.

    `challenge_sets` has the challenge results by system, `slices` the scores of parts of the test
    set. `pictures` and `speech` are null but for students of these.
    """

    signature: str
    pair: LanguagePair
    test: Test
    systems: list[System]
    comparisons: list[Comparison]
    slices: list[SliceScore]
    steps: list[Step]
    cost: list[Cost]
    curves: dict[str, list[CurvePoint]]
    examples: list[TranslationExample]
    corpus: Facts
    labels: Facts
    challenge_sets: dict[str, list[ChallengeComparison]]
    pictures: PictureFacts | None
    speech: SpeechFacts | None
    machine: Facts
    config: Facts
    distilmt_version: str
    date: str


_FORMER_KEYS = {"examination": "challenge_sets"}  # until 2026-11


def complete(stored: Mapping[str, object]) -> RunReport:
    """A report as read from a file, with empty values for parts that are missing or null, as in older versions."""
    present = {_FORMER_KEYS.get(key, key): value for key, value in stored.items() if value is not None}
    return cast(RunReport, {**_empty_report(), **present})


def _empty_report() -> RunReport:
    return RunReport(
        signature="",
        pair=LanguagePair(source="", target=""),
        test=Test(),
        systems=[],
        comparisons=[],
        slices=[],
        steps=[],
        cost=[],
        curves={},
        examples=[],
        corpus={},
        labels={},
        challenge_sets={},
        pictures=None,
        speech=None,
        machine={},
        config={},
        distilmt_version="",
        date="",
    )
