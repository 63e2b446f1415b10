"""Mask Markdown blocks that are not CommonMark, so that markdown-it does not parse them as text.

Directives of MyST, Docusaurus, VuePress and pandoc (`:::note Title`), tabs of MkDocs, alerts of GitHub, shortcodes of
Hugo and statements of Liquid, formulas, and what MDX adds: imports, exports, expressions in braces.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from distilmt.documents.markdown_lines import holds_no_text, last_without_text, lines_of_blocks, text_start
from distilmt.documents.templates import MaskedText, expressions, mask_spans

_HEAD = re.compile(
    r"\A(?:(?:%[ \t].*(?:\n|\Z)){1,3}"
    r"|---[ \t]*\r?\n(?:.*\n)*?(?:---|\.\.\.)|\+\+\+[ \t]*\r?\n(?:.*\n)*?\+\+\+)[ \t]*\r?(?:\n|\Z)"
)
_SHORTCODE = re.compile(r"\{\{[<%]\s*(/?)\s*([\w./-]+)|\{%-?\s*(end)?([\w-]+)")
_CODE_NAMES = """
    highlight code-toggle code code-block codeblock codefence mermaid math katex latex chart plantuml markmap gist
    terminal command cmd prompt shell comment chem
"""
_CODE = frozenset(_CODE_NAMES.split())
_FENCE = re.compile(r"([ \t>]*)(`{3,}(?!`)|~{3,}(?!~))([^`\n]*)$")
_DIRECTIVE = re.compile(r"\{([\w:-]+)\}[ \t]*(.*)")
# Directives whose content is text and whose argument is a title.
_TITLED_NAMES = """
    admonition note tip warning danger important caution attention hint error seealso dropdown card grid-item-card
    tab-item sidebar topic rubric details info success question margin versionadded versionchanged deprecated
    tab epigraph exercise solution
"""
_TITLED = frozenset(_TITLED_NAMES.split())
_WITH_TEXT = _TITLED | frozenset(
    ("tab-set", "grid", "card-carousel", "container", "div", "figure", "table", "pull-quote")
)
# Two colons begin a directive of remark or Nuxt if a single name, or one with a caption or attributes, follows.
_COLONS = re.compile(
    r"[ \t>]*(?::{3,}(?!:)|::(?=[ \t]*$|[A-Za-z][\w.-]*(?:[ \t]*$|[\[{\ue000-\uf8ff\U000f0000-\U000fffff])))[ \t]*"
)
_COLON_NAME = re.compile(r"(\{[^{}\n]*\}|[\w.-]*)[ \t]*(\[)?")
_ALERT = re.compile(r"((?:[ \t]*>)+[ \t]*\[![\w-]+(?:\|[^\]\n]*)?\][-+]?[ \t]*)(.*)$")
_TABBED = re.compile(r"([ \t>]*)===[+!]?(?=[ \t]+\")")
_ABBREVIATION = re.compile(r"\*\[[^\]\n]+\]:[ \t]*")
_PROPERTIES = 60  # maximum lines of a directive's properties
_FRAGMENT = re.compile(r"</?>")
_OPTION = re.compile(r"[ \t>]*:[\w-]+:(?:[ \t].*)?$")
_FORMULAS = (("$$", "$$"), ("\\[", "\\]"))
_ENVIRONMENT = re.compile(r"[ \t>]*\\begin\{([\w*]{1,32})\}")
_IMPORT = re.compile(
    r"import[ \t]+(?:[\w*{][^'\"\n;]*(?:[ \t]from[ \t]+['\"][^'\"\n]+['\"]|[{,][ \t]*$)|['\"][^'\"\n]+['\"]);?"
)
_EXPORT = re.compile(r"export[ \t]+(?:const|let|var|function|default|class|async|type|interface|enum|\{|\*)")
_MODULE = re.compile(r"(?:import|export)[ \t{*'\"]")
_BRACE = re.compile(r"[{}]|\n[ \t]*\r?\n")
_PROGRAM = re.compile(r"=>|</|/>|/\*")
_ATTRIBUTE = re.compile(r"[\w-]=\Z")
_CODE_FENCE = re.compile(r"\n[ \t>]*(?:```|~~~)")


def head_end(text: str) -> int:
    """End of a file's YAML, TOML or JSON front matter; 0 if it has none."""
    if match := _HEAD.match(text):
        return match.end()
    if re.match(r"\{[ \t]*\r?\n", text):
        try:
            value, end = json.JSONDecoder().raw_decode(text)
        except (ValueError, RecursionError):
            return 0
        line_end = re.compile(r"[ \t]*\r?(?:\n|\Z)").match(text, end)
        return line_end.end() if isinstance(value, dict) and line_end else 0
    return 0


