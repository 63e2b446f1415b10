"""Sentences with marks in them (tags, code, line breaks): translated whole where every mark finds its place again.

A unit is what a reader takes for one text, such as a paragraph: strings, and between them marks. Its translation has
the same marks in the same order, always. How: a sentence is translated without its marks, what lies between two tags is
translated by itself as well, and looked for in the translation of the whole. Where it is not found, the tags go around
the words that attended to it, if the model tells. Where that fails too, or something that must be kept got lost, the
sentence is translated in parts, cut at its marks; then nothing can get lost.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from itertools import groupby
from typing import Any, TypeVar

from distilmt.documents import Attentive, Translate, keep_of, placeholders
from distilmt.documents.placeholders import Grammar, Kept
from distilmt.documents.segments import Mark, Unit, gaps, in_sentences, inside, text_of, with_breaks
from distilmt.documents.tagged_sentence import Sentence, Spans, as_kept
from distilmt.inference.base import Attended

# Asks for translations of texts, or for the attention of a sentence and its translation; is sent them, and returns what
# it made.
Asked = list[str] | tuple[str, str]
Job = Generator[Asked, Any, Unit]
_Item = TypeVar("_Item")

_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff\ufffe\uffff]")
# What joins a part to the word beside it, at the part's start and at its end.
_JOINT_BEFORE, _JOINT_BEHIND = re.compile(r"^[-–—/'’](?=\w{2})"), re.compile(r"(?<=\w)[-–—/'’]$")
_SPACED_STOP = re.compile("[。！？] ")
_MANY = 200  # Sentences with more marks are translated in parts at once.
# So are longer ones with marks in them: placing a mark looks at all of the sentence.
_LONG = 5000
_NESTED = 4  # Tags in tags in tags hold a text more often than that: all of these texts would be translated.
# What one call translates at most, in characters: between two calls a program can be stopped.
_BATCH = 20_000
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
    grammar = Grammar(keep=keep_of(translate))
    spaced = [with_breaks(placeholders.in_unit(unit, grammar)) for unit in units]
    cut = [_cut_at_fences(unit) for unit in spaced]
    jobs = [_edged(parts, strict) for sentences in cut for is_sentence, parts in sentences if is_sentence]
    made = iter(_drive(jobs, translate))
    joined = [[p for is_sentence, parts in some for p in (next(made) if is_sentence else parts)] for some in cut]
    respaced = [_respaced(unit, result) for unit, result in zip(spaced, joined, strict=True)]
    return [placeholders.without_marks(unit) for unit in respaced]


def _cut_at_fences(unit: Unit) -> list[tuple[bool, Unit]]:
    """A unit's sentences and what is none; a statement of a template ends a sentence."""
    cut: list[tuple[bool, Unit]] = []
    for is_fence, run in groupby(unit, lambda part: isinstance(part, Mark) and part.kind == "fence"):
        parts = list(run)
        cut += [(False, parts)] if is_fence else in_sentences(parts)
    return cut


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
        for batch in _batches(texts, len):
            known.update(zip(batch, map(_clean, translate(batch)), strict=True))
        pairs = dict.fromkeys(ask for ask in asked.values() if isinstance(ask, tuple))
        told: dict[tuple[str, str], list[Attended]] = {}
        for some in _batches(list(pairs), lambda pair: len(pair[0]) + len(pair[1])):
            told |= _attention(some, translate)
        for number, ask in asked.items():
            go_on(number, [known[text] or text for text in ask] if isinstance(ask, list) else told[ask])
    return made


def _batches(items: Sequence[_Item], size: Callable[[_Item], int]) -> Iterator[list[_Item]]:
    """Items in turn, as many at once as `_BATCH` lets."""
    batch: list[_Item] = []
    total = 0
    for item in items:
        if batch and total + size(item) > _BATCH:
            yield batch
            batch, total = [], 0
        batch.append(item)
        total += size(item)
    if batch:
        yield batch


def _attention(pairs: list[tuple[str, str]], translate: Translate) -> dict[tuple[str, str], list[Attended]]:
    """Of sentences and their translations; none if the model does not tell."""
    if not pairs or not isinstance(translate, Attentive):
        return {pair: [] for pair in pairs}
    return dict(zip(pairs, translate.attention([text for text, _ in pairs], [said for _, said in pairs]), strict=True))


def _clean(text: str) -> str:
    return " ".join(_CONTROL.sub("", text).split())


def _edged(parts: Unit, strict: bool) -> Job:
    """A sentence without the marks around all of it, and these again."""
    start, end = inside(parts)
    made = yield from _sentence(parts[start:end], strict)
    return [*parts[:start], *made, *parts[end:]]


