"""Evaluation of translations: scores with intervals, and comparisons with the outputs of other systems."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from distilmt.config.bounds import MAX_COUNT, MAX_SEED
from distilmt.evaluation.output_checks import OutputChecks, check_outputs
from distilmt.evaluation.quality import Comparison, TranslationScores, paired_bootstrap, score, score_intervals
from distilmt.utils.arguments import text_list, whole_number
from distilmt.utils.errors import UserError

OWN = "hypotheses"
"""Name of the evaluated system in an evaluation's table."""


@dataclass(frozen=True)
class SystemScores:
    """Scores of one system on the test set."""

    name: str
    scores: TranslationScores
    intervals: Mapping[str, tuple[float, float]]
    """By metric (`bleu`, `chrf`), the 95% interval of the score over resamples of the test set."""
    checks: OutputChecks | None
    """Counts of faulty translations; None if the sources are unknown."""


@dataclass(frozen=True)
class Evaluation:
    """Scores of a system and of those that it is compared with."""

    systems: Mapping[str, SystemScores]
    """By name, the evaluated system first."""
    comparisons: Sequence[Comparison]
    """The evaluated system against every other one in BLEU and chrF, with 95% interval and p-value."""

    @property
    def scores(self) -> TranslationScores:
        """Scores of the evaluated system, with sacreBLEU's signatures."""
        return next(iter(self.systems.values())).scores

    def comparison(self, other: str, metric: str = "bleu") -> Comparison:
        """The comparison with one of the other systems.

        Raises:
            UserError: there is no such system or metric.
        """
        rows = {(row["b"], row["metric"]): row for row in self.comparisons}
        if (other, metric) not in rows:
            names = ", ".join(f"{name} in {unit}" for name, unit in rows) or "none"
            raise UserError(f"no comparison with {other!r} in {metric!r}: there is {names}")
        return rows[other, metric]


@dataclass(frozen=True)
class Resampling:
    """Settings of the paired bootstrap."""

    samples: int = 1000
    seed: int = 1


def evaluate(
    hypotheses: Sequence[str],
    references: Sequence[str],
    sources: Sequence[str] | None = None,
    against: Mapping[str, Sequence[str]] | None = None,
    target: str = "en",
    name: str = OWN,
    resampling: Resampling = Resampling(),
) -> Evaluation:
    """Score translations, and compare them with those of other systems by paired bootstrap resampling.

    Args:
        hypotheses: one translation per sentence.
        references: one reference per sentence.
        sources: the source sentences; with them, faulty translations are counted.
        against: by name, the translations of other systems.
        target: language code of the translations, which decides how BLEU splits words (`zh`, `ja`, `ko`).
        name: name of the evaluated system.
        resampling: number of resamples and their seed.

    Raises:
        TypeError: an argument is not a list of texts, or `against` no mapping of such lists.
        UserError: no sentences, numbers of sentences that differ, one name twice, or a tokenizer that is not installed.

    Examples:
        >>> references = ["Una libreria per immagini.", "Un piccolo editor di testo."]
        >>> other = ["Una libreria per immagini.", "Un editor."]
        >>> evaluation = distilmt.evaluate(references, references, against={"other": other}, target="it")
        >>> evaluation.scores.chrf
        100.0
        >>> evaluation.comparison("other")["p_value"] > 0.05  # two sentences are too few
        True
    """
    _check_options(against, target, resampling)
    hypotheses, references = text_list("hypotheses", hypotheses), text_list("references", references)
    sources = None if sources is None else text_list("sources", sources)
    others = {other: text_list(f"against[{other!r}]", texts) for other, texts in (against or {}).items()}
    if name in others:
        raise UserError(f"two systems are called {name!r}: give the other one another name")
    outputs = {name: hypotheses, **others}
    _check_lengths(outputs, references)
    systems = {
        system: _system_scores(system, translations, references, sources, target, resampling)
        for system, translations in outputs.items()
    }
    pairs = [((name, hypotheses), other) for other in others.items()]
    samples, seed = resampling.samples, resampling.seed
    rows = [row for pair in pairs for row in paired_bootstrap(*pair, references, target, samples, seed)]
    return Evaluation(systems, rows)


def _check_options(against: object, target: object, resampling: Resampling) -> None:
    if not isinstance(against or {}, Mapping):
        raise TypeError("against is no mapping: give the translations of each system by its name, as {'other': [...]}")
    if not isinstance(target, str) or not target.strip():
        raise TypeError(f"target is {target!r}: give the code of a language, such as 'it'")
    whole_number("resampling.samples", resampling.samples, 1, MAX_COUNT)
    whole_number("resampling.seed", resampling.seed, 0, MAX_SEED)


def _check_lengths(outputs: Mapping[str, Sequence[str]], references: Sequence[str]) -> None:
    for system, translations in outputs.items():
        if len(translations) != len(references):
            raise UserError(
                f"{system} has {len(translations)} translations, but there are {len(references)} references: "
                "they must pair up line by line"
            )


def _system_scores(
    name: str,
    translations: Sequence[str],
    references: Sequence[str],
    sources: Sequence[str] | None,
    target: str,
    resampling: Resampling,
) -> SystemScores:
    return SystemScores(
        name,
        score(translations, references, target),
        score_intervals(translations, references, target, resampling.samples, resampling.seed),
        None if sources is None else check_outputs(translations, sources, references),
    )
