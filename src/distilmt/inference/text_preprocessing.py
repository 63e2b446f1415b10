"""Pre- and postprocessing of texts for a model: symbols, unknown characters and letter case."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import regex

from distilmt.data.cleaning import unspaced_count
from distilmt.inference import symbols, truecasing
from distilmt.inference.base import Hypothesis
from distilmt.inference.symbols import SymbolRun
from distilmt.inference.tokenization import is_broken

_LONGEST_WORD = 200
# Scripts with spaces between words, and what all scripts share.
_ONE_WORD = regex.compile(r"(?V1)[[\p{Latin}\p{Greek}\p{Cyrillic}\p{Common}\p{Inherited}]--\s]+")
_FRAGMENTED = 1.3  # If capitals need this many times the tokens of lower case, the training text had none.


def is_no_prose(text: str) -> bool:
    """Whether a text is one string without a space that is longer than any word, such as a key in base64.

    A model writes nonsense up to its last position for every piece of it: 100,000 letters would take a minute.
    """
    return len(text) > _LONGEST_WORD and _ONE_WORD.fullmatch(text.strip()) is not None


@dataclass(frozen=True)
class ModelTraits:
    """Properties of a model and its vocabulary."""

    has_token: symbols.HasToken
    token_count: Callable[[str], int]
    """Number of tokens of a text."""
    source: str = ""
    """Language codes; empty if unknown."""
    target: str = ""
    capitals: bool | None = None
    """Whether the model was trained on sentences in capitals; None decides by the tokens of each sentence."""


class PreprocessedSentence:
    """Translation of one sentence in several passes: `requests` are the next inputs, `take` receives the outputs.

    Symbols at its ends are not sent to the model. Symbols inside without a token are placed next to the translations
    of the adjacent words, or else the sentence is split at them and translated in parts.
    """

    def __init__(self, text: str, traits: ModelTraits) -> None:
        self._text, self._traits = text, traits
        self.result: list[Hypothesis] | None = None
        """The translations, best first; empty until the last pass."""
        self.requests: list[str] = []
        if not symbols.has_letters(text):
            self.result = [Hypothesis(text, [], 0.0)] if text.strip("\ufeff\u200b \t\r\n\f\v") else []
            return
        # The model could only invent a translation.
        if is_no_prose(text) or not symbols.has_vocabulary_letters(text, traits.has_token):
            self.result = [Hypothesis(text, [], 0.0)]
            return
        start, end = self._core()
        self._before, core, self._behind = text[:start], text[start:end], text[end:]
        self._style = truecasing.style_of(core) if core.upper() != core.lower() else ""
        if self._style == "capitals":
            lower = truecasing.to_lower_case(core, traits.source)
            core, self._style = (lower, "capitals") if self._is_fragmented(core, lower) else (core, "")
        self._plan(
            core,
            [run for run in symbols.runs(core) if not symbols.is_in_vocabulary(run, traits.has_token)],
            detach_symbols=True,
        )
        self._retried: str = ""
        self._first: list[Hypothesis] = []
        if not self.requests:
            self.result = [Hypothesis(text, [], 0.0)]

    def _core(self) -> tuple[int, int]:
        """Span of a text without the symbols at its ends and the marks around them."""
        start, end = 0, len(self._text)
        outer = [
            run
            for run in symbols.runs(self._text)
            if not (symbols.is_mathematical(run) and symbols.is_in_vocabulary(run, self._traits.has_token))
        ]
        for run in outer:
            if not any(map(str.isalnum, self._text[start : run.start])):
                start = run.end
        for run in reversed(outer):
            if run.start >= start and not any(map(str.isalnum, self._text[run.end : end])):
                end = run.start
        inner = self._text[start:end]
        return start + len(inner) - len(inner.lstrip()), start + len(inner.rstrip())

    def _is_fragmented(self, capitals: str, lower: str) -> bool:
        if self._traits.capitals is not None:
            return not self._traits.capitals
        return self._traits.token_count(capitals) > _FRAGMENTED * self._traits.token_count(lower)

    def _plan(self, core: str, runs: list[SymbolRun], detach_symbols: bool) -> None:
        """Split the sentence at separate symbols; with `detach_symbols` also at symbols attached to words."""
        self._core_text = core
        self._marked: dict[str, tuple[int, str]] = {}  # word without its symbol -> number of its part, the word
        parts, at = [""], 0
        for run in runs:
            if run.end <= at:
                continue
            word_span = _word_span(core, run)
            bare = "".join(core[a:b] for a, b in ((word_span[0], run.start), (run.end, word_span[1])))
            alone = len(symbols.runs(core[slice(*word_span)])) == 1 and _strip_punctuation(bare) not in self._marked
            if detach_symbols and alone and any(map(str.isalnum, bare)):
                parts[-1] += core[at : run.start]
                self._marked[_strip_punctuation(bare)] = (
                    len(parts) // 2,
                    _strip_punctuation(core[slice(*word_span)], run.text),
                )
                at = run.end
                continue
            whole = _is_inside_word(core, run) and word_span[0] >= at and not unspaced_count(run.text)
            a, b = word_span if whole else (run.start, run.end)
            parts[-1] += core[at:a]
            parts += [core[a:b], ""]
            at = b
        parts[-1] += core[at:]
        self._parts = [
            symbols.fold_characters(part, self._traits.has_token) if i % 2 == 0 else part
            for i, part in enumerate(parts)
        ]
        self.requests = [part.strip() for part in self._parts[::2] if symbols.has_letters(part)]

    def receive(self, hypotheses: Sequence[list[Hypothesis]]) -> None:
        """Process the outputs of `requests`: sets `result`, or new requests."""
        candidates = self._assemble(hypotheses)
        broken = any(is_broken(ranked[0].tokens) for ranked in hypotheses if ranked)
        if not self._retried and (reason := self._flaw(candidates[0].text if candidates else "", broken)):
            self._retried, self._first = reason, candidates
            if reason == "title":
                self._plan(
                    truecasing.to_lower_case(self._core_text, self._traits.source), self._unknown(), detach_symbols=True
                )
            else:
                self._plan(self._core_text, self._verbatim_runs(broken), detach_symbols=False)
            if self.requests:
                return
            candidates = [self._join([None] * len(self._parts[::2]))]
        if self._retried == "title":
            candidates = self._restore_title_case(candidates)
        self.result = [Hypothesis(self._before + h.text + self._behind, h.tokens, h.score) for h in candidates]

    def _unknown(self) -> list[SymbolRun]:
        return [
            run for run in symbols.runs(self._core_text) if not symbols.is_in_vocabulary(run, self._traits.has_token)
        ]

    def _verbatim_runs(self, broken: bool) -> list[SymbolRun]:
        """Symbols and words in foreign scripts, and after a `broken` output all words it cannot generate."""
        word_finder = symbols.unknown_words if broken else symbols.foreign_words
        words = word_finder(self._core_text, self._traits.has_token)
        return sorted([*symbols.runs(self._core_text), *words], key=lambda run: run.start)

    def _flaw(self, translation: str, broken: bool) -> str:
        """The error in an output, if another method may do better."""
        if symbols.counts(self._core_text) - symbols.counts(translation):
            return "symbols"
        if broken and symbols.unknown_words(self._core_text, self._traits.has_token):
            return "letters"
        if any(translation.count(word) < count for word, count in self._foreign_words().items()):
            return "letters"
        return "title" if self._style == "title" and truecasing.is_copy(self._core_text, translation) else ""

    def _foreign_words(self) -> Counter[str]:
        return Counter(run.text for run in symbols.foreign_words(self._core_text, self._traits.has_token))

    def _restore_title_case(self, hypotheses: list[Hypothesis]) -> list[Hypothesis]:
        if not hypotheses or truecasing.is_copy(self._core_text, hypotheses[0].text):
            return self._first
        language = self._traits.target
        return [
            Hypothesis(truecasing.to_title_case(h.text, self._text, language), h.tokens, h.score) for h in hypotheses
        ]

    def _assemble(self, hypotheses: Sequence[list[Hypothesis]]) -> list[Hypothesis]:
        """Join the outputs of the parts with the symbols between: the best with the best, and so on."""
        hypothesis_iterator = iter(hypotheses)
        ranked = [next(hypothesis_iterator) if symbols.has_letters(part) else [] for part in self._parts[::2]]
        count = min((len(r) for r, part in zip(ranked, self._parts[::2], strict=True) if part.strip() and r), default=0)
        return [self._join([r[n] if r else None for r in ranked]) for n in range(count)]

    def _join(self, chosen: Sequence[Hypothesis | None]) -> Hypothesis:
        texts = [
            self._place_part(2 * number, hypothesis.text.strip()) if hypothesis else self._parts[2 * number]
            for number, hypothesis in enumerate(chosen)
        ]
        marks = self._parts[1::2]
        text = "".join(t + m for t, m in zip(texts, [*marks, ""], strict=True))
        if self._style == "capitals":
            text = truecasing.to_upper_case(text, self._traits.target)
        own = [hypothesis for hypothesis in chosen if hypothesis]
        token_count = max(1, sum(len(hypothesis.tokens) for hypothesis in own))
        score = sum(hypothesis.score * len(hypothesis.tokens) for hypothesis in own) / token_count
        return Hypothesis(text, [t for hypothesis in own for t in hypothesis.tokens], score)

    def _place_part(self, number: int, translation: str) -> str:
        """An output with the space around its part; a full stop that only the model added must not split a sentence."""
        part = self._parts[number]
        if number < len(self._parts) - 1 and part.rstrip()[-1:].isalnum():
            translation = translation.rstrip(".;")
        for bare, (part_number, whole) in self._marked.items():
            if part_number != number // 2:
                continue
            translation = re.sub(rf"(?<!\w){re.escape(bare)}(?!\w)", lambda _, w=whole: w, translation, count=1)  # type: ignore[misc]
        return part[: len(part) - len(part.lstrip())] + translation + part[len(part.rstrip()) :]


def _word_span(text: str, run: SymbolRun) -> tuple[int, int]:
    """The word that contains a run or is adjacent to it."""
    start, end = run.start, run.end
    while start > 0 and not text[start - 1].isspace():
        start -= 1
    while end < len(text) and not text[end].isspace():
        end += 1
    return start, end


def _is_inside_word(text: str, run: SymbolRun) -> bool:
    return text[run.start - 1 : run.start].isalnum() and text[run.end : run.end + 1].isalnum()


def _strip_punctuation(word: str, run: str = "") -> str:
    """A word without the punctuation at its ends, which may move in a translation."""
    ends = "".join({c for c in word if not c.isalnum() and c not in run})
    return word.strip(ends) if ends else word
