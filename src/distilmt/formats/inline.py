"""Sentences with marks in them (tags, code, line breaks): translated whole where every mark finds its place again.

A unit is what a reader takes for one text, such as a paragraph: strings, and between them marks. Its translation has
the same marks in the same order, always. How: a sentence is translated without its marks, what lies between two tags is
translated by itself as well, and looked for in the translation of the whole. Where it is not found, or something that
must be kept got lost, the sentence is translated in parts, cut at its marks; then nothing can get lost.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Generator, Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Literal

from distilmt.corpora.cleaning import unspaced
from distilmt.corpora.sentences import sentences
from distilmt.formats import Translate, protect
from distilmt.formats.place import Stop, find, place
from distilmt.formats.protect import Kept


@dataclass(frozen=True, eq=False)
class Mark:
    """What stands between two texts and stays: `raw` as the file has it.

    `open` and `close` hold a text between them, a `point` stands alone, a `kept` one is read as a word (`shown`), a
    `break` is white space other than one space.
    """

    kind: Literal["open", "close", "point", "kept", "break"]
    raw: str
    shown: str = ""


Unit = list["str | Mark"]
# Asks for translations of texts, is sent them, and returns what it made.
Job = Generator[list[str], list[str], Unit]

_BREAK = re.compile(r"(?! (?=\S))\s+")
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff\ufffe\uffff]")
_MANY = 200  # Sentences with more marks are translated in parts at once.
_BEFORE, _BEHIND = " \t\r\n,;:!?)]}»”", " \t\r\n([{«„“,;:–—"


def translate_units(units: Sequence[Unit], translate: Translate, strict: bool = False) -> list[Unit]:
    """Translate units, all together.

    Args:
        units: strings and marks in turn, any number of each.
        translate: sentences in, as many translations out.
        strict: no text may come to stand between two marks that had none between them.

    Returns:
        For every unit the same marks in the same order, with other strings between them.
    """
    return _drive([_unit(_with_breaks(unit), strict) for unit in units], translate)


def gaps(unit: Unit) -> list[Unit]:
    """What stands before, between and behind a unit's marks (strings and breaks): one more than there are marks."""
    found: list[Unit] = [[]]
    for part in unit:
        if isinstance(part, str) or part.kind == "break":
            found[-1].append(part)
        else:
            found.append([])
    return found


def text_of(unit: Unit) -> str:
    """A unit's strings and marks as one string."""
    return "".join(part if isinstance(part, str) else part.raw for part in unit)


def _drive(jobs: list[Job], translate: Translate) -> list[Unit]:
    """Run jobs side by side: what all of them ask for is translated together, every text once."""
    made: list[Unit] = [[] for _ in jobs]
    known: dict[str, str] = {}
    waiting: dict[int, list[str]] = {}

    def go_on(number: int, answers: list[str] | None) -> None:
        try:
            waiting[number] = jobs[number].send(answers)  # type: ignore[arg-type]
        except StopIteration as stop:
            made[number] = stop.value

    for number in range(len(jobs)):
        go_on(number, None)
    while waiting:
        asked, waiting = waiting, {}
        texts = [text for text in dict.fromkeys(t for ask in asked.values() for t in ask) if text not in known]
        known.update(zip(texts, map(_clean, translate(texts)) if texts else (), strict=True))
        for number, ask in asked.items():
            go_on(number, [known[text] or text for text in ask])
    return made


def _clean(text: str) -> str:
    return " ".join(_CONTROL.sub("", text).split())


def _with_breaks(unit: Unit) -> Unit:
    """White space that is more than a space becomes a mark of its own (without `shown`: it is part of a text)."""
    found: Unit = []
    for part in unit:
        if isinstance(part, Mark):
            found.append(part)
            continue
        end = 0
        for match in _BREAK.finditer(part):
            found += [part[end : match.start()], Mark("break", match[0])]
            end = match.end()
        found.append(part[end:])
    return [part for part in found if part != ""]


def _unit(unit: Unit, strict: bool) -> Job:
    """Sentence by sentence, with what stood between them."""
    made: Unit = []
    for is_sentence, parts in _sentences(unit):
        if not is_sentence:
            made += parts
            continue
        start, end = _inside(parts)
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


def _width(part: str | Mark) -> int:
    return len(part) if isinstance(part, str) else int(part.kind in ("kept", "break"))


