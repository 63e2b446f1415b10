"""A sentence with marks in it as a model is given it, and its translation with the marks again."""

from __future__ import annotations

from collections.abc import Sequence

from distilmt.data.cleaning import unspaced
from distilmt.documents.placeholders import Kept
from distilmt.documents.segments import Mark, Unit, pairs_of
from distilmt.documents.tag_alignment import Stop, attended, find, place
from distilmt.inference.base import Attended, Span

# Where what an opening tag begins (or a lone closing one ends) stands in a translation, by the tag's number.
Spans = dict[int, Span | None]


def as_kept(part: str | Kept | Mark) -> Kept | None:
    """What a model has to keep of a part, if anything."""
    if isinstance(part, Mark):
        return Kept(part.shown) if part.kind == "kept" else None
    return part if isinstance(part, Kept) else None


class Sentence:
    """A sentence as the model is given it, with what stands where."""

    def __init__(self, flat: list[str | Kept | Mark], stand_ins: Sequence[str]) -> None:
        self.flat = flat
        self.text = ""
        self.spans: list[tuple[int, int]] = []
        self._doubled: set[int] = set()  # white space behind white space, with a tag between
        masks = iter(stand_ins)
        for number, part in enumerate(flat):
            start = len(self.text)
            if as_kept(part):
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
            at = next(places) if as_kept(part) else targets.get(number)
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
