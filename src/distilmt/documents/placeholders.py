"""Spans that a translation must copy unchanged: placeholders of programs, template code, addresses, paths.

Some forms are placeholders in the strings of a program and ordinary text elsewhere (`$5`, `% d`, `:name`), so a
`Grammar` selects them. Every pattern is bounded or anchored, and brackets are matched once per text: the time is
linear in its length.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import pairwise
from typing import Literal

from distilmt.documents import placeholder_patterns as patterns
from distilmt.documents.brackets import Brackets
from distilmt.documents.keep_patterns import KeepPatterns
from distilmt.documents.segments import InlineTag, Segment

Printf = Literal["program", "full", "none"]

# Every placeholder has one of these characters: most texts have none and need no further search.
_ANY = re.compile(r"[%$@{}\[<`/:_~&#|!\\\x00-\x08\x0e-\x1b\x7f\ufffe\uffff-]|www\.")
_PROSE = re.compile(r"\s*(?:[^\W\d_]+[,.;:!?'’]?\s+){3}[^\W\d_]")
_NO_PROSE = re.compile(r"[{}=()<>|&\"$\\\[\]]")
_FENCE = re.compile(
    r"\{%|\{#|\{\{\{?\s*(?:[#/^!<%]|else\b)|<%(?!=|-=)|<\?php"
    r"|@(?:end)?(?:if|else|elseif|unless|isset|empty|auth|guest|foreach|forelse|for|while|switch|case|section)\b"
)
_WORDS = ("ABC", "XYZ", "DQF", "KLM", "RST", "VWB", "GHP", "JNQ")
_SHOWN = 40  # Models do not copy longer ones.


@dataclass(frozen=True)
class Grammar:
    """Which placeholders a text may have, besides those that are unambiguous in any text."""

    program: bool = False
    """A string of a program: `$1`, `:name`, `@:key` and `[[page]]` are placeholders."""
    printf: Printf = "program"
    """`full` in strings that are printf formats; `program` if a percent sign may be a placeholder."""
    qt: bool = False
    """`%1`, `%L1`, `%n`."""
    tilde: bool = False
    """`~a` and similar, of Lisp and Scheme."""
    keep: KeepPatterns = field(default_factory=KeepPatterns)
    """The user's additional patterns."""


PLAIN = Grammar()
PROGRAM = Grammar(program=True, qt=True)


@dataclass(frozen=True, eq=False)
class Placeholder:
    """A span of a sentence that its translation has once: its stand-in, and whether its order matters."""

    shown: str
    ordered: bool = True
    fence: bool = False
    """A statement of a template, such as `{% if x %}`: text must not move across it."""


def split_placeholders(text: str, grammar: Grammar = PLAIN) -> list[str | Placeholder]:
    """A text as alternating translatable and kept parts."""
    if not grammar.keep.patterns and not _ANY.search(text):
        return [text] if text else []
    parts: list[str | Placeholder] = []
    end = 0
    for start, stop, group in _spans(text, grammar):
        raw = text[start:stop]
        parts += [text[end:start], Placeholder(raw, group == "ordered", bool(_FENCE.match(raw)))]
        end = stop
    return [part for part in [*parts, text[end:]] if part != ""]


def placeholder_tag(placeholder: Placeholder) -> InlineTag:
    """A kept span as an inline tag of a segment."""
    return InlineTag("fence" if placeholder.fence else "placeholder", placeholder.shown, ordered=placeholder.ordered)


def tag_placeholders(segment: Segment, grammar: Grammar = PLAIN) -> Segment:
    """Make the placeholders of a segment tags, before it is split: a full stop inside one does not end a sentence."""
    parts: Segment = []
    for part in segment:
        splits = split_placeholders(part, grammar) if isinstance(part, str) else [part]
        parts += [placeholder_tag(item) if isinstance(item, Placeholder) else item for item in splits]
    return parts


def untag_placeholders(segment: Segment) -> Segment:
    """Make the placeholders of a segment text again, so that it has only the tags of the file."""
    return [
        part.raw if isinstance(part, InlineTag) and part.kind in ("placeholder", "fence") else part for part in segment
    ]


def count_placeholders(text: str, grammar: Grammar = PLAIN) -> Counter[str]:
    """Number of occurrences of each placeholder in a text; the same in a translation."""
    return Counter(part.shown for part in split_placeholders(text, grammar) if isinstance(part, Placeholder))


def placeholders_differ(source: str, translation: str) -> bool:
    """Whether a translation lacks placeholders of its source, or has additional ones."""
    return count_placeholders(source) != count_placeholders(translation)


