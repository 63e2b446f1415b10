"""How a text is put to a model, and what becomes of the answers: symbols, unknown characters and letter case."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from distilmt.data.cleaning import unspaced
from distilmt.inference import symbols, truecasing
from distilmt.inference.base import Hypothesis
from distilmt.inference.symbols import Run
from distilmt.inference.tokenization import is_broken

_FRAGMENTED = 1.3  # Capitals in more pieces than that, as a multiple of lower case, were not in the training text.


@dataclass(frozen=True)
class View:
    """What a model knows."""

    knows: symbols.Knows
    pieces: Callable[[str], int]
    """In how many pieces a text is cut."""
    source: str = ""
    """Language codes; empty if they are not known."""
    target: str = ""
    capitals: bool | None = None
    """Whether the model was trained on sentences in capitals; None decides by the pieces of each."""


class Reading:
    """A sentence on its way through a model: `requests` are to be translated, `take` gets the answers.

    Symbols at its ends stay outside. Those inside that the model has no piece for are put where the words beside them
    come to stand, or else the sentence is translated in parts, cut at them.
    """

    def __init__(self, text: str, view: View) -> None:
        self._text, self._view = text, view
        self.result: list[Hypothesis] | None = None
        """The answers, best first, once there are any."""
        self.requests: list[str] = []
        if not symbols.has_letters(text):
            self.result = [Hypothesis(text, [], 0.0)] if text.strip("\ufeff\u200b \t\r\n\f\v") else []
            return
        if not symbols.has_known_letters(text, view.knows):  # of it the model could only make something up
            self.result = [Hypothesis(text, [], 0.0)]
            return
        start, end = self._core()
        self._before, core, self._behind = text[:start], text[start:end], text[end:]
        self._style = truecasing.style_of(core) if core.upper() != core.lower() else ""
        if self._style == "capitals":
            lower = truecasing.lowered(core, view.source)
            core, self._style = (lower, "capitals") if self._is_fragmented(core, lower) else (core, "")
        self._plan(core, [run for run in symbols.runs(core) if not symbols.is_known(run, view.knows)], glued=True)
        self._retried: str = ""
        self._first: list[Hypothesis] = []
        if not self.requests:
            self.result = [Hypothesis(text, [], 0.0)]

    def _core(self) -> tuple[int, int]:
        """From where to where a text goes without the symbols at its ends, and the marks around those."""
        start, end = 0, len(self._text)
        outer = [
            run
            for run in symbols.runs(self._text)
            if not (symbols.is_mathematical(run) and symbols.is_known(run, self._view.knows))
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
        if self._view.capitals is not None:
            return not self._view.capitals
        return self._view.pieces(capitals) > _FRAGMENTED * self._view.pieces(lower)

    def _plan(self, core: str, kept: list[Run], glued: bool) -> None:
        """Cut the sentence at symbols that stand alone; of words with one, the word is given without it if `glued`."""
        self._asked = core
        self._marked: dict[str, tuple[int, str]] = {}  # by the word without its symbol: number of its part, the word
        parts, at = [""], 0
        for run in kept:
            if run.end <= at:
                continue
            token = _token(core, run)
            bare = "".join(core[a:b] for a, b in ((token[0], run.start), (run.end, token[1])))
            alone = len(symbols.runs(core[slice(*token)])) == 1 and _trimmed(bare) not in self._marked
            if glued and alone and any(map(str.isalnum, bare)):
                parts[-1] += core[at : run.start]
                self._marked[_trimmed(bare)] = len(parts) // 2, _trimmed(core[slice(*token)], run.text)
                at = run.end
                continue
            whole = _is_inside_word(core, run) and token[0] >= at and not unspaced(run.text)
            a, b = token if whole else (run.start, run.end)
            parts[-1] += core[at:a]
            parts += [core[a:b], ""]
            at = b
        parts[-1] += core[at:]
        self._parts = [symbols.folded(part, self._view.knows) if i % 2 == 0 else part for i, part in enumerate(parts)]
        self.requests = [part.strip() for part in self._parts[::2] if symbols.has_letters(part)]

    def take(self, answers: Sequence[list[Hypothesis]]) -> None:
        """Go on with the answers to `requests`: there is a `result`, or there are other requests."""
        made = self._assembled(answers)
        broken = any(is_broken(ranked[0].tokens) for ranked in answers if ranked)
        if not self._retried and (reason := self._flaw(made[0].text if made else "", broken)):
            self._retried, self._first = reason, made
            if reason == "title":
                self._plan(truecasing.lowered(self._asked, self._view.source), self._unknown(), glued=True)
            else:
                self._plan(self._asked, self._kept(broken), glued=False)
            if self.requests:
                return
            made = [self._joined([None] * len(self._parts[::2]))]
        if self._retried == "title":
            made = self._titled(made)
        self.result = [Hypothesis(self._before + h.text + self._behind, h.tokens, h.score) for h in made]

    def _unknown(self) -> list[Run]:
        return [run for run in symbols.runs(self._asked) if not symbols.is_known(run, self._view.knows)]

    def _kept(self, broken: bool) -> list[Run]:
        """Symbols, and with a `broken` answer the words that the model cannot write."""
        words = symbols.unknown_words(self._asked, self._view.knows) if broken else []
        return sorted([*symbols.runs(self._asked), *words], key=lambda run: run.start)

    def _flaw(self, answer: str, broken: bool) -> str:
        """What is wrong with an answer, if another way may do better."""
        if symbols.counts(self._asked) - symbols.counts(answer):
            return "symbols"
        if broken and symbols.unknown_words(self._asked, self._view.knows):
            return "letters"
        return "title" if self._style == "title" and truecasing.is_copy(self._asked, answer) else ""

    def _titled(self, made: list[Hypothesis]) -> list[Hypothesis]:
        if not made or truecasing.is_copy(self._asked, made[0].text):
            return self._first
        language = self._view.target
        return [Hypothesis(truecasing.titled(h.text, self._text, language), h.tokens, h.score) for h in made]

    def _assembled(self, answers: Sequence[list[Hypothesis]]) -> list[Hypothesis]:
        """The parts' answers with the symbols between: the best with the best, and so on."""
        said = iter(answers)
        ranked = [next(said) if symbols.has_letters(part) else [] for part in self._parts[::2]]
        count = min((len(r) for r, part in zip(ranked, self._parts[::2], strict=True) if part.strip() and r), default=0)
        return [self._joined([r[n] if r else None for r in ranked]) for n in range(count)]

    def _joined(self, chosen: Sequence[Hypothesis | None]) -> Hypothesis:
        texts = [
            self._put(2 * number, answer.text.strip()) if answer else self._parts[2 * number]
            for number, answer in enumerate(chosen)
        ]
        marks = self._parts[1::2]
        text = "".join(t + m for t, m in zip(texts, [*marks, ""], strict=True))
        if self._style == "capitals":
            text = truecasing.raised(text, self._view.target)
        own = [answer for answer in chosen if answer]
        pieces = max(1, sum(len(answer.tokens) for answer in own))
        score = sum(answer.score * len(answer.tokens) for answer in own) / pieces
        return Hypothesis(text, [t for answer in own for t in answer.tokens], score)

    def _put(self, number: int, answer: str) -> str:
        """An answer with the space around its part; a full stop that only the model has does not split a sentence."""
        part = self._parts[number]
        if number < len(self._parts) - 1 and part.rstrip()[-1:].isalnum():
            answer = answer.rstrip(".;")
        for bare, (home, whole) in self._marked.items():
            if home != number // 2:
                continue
            answer = re.sub(rf"(?<!\w){re.escape(bare)}(?!\w)", lambda _, w=whole: w, answer, count=1)  # type: ignore[misc]
        return part[: len(part) - len(part.lstrip())] + answer + part[len(part.rstrip()) :]


def _token(text: str, run: Run) -> tuple[int, int]:
    """The word that a run stands in or at."""
    start, end = run.start, run.end
    while start > 0 and not text[start - 1].isspace():
        start -= 1
    while end < len(text) and not text[end].isspace():
        end += 1
    return start, end


def _is_inside_word(text: str, run: Run) -> bool:
    return text[run.start - 1 : run.start].isalnum() and text[run.end : run.end + 1].isalnum()


def _trimmed(word: str, run: str = "") -> str:
    """A word without the punctuation at its ends, which a translation may put elsewhere."""
    ends = "".join({c for c in word if not c.isalnum() and c not in run})
    return word.strip(ends) if ends else word
