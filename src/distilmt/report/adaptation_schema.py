"""Schema of `adaptation.json`, the result of `distilmt adapt`."""

from __future__ import annotations

from typing import TypedDict

from distilmt.evaluation.quality import Comparison
from distilmt.report.schema import Facts, LanguagePair


class AdaptationTest(TypedDict):
    """A test set: the adapted student (a) compared with the student before (b), in BLEU and chrF."""

    text: str
    sentences: int
    comparisons: list[Comparison]


class AdaptedTraining(TypedDict):
    """The training: own sentences, all sentences with old ones and repetitions, updates, and seconds."""

    own_sentences: int
    sentences: int
    updates: int
    best_update: int
    seconds: float


class AdaptationContent(TypedDict):
    """The student as it is named, its languages, the adapted export, its bytes, and its scores by text."""

    student: str
    pair: LanguagePair
    model: str
    bytes: int
    beam_size: int
    training: AdaptedTraining
    tests: list[AdaptationTest]


class Adaptation(AdaptationContent):
    """The whole file."""

    distilmt_version: str
    date: str
    machine: Facts
