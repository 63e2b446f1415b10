"""Markdown (CommonMark with tables): the text of paragraphs, headings, lists and tables.

markdown-it-py tells where text is and, afterwards, whether the translation reads as the same structure. What would not
is escaped, and left as it was if that does not help.
"""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, Literal

from distilmt.errors import UserError
from distilmt.extras import install_command
from distilmt.formats import Translate
from distilmt.formats.inline import translate_units
from distilmt.formats.pages import translate_html
from distilmt.formats.units import Mark, Unit, gaps, text_of

_FRONT = re.compile(r"\A---[ \t]*\r?\n(?:.*\n)*?(?:---|\.\.\.)[ \t]*\r?(?:\n|\Z)")
_INLINE = re.compile(
    r"""
    (?P<kept>
        (?<!`)(?P<ticks>`{1,9})(?!`).{1,2000}?(?<!`)(?P=ticks)(?!`)
      | <(?:[A-Za-z][A-Za-z0-9+.-]{1,31}:[^\s<>]*|[^\s<>@]{1,64}@[^\s<>@]{1,255})>
      | \[\^[^\]\s]{1,64}\]
      | \[[ xX]\](?=\s)
      | \$\$[^$]{1,500}\$\$
      | \$(?=\S)[^$\n]{1,500}(?<=\S)\$(?!\d)
    )
  | (?P<point> <!--.{0,5000}?--> | </?[A-Za-z][^<>]{0,2000}> )
  | (?P<break> [ \t]{0,99}\\?\r?\n[ \t>]* )
  | (?P<escape> \\[!-/:-@\[-`{-~] )
  | (?P<open> !?\[ )
  | (?P<close> \](?:\((?:[^()\\]|\\.|\((?:[^()\\]|\\.){0,999}\)){0,2000}\)|\[[^\[\]]{0,999}\])? )
  | (?P<run> \*{1,3} | _{1,3} | ~~ )
    """,
    re.VERBOSE | re.DOTALL,
)
_TRIES, _UNCLOSED = 64, 300
_SPECIAL = re.compile(r"([\\`*_\[\]<>~$&|])")
_LINE_START = re.compile(r"^([ \t]*)([-+*#>=~`|:]|\d{1,9}(?=[.)]))")


@dataclass
class _Text:
    """A text of the file: where it is, and how it is written."""

    start: int
    end: int
    raw: str
    kind: Literal["text", "cell", "html"] = "text"


@dataclass
class _Inline:
    """A text as unit, and each of its gaps as the file has it."""

    unit: Unit
    raws: list[str]


def translate_markdown(text: str, translate: Translate) -> str:
    """Translate a Markdown file.

    Args:
        text: the file; a YAML head, code, HTML tags and link targets stay as they are.
        translate: as in `translate_document`.

    Raises:
        UserError: markdown-it-py is missing.
    """
    parser = _parser()
    head = match.end() if (match := _FRONT.match(text)) else 0
    body = text[head:]
    if body.count("](") - body.count(")") > _UNCLOSED:
        raise UserError("links in it are not closed: mend it")  # markdown-it takes quadratic time for them
    references: dict[str, Any] = {}
    tokens = parser.parse(body, references)
    found = _texts(tokens, body)
    sources = [_inline(t.raw, references.get("references", {})) if t.kind != "html" else None for t in found]
    said = iter(translate_units([source.unit for source in sources if source], translate))
    made = [
        _written(parser, references, t, source, next(said)) if source else translate_html(t.raw, translate)
        for t, source in zip(found, sources, strict=True)
    ]
    return text[:head] + _settled(parser, body, found, made)


def _parser() -> Any:
    try:
        from markdown_it import MarkdownIt
    except ImportError:
        raise UserError(f"reading .md files needs markdown-it-py: {install_command('documents')}") from None
    return MarkdownIt("commonmark").enable(["table", "strikethrough"])


