"""Inputs on which small models fail although their scores are good, and how a failure is told.

Collected from what users of Firefox's, OPUS-MT's and Argos' models reported. All of it is made from the run's own test
set and training text, so that it fits any pair of languages.
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
from distilmt.evaluation.script import TwoLanguages
from distilmt.evaluation.slices import words

_ITEMS = {
    "numbers": ("4711", "3.50", "1,250", "12:45", "2026", "-7", "99 %", "0800 555 019"),
    "addresses": ("https://example.org/a?b=1&c=2", "www.example.com", "jo.doe+x@example.org", "192.168.0.1"),
    "emoji": ("🙂", "🚀", "❤️", "👍🏽", "✅", "→"),
    "code": ("print(x[0])", "`ls -la`", "$HOME/.bashrc", "--force", "libfoo2", "foo_bar", "C++", "%s"),
    "brackets": ("(a)", "[1]", "{x}", "<b>", "“q”", "«z»"),
    "names": ("Okonkwo", "Zbigniew", "Nakamura", "Þórsdóttir", "McAllister", "Quispe", "Tran"),
}
_FALL = 20.0
"""Points of sentence chrF: a translation that loses as many by a change that says the same is broken by it."""
_MORE_WORDS = 3
_SHORT_WORD = 3
_LOST = 0.5
_LONG, _LONG_CASES = 3000, 12


@dataclass(frozen=True)
class Material:
    """What challenges are made from."""

    sources: Sequence[str]
    references: Sequence[str]
    known_source: Counter[str]
    """Words of the training text's source side and how often they stand there."""
    known_target: Counter[str]
    languages: TwoLanguages
    target: str
    """Code of the target language."""
    cases: int = 100
    """Most inputs of a challenge."""


@dataclass(frozen=True)
class Case:
    """One input."""

    source: str
    reference: str = ""
    plain: str = ""
    """Another way to say the same, translated as well; or the sentences of the source, a line each."""
    item: str = ""
    """What is to be found in the translation as it is."""


@dataclass(frozen=True)
class Challenge:
    """How inputs are made, and how a failure is told from a translation and that of the plain input."""

    cases: Callable[[Material, random.Random], list[Case]]
    fails: Callable[[Case, str, str, Material], bool]


def _test_sentences(material: Material, draw: random.Random) -> list[Case]:
    pairs = [pair for pair in zip(material.sources, material.references, strict=True) if pair[0].strip()]
    chosen = draw.sample(pairs, min(material.cases, len(pairs)))
    return [Case(source, reference) for source, reference in chosen]


def _single_words(material: Material, draw: random.Random) -> list[Case]:
    """Frequent words by themselves."""
    known = [word for word, _ in material.known_source.most_common(10 * material.cases) if word.isalpha()]
    return [Case(word) for word in draw.sample(known, min(material.cases, len(known)))]


def _with_items(kind: str) -> Callable[[Material, random.Random], list[Case]]:
    """Test sentences with something at their end that is to be copied, each once with and once without brackets."""

    def make(material: Material, draw: random.Random) -> list[Case]:
        items = _ITEMS[kind]
        found = []
        for number, case in enumerate(_test_sentences(material, draw)):
            item = items[number % len(items)]
            text = case.source.rstrip(" .。")
            found.append(Case(f"{text}: {item}" if number % 2 else f"{text} {item}.", item=item))
        return found

    return make


def _numbers(material: Material, draw: random.Random) -> list[Case]:
    """Planted numbers, and test sentences with a number that people kept as it is."""
    own = []
    for source, reference in zip(material.sources, material.references, strict=True):
        found = [n for n in re.findall(r"\d[\d.,:]*\d|\d", source) if n in reference]
        own += [Case(source, item=found[0])] if found else []
    half = material.cases // 2
    return draw.sample(own, min(half, len(own))) + _with_items("numbers")(material, draw)[:half]


def _changed(change: Callable[[str, random.Random], str]) -> Callable[[Material, random.Random], list[Case]]:
    def make(material: Material, draw: random.Random) -> list[Case]:
        cases = _test_sentences(material, draw)
        made = [Case(change(case.source, draw), case.reference, case.source) for case in cases]
        return [case for case in made if case.source != case.plain]

    return make


