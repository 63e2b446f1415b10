"""A sentence with inline tags: its plain form for the model, and the restored tags in its translation."""

from __future__ import annotations

from collections.abc import Sequence

from distilmt.data.cleaning import unspaced_count
from distilmt.documents.placeholders import Placeholder
from distilmt.documents.segments import InlineTag, Segment, tag_pairs
from distilmt.documents.tag_alignment import TagSlot, align_by_attention, find_span, place_tags
from distilmt.inference.base import Span, WordAttention

# Span in a translation of the content of an opening tag (or of an unmatched closing one), by the tag's number.
Spans = dict[int, Span | None]


def as_placeholder(part: str | Placeholder | InlineTag) -> Placeholder | None:
    """The spans of a part that a model must keep, if any."""
    if isinstance(part, InlineTag):
        return Placeholder(part.shown) if part.kind == "kept" else None
    return part if isinstance(part, Placeholder) else None


class TaggedSentence:
    """The model input for a sentence, with the positions of its tags."""

    def __init__(self, flat: list[str | Placeholder | InlineTag], stand_ins: Sequence[str]) -> None:
        self.flat = flat
        self.text = ""
        self.spans: list[tuple[int, int]] = []
        self._doubled: set[int] = set()  # white space after white space, with a tag between
        masks = iter(stand_ins)
        for number, part in enumerate(flat):
            start = len(self.text)
            if as_placeholder(part):
                self.text += next(masks)
            elif isinstance(part, str):
                self.text += part
            elif isinstance(part, InlineTag) and part.kind == "break" and self.text[-1:] == " ":
                self._doubled.add(number)
            elif isinstance(part, InlineTag) and part.kind == "break" and not self._in_word(number):
                self.text += " "
            self.spans.append((start, len(self.text)))
        self.pairs = tag_pairs(flat)
        self._between = {
            i: (self.spans[i][1], self.spans[self.pairs[i]][0] if i in self.pairs else len(self.text))
            for i, part in enumerate(flat)
            if isinstance(part, InlineTag) and part.kind == "open"
        }
        closed = set(self.pairs.values())
        for j, part in enumerate(flat):
            if isinstance(part, InlineTag) and part.kind == "close" and j not in closed:
                self._between[j] = (0, self.spans[j][0])

    def _in_word(self, number: int) -> bool:
        """Whether a line break is in a script without spaces."""
        behind = next((p for p in self.flat[number + 1 :] if isinstance(p, str)), "")
        return bool(unspaced_count(self.text[-1:]) and unspaced_count(behind[:1]))

    def contents(self) -> list[str]:
        """The texts between tags."""
        return [text for a, b in self._between.values() if (text := self.text[a:b].strip())]

    def content_spans(self, translation: str, content_translations: dict[str, str]) -> Spans:
        """Spans of the texts between tags in the translation, by their separate translations."""
        unchanged = self._is_unchanged(translation)
        spans: Spans = {}
        for number, (a, b) in self._between.items():
            if content := self.text[a:b].strip():
                near = a / max(1, len(self.text))
                spans[number] = (
                    (a, b)
                    if unchanged
                    else find_span(content_translations.get(content, content), self.text[a:b], translation, near)
                )
        return spans

    def _is_unchanged(self, translation: str) -> bool:
        """Whether a sentence stays as it is (a name, another language): it keeps its tags where they are."""
        return translation.lower() == self.text.lower() and len(translation) == len(self.text)

    def attention_spans(self, translation: str, words: Sequence[WordAttention]) -> Spans:
        """Spans by the attention of the translation's words."""
        between = {n: (a, b) for n, (a, b) in self._between.items() if self.text[a:b].strip()}
        return {n: align_by_attention(words, (a, b), self.text[a:b], translation) for n, (a, b) in between.items()}

    def insert_tags(self, translation: str, spans: Spans, placeholder_spans: list[tuple[int, int]]) -> Segment | None:
        """The sentence's translation with all tags; None if one cannot be placed."""
        targets: dict[int, tuple[int, int]] = {}
        for number, span in spans.items():
            if span is None:
                return None
            targets |= self._edges(number, span)
        if self._is_unchanged(translation):
            targets = dict(enumerate(self.spans))
        places = iter(placeholder_spans)
        loose: list[tuple[int, int, str | InlineTag]] = []
        slots, tags = [], []
        for number, part in enumerate(self.flat):
            at = next(places) if as_placeholder(part) else targets.get(number)
            if isinstance(part, Placeholder) and at:
                loose.append((*at, part.shown))
            elif isinstance(part, InlineTag):
                tags.append(part)
                slots.append(TagSlot(self.spans[number], at, part.kind == "break" and number not in self._doubled))
        tag_spans = place_tags(self.text, translation, slots, placeholder_spans)
        if tag_spans is None:
            return None
        inserted = [(*span, tag) for span, tag in zip(tag_spans, tags, strict=True)]
        return _insert(translation, sorted([*inserted, *loose], key=lambda item: item[:2]))

    def _edges(self, number: int, span: tuple[int, int]) -> dict[int, tuple[int, int]]:
        start, end = (span[0], span[0]), (span[1], span[1])
        if number in self.pairs:
            return {number: start, self.pairs[number]: end}
        part = self.flat[number]
        return {number: start if isinstance(part, InlineTag) and part.kind == "open" else end}


def _insert(translation: str, items: Sequence[tuple[int, int, str | InlineTag]]) -> Segment:
    parts: Segment = []
    at = 0
    for start, end, part in items:
        parts += [translation[at:start], part]
        at = end
    return [part for part in [*parts, translation[at:]] if part != ""]