@cache
def _pattern(program: bool, printf: Printf, qt: bool, tilde: bool) -> re.Pattern[str]:
    named = [
        patterns.NAMED,
        *([patterns.PROGRAM] if program else []),
        *([patterns.PERCENT_NAME] if printf != "full" else []),
    ]
    groups = [
        ("address", patterns.ADDRESS),
        ("open", patterns.OPEN),
        ("named", "|".join(named)),
        ("ordered", "|".join([patterns.PRINTF[printf], *([patterns.TILDE] if tilde else [])])),
        ("code", "|".join([patterns.CODE, *([patterns.QT] if qt else [])])),
        ("close", patterns.CLOSE),
    ]
    return re.compile("|".join(f"(?P<{name}>{part})" for name, part in groups), re.VERBOSE)


def _spans(text: str, grammar: Grammar) -> list[tuple[int, int, str]]:
    """Spans of the placeholders and their groups, without overlaps."""
    spans: list[tuple[int, int, str]] = []
    end = 0
    for start, stop in grammar.keep.spans(text):
        spans += [*_between(text, end, start, grammar), (start, stop, "keep")]
        end = stop
    return [*spans, *_between(text, end, len(text), grammar)]


def _between(text: str, start: int, stop: int, grammar: Grammar) -> list[tuple[int, int, str]]:
    text = text[start:stop]
    pattern = _pattern(grammar.program, grammar.printf, grammar.qt, grammar.tilde)
    brackets = Brackets(text)
    spans: list[tuple[int, int, str]] = []
    at = 0
    while match := pattern.search(text, at):
        begin, end, group = match.start(), match.end(), match.lastgroup or ""
        at = end
        if group == "open":
            closing = _closing(text, match[0], begin, brackets, grammar)
            if closing is None:
                at = begin + len(match[0].rstrip("{[(")) + 1
                # `$t` and `%` alone may be placeholders.
                if match[0] == "$t(":
                    spans.append((begin, begin + 2, "named"))
                continue
            at = end = closing
        elif group == "close":
            begin, spans = 0, []  # Its start was cut off before the text.
        spans.append((begin, end, group))
    return [(start + a, start + b, group) for a, b, group in spans]


def _closing(text: str, opener: str, begin: int, brackets: Brackets, grammar: Grammar) -> int | None:
    """The end of the construct of an opener; None if the opener is text."""
    if opener == "[[":
        end = brackets.until("]]", begin) if grammar.program else None
        return end if end is not None and "\n" not in text[begin:end] else None
    brace = begin + len(opener) - 1
    pair = text[brace : brace + 2]
    if opener.startswith("<") or pair in ("{{", "{%"):
        return brackets.template(begin, brace) or len(text)
    if pair == "{#" and (end := brackets.template(begin, brace)):
        return end
    end = brackets.match(brace)
    if end is None:
        return len(text) if opener == "${" else None
    content = text[brace + 1 : end - 1]
    prose = len(opener) == 1 and _PROSE.match(content) and not _NO_PROSE.search(content)
    return None if prose else end


def has_words(text: str) -> bool:
    """Whether a text has anything to translate."""
    return any(isinstance(part, str) and any(c.isalpha() for c in part) for part in split_placeholders(text))


def stand_in_candidates(placeholders: Sequence[Placeholder]) -> list[list[str]]:
    """Several kinds of stand-ins for kept spans: no model copies all kinds, so the next is tried if one gets lost."""
    if not placeholders:
        return [[]]
    candidates = [[f"X{i}" for i in range(1, len(placeholders) + 1)]]
    if len(placeholders) <= len(_WORDS):
        candidates.append(list(_WORDS[: len(placeholders)]))
    shown = [k.shown for k in placeholders]
    short = all(len(s) <= _SHOWN and s.isprintable() for s in shown)
    if short and len(set(shown)) == len(shown) and all(len(s) > 3 or not s.isalpha() for s in shown):
        candidates.insert(0, shown)
    return candidates


def placeholder_positions(
    text: str, stand_ins: Sequence[str], placeholders: Sequence[Placeholder]
) -> list[tuple[int, int]] | None:
    """Positions of the stand-ins in a translation; None if one does not occur exactly once, or the order is wrong."""
    spans = []
    for stand_in in stand_ins:
        # No additional letter or digit may touch a stand-in: `X1` is not in `X12`.
        matches = list(re.finditer(rf"(?<!\w){re.escape(stand_in)}(?!\w)", text))
        if len(matches) != 1 or text.count(stand_in) != 1:
            return None
        spans.append(matches[0].span())
    ordered = [span for span, k in zip(spans, placeholders, strict=True) if k.ordered]
    sorted_spans = sorted(spans)
    touching = any(a[1] > b[0] for a, b in pairwise(sorted_spans))
    return None if ordered != sorted(ordered) or touching else spans
