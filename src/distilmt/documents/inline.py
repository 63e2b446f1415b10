"""Translate sentences with inline tags (tags, code, line breaks) whole, if every tag can be placed again.

A segment is a coherent text such as a paragraph: strings with inline tags between them. Its translation always has
the same tags in the same order. A sentence is translated without its tags; the text between two tags is also
translated alone, and searched in the translation of the sentence. If it is not found, the tags go around the words
with the most attention on it, if the model has attention. If that fails too, or a placeholder got lost, the sentence
is split at its tags and translated in parts; then nothing can get lost.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Generator, Iterable, Sequence
from itertools import groupby

from distilmt.documents import Translate, keep_of, placeholders
from distilmt.documents.placeholders import Grammar, Placeholder
from distilmt.documents.segments import (
    InlineTag,
    Segment,
    gaps,
    mark_breaks,
    sentence_segments,
    text_of,
    trim_outer_tags,
)
from distilmt.documents.sentence_tasks import AttentionRequest, Request, SentenceTask, TranslationRequest, run_tasks
from distilmt.documents.tagged_sentence import Spans, TaggedSentence, as_placeholder

# Characters that join a part to the adjacent word, at the part's start and at its end.
_JOINT_BEFORE, _JOINT_BEHIND = re.compile(r"^[-–—/'’](?=\w{2})"), re.compile(r"(?<=\w)[-–—/'’]$")
_SPACED_STOP = re.compile("[。！？] ")
_MANY = 200  # Sentences with more tags are translated in parts directly.
# So are longer ones with tags: placing a tag scans the whole sentence.
_LONG = 5000
_NESTED = 4  # Maximum nesting of tags around a text: the text of each level would be translated.
_BEFORE, _BEHIND = " \t\r\n,;:!?)]}»”", " \t\r\n([{«„“,;:–—"


def translate_segments(segments: Sequence[Segment], translate: Translate, strict: bool = False) -> list[Segment]:
    """Translate segments, all together.

    Args:
        segments: strings and tags in any order and number.
        translate: maps sentences to translations; a `TranslateWithAttention` also gives their attention.
        strict: no text may be placed between two tags that had none between them.

    Returns:
        For every segment the same tags in the same order, with the translated strings between them.
    """
    grammar = Grammar(keep=keep_of(translate))
    spaced = [mark_breaks(placeholders.tag_placeholders(segment, grammar)) for segment in segments]
    cut = [_cut_at_fences(segment) for segment in spaced]
    tasks = [_translate_edged(parts, strict) for sentences in cut for is_sentence, parts in sentences if is_sentence]
    translations = iter(run_tasks(tasks, translate))
    joined = [
        [p for is_sentence, parts in some for p in (next(translations) if is_sentence else parts)] for some in cut
    ]
    respaced = [_restore_spacing(segment, result) for segment, result in zip(spaced, joined, strict=True)]
    return [placeholders.untag_placeholders(segment) for segment in respaced]


def _cut_at_fences(segment: Segment) -> list[tuple[bool, Segment]]:
    """A segment's sentences and the parts between them; a statement of a template ends a sentence."""
    cut: list[tuple[bool, Segment]] = []
    for is_fence, run in groupby(segment, lambda part: isinstance(part, InlineTag) and part.kind == "fence"):
        parts = list(run)
        cut += [(False, parts)] if is_fence else sentence_segments(parts)
    return cut


def _translate_edged(parts: Segment, strict: bool) -> SentenceTask:
    """Translate a sentence without the tags that enclose all of it, then add these again."""
    start, end = trim_outer_tags(parts)
    translation = yield from _translate_sentence(parts[start:end], strict)
    return [*parts[:start], *translation, *parts[end:]]


def _restore_spacing(segment: Segment, translation: Segment) -> Segment:
    """Fix spaces between sentences: none after a full stop of Chinese or Japanese, one after a Western one."""
    east = {p[-1:] for p in segment if isinstance(p, str)} & set("。！？")
    spaced = any(_SPACED_STOP.search(p) for p in segment if isinstance(p, str))  # the source's own style
    parts: Segment = []
    for part in translation:
        before = parts[-1] if parts else None
        if isinstance(part, str) and isinstance(before, str):
            if part == " " and before.endswith(("。", "！", "？")) and not (east or spaced):
                continue
            part = f" {part}" if east and before.endswith((".", "!", "?")) and part[:1].isalnum() else part
        parts.append(part)
    return parts


def _has_words(parts: Iterable[str | InlineTag | Placeholder]) -> bool:
    return any(isinstance(part, str) and any(c.isalpha() for c in part) for part in parts)


def _translate_sentence(parts: Segment, strict: bool) -> SentenceTask:
    if not _has_words(parts):
        return parts
    whole = yield from _translate_whole(parts, strict)
    if whole is None:
        whole = yield from _translate_in_parts(parts, strict)
    return whole


def _translations(texts: list[str]) -> Generator[Request, None, list[str]]:
    request = TranslationRequest(texts)
    yield request
    return request.translations


