"""Sentences with marks in them (tags, code, line breaks): translated whole where every mark finds its place again.

A unit is what a reader takes for one text, such as a paragraph: strings, and between them marks. Its translation has
the same marks in the same order, always. How: a sentence is translated without its marks, what lies between two tags is
translated by itself as well, and looked for in the translation of the whole. Where it is not found, the tags go around
the words that attended to it, if the model tells. Where that fails too, or something that must be kept got lost, the
sentence is translated in parts, cut at its marks; then nothing can get lost.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Generator, Iterable, Sequence
from itertools import groupby
from typing import Any

from distilmt.corpora.cleaning import unspaced
from distilmt.formats import Attentive, Translate, protect
from distilmt.formats.place import Stop, attended, find, place
from distilmt.formats.protect import Kept
from distilmt.formats.units import Mark, Unit, gaps, in_sentences, inside, pairs_of, text_of, with_breaks
from distilmt.speaker import Attended, Span

# Asks for translations of texts, or for the attention of a sentence and its translation; is sent them, and returns what
# it made.
Asked = list[str] | tuple[str, str]
Job = Generator[Asked, Any, Unit]
# Where what an opening tag begins (or a lone closing one ends) stands in a translation, by the tag's number.
Spans = dict[int, Span | None]

_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff\ufffe\uffff]")
_HYPHEN = re.compile(r"^[-–—/'’](?=\w{2})|(?<=\w)[-–—/'’]$")
_MANY = 200  # Sentences with more marks are translated in parts at once.
_BEFORE, _BEHIND = " \t\r\n,;:!?)]}»”", " \t\r\n([{«„“,;:–—"


def translate_units(units: Sequence[Unit], translate: Translate, strict: bool = False) -> list[Unit]:
    """Translate units, all together.

    Args:
        units: strings and marks in turn, any number of each.
        translate: sentences in, as many translations out; an `Attentive` one tells their attention too.
        strict: no text may come to stand between two marks that had none between them.

    Returns:
        For every unit the same marks in the same order, with other strings between them.
    """
    return _drive([_unit(with_breaks(unit), strict) for unit in units], translate)


def _drive(jobs: list[Job], translate: Translate) -> list[Unit]:
    """Run jobs side by side: what all of them ask for is translated together, every text once."""
    made: list[Unit] = [[] for _ in jobs]
    known: dict[str, str] = {}
    waiting: dict[int, list[str] | tuple[str, str]] = {}

    def go_on(number: int, answers: list[str] | list[Attended] | None) -> None:
        try:
            waiting[number] = jobs[number].send(answers)
        except StopIteration as stop:
            made[number] = stop.value

    for number in range(len(jobs)):
        go_on(number, None)
    while waiting:
        asked, waiting = waiting, {}
        asks = [ask for ask in asked.values() if isinstance(ask, list)]
        texts = [text for text in dict.fromkeys(t for ask in asks for t in ask) if text not in known]
        known.update(zip(texts, map(_clean, translate(texts)) if texts else (), strict=True))
        told = _attention(list(dict.fromkeys(ask for ask in asked.values() if isinstance(ask, tuple))), translate)
        for number, ask in asked.items():
            go_on(number, [known[text] or text for text in ask] if isinstance(ask, list) else told[ask])
    return made


def _attention(pairs: list[tuple[str, str]], translate: Translate) -> dict[tuple[str, str], list[Attended]]:
    """Of sentences and their translations; none if the model does not tell."""
    if not pairs or not isinstance(translate, Attentive):
        return {pair: [] for pair in pairs}
    return dict(zip(pairs, translate.attention([text for text, _ in pairs], [said for _, said in pairs]), strict=True))


def _clean(text: str) -> str:
    return " ".join(_CONTROL.sub("", text).split())


def _unit(unit: Unit, strict: bool) -> Job:
    """Sentence by sentence, with what stood between them."""
    made: Unit = []
    for is_sentence, parts in in_sentences(unit):
        if not is_sentence:
            made += parts
            continue
        start, end = inside(parts)
        said = yield from _sentence(parts[start:end], strict)
        made += [*parts[:start], *said, *parts[end:]]
    return _respaced(unit, made)


def _respaced(unit: Unit, made: Unit) -> Unit:
    """Behind a full stop of Chinese or Japanese there is no space, behind a western one there is."""
    east = {p[-1:] for p in unit if isinstance(p, str)} & set("。！？")
    found: Unit = []
    for part in made:
        before = found[-1] if found else None
        if isinstance(part, str) and isinstance(before, str):
            if part == " " and before.endswith(("。", "！", "？")) and not east:
                continue
            part = f" {part}" if east and before.endswith((".", "!", "?")) and part[:1].isalnum() else part
        found.append(part)
    return found


def _has_words(parts: Iterable[str | Mark | Kept]) -> bool:
    return any(isinstance(part, str) and protect.has_words(part) for part in parts)


def _sentence(parts: Unit, strict: bool) -> Job:
    if not _has_words(parts):
        return parts
    whole = yield from _whole(parts, strict)
    if whole is None:
        whole = yield from _in_parts(parts, strict)
    return whole


def _whole(parts: Unit, strict: bool) -> Generator[Asked, Any, Unit | None]:
    """A sentence's translation with its marks; None if one of them cannot be placed."""
    flat = _flat(parts)
    if len(flat) > _MANY:
        return None
    kept = [k for part in flat if (k := _kept(part))]
    for stand_ins in protect.masks(kept):
        sentence = _Sentence(flat, stand_ins)
        if protect.positions(sentence.text, stand_ins, kept) is None:
            continue
        asked = list(dict.fromkeys(c for c in sentence.contents() if protect.has_words(c)))
        said, *answers = yield [sentence.text, *asked]
        kept_at = protect.positions(said, stand_ins, kept)
        if kept_at is None:
            continue
        spans = sentence.found(said, dict(zip(asked, answers, strict=True)))
        made = _marked(sentence, said, spans, kept_at, parts if strict else None)
        if made is None and spans:
            told = sentence.attended(said, (yield sentence.text, said))
            both = {number: span or told[number] for number, span in spans.items()}
            made = _marked(sentence, said, both, kept_at, parts if strict else None)
            # What is found and what attended may stand in each other's way.
            made = made or _marked(sentence, said, told, kept_at, parts if strict else None)
        return made
    return None