def mask_blocks(text: str, is_mdx: bool = False) -> MaskedText:
    """Mask everything that is not CommonMark in a file without its front matter.

    Args:
        text: the file.
        is_mdx: everything in braces is code, and all paragraphs that begin with `import` or `export`. Otherwise
        only constructs that look like code.
    """
    fragments = [match.span() for match in _FRAGMENT.finditer(text)] if is_mdx else []
    masks = mask_spans(text, _disjoint([*_shortcodes(text), *_braces(text, is_mdx), *fragments]))
    scanner = _LineMasker(masks, is_mdx)
    masks.text = "".join(scanner.run())
    return masks


def _disjoint(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    result: list[tuple[int, int]] = []
    for start, end in sorted(spans, key=lambda span: (span[0], -span[1])):
        if not result or start >= result[-1][1]:
            result.append((start, end))
    return result


def _shortcodes(text: str) -> list[tuple[int, int]]:
    """Mask template expressions; expressions around code are masked with the code."""
    spans = [span for span in expressions(text, paragraphs=True) if not _CODE_FENCE.search(text, *span)]
    result: list[tuple[int, int]] = []
    opened: dict[str, int] = {}
    for start, end in spans:
        match = _SHORTCODE.match(text, start)
        name = (match[2] or match[4] or "") if match else ""
        if match and name.removeprefix("end") in _CODE:
            if match[1] or match[3] or name.startswith("end"):
                name = name.removeprefix("end")
                if name in opened:
                    begin = opened.pop(name)
                    while result and result[-1][0] >= begin:
                        result.pop()
                    result.append((begin, end))
                    continue
            elif not text[start:end].endswith(("/>}}", "/%}}")):
                opened.setdefault(name, start)
        result.append((start, end))
    return result


def _braces(text: str, is_mdx: bool) -> Iterator[tuple[int, int]]:
    """Mask expressions in balanced braces without blank lines."""
    opened: list[int] = []
    spans: list[tuple[int, int]] = []
    for token in _BRACE.finditer(text):
        if token[0] == "{":
            opened.append(token.start())
        elif token[0] != "}":
            opened.clear()
        elif opened:
            start = opened.pop()
            while spans and spans[-1][0] > start:
                spans.pop()
            spans.append((start, token.end()))
    for start, end in spans:
        of_tag = _ATTRIBUTE.search(text, max(0, start - 9), start)
        if (is_mdx or of_tag or _PROGRAM.search(text, start, end)) and not _CODE_FENCE.search(text, start, end):
            yield start, end


class _LineMasker:
    """Processes a file line by line; each line is written unchanged, or with masks."""

    def __init__(self, masks: MaskedText, is_mdx: bool) -> None:
        self.masks = masks
        self.is_mdx = is_mdx
        self.lines = re.findall(r"[^\n]*\n|[^\n]+", masks.text)
        self.at = 0
        self._line_blocks = lines_of_blocks(self.lines)
        self._directives: list[str] = []  # the fences of open directives
        self._fence = ""
        self._is_quoted = False  # whether the open fence is in a quotation
        self._end = ""
        self._open_formulas: set[str] = set()  # closers that do not occur in the rest of the file

    def run(self) -> Iterator[str]:
        """All of the text."""
        while self.at < len(self.lines):
            line = self.lines[self.at]
            self.at += 1
            body = line.rstrip("\r\n")
            self._end = line[len(body) :]
            yield self._written(body) + self._end

    def _written(self, line: str) -> str:
        if self._is_quoted and ">" not in line[:20]:
            self._fence, self._is_quoted = "", False
        if fence := _FENCE.match(line):
            return self._fenced(line, fence)
        if self._fence or not line.strip():
            return line
        if (self.masks.has_masks(line) and self.masks.is_masks(line.replace(">", ""))) or holds_no_text(line):
            return self._whole(line)
        for rule in (self._formula, self._module, self._colons, self._signed, self._titled):
            if (output := rule(line)) is not None:
                return output
        return line

    def _whole(self, line: str) -> str:
        start = len(line) - len(line.lstrip(" \t>"))
        return line[:start] + self.masks.block(line[start:])

    def _fenced(self, line: str, fence: re.Match[str]) -> str:
        mark, info = fence[2], fence[3].strip()
        if self._fence:
            if mark[0] == self._fence[0] and len(mark) >= len(self._fence) and not info:
                self._fence, self._is_quoted = "", False
            return line
        if (
            self._directives
            and not info
            and self._directives[-1][0] == mark[0]
            and len(mark) >= len(self._directives[-1])
        ):
            self._directives.pop()
            return self._whole(line)
        directive = _DIRECTIVE.match(info)
        if not directive or directive[1] not in _WITH_TEXT:
            self._fence, self._is_quoted = mark, ">" in fence[1]
            return line
        self._directives.append(mark)
        title = directive[2] if directive[1] in _TITLED else ""
        return self._with_title(line, len(line) - len(title.rstrip()) if title else len(line))

    def _with_title(self, line: str, at: int, end: int | None = None) -> str:
        """A line whose text from `at` on is a title. The options after it belong to it."""
        start = len(line) - len(line.lstrip(" \t>"))
        self._options()
        title = line[at:end]
        if not title.strip():
            return self._whole(line)
        tail = line[end:] if end is not None else ""
        return line[:start] + self.masks.heading(line[start:at]) + title + (self.masks.mask(tail) if tail else "")

    def _options(self) -> None:
        number = self.at
        while number < len(self.lines) and _OPTION.match(body := self.lines[number].rstrip("\r\n")):
            self.lines[number] = self._whole(body) + self.lines[number][len(body) :]
            number += 1

    def _colons(self, line: str) -> str | None:
        match = _COLONS.match(line)
        if not match:
            return None
        content = line[match.end() :].rstrip()
        name = _COLON_NAME.match(content)
        named, bracket = (name[1], name[2]) if name else ("", None)
        is_role = named.startswith("{") and named.strip("{}") not in _TITLED
        if (last := self._last_property()) is not None:
            return self._through(line, last)
        if content.endswith(":::") or ("=" in content and not bracket) or is_role:
            return self._with_title(line, len(line))
        start, end = match.end() + (name.end() if name else 0), match.end() + len(content)
        closing = max(line.find("]{", start), -1) if "]{" in line[start:] else line.rfind("]") if bracket else end
        return self._with_title(line, start, closing if closing > start else end)

    def _last_property(self) -> int | None:
        """The last line of the YAML between `---` after a directive of Nuxt."""
        if self.at >= len(self.lines) or self.lines[self.at].strip() != "---":
            return None
        following = range(self.at + 1, min(len(self.lines), self.at + _PROPERTIES))
        return next((number for number in following if self.lines[number].strip() == "---"), None)

    def _signed(self, line: str) -> str | None:
        """A line of pandoc's line blocks and lists, or a multi-line comment or list of files."""
        if (last := last_without_text(self.lines, self.at - 1)) is not None:
            return self._through(line, last)
        start = text_start(line, self.at - 1 in self._line_blocks)
        return None if start is None else self._with_title(line, start)

    def _titled(self, line: str) -> str | None:
        if match := _ALERT.match(line):
            return self._with_title(line, match.end(1))
        if match := _ABBREVIATION.match(line):
            return self._with_title(line, match.end())
        if match := _TABBED.match(line):
            return match[1] + self.masks.admonition(line[match.end(1) : match.end()]) + line[match.end() :]
        return None

    def _formula(self, line: str) -> str | None:
        """A formula from its first to its last line, including blank lines."""
        text = line.lstrip(" \t>")
        environment = _ENVIRONMENT.match(line)
        pairs = [("\\begin", f"\\end{{{environment[1]}}}")] if environment else _FORMULAS
        closer = next((close for start, close in pairs if text.startswith(start)), None)
        if closer is None or closer in text[2:] or closer in self._open_formulas:
            return None
        for number in range(self.at, len(self.lines)):
            if closer in self.lines[number]:
                return self._through(line, number)
        self._open_formulas.add(closer)
        return None

    def _through(self, line: str, last: int) -> str:
        """A block from this line to the given one."""
        body = "".join(self.lines[self.at - 1 : last + 1])
        bare = body.rstrip("\r\n")
        self._end = body[len(bare) :]
        self.at = last + 1
        start = len(line) - len(line.lstrip(" \t>"))
        return line[:start] + self.masks.block(bare[start:])

    def _module(self, line: str) -> str | None:
        """An import or export of MDX, up to the next blank line after its brackets."""
        if not (_MODULE.match(line) if self.is_mdx else _IMPORT.match(line) or _EXPORT.match(line)):
            return None
        number, depth = self.at - 1, 0
        while number < len(self.lines) and (depth > 0 or self.lines[number].strip()):
            body = self.lines[number]
            if not body.strip() and not self.is_mdx:
                break
            depth += sum(map(body.count, "{[(")) - sum(map(body.count, "}])"))
            number += 1
        return self._through(line, number - 1)
