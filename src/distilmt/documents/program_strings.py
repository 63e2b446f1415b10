"""Strings of programs: messages with placeholders, tags, line breaks and choices, in the syntax of their program.

A translation without exactly the placeholders of its source is not used, since it would break the program.
"""

from __future__ import annotations

import html
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby

from distilmt.documents import Translate, keep_of, placeholders, report_of
from distilmt.documents.inline import translate_segments
from distilmt.documents.inline_tags import TAG, parse_tags
from distilmt.documents.keep_patterns import KeepPatterns
from distilmt.documents.message_format import Choice, choices
from distilmt.documents.placeholders import PROGRAM, Grammar
from distilmt.documents.segments import InlineTag, Segment, text_of

# Separators of texts to translate separately: lines (a line with this start, or after a line with this end, does not
# continue the line above), `<br>`, and the bars of vue-i18n.
_SEPARATOR = re.compile(r"(?<=[.:;!?>\n])\n|\n(?=\W|$)|(?<!\s)\s{1,9}\|\s{1,9}")
_BREAK = re.compile(r"<br\b", re.IGNORECASE)
_WIKI_LINK = re.compile(r"(\[\[[^\[\]|\n]{1,200}\|)[^\[\]|\n]{1,200}(\]\])")
_SURROGATES = re.compile("[\ud800-\udfff]+")
_APOSTROPHE = re.compile(r"(?<=[^\W\d_])&(?:#0?39|#x27|#8217|apos|rsquo);(?=[^\W\d_])")
_LOST = "its placeholders were lost or others added"


@dataclass(frozen=True)
class ProgramString:
    """A text of a program, the grammar of its placeholders, and its place, such as `line 3`."""

    text: str
    grammar: Grammar = PROGRAM
    place: str = ""


@dataclass
class _Message:
    """A parsed string: segments to translate, and tags between them to copy."""

    grammar: Grammar
    segments: list[Segment] = field(default_factory=list)
    separators: list[str] = field(default_factory=list)
    branches: dict[int, tuple[Choice, list[_Message]]] = field(default_factory=dict)
    """Choices by the `id` of their tag."""
    in_icu: bool = False


def translate_strings(strings: Sequence[ProgramString], translate: Translate) -> list[str | None]:
    """Translate strings.

    Args:
        strings: strings, each translated separately.
        translate: as in `translate_document`; unchanged strings are counted in its report.

    Returns:
        The translations; None if no translation has the placeholders of its source.
    """
    sources = strings
    strings = [replace(string, text=_without_apostrophes(string.text)) for string in strings]
    keep = keep_of(translate)
    grammars = [replace(s.grammar, keep=KeepPatterns((*s.grammar.keep.patterns, *keep.patterns))) for s in strings]
    messages = [_message(s.text, grammar) for s, grammar in zip(strings, grammars, strict=True)]
    translations = _translated(messages, translate, apart=False)
    wrong = [i for i, message in enumerate(messages) if not _same(message, translations[i])]
    again = _translated([messages[i] for i in wrong], translate, apart=True)
    results: list[str | None] = [_text(message) for message in translations]
    for i, message in zip(wrong, again, strict=True):
        results[i] = _text(message)
        if not _same(messages[i], message):
            results[i] = None
            report_of(translate).skip(_LOST, strings[i].place)
    return [result and _with_apostrophes(result, source.text) for source, result in zip(sources, results, strict=True)]


def _without_apostrophes(text: str) -> str:
    """Decode apostrophes in words: the model gets `don't`, not `don&#39;t`."""
    return text if "'" in text or "’" in text else _APOSTROPHE.sub(lambda match: html.unescape(match[0]), text)


def _with_apostrophes(translation: str, source: str) -> str:
    """Encode the apostrophes of a translation as entities if those of its source are."""
    entities = {} if _without_apostrophes(source) == source else dict.fromkeys(_APOSTROPHE.findall(source))
    for entity in entities:
        translation = translation.replace(html.unescape(entity), entity)
    return translation


def _message(text: str, grammar: Grammar, in_icu: bool = False) -> _Message:
    message = _Message(grammar, in_icu=in_icu)
    segment: Segment = []
    for part in _parts(text, message):
        separator = _BREAK.match(part.raw) if isinstance(part, InlineTag) else None
        end = 0
        for match in _SEPARATOR.finditer(part if isinstance(part, str) else ""):
            segment.append(match.string[end : match.start()])
            message.segments.append(segment)
            message.separators.append(match[0])
            segment, end = [], match.end()
        if separator and isinstance(part, InlineTag):
            message.segments.append(segment)
            message.separators.append(part.raw)
            segment = []
        else:
            segment.append(part[end:] if isinstance(part, str) else part)
    message.segments.append(segment)
    message.segments = [[part for part in segment if part != ""] for segment in message.segments]
    return message