def _sentences(unit: Unit) -> list[tuple[bool, Unit]]:
    """A unit's sentences, and in between what is none; together they are the unit."""
    plain = "".join(p if isinstance(p, str) else {"kept": "X", "break": "\n"}.get(p.kind, "") for p in unit)
    cuts: list[int] = []
    for sentence in sentences(plain):
        begin = plain.index(sentence, cuts[-1] if cuts else 0)
        cuts += [begin, begin + len(sentence)]
    return [(number % 2 == 1, parts) for number, parts in enumerate(_cut(unit, cuts))]


def _cut(unit: Unit, cuts: Sequence[int]) -> list[Unit]:
    """A unit in pieces, cut at these characters. Marks without width stay with the text that they belong to."""
    found: list[Unit] = [[]]
    at = 0
    for part in unit:
        width, used = _width(part), 0
        while len(found) <= len(cuts):
            left = cuts[len(found) - 1] - at
            # A sentence keeps a closing tag or a note behind it; what is between two keeps only closing tags.
            stay = ("close", "point") if len(found) % 2 == 0 else ("close",)
            if left >= width - used and (left > 0 or (isinstance(part, Mark) and part.kind in stay)):
                break
            if isinstance(part, str) and left:
                found[-1].append(part[used : used + left])
            used, at = used + left, at + left
            found.append([])
        found[-1].append(part[used:] if isinstance(part, str) else part)
        at += width - used
    found += [[] for _ in range(len(cuts) + 1 - len(found))]
    return [[p for p in piece if p != ""] for piece in found]


def _pairs(parts: Sequence[object]) -> dict[int, int]:
    """For every opening mark the closing one that belongs to it, by their numbers."""
    pairs: dict[int, int] = {}
    opened: list[int] = []
    for number, part in enumerate(parts):
        if isinstance(part, Mark) and part.kind == "open":
            opened.append(number)
        elif isinstance(part, Mark) and part.kind == "close" and opened:
            pairs[opened.pop()] = number
    return pairs


def _inside(parts: Unit) -> tuple[int, int]:
    """From where to where a sentence goes without the marks that stand around all of it."""
    start, end, pairs = 0, len(parts), _pairs(parts)
    closers = {close: open_ for open_, close in pairs.items()}

    def outer(number: int, partner: int | None, own: str) -> bool:
        part = parts[number]
        if isinstance(part, str) or part.kind == "kept":
            return False
        return part.kind != own or partner is None or not start <= partner < end

    while start < end:
        if pairs.get(start) == end - 1:
            start, end = start + 1, end - 1
        elif outer(start, pairs.get(start), "open"):
            start += 1
        elif outer(end - 1, closers.get(end - 1), "close"):
            end -= 1
        else:
            break
    return start, end


def _has_words(parts: Iterable[str | Mark | Kept]) -> bool:
    return any(isinstance(part, str) and protect.has_words(part) for part in parts)


def _sentence(parts: Unit, strict: bool) -> Job:
    if not _has_words(parts):
        return parts
    whole = yield from _whole(parts, strict)
    if whole is None:
        whole = yield from _in_parts(parts, strict)
    return whole


def _whole(parts: Unit, strict: bool) -> Generator[list[str], list[str], Unit | None]:
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
        made = sentence.translated(said, dict(zip(asked, answers, strict=True)), kept_at)
        if made is None or (strict and not _as_filled(parts, made)):
            return None
        return made
    return None


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
        masks = iter(stand_ins)
        for number, part in enumerate(flat):
            start = len(self.text)
            if _kept(part):
                self.text += next(masks)
            elif isinstance(part, str):
                self.text += part
            elif isinstance(part, Mark) and part.kind == "break" and not self._in_word(number):
                self.text += " "
            self.spans.append((start, len(self.text)))
        self.pairs = _pairs(flat)
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

    def translated(self, said: str, known: dict[str, str], kept_at: list[tuple[int, int]]) -> Unit | None:
        """The sentence's translation with every mark in its place; None if there is none for one."""
        targets: dict[int, tuple[int, int]] = {}
        for number, (a, b) in self._between.items():
            content = self.text[a:b]
            if not content.strip():
                continue
            answer = known.get(content.strip(), content.strip())
            span = find(answer, content, said, a / max(1, len(self.text)))
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
                stops.append(Stop(self.spans[number], at, part.kind == "break"))
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
        bare = text.lstrip(_BEFORE)
        core[0], before = bare, text[: len(text) - len(bare)]
    if isinstance(text := core[-1], str):
        bare = text.rstrip(_BEHIND)
        core[-1], behind = bare, text[len(bare) :]
    return [*group[:first], before], [p for p in core if p != ""], [behind, *group[last + 1 :]]
