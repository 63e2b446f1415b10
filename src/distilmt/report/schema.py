"""Schema of `report.json`. Keys are stable; new ones may be added. Values not measured are null or missing."""

from __future__ import annotations

from typing import Any, TypedDict


class LanguagePair(TypedDict):
    """Language codes."""

    source: str
    target: str


class Test(TypedDict):
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
    bleu: float
    chrf: float
    ter: float
    beam_size: int
    sentences_per_second: dict[str, float]
    tokens_per_second: dict[str, float]
    latency_ms: dict[str, float]
    load_seconds: float
    timed_sentences: dict[str, int]
    peak_rss_bytes: int
    health: dict[str, int]


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
    seconds: float
    peak_rss_bytes: int
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


class TranslationExample(TypedDict):
    """Translations of one test sentence by all systems. `chosen` is `random` or `differs`; `chrf` is per sentence."""

    source: str
    reference: str
    translations: dict[str, str]
    chosen: str
    chrf: dict[str, float]


class RunReport(TypedDict, total=False):
    """The whole report.

    `comparisons` holds rows of `distilmt.evaluation.quality.Comparison`, `examination` by system rows of
    `distilmt.evaluation.challenge_runner.ChallengeComparison`.
    """

    signature: str
    pair: LanguagePair
    test: Test
    systems: list[System]
    comparisons: list[dict[str, Any]]
    steps: list[Step]
    cost: list[Cost]
    curves: dict[str, list[CurvePoint]]
    examples: list[TranslationExample]
    corpus: dict[str, Any]
    labels: dict[str, Any]
    examination: dict[str, list[dict[str, Any]]]
    machine: dict[str, Any]
    config: dict[str, Any]
    distilmt_version: str
    date: str