def _parts(text: str, message: _Message) -> Segment:
    """A text as strings and inline tags (choices, placeholders and tags); of two overlapping ones the first."""
    items = sorted(_items(text, message), key=lambda item: item[:2])
    parts: Segment = []
    end = 0
    for number, (start, _, stop, tag) in enumerate(items):
        later = items[number + 1 : number + 9]
        crossed = TAG.fullmatch(tag.raw) and any(a < stop < b and m.kind != "open" for a, _, b, m in later)
        if start < end or crossed:
            continue
        parts += [text[end:start], tag]
        end = stop
    return [part for part in [*parts, text[end:]] if part != ""]


def _items(text: str, message: _Message) -> Iterator[tuple[int, int, int, InlineTag]]:
    """Candidate tags: start, rank among those with the same start, end, and the tag."""
    for choice in choices(text):
        mark = InlineTag("kept", text[choice.start : choice.end], text[choice.start : choice.end])
        grammar = replace(message.grammar, keep=KeepPatterns((*message.grammar.keep.patterns, "#")))
        grammar = grammar if choice.is_icu else message.grammar
        branches = [_message(branch, grammar, choice.is_icu) for branch in choice.parts[1::2]]
        message.branches[id(mark)] = choice, branches
        yield choice.start, 0, choice.end, mark
    for match in _SURROGATES.finditer(text):
        yield match.start(), 0, match.end(), InlineTag("kept", match[0], "X1")
    for match in _WIKI_LINK.finditer(text) if message.grammar.program else ():
        yield match.start(), 1, match.end(1), InlineTag("open", match[1])
        yield match.start(2), 1, match.end(), InlineTag("close", match[2])
    at = 0
    for part in placeholders.split_placeholders(text, message.grammar):
        size = len(part) if isinstance(part, str) else len(part.shown)
        if not isinstance(part, str):
            yield at, 2, at + size, placeholders.placeholder_tag(part)
        at += size
    at = 0
    for tag in parse_tags(text):
        size = len(tag) if isinstance(tag, str) else len(tag.raw)
        if isinstance(tag, InlineTag):
            yield at, 3, at + size, tag
        at += size


def _translated(messages: Sequence[_Message], translate: Translate, apart: bool) -> list[_Message]:
    """Translate the segments of messages and of their branches; `apart` splits them at placeholders."""
    sources = [segment for message in messages for segment in _units(message)]
    runs = [_cut(segment) if apart else [segment] for segment in sources]
    results = iter(translate_segments([run for some in runs for run in some], translate))
    segments = iter([[part for _ in some for part in next(results)] for some in runs])
    return [_fill_message(message, segments) for message in messages]


def _units(message: _Message) -> Iterator[Segment]:
    yield from message.segments
    for _, branches in message.branches.values():
        for branch in branches:
            yield from _units(branch)


def _cut(segment: Segment) -> list[Segment]:
    return [list(run) for _, run in groupby(segment, lambda part: isinstance(part, InlineTag) and part.is_word)]


def _fill_message(message: _Message, segments: Iterator[Segment]) -> _Message:
    own = [next(segments) for _ in message.segments]
    branches = {
        tag: (choice, [_fill_message(branch, segments) for branch in some])
        for tag, (choice, some) in message.branches.items()
    }
    return replace(message, segments=own, branches=branches)


def _text(message: _Message) -> str:
    """Join a message again."""
    texts = [_unit_text(segment, message) for segment in message.segments]
    return texts[0] + "".join(sep + text for sep, text in zip(message.separators, texts[1:], strict=True))


def _unit_text(segment: Segment, message: _Message) -> str:
    text = ""
    for part in segment:
        choice = message.branches.get(id(part))
        if choice is None:
            raw = part if isinstance(part, str) else part.raw
            # In ICU an apostrophe before a brace begins a quotation.
            text = text[:-1] + "’" if message.in_icu and text.endswith("'") and raw[:1] in "{#" else text
            text += raw
        else:
            inner = [*(_text(branch) for branch in choice[1]), ""]
            text += "".join(raw + branch for raw, branch in zip(choice[0].parts[::2], inner, strict=True))
    return text


def _same(source: _Message, result: _Message) -> bool:
    """Whether two messages and their branches have the same placeholders."""
    branches = zip(source.branches.values(), result.branches.values(), strict=True)
    return _directives(source) == _directives(result) and all(
        _same(a, b) for (_, before), (_, after) in branches for a, b in zip(before, after, strict=True)
    )


def _directives(message: _Message) -> Counter[str]:
    bare = [[part for part in segment if id(part) not in message.branches] for segment in message.segments]
    text = _WIKI_LINK.sub(r"\1\2", "\n".join(map(text_of, bare)))
    signs = "{}%" if message.grammar.printf == "full" else "{}"
    return placeholders.count_placeholders(text, message.grammar) + Counter({sign: text.count(sign) for sign in signs})
