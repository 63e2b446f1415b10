"""The learning curve: score by number of sentences, and the amount of text that is enough.

The score is modeled as a − b·d^−c, a saturating power law (Hestness et al. 2017; for translation Gordon et al. 2021)
of the data d. This is not the number n of sentences: with a fixed number of updates a small text is repeated often, and
each repetition of a sentence helps less. With v sentences seen in total it is (Muennighoff et al. 2023)

    d(n) = n · (1 + R · (1 − exp(−(v/n − 1) / R))),  R = 15.4,

which is proportional to n for small n, and reaches its maximum v when no sentence is repeated. The law is written as
s + g·x(n), where x runs from 0 at the smallest to 1 at the biggest measured size.

Three to five noisy points do not determine three parameters, so the fit is Bayesian. Given c, it is linear regression
with the usual flat prior (Gelman et al., Bayesian Data Analysis, chapter 14) and g ≥ 0. The exponent c has a wide prior
around values from the literature; the noise of a training has a prior, too. Results are quantiles of posterior draws.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

_EXPONENTS = np.geomspace(0.03, 3.0, 91)
_USUAL_EXPONENT, _SPREAD = 0.4, 0.8
"""Prior of c: median, and standard deviation of its logarithm."""
_DRAWS = 4000
_REPEATS = 15.4
"""R: the number of repetitions after which the remaining value of a sentence is 1/e."""
_HALVINGS, _MOST = 60, 1e15
LEVEL = 0.9
"""Probability of the intervals."""


@dataclass(frozen=True)
class LearningCurve:
    """Posterior draws of the law; all arrays are [draws], the first entry is the best estimate."""

    low: float
    """The smallest measured size."""
    high: float
    """The biggest."""
    views: float
    """Sentences seen by each training, including repetitions."""
    start: np.ndarray
    """Score at the smallest size."""
    rise: np.ndarray
    """Gain up to the biggest size; not below 0."""
    exponent: np.ndarray
    """c of the law."""
    noise: np.ndarray
    """Standard deviation of one training's score."""

    def scores(self, size: float | np.ndarray) -> np.ndarray:
        """Score at a size, or at one for every draw, [draws]."""
        scores: np.ndarray = self.start + self.rise * _rise_share(
            size, (self.low, self.high, self.views), self.exponent
        )
        return scores

    def gains(self, before: float, after: float) -> np.ndarray:
        """Gain from one size to a bigger one, [draws]."""
        gains: np.ndarray = self.scores(after) - self.scores(before)
        return gains

    def sufficient_size(self, min_gain: float) -> np.ndarray:
        """The size beyond which doubling gains less than `min_gain`, [draws]; 0 if it never gains that much."""
        below, above = np.zeros(len(self.rise)), np.full(len(self.rise), math.log(min(self.views, _MOST)))
        for _ in range(_HALVINGS):  # the gain of doubling decreases with the size
            middle = (below + above) / 2
            sizes = np.exp(middle)
            is_enough = self.scores(2 * sizes) - self.scores(sizes) < min_gain
            below, above = np.where(is_enough, below, middle), np.where(is_enough, middle, above)
        return np.where(self.gains(1, 2) < min_gain, 0.0, np.exp(above))

    def law(self) -> dict[str, float]:
        """a, b and c of the best estimate."""
        c, (low, high) = float(self.exponent[0]), (float(effective_size(n, self.views)) for n in (self.low, self.high))
        b = float(self.rise[0]) / (low**-c - high**-c)
        return {"a": float(self.start[0]) + b * low**-c, "b": b, "c": c}


def interval(draws: np.ndarray) -> list[float]:
    """The best estimate, and the bounds of the interval with probability `LEVEL`."""
    edge = (1 - LEVEL) / 2
    low, high = np.quantile(draws[1:], [edge, 1 - edge])
    return [float(draws[0]), float(min(low, draws[0])), float(max(high, draws[0]))]


