"""BLEU, chrF and TER, and significance tests of differences between systems; all by sacreBLEU."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypedDict

import numpy as np
from sacrebleu.metrics.base import Metric
from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.chrf import CHRF
from sacrebleu.metrics.ter import TER
from sacrebleu.significance import PairedTest, Result

from distilmt.utils.errors import UserError
from distilmt.utils.extras import install_command
from distilmt.utils.languages import base_language, is_written_without_spaces

_TOKENIZERS = {"zh": "zh", "yue": "zh", "ja": "ja-mecab", "ko": "ko-mecab"}
FLOORS = {"bleu": 1.0, "chrf": 10.0}
"""By metric, the score that a system needs to be compared: text that translates nothing reaches about as much."""
_SEED = 12345  # sacreBLEU's default; it reads a seed of 0 as "no seed"


@dataclass(frozen=True)
class TranslationScores:
    """Scores of one system over a whole test set: BLEU and chrF from 0 to 100, TER 0 (best) and up."""

    bleu: float
    chrf: float
    ter: float
    bleu_signature: str
    chrf_signature: str
    ter_signature: str


class Comparison(TypedDict):
    """Two systems under one metric; `difference` and its 95% interval `ci` are a's score minus b's."""

    a: str
    b: str
    metric: str
    difference: float
    p_value: float
    ci: list[float]
    a_score: float
    b_score: float
    samples: int


def tokenizer_for(target: str) -> str:
    """sacreBLEU's tokenizer for BLEU in a language: zh, ja-mecab, ko-mecab, 13a or char.

    char is for Thai, Lao, Khmer, Burmese and Tibetan, where 13a would treat a whole sentence as one word.
    """
    return _TOKENIZERS.get(base_language(target), "char" if is_written_without_spaces(target) else "13a")


def bleu_metric(target: str) -> BLEU:
    """BLEU with the tokenizer of the language; call it early to check that a run can be scored.

    Raises:
        UserError: the tokenizer's package is not installed.
    """
    try:
        return BLEU(tokenize=tokenizer_for(target), force=True)
    except RuntimeError:
        code = base_language(target)
        raise UserError(
            f"BLEU for {target!r} needs the {tokenizer_for(target)} tokenizer: {install_command(code)}"
        ) from None


def ter_metric(target: str) -> TER:
    """TER; for Chinese, Japanese and Korean with sacreBLEU's normalization, which splits their characters."""
    asian = base_language(target) in _TOKENIZERS
    return TER(normalized=asian, asian_support=asian)


def score(hypotheses: Sequence[str], references: Sequence[str], target: str) -> TranslationScores:
    """Score the translations of a test set, one reference each.

    Raises:
        UserError: no sentences, different numbers of them, or a tokenizer that is not installed.
    """
    _check(hypotheses, references, "references")
    metrics: list[Metric] = [bleu_metric(target), CHRF(), ter_metric(target)]
    bleu, chrf, ter = (float(metric.corpus_score(hypotheses, [references]).score) for metric in metrics)
    signatures = [str(metric.get_signature()) for metric in metrics]
    return TranslationScores(bleu, chrf, ter, *signatures)


def sentence_chrf(hypotheses: Sequence[str], references: Sequence[str]) -> list[float]:
    """chrF of every sentence, 0 to 100."""
    _check(hypotheses, references, "references")
    metric = CHRF()
    pairs = zip(hypotheses, references, strict=True)
    return [float(metric.sentence_score(hypothesis, [reference]).score) for hypothesis, reference in pairs]


def paired_bootstrap(
    a: tuple[str, Sequence[str]],
    b: tuple[str, Sequence[str]],
    references: Sequence[str],
    target: str,
    samples: int = 1000,
    seed: int = _SEED,
) -> list[Comparison]:
    """Compare two systems in BLEU and chrF by paired bootstrap resampling.

    Args:
        a: name and translations of one system.
        b: name and translations of the other one.
        references: one reference per sentence.
        target: target language code.
        samples: resamples of the test set.
        seed: seed of the resampling; 0 selects sacreBLEU's default.

    Returns:
        One comparison per metric. Systems with exactly equal scores get p = 1, and so do two systems below the
        metric's floor (`FLOORS`): both translate nothing, and which of them does so with more matches is chance.

    Raises:
        UserError: as `score`, or fewer than one sample.
    """
    _check(a[1], references, "references")
    _check(b[1], references, "references")
    _check_samples(samples)
    metrics: dict[str, Metric] = {"bleu": bleu_metric(target), "chrf": CHRF()}
    with _sacrebleu_seed(seed or _SEED):
        test = PairedTest([b, a], metrics, [references], test_type="bs", n_samples=samples)
        _, scores = test()
    intervals = _intervals(a[1], b[1], references, metrics, samples, seed or _SEED)
    names = (name for name in scores if name != "System")
    return [
        _comparison(a[0], b[0], metric, scores[name], interval, samples)
        for metric, name, interval in zip(metrics, names, intervals, strict=True)
    ]