def _translate_whole(parts: Segment, strict: bool) -> Generator[Request, None, Segment | None]:
    """A sentence's translation with its tags; None if one of them cannot be placed."""
    if len(parts) == 1 and isinstance(text := parts[0], str):
        translations = yield from _translations([text])
        return list(translations)
    flat = _flat(parts)
    if len(flat) > _MANY or (len(flat) > 1 and sum(len(p) for p in flat if isinstance(p, str)) > _LONG):
        return None
    literals = [k for part in flat if (k := as_placeholder(part))]
    for stand_ins in placeholders.stand_in_candidates(literals):
        sentence = TaggedSentence(flat, stand_ins)
        source_at = placeholders.placeholder_positions(sentence.text, stand_ins, literals)
        if source_at is None:
            continue
        contents = sentence.contents()
        if sum(map(len, contents)) > _NESTED * len(sentence.text) + _LONG:
            return None
        unique_contents = list(dict.fromkeys(c for c in contents if placeholders.has_words(c)))
        translation, *content_translations = yield from _translations([sentence.text, *unique_contents])
        placeholder_spans = placeholders.placeholder_positions(translation, stand_ins, literals)
        # A model may repeat a part of a placeholder in its input: a lone `{{` would break a template.
        if placeholder_spans is None or placeholders.placeholders_differ(
            _restore_placeholders(sentence.text, source_at, literals),
            _restore_placeholders(translation, placeholder_spans, literals),
        ):
            continue
        spans = sentence.content_spans(translation, dict(zip(unique_contents, content_translations, strict=True)))
        result = _insert_tags(sentence, translation, spans, placeholder_spans, parts if strict else None)
        if result is None and spans:
            request = AttentionRequest(sentence.text, translation)
            yield request
            attention_spans = sentence.attention_spans(translation, request.words)
            both = {number: span or attention_spans[number] for number, span in spans.items()}
            result = _insert_tags(sentence, translation, both, placeholder_spans, parts if strict else None)
            # Places found by search and by attention may overlap.
            result = result or _insert_tags(
                sentence, translation, attention_spans, placeholder_spans, parts if strict else None
            )
        return result
    return None


def _restore_placeholders(text: str, spans: Sequence[tuple[int, int]], placeholders: Sequence[Placeholder]) -> str:
    """Replace the stand-ins in a text by their placeholders."""
    pieces, at = [], 0
    for (start, end), part in sorted(zip(spans, placeholders, strict=True), key=lambda item: item[0]):
        pieces += [text[at:start], part.shown]
        at = end
    return "".join([*pieces, text[at:]])


def _insert_tags(
    sentence: TaggedSentence,
    translation: str,
    spans: Spans,
    placeholder_spans: list[tuple[int, int]],
    filled: Segment | None,
) -> Segment | None:
    """A translation with its tags; None if one cannot be placed, or text is placed where `filled` has none."""
    result = sentence.insert_tags(translation, spans, placeholder_spans)
    return None if result is None or (filled is not None and not _as_filled(filled, result)) else result


def _flat(parts: Segment) -> list[str | Placeholder | InlineTag]:
    return [
        Placeholder(part.raw, part.ordered) if isinstance(part, InlineTag) and part.kind == "placeholder" else part
        for part in parts
    ]


def _as_filled(before: Segment, after: Segment) -> bool:
    """Whether text is only at positions that had text before."""
    return all(bool(text_of(a)) or not text_of(b) for a, b in zip(gaps(before), gaps(after), strict=True))


def _translate_in_parts(parts: Segment, strict: bool) -> SentenceTask:
    """Translate the text between the tags, or else between kept spans, or else between line breaks."""
    flat = _flat(parts)
    if len(flat) == 1:  # It cannot be split further.
        (text,) = yield from _translations([text_of(parts)])
        return [text]
    if any(map(_is_tag, flat)):
        translation = yield from _translate_between(flat, _is_tag, strict)
    elif any(isinstance(p, Placeholder) for p in flat):
        translation = yield from _translate_between(flat, lambda p: isinstance(p, Placeholder), strict)
    else:
        translation = yield from _translate_between(flat, lambda p: isinstance(p, InlineTag), strict)
    return translation


def _is_tag(part: str | Placeholder | InlineTag) -> bool:
    return isinstance(part, InlineTag) and part.kind != "break"


def _translate_between(
    parts: Sequence[str | Placeholder | InlineTag], cuts: Callable[[str | Placeholder | InlineTag], bool], strict: bool
) -> SentenceTask:
    result: Segment = []
    for cut, run in groupby(parts, cuts):
        group: Segment = [placeholders.placeholder_tag(p) if isinstance(p, Placeholder) else p for p in run]
        if cut or not _has_words(group):
            result += group
            continue
        before, core, behind = _strip_ends(group)
        translation = yield from _translate_sentence(core, strict)
        result += [*before, *translation, *behind]
    return result


def _strip_ends(group: Segment) -> tuple[Segment, Segment, Segment]:
    """Split off white space and punctuation at the ends of a part, which a model would lose."""
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
