"""Challenge sets: inputs on which small models fail although their scores are good, and criteria of failure.

Collected from reports of users of Firefox's, OPUS-MT's and Argos' models. All inputs are generated from the run's own
test set and training text, so they work for any language pair.
"""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sacrebleu.metrics.chrf import CHRF

from distilmt.evaluation import output_checks
from distilmt.evaluation.quality import tokenizer_for
from distilmt.evaluation.script import LanguagePairClassifier
from distilmt.evaluation.slices import word_tokenize
from distilmt.inference import truecasing

_ITEMS = {
    "numbers": ("4711", "3.50", "1,250", "12:45", "2026", "-7", "99 %", "0800 555 019"),
    "addresses": ("https://example.org/a?b=1&c=2", "www.example.com", "jo.doe+x@example.org", "192.168.0.1"),
    "emoji": ("🙂", "🚀", "❤️", "👍🏽", "✅", "→"),
    "code": ("print(x[0])", "`ls -la`", "$HOME/.bashrc", "--force", "libfoo2", "foo_bar", "C++", "%s"),
    "brackets": ("(a)", "[1]", "{x}", "<b>", "“q”", "«z»"),
    "names": ("Okonkwo", "Zbigniew", "Nakamura", "Þórsdóttir", "McAllister", "Quispe", "Tran"),
}
_MAX_CHRF_LOSS = 20.0
"""Points of sentence chrF: if a harmless change of the source loses more, it counts as a failure."""
_MORE_WORDS = 3
_SHORT_WORD = 3
_MAX_OMITTED_SHARE = 0.5
_LONG, _LONG_CASES = 3000, 12


@dataclass(frozen=True)
class ChallengeData:
    """Data from which the challenge sets are generated."""

    sources: Sequence[str]
    references: Sequence[str]
    source_frequencies: Counter[str]
    """Frequencies of the words on the source side of the training text."""
    target_frequencies: Counter[str]
    languages: LanguagePairClassifier
    target: str
    """Code of the target language."""
    cases: int = 100
    """Maximum number of inputs per challenge set."""


@dataclass(frozen=True)
class ChallengeCase:
    """One input."""

    source: str
    reference: str = ""
    plain: str = ""
    """The unchanged source, translated too; or the sentences of a long source, one per line."""
    item: str = ""
    """Text that the translation must contain unchanged."""


@dataclass(frozen=True)
class Challenge:
    """Generates inputs, and decides on failure from the translations of an input and of its plain form."""

    cases: Callable[[ChallengeData, random.Random], list[ChallengeCase]]
    fails: Callable[[ChallengeCase, str, str, ChallengeData], bool]


def _test_sentences(data: ChallengeData, rng: random.Random) -> list[ChallengeCase]:
    pairs = [pair for pair in zip(data.sources, data.references, strict=True) if pair[0].strip()]
    chosen = rng.sample(pairs, min(data.cases, len(pairs)))
    return [ChallengeCase(source, reference) for source, reference in chosen]


def _single_words(data: ChallengeData, rng: random.Random) -> list[ChallengeCase]:
    """Single frequent words."""
    candidates = [word for word, _ in data.source_frequencies.most_common(10 * data.cases) if word.isalpha()]
    return [ChallengeCase(word) for word in rng.sample(candidates, min(data.cases, len(candidates)))]


def _with_items(kind: str) -> Callable[[ChallengeData, random.Random], list[ChallengeCase]]:
    """Test sentences with an appended item that must be copied."""

    def make(data: ChallengeData, rng: random.Random) -> list[ChallengeCase]:
        items = _ITEMS[kind]
        cases = []
        for number, case in enumerate(_test_sentences(data, rng)):
            item = items[number % len(items)]
            text = case.source.rstrip(" .。")
            cases.append(ChallengeCase(f"{text}: {item}" if number % 2 else f"{text} {item}.", item=item))
        return cases

    return make


def _numbers(data: ChallengeData, rng: random.Random) -> list[ChallengeCase]:
    """Appended numbers, and test sentences with a number that the reference contains unchanged."""
    natural_cases = []
    for source, reference in zip(data.sources, data.references, strict=True):
        numbers = [n for n in re.findall(r"\d[\d.,:]*\d|\d", source) if n in reference]
        natural_cases += [ChallengeCase(source, item=numbers[0])] if numbers else []
    half = data.cases // 2
    return rng.sample(natural_cases, min(half, len(natural_cases))) + _with_items("numbers")(data, rng)[:half]


def _perturbed_sentences(
    change: Callable[[str, random.Random], str],
) -> Callable[[ChallengeData, random.Random], list[ChallengeCase]]:
    def make(data: ChallengeData, rng: random.Random) -> list[ChallengeCase]:
        cases = _test_sentences(data, rng)
        variants = [ChallengeCase(change(case.source, rng), case.reference, case.source) for case in cases]
        return [case for case in variants if case.source != case.plain]

    return make