def _comparison(
    a: str, b: str, metric: str, cells: Sequence[str | Result], ci: list[float], samples: int
) -> Comparison:
    b_result, a_result = (cell for cell in cells if isinstance(cell, Result))
    b_score, a_score = float(b_result.score), float(a_result.score)
    difference = a_score - b_score
    # Without any difference sacreBLEU would report the smallest possible p.
    p_value = a_result.p_value
    if p_value is None or difference == 0 or are_too_low(metric, a_score, b_score):
        p_value = 1.0
    return Comparison(
        a=a,
        b=b,
        metric=metric,
        difference=difference,
        p_value=float(p_value),
        ci=ci,
        a_score=a_score,
        b_score=b_score,
        samples=samples,
    )


def are_too_low(metric: str, a_score: float, b_score: float) -> bool:
    """Whether both scores are so low that their difference means nothing."""
    return max(a_score, b_score) < FLOORS.get(metric, 0.0)


def score_intervals(
    hypotheses: Sequence[str], references: Sequence[str], target: str, samples: int = 1000, seed: int = _SEED
) -> dict[str, tuple[float, float]]:
    """95% interval of a system's own BLEU and chrF, over the same resamples as `paired_bootstrap`.

    Raises:
        UserError: as `score`, or fewer than one sample.
    """
    _check(hypotheses, references, "references")
    _check_samples(samples)
    metrics: dict[str, Metric] = {"bleu": bleu_metric(target), "chrf": CHRF()}
    times = _resamples(len(references), samples, seed or _SEED)
    intervals = {}
    for name, metric in metrics.items():
        low, high = np.quantile(resampled_scores(metric, hypotheses, references, times), [0.025, 0.975])
        intervals[name] = (float(low), float(high))
    return intervals


def _check_samples(samples: int) -> None:
    if samples < 1:
        raise UserError(f"evaluation.bootstrap_samples is {samples}: it must be at least 1")


def _resamples(sentences: int, samples: int, seed: int) -> np.ndarray:
    """[samples, sentences] float32: how often each sentence is in a resample, with the random numbers of PairedTest."""
    rows = np.random.default_rng(seed).choice(sentences, size=(samples, sentences), replace=True)
    return np.stack([np.bincount(row, minlength=sentences) for row in rows]).astype("float32")


def _intervals(
    a: Sequence[str],
    b: Sequence[str],
    references: Sequence[str],
    metrics: dict[str, Metric],
    samples: int,
    seed: int,
) -> list[list[float]]:
    """95% interval of a's score minus b's, per metric, over the resamples of PairedTest."""
    times = _resamples(len(references), samples, seed)
    intervals = []
    for metric in metrics.values():
        differences = np.subtract(
            resampled_scores(metric, a, references, times), resampled_scores(metric, b, references, times)
        )
        intervals.append([float(bound) for bound in np.quantile(differences, [0.025, 0.975])])
    return intervals


def resampled_scores(
    metric: Metric, hypotheses: Sequence[str], references: Sequence[str], times: np.ndarray
) -> list[float]:
    """The score of every resample; `times` [samples, sentences] is the count of each sentence in a resample."""
    statistics = np.asarray(metric._extract_corpus_statistics(hypotheses, [references]), dtype="float32")
    return [float(metric._compute_score_from_stats(row).score) for row in times @ statistics]


@contextmanager
def _sacrebleu_seed(seed: int) -> Iterator[None]:
    """Set sacreBLEU's seed through its environment variable, the only way."""
    before = os.environ.get("SACREBLEU_SEED")
    os.environ["SACREBLEU_SEED"] = str(seed)
    try:
        yield
    finally:
        if before is None:
            del os.environ["SACREBLEU_SEED"]
        else:
            os.environ["SACREBLEU_SEED"] = before


def _check(hypotheses: Sequence[str], others: Sequence[str], what: str) -> None:
    if not hypotheses:
        raise UserError("no translations to score: the test set is empty")
    if len(hypotheses) != len(others):
        raise UserError(f"{len(hypotheses)} translations but {len(others)} {what}: they must pair up line by line")