def _marked(
    sentence: _Sentence, said: str, spans: Spans, kept_at: list[tuple[int, int]], filled: Unit | None
) -> Unit | None:
    """A translation with its marks; None if one cannot be placed, or text comes where `filled` has none."""
    made = sentence.translated(said, spans, kept_at)
    return None if made is None or (filled is not None and not _as_filled(filled, made)) else made


def _flat(parts: Unit) -> list[str | Kept | Mark]:
    return [p for part in parts for p in (protect.split(part) if isinstance(part, str) else [part])]


def _kept(part: str | Kept | Mark) -> Kept | None:
    if isinstance(part, Mark):
        return Kept(part.shown) if part.kind == "kept" else None
    return part if isinstance(part, Kept) else None


def _as_filled(before: Unit, after: Unit) -> bool:
    """Whether text stands only where there was some."""
    return all(bool(text_of(a)) or not text_of(b) for a, b in zip(gaps(before), gaps(after), strict=True))


class _Sentence:
    """A sentence as the model is given it, with what stands where."""

    def __init__(self, flat: list[str | Kept | Mark], stand_ins: Sequence[str]) -> None:
        self.flat = flat
        self.text = ""
        self.spans: list[tuple[int, int]] = []
        self._doubled: set[int] = set()  # white space behind white space, with a tag between
        masks = iter(stand_ins)
        for number, part in enumerate(flat):
            start = len(self.text)
            if _kept(part):
                self.text += next(masks)
            elif isinstance(part, str):
                self.text += part
            elif isinstance(part, Mark) and part.kind == "break" and self.text[-1:] == " ":
                self._doubled.add(number)
            elif isinstance(part, Mark) and part.kind == "break" and not self._in_word(number):
                self.text += " "
            self.spans.append((start, len(self.text)))
        self.pairs = pairs_of(flat)
        self._between = {
            i: (self.spans[i][1], self.spans[self.pairs[i]][0] if i in self.pairs else len(self.text))
            for i, part in enumerate(flat)
            if isinstance(part, Mark) and part.kind == "open"
        }
        closed = set(self.pairs.values())
        for j, part in enumerate(flat):
            if isinstance(part, Mark) and part.kind == "close" and j not in closed:
                self._between[j] = (0, self.spans[j][0])

    def _in_word(self, number: int) -> bool:
        """Whether a line breaks where its script has no spaces."""
        behind = next((p for p in self.flat[number + 1 :] if isinstance(p, str)), "")
        return bool(unspaced(self.text[-1:]) and unspaced(behind[:1]))

    def contents(self) -> list[str]:
        """What stands between tags."""
        return [text for a, b in self._between.values() if (text := self.text[a:b].strip())]

    def found(self, said: str, known: dict[str, str]) -> Spans:
        """Where what stands between tags is in the translation, by its own translation."""
        # A sentence that stays as it is (a name, another language) keeps its tags where they are.
        unchanged = said.lower() == self.text.lower() and len(said) == len(self.text)
        spans: Spans = {}
        for number, (a, b) in self._between.items():
            if content := self.text[a:b].strip():
                near = a / max(1, len(self.text))
                spans[number] = (a, b) if unchanged else find(known.get(content, content), self.text[a:b], said, near)
        return spans

    def attended(self, said: str, words: Sequence[Attended]) -> Spans:
        """Where it is by the attention of the translation's words."""
        between = {n: (a, b) for n, (a, b) in self._between.items() if self.text[a:b].strip()}
        return {n: attended(words, (a, b), self.text[a:b], said) for n, (a, b) in between.items()}

    def translated(self, said: str, spans: Spans, kept_at: list[tuple[int, int]]) -> Unit | None:
        """The sentence's translation with every mark in its place; None if there is none for one."""
        targets: dict[int, tuple[int, int]] = {}
        for number, span in spans.items():
            if span is None:
                return None
            targets |= self._edges(number, span)
        places = iter(kept_at)
        loose: list[tuple[int, int, str | Mark]] = []
        stops, marks = [], []
        for number, part in enumerate(self.flat):
            at = next(places) if _kept(part) else targets.get(number)
            if isinstance(part, Kept) and at:
                loose.append((*at, part.shown))
            elif isinstance(part, Mark):
                marks.append(part)
                stops.append(Stop(self.spans[number], at, part.kind == "break" and number not in self._doubled))
        found = place(self.text, said, stops, kept_at)
        if found is None:
            return None
        inserted = [(*span, mark) for span, mark in zip(found, marks, strict=True)]
        return _inserted(said, sorted([*inserted, *loose], key=lambda item: item[:2]))

    def _edges(self, number: int, span: tuple[int, int]) -> dict[int, tuple[int, int]]:
        start, end = (span[0], span[0]), (span[1], span[1])
        if number in self.pairs:
            return {number: start, self.pairs[number]: end}
        part = self.flat[number]
        return {number: start if isinstance(part, Mark) and part.kind == "open" else end}