def fit(
    sizes: Sequence[float], scores: Sequence[float], usual_noise: float, views: float = math.inf, seed: int = 1
) -> LearningCurve:
    """Fit a law to training results.

    Args:
        sizes: training sentences of each, [n], above 0; at least three different ones.
        scores: score of each, [n]; higher is better.
        usual_noise: prior of the standard deviation between trainings that differ only in the seed; the data soon
            outweigh it.
        views: sentences seen by each training, including repetitions; infinity gives a plain power law of the sizes.
        seed: seed of the draws.

    Raises:
        ValueError: fewer than three sizes: any law would fit.
    """
    n, y = np.asarray(sizes, float), np.asarray(scores, float)
    if len(set(sizes)) < 3:
        raise ValueError(f"{len(set(sizes))} sizes are too few for a curve")
    low, high, random = float(n.min()), float(n.max()), np.random.default_rng(seed)
    designs = [np.stack([np.ones(len(n)), _rise_share(n, (low, high, views), c)], 1) for c in _EXPONENTS]
    regressions = [_regression(x, y) for x in designs]
    freedom = len(n) - 2 + 1  # the prior of the noise counts as one more observation
    weights = np.array(
        [_weight(x, residual, freedom, usual_noise) for x, (_, residual) in zip(designs, regressions, strict=True)]
    )
    weights += -0.5 * (np.log(_EXPONENTS / _USUAL_EXPONENT) / _SPREAD) ** 2
    chances = np.exp(weights - weights.max())
    return _sample_curve(
        (low, high, views), designs, regressions, chances / chances.sum(), (freedom, usual_noise), random
    )


def effective_size(size: float | np.ndarray, views: float) -> np.ndarray:
    """Effective data: sentences seen once that equal a text of this size, repeated up to `views` sentences."""
    n = np.asarray(size, float)
    if math.isinf(views):
        return n
    again = np.maximum(0.0, views / n - 1)
    return np.asarray(np.minimum(n, views) * (1 + _REPEATS * (1 - np.exp(-again / _REPEATS))))


def _rise_share(size: float | np.ndarray, ends: tuple[float, float, float], c: float | np.ndarray) -> np.ndarray:
    d, low, high = (effective_size(n, ends[2]) for n in (size, *ends[:2]))
    return np.asarray((low**-c - d**-c) / (low**-c - high**-c))


def _regression(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, float]:
    """Start and gain by least squares with gain ≥ 0, and the residual sum of squares."""
    beta = np.linalg.lstsq(x, y, rcond=None)[0]
    if beta[1] < 0:
        beta = np.array([y.mean(), 0.0])
    return beta, float(((x @ beta - y) ** 2).sum())


def _weight(x: np.ndarray, residual: float, freedom: int, usual_noise: float) -> float:
    """Log-likelihood of an exponent."""
    return float(-0.5 * np.linalg.slogdet(x.T @ x)[1] - freedom / 2 * math.log(residual + usual_noise**2))


def _sample_curve(
    ends: tuple[float, float, float],
    designs: Sequence[np.ndarray],
    regressions: Sequence[tuple[np.ndarray, float]],
    chances: np.ndarray,
    noise: tuple[int, float],
    random: np.random.Generator,
) -> LearningCurve:
    """The best estimate, at the mean of log c, and posterior draws."""
    freedom, usual = noise
    nearest = int(np.abs(np.log(_EXPONENTS) - chances @ np.log(_EXPONENTS)).argmin())
    deviations = [[math.sqrt((regressions[nearest][1] + usual**2) / freedom)]]
    betas, exponents = [regressions[nearest][0][None]], [_EXPONENTS[nearest : nearest + 1]]
    for number, times in enumerate(random.multinomial(_DRAWS, chances)):
        (beta, residual), root = (
            regressions[number],
            np.linalg.cholesky(np.linalg.inv(designs[number].T @ designs[number])),
        )
        deviation = np.sqrt((residual + usual**2) / random.chisquare(freedom, times))
        betas.append(beta + deviation[:, None] * (random.standard_normal((times, 2)) @ root.T))
        exponents.append(np.full(times, _EXPONENTS[number]))
        deviations.append(deviation)
    start, rise = np.concatenate(betas).T
    return LearningCurve(*ends, start, np.maximum(rise, 0.0), np.concatenate(exponents), np.concatenate(deviations))