def _typo(text: str, draw: random.Random) -> str:
    """Two neighbouring letters inside a word change places."""
    places = [i for i in range(1, len(text) - 2) if text[i - 1 : i + 3].isalpha() and text[i] != text[i + 1]]
    if not places:
        return text
    i = draw.choice(places)
    return text[:i] + text[i + 1] + text[i] + text[i + 2 :]


def _long(material: Material, draw: random.Random) -> list[Case]:
    """More sentences in one input than a model has positions for."""
    sentences = [case.source for case in _test_sentences(material, draw)]
    sentences = [text for text in sentences if text.rstrip()[-1:] in tuple(".!?。！？") and not text[0].islower()]
    cases: list[Case] = []
    while sentences and len(cases) < min(_LONG_CASES, material.cases):
        group: list[str] = []
        while sum(map(len, group)) < _LONG:
            group.append(draw.choice(sentences))
        cases.append(Case(" ".join(group), plain="\n".join(group)))
    return cases


def _babbles(case: Case, text: str, plain: str, material: Material) -> bool:
    """Nothing said, far more words than asked, or a word twice."""
    said, asked = words(text, material.target), words(case.source, "en")
    if tokenizer_for(material.target) == "13a":
        twice = len(said) > len(set(said))
    else:
        half = len(said) // 2
        twice = half > 1 and said[:half] == said[half : 2 * half]
    return not text.strip() or len(said) > len(asked) + _MORE_WORDS or twice


def _loses(case: Case, text: str, plain: str, material: Material) -> bool:
    """The item is not there; spaces may have come or gone."""
    return "".join(case.item.split()) not in "".join(text.split())


def _falls(case: Case, text: str, plain: str, material: Material) -> bool:
    metric = CHRF()
    before, after = (metric.sentence_score(found.lower(), [case.reference.lower()]).score for found in (plain, text))
    return before - after > _FALL


def _drops(case: Case, text: str, plain: str, material: Material) -> bool:
    """Of what the sentences say one by one, half of one's words are nowhere in the whole."""
    left = Counter(words(text, material.target))
    for line in plain.splitlines():
        asked = Counter(words(line, material.target))
        if asked and (asked - left).total() > _LOST * asked.total():
            return True
        left -= asked
    return False


def _invents(case: Case, text: str, plain: str, material: Material) -> bool:
    """A word that stands nowhere in the training text, the source or the reference."""
    allowed = {*words(case.source, material.target), *words(case.reference, material.target)}
    said = (word for word in words(text, material.target) if word.isalpha() and len(word) > _SHORT_WORD)
    return any(word not in allowed and not material.known_target[word] for word in said)


def _one(count: str) -> Callable[[Case, str, str, Material], bool]:
    """One of the faults that are counted over the test translations."""

    def fails(case: Case, text: str, plain: str, material: Material) -> bool:
        usual = sum(map(len, material.references)) / max(1, sum(map(len, material.sources)))
        if count == "length_outliers":
            return output_checks.odd_length(text, case.source, usual)
        return bool(getattr(output_checks.check([text], [case.source], [case.reference]), count))

    return fails


CHALLENGES: dict[str, Challenge] = {
    "short": Challenge(_single_words, _babbles),
    "numbers": Challenge(_numbers, _loses),
    **{kind: Challenge(_with_items(kind), _loses) for kind in _ITEMS if kind != "numbers"},
    "capitals": Challenge(_changed(lambda text, _: text.upper()), _falls),
    "typos": Challenge(_changed(_typo), _falls),
    "no full stop": Challenge(_changed(lambda text, _: text.rstrip(" .。!?！？")), _falls),
    "empty": Challenge(_test_sentences, _one("empty")),
    "loops": Challenge(_test_sentences, _one("repetitions")),
    "copied source": Challenge(_test_sentences, _one("copies")),
    "odd length": Challenge(_test_sentences, _one("length_outliers")),
    "wrong language": Challenge(_test_sentences, lambda case, text, plain, m: m.languages.is_source(text)),
    "invented words": Challenge(_test_sentences, _invents),
    "long input": Challenge(_long, _drops),
}