def _typo(text: str, rng: random.Random) -> str:
    """Swap two adjacent letters inside a word."""
    positions = [i for i in range(1, len(text) - 2) if text[i - 1 : i + 3].isalpha() and text[i] != text[i + 1]]
    if not positions:
        return text
    i = rng.choice(positions)
    return text[:i] + text[i + 1] + text[i] + text[i + 2 :]


def _long(data: ChallengeData, rng: random.Random) -> list[ChallengeCase]:
    """Inputs of many sentences, longer than a model's maximum length."""
    sentences = [case.source for case in _test_sentences(data, rng)]
    sentences = [text for text in sentences if text.rstrip()[-1:] in tuple(".!?。！？") and not text[0].islower()]
    cases: list[ChallengeCase] = []
    while sentences and len(cases) < min(_LONG_CASES, data.cases):
        group: list[str] = []
        while sum(map(len, group)) < _LONG:
            group.append(rng.choice(sentences))
        cases.append(ChallengeCase(" ".join(group), plain="\n".join(group)))
    return cases


def _is_degenerate(case: ChallengeCase, text: str, plain: str, data: ChallengeData) -> bool:
    """The output is empty, much longer than the source, or repeats a word."""
    output_words, source_words = word_tokenize(text, data.target), word_tokenize(case.source, "en")
    if tokenizer_for(data.target) == "13a":
        is_repeated = len(output_words) > len(set(output_words))
    else:
        half = len(output_words) // 2
        is_repeated = half > 1 and output_words[:half] == output_words[half : 2 * half]
    return not text.strip() or len(output_words) > len(source_words) + _MORE_WORDS or is_repeated


def _lacks_item(case: ChallengeCase, text: str, plain: str, data: ChallengeData) -> bool:
    """The item is missing; differences in spaces are ignored."""
    return "".join(case.item.split()) not in "".join(text.split())


def _loses_quality(case: ChallengeCase, text: str, plain: str, data: ChallengeData) -> bool:
    metric = CHRF()
    before, after = (
        metric.sentence_score(translation.lower(), [case.reference.lower()]).score for translation in (plain, text)
    )
    return bool(before - after > _MAX_CHRF_LOSS)


def _omits_content(case: ChallengeCase, text: str, plain: str, data: ChallengeData) -> bool:
    """For one of the sentences, half of the words of its separate translation are missing in the whole."""
    unmatched = Counter(word_tokenize(text, data.target))
    for line in plain.splitlines():
        line_counts = Counter(word_tokenize(line, data.target))
        if line_counts and (line_counts - unmatched).total() > _MAX_OMITTED_SHARE * line_counts.total():
            return True
        unmatched -= line_counts
    return False


def _hallucinates(case: ChallengeCase, text: str, plain: str, data: ChallengeData) -> bool:
    """The output has a word that is not in the training text, the source or the reference."""
    allowed = {*word_tokenize(case.source, data.target), *word_tokenize(case.reference, data.target)}
    candidates = (word for word in word_tokenize(text, data.target) if word.isalpha() and len(word) > _SHORT_WORD)
    return any(word not in allowed and not data.target_frequencies[word] for word in candidates)


def _has_fault(count: str) -> Callable[[ChallengeCase, str, str, ChallengeData], bool]:
    """One of the output checks that are counted over the test translations."""

    def fails(case: ChallengeCase, text: str, plain: str, data: ChallengeData) -> bool:
        mean_ratio = sum(map(len, data.references)) / max(1, sum(map(len, data.sources)))
        if count == "length_outliers":
            return output_checks.is_length_outlier(text, case.source, mean_ratio)
        return bool(getattr(output_checks.check_outputs([text], [case.source], [case.reference]), count))

    return fails


CHALLENGES: dict[str, Challenge] = {
    "short": Challenge(_single_words, _is_degenerate),
    "numbers": Challenge(_numbers, _lacks_item),
    **{kind: Challenge(_with_items(kind), _lacks_item) for kind in _ITEMS if kind != "numbers"},
    "capitals": Challenge(_perturbed_sentences(lambda text, _: truecasing.upper(text)), _loses_quality),
    "title case": Challenge(
        _perturbed_sentences(lambda text, _: truecasing.to_title_case(text, "", "")), _loses_quality
    ),
    "typos": Challenge(_perturbed_sentences(_typo), _loses_quality),
    "no full stop": Challenge(_perturbed_sentences(lambda text, _: text.rstrip(" .。!?！？")), _loses_quality),
    "empty": Challenge(_test_sentences, _has_fault("empty")),
    "loops": Challenge(_test_sentences, _has_fault("repetitions")),
    "copied source": Challenge(_test_sentences, _has_fault("copies")),
    "odd length": Challenge(_test_sentences, _has_fault("length_outliers")),
    "wrong language": Challenge(_test_sentences, lambda case, text, plain, m: m.languages.is_source(text)),
    "invented words": Challenge(_test_sentences, _hallucinates),
    "long input": Challenge(_long, _omits_content),
}