def _respaced(unit: Unit, made: Unit) -> Unit:
    """Behind a full stop of Chinese or Japanese there is no space, behind a western one there is."""
    east = {p[-1:] for p in unit if isinstance(p, str)} & set("。！？")
    spaced = any(_SPACED_STOP.search(p) for p in unit if isinstance(p, str))  # as its writer wants it
    found: Unit = []
    for part in made:
        before = found[-1] if found else None
        if isinstance(part, str) and isinstance(before, str):
            if part == " " and before.endswith(("。", "！", "？")) and not (east or spaced):
                continue
            part = f" {part}" if east and before.endswith((".", "!", "?")) and part[:1].isalnum() else part
        found.append(part)
    return found


def _has_words(parts: Iterable[str | Mark | Kept]) -> bool:
    return any(isinstance(part, str) and any(c.isalpha() for c in part) for part in parts)


def _sentence(parts: Unit, strict: bool) -> Job:
    if not _has_words(parts):
        return parts
    whole = yield from _whole(parts, strict)
    if whole is None:
        whole = yield from _in_parts(parts, strict)
    return whole


def _whole(parts: Unit, strict: bool) -> Generator[Asked, Any, Unit | None]:
    """A sentence's translation with its marks; None if one of them cannot be placed."""
    if len(parts) == 1 and isinstance(text := parts[0], str):
        return list((yield [text]))
    flat = _flat(parts)
    if len(flat) > _MANY or (len(flat) > 1 and sum(len(p) for p in flat if isinstance(p, str)) > _LONG):
        return None
    kept = [k for part in flat if (k := as_kept(part))]
    for stand_ins in placeholders.masks(kept):
        sentence = Sentence(flat, stand_ins)
        source_at = placeholders.positions(sentence.text, stand_ins, kept)
        if source_at is None:
            continue
        contents = sentence.contents()
        if sum(map(len, contents)) > _NESTED * len(sentence.text) + _LONG:
            return None
        asked = list(dict.fromkeys(c for c in contents if placeholders.has_words(c)))
        said, *answers = yield [sentence.text, *asked]
        kept_at = placeholders.positions(said, stand_ins, kept)
        # A model that is shown a placeholder may repeat a part of it: a lone `{{` would break a template.
        if kept_at is None or placeholders.differ(
            _restored(sentence.text, source_at, kept), _restored(said, kept_at, kept)
        ):
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


def _restored(text: str, spans: Sequence[tuple[int, int]], kept: Sequence[Kept]) -> str:
    """A text with the placeholders themselves where their stand-ins are."""
    pieces, at = [], 0
    for (start, end), part in sorted(zip(spans, kept, strict=True), key=lambda item: item[0]):
        pieces += [text[at:start], part.shown]
        at = end
    return "".join([*pieces, text[at:]])


def _marked(
    sentence: Sentence, said: str, spans: Spans, kept_at: list[tuple[int, int]], filled: Unit | None
) -> Unit | None:
    """A translation with its marks; None if one cannot be placed, or text comes where `filled` has none."""
    made = sentence.translated(said, spans, kept_at)
    return None if made is None or (filled is not None and not _as_filled(filled, made)) else made


def _flat(parts: Unit) -> list[str | Kept | Mark]:
    return [
        Kept(part.raw, part.ordered) if isinstance(part, Mark) and part.kind == "placeholder" else part
        for part in parts
    ]


def _as_filled(before: Unit, after: Unit) -> bool:
    """Whether text stands only where there was some."""
    return all(bool(text_of(a)) or not text_of(b) for a, b in zip(gaps(before), gaps(after), strict=True))


def _in_parts(parts: Unit, strict: bool) -> Job:
    """Translate what lies between the marks, or else between what is kept, or else between line breaks."""
    flat = _flat(parts)
    if len(flat) == 1:  # It cannot be cut any more.
        (text,) = yield [text_of(parts)]
        return [text]
    if any(map(_is_tag, flat)):
        made = yield from _cut_at(flat, _is_tag, strict)
    elif any(isinstance(p, Kept) for p in flat):
        made = yield from _cut_at(flat, lambda p: isinstance(p, Kept), strict)
    else:
        made = yield from _cut_at(flat, lambda p: isinstance(p, Mark), strict)
    return made


def _is_tag(part: str | Kept | Mark) -> bool:
    return isinstance(part, Mark) and part.kind != "break"


def _cut_at(parts: Sequence[str | Kept | Mark], cuts: Callable[[str | Kept | Mark], bool], strict: bool) -> Job:
    made: Unit = []
    for cut, run in groupby(parts, cuts):
        group: Unit = [placeholders.mark(p) if isinstance(p, Kept) else p for p in run]
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
        bare = _JOINT_BEFORE.sub("", text.lstrip(_BEFORE))
        core[0], before = bare, text[: len(text) - len(bare)]
    if isinstance(text := core[-1], str):
        bare = _JOINT_BEHIND.sub("", text.rstrip(_BEHIND))
        core[-1], behind = bare, text[len(bare) :]
    return [*group[:first], before], [p for p in core if p != ""], [behind, *group[last + 1 :]]