def _texts(tokens: Sequence[Any], body: str) -> list[_Text]:
    """Where the file has text: from the first to the last line of every paragraph, heading and cell."""
    lines = re.findall(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+", body)
    starts = [0, *accumulate(map(len, lines))]
    found: list[_Text] = []
    in_table = False
    for token in tokens:
        in_table = (in_table or token.type == "table_open") and token.type != "table_close"
        last = found[-1].end if found else 0
        span = None
        if token.type == "inline" and token.map and token.content.strip():
            span = _cell(token, lines, starts, last) if in_table else _span(token, lines, starts)
        elif token.type == "html_block" and token.map:
            span = starts[token.map[0]], starts[min(token.map[1], len(lines))]
        if span and span[0] >= last:
            kind: Any = "html" if token.type == "html_block" else "cell" if in_table else "text"
            found.append(_Text(*span, body[span[0] : span[1]], kind))
    return found


def _cell(token: Any, lines: list[str], starts: list[int], last: int) -> tuple[int, int] | None:
    """A cell stands behind the one before it; a bar in it is escaped."""
    top = token.map[0]
    begin = max(0, last - starts[top])
    for content in (token.content, token.content.replace("|", "\\|")):
        if (at := lines[top].find(content, begin)) >= 0:
            return starts[top] + at, starts[top] + at + len(content)
    return None


def _span(token: Any, lines: list[str], starts: list[int]) -> tuple[int, int] | None:
    contents = token.content.split("\n")
    top, bottom = token.map[0], token.map[0] + len(contents) - 1
    if bottom >= len(lines):
        return None
    at, closed = lines[top].rfind(contents[0]), lines[bottom].rfind(contents[-1])
    if min(at, closed) < 0:
        return None
    return starts[top] + at, starts[bottom] + closed + len(contents[-1])


def _inline(raw: str, references: dict[str, Any]) -> _Inline:
    """Cut a text at its markup."""
    parts: list[str | Mark] = []
    opened: list[tuple[str, int]] = []  # what may be closed, and where it stands in `parts`
    end = 0
    for match in _INLINE.finditer(raw):
        parts.append(raw[end : match.start()])
        end = match.end()
        kind, found = match.lastgroup, match[0]
        if kind == "open":
            opened.append(("[", len(parts)))
        elif kind == "close":
            _close_bracket(parts, opened, found, references)
            continue
        elif kind == "run":
            _run(parts, opened, raw, match.span())
            continue
        parts.append(_mark(kind or "kept", found))
    parts.append(raw[end:])
    return _gathered(parts)


def _mark(kind: str, found: str) -> str | Mark:
    if kind in ("point", "break"):
        if kind == "point" and (tag := re.match(r"<(/?)[A-Za-z]", found)) and not found.endswith("/>"):
            return Mark("close" if tag[1] else "open", found)
        return Mark(kind, found)  # type: ignore[arg-type]
    if kind in ("escape", "open"):
        return found
    return Mark("kept", found, found.strip("`<>$ ") or "X")


def _close_bracket(parts: list[str | Mark], opened: list[tuple[str, int]], found: str, references: Any) -> None:
    at = next((i for i in range(len(opened) - 1, -1, -1) if opened[i][0] == "["), None)
    if at is None:
        parts.append(found)
        return
    start = opened[at][1]
    del opened[at:]
    if found not in ("]", "][]"):
        opening = parts[start]
        parts[start] = Mark("open", opening if isinstance(opening, str) else opening.raw)
        parts.append(Mark("close", found))
        return
    from markdown_it.common.utils import normalizeReference

    label = "".join(p if isinstance(p, str) else p.raw for p in parts[start + 1 :])
    if references and normalizeReference(label) in references:
        # Its text is the name of what it refers to.
        opening = parts[start]
        whole = (opening if isinstance(opening, str) else opening.raw) + label + found
        parts[start:] = [Mark("kept", whole, " ".join(label.split()) or "X")]
    else:
        parts.append(found)


def _run(parts: list[str | Mark], opened: list[tuple[str, int]], raw: str, span: tuple[int, int]) -> None:
    """Asterisks, underlines or tildes: markup if they touch a word on one side."""
    found = raw[span[0] : span[1]]
    before, behind = raw[span[0] - 1 : span[0]] or " ", raw[span[1] : span[1] + 1] or " "
    in_word = found[0] == "_" and before.isalnum() and behind.isalnum()
    at = next((i for i in range(len(opened) - 1, -1, -1) if opened[i][0] == found), None)
    if at is not None and not before.isspace() and not in_word:
        parts[opened[at][1]] = Mark("open", found)
        parts.append(Mark("close", found))
        del opened[at:]
        return
    if not behind.isspace() and not in_word:
        opened.append((found, len(parts)))
    parts.append(found)


def _gathered(parts: list[str | Mark]) -> _Inline:
    unit: Unit = []
    raws = [""]
    for part in parts:
        if isinstance(part, str):
            unit.append(html.unescape(re.sub(r"\\([!-/:-@\[-`{-~])", r"\1", part)))
            raws[-1] += part
        else:
            unit.append(part)
            if part.kind == "break":
                raws[-1] += part.raw
            else:
                raws.append("")
    return _Inline([part for part in unit if part != ""], raws)


def _written(parser: Any, references: dict[str, Any], text: _Text, source: _Inline, said: Unit) -> str:
    """A translation as Markdown: as it is, or escaped if it would read as something else, or the source at worst."""
    wanted = _skeleton(parser.parseInline(text.raw, dict(references)))
    for escaped in (False, True):
        made = _joined(source, said, escaped, text.kind == "cell")
        if made == text.raw or _skeleton(parser.parseInline(made, dict(references))) == wanted:
            return made
    return text.raw


def _joined(source: _Inline, said: Unit, escaped: bool, in_cell: bool) -> str:
    marks = [part for part in source.unit if isinstance(part, Mark) and part.kind != "break"]
    made = ""
    for number, (before, after) in enumerate(zip(gaps(source.unit), gaps(said), strict=True)):
        if text_of(before) == text_of(after):
            made += source.raws[number]
        else:
            for part in after:
                line_start = not made or made.endswith(("\n", "\n> ", "\n "))
                made += part.raw if isinstance(part, Mark) else _plain(part, escaped, in_cell, line_start)
        made += marks[number].raw if number < len(marks) else ""
    return made


def _plain(text: str, escaped: bool, in_cell: bool, line_start: bool) -> str:
    if escaped:
        text = _SPECIAL.sub(r"\\\1", text)
    elif in_cell:
        text = text.replace("|", "\\|")
    if line_start and not in_cell and (match := _LINE_START.match(text)):
        at = match.end() if match[2].isdigit() else match.start(2)
        text = f"{text[:at]}\\{text[at:]}"
    return text


def _skeleton(tokens: Sequence[Any] | None) -> list[Any]:
    """All of a file's structure but its text."""
    found: list[Any] = []
    for token in tokens or ():
        if token.type in ("text", "text_special"):
            continue
        content = token.content if token.type in ("fence", "code_block", "code_inline", "html_inline") else ""
        attributes = sorted((k, v) for k, v in token.attrs.items() if k != "alt")
        found.append((token.type, token.tag, token.markup, token.info, token.hidden, content, attributes))
        found += _skeleton(token.children) if token.type != "image" else []
    return found


def _settled(parser: Any, body: str, texts: Sequence[_Text], made: Sequence[str]) -> str:
    """The file with its translations, without those that would change its structure."""
    wanted = _skeleton(parser.parse(body))
    chosen = [text.raw for text in texts]
    tries = iter(range(_TRIES))

    def take(low: int, high: int) -> None:
        trial = [*chosen[:low], *made[low:high], *chosen[high:]]
        if trial == chosen or next(tries, None) is None:
            return
        if _skeleton(parser.parse(_filled(body, texts, trial))) == wanted:
            chosen[:] = trial
        elif high - low > 1:
            take(low, (low + high) // 2)
            take((low + high) // 2, high)

    take(0, len(texts))
    return _filled(body, texts, chosen)


def _filled(body: str, texts: Sequence[_Text], made: Sequence[str]) -> str:
    found, at = [], 0
    for text, translation in zip(texts, made, strict=True):
        found += [body[at : text.start], translation]
        at = text.end
    return "".join([*found, body[at:]])
