"""Lines of Markdown dialects that CommonMark parses as text.

Some have no text (includes of pymdownx and VitePress, commands of TeX, comments); in others the text begins after a
sign (line blocks and lists of pandoc).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import groupby

_NO_TEXT = re.compile(
    r"""[ \t>]*(?:
        \{:?[#.:][^{}\n]*\} | \{:[^{}\n]*\} | \[TOC\] | \[\[_?toc_?\]\] | @\[toc\]  # attributes, tables of contents
      | ;?-+8<-+[ \t].* | <<<[ \t]*[^\s<].* | [{!]+!.*![}!]+ | include::\S+\[.*\] | @\w+\(.*\)  # other files
      | \\(?!begin\b|end\b)[A-Za-z]{2,40}\*?(?:\[[^\[\]\n]*\]|\{.*\})* | \[(?://|comment)\]:[ \t].*  # TeX, comments
    )[ \t]*$""",
    re.IGNORECASE | re.VERBOSE,
)
_SIGN = re.compile(r"[ \t>]*(?:\#\.|\(@[\w-]{0,64}\))[ \t]+(?=\S)")
_LINE_OF_BLOCK = re.compile(r"\|[ \t]+(?=[^\s|][^|\n]*$)")
_LINE_BLOCK = re.compile(r"(?:\|(?:[ \t][^|\n]*)?(?:\r?\n|$)(?:[ \t]+[^\s|][^|\n]*(?:\n|$))*)+")
_BORDER = re.compile(r"^\|[ \t]*:?-+:?[ \t]*\r?$", re.MULTILINE)
_SPAN = 20  # maximum lines of a comment or a list of included files
_EDGE = re.compile(r"[ \t>]*(?:%%|;?-+8<-+)[ \t]*$")


def holds_no_text(line: str) -> bool:
    """Whether a line (without its end) is an instruction or a comment."""
    return _NO_TEXT.match(line) is not None


def last_without_text(lines: Sequence[str], first: int) -> int | None:
    """The last line of a comment or list of included files that begins with this line; None if it is neither."""
    if not _EDGE.match(edge := lines[first].rstrip("\r\n")):
        return None
    following = range(first + 1, min(len(lines), first + _SPAN))
    return next((number for number in following if lines[number].strip() == edge.strip()), None)


def text_start(line: str, is_of_block: bool) -> int | None:
    """Start of the text of a line after a sign of pandoc; None if the line has none.

    Args:
        line: without its end.
        is_of_block: whether it is one of `lines_of_blocks`.
    """
    match = _SIGN.match(line) or (_LINE_OF_BLOCK.match(line) if is_of_block else None)
    return match.end() if match else None


def lines_of_blocks(lines: Sequence[str]) -> set[int]:
    """Numbers of the lines in line blocks: each begins with a bar, and they are not a table."""
    result: set[int] = set()
    for is_blank, run in groupby(range(len(lines)), lambda number: not lines[number].strip()):
        numbers = list(run)
        if is_blank or not lines[numbers[0]].startswith("|"):
            continue
        text = "".join(lines[number] for number in numbers)
        if _LINE_BLOCK.fullmatch(text) and not _BORDER.search(text):
            result.update(number for number in numbers if lines[number].startswith("|"))
    return result