def _inserted(said: str, items: Sequence[tuple[int, int, str | Mark]]) -> Unit:
    made: Unit = []
    at = 0
    for start, end, part in items:
        made += [said[at:start], part]
        at = end
    return [part for part in [*made, said[at:]] if part != ""]


def _in_parts(parts: Unit, strict: bool) -> Job:
    """Translate what lies between the marks, or else between what is kept, or else between line breaks."""
    flat = _flat(parts)
    if any(isinstance(p, Mark) and p.kind != "break" for p in flat):
        made = yield from _cut_at(list(parts), lambda p: isinstance(p, Mark) and p.kind != "break", strict)
    elif any(isinstance(p, Kept) for p in flat):
        made = yield from _cut_at(flat, lambda p: isinstance(p, Kept), strict)
    else:
        made = yield from _cut_at(flat, lambda p: isinstance(p, Mark), strict)
    return made


def _cut_at(parts: Sequence[str | Kept | Mark], cuts: Callable[[str | Kept | Mark], bool], strict: bool) -> Job:
    made: Unit = []
    for cut, run in groupby(parts, cuts):
        group: Unit = [p.shown if isinstance(p, Kept) else p for p in run]
        if cut or not _has_words(group):
            made += group
            continue
        before, core, behind = _loose(group)
        said = yield from _sentence(core, strict)
        made += [*before, *said, *behind]
    return made


def _loose(group: Unit) -> tuple[Unit, Unit, Unit]:
    """White space and punctuation at the ends of a part, which a model would lose, and what is between."""
    first = next(i for i, p in enumerate(group) if isinstance(p, str) and p.strip(_BEFORE))
    last = next(i for i in range(len(group) - 1, -1, -1) if isinstance(p := group[i], str) and p.strip(_BEHIND))
    core = list(group[first : last + 1])
    before, behind = "", ""
    if isinstance(text := core[0], str):
        bare = _HYPHEN.sub("", text.lstrip(_BEFORE))
        core[0], before = bare, text[: len(text) - len(bare)]
    if isinstance(text := core[-1], str):
        bare = _HYPHEN.sub("", text.rstrip(_BEHIND))
        core[-1], behind = bare, text[len(bare) :]
    return [*group[:first], before], [p for p in core if p != ""], [behind, *group[last + 1 :]]
