"""Translatable texts of documents, by parsers other than distilmt's; `real_documents.py` compares them.

`texts` returns two lists of the same document: texts for readers, and everything else that can be compared (tags, code,
keys, times). A translation must change the first and leave the second unchanged.
"""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Callable, Iterator
from typing import Any

import polib
from lxml import etree
from lxml import html as lxml_html
from markdown_it import MarkdownIt
from mdit_py_plugins.front_matter import front_matter_plugin

Texts = tuple[list[str], list[str]]
_CODE = frozenset(
    [
        "code",
        "pre",
        "kbd",
        "samp",
        "var",
        "script",
        "style",
        "textarea",
        "svg",
        "math",
        "object",
        "iframe",
    ]
)
_TIMES = re.compile(r"\d+:\d\d[.,:]\d+ *--> *\d+:?\d*:\d\d[.,:]\d+")
_CUE_TAGS = re.compile(r"<[^<>\n]*>|\{\\[^{}\n]*\}")


def decoded(data: bytes) -> str:
    """Text decoded by its byte order mark, otherwise as UTF-8, otherwise as Windows-1252."""
    for mark, name in ((b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"), (b"\xef\xbb\xbf", "utf-8-sig")):
        if data.startswith(mark):
            return data.decode(name)
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("latin-1")


def plain(data: bytes) -> Texts:
    """Lines."""
    lines = decoded(data).split("\n")
    return lines, [re.sub(r"\S.*\S|\S", "", line) for line in lines]


def cues(data: bytes) -> Texts:
    """The text below each timing line up to a blank line; the rest of the file."""
    read: list[str] = []
    remainder: list[str] = []
    inside = False
    for line in decoded(data).splitlines():
        inside = bool(_TIMES.search(line)) or (inside and bool(line.strip()))
        if inside and not _TIMES.search(line):
            read.append(_CUE_TAGS.sub(" ", line))
            remainder += _CUE_TAGS.findall(line)
        else:
            remainder.append(line)
    return read, remainder


def page(data: bytes) -> Texts:
    """Text nodes of a page parsed by lxml, without code; its elements, and the text of code."""
    root = lxml_html.document_fromstring(decoded(data).encode(), parser=lxml_html.HTMLParser(encoding="utf-8"))
    read: list[str] = []
    remainder: list[str] = []
    _walk(root, False, read, remainder)
    return read, remainder


def _walk(root: Any, is_code: bool, read: list[str], remainder: list[str]) -> None:
    waiting: list[tuple[Any, bool, bool]] = [(root, is_code, False)]
    while waiting:
        node, code, is_tail = waiting.pop()
        if is_tail:
            (remainder if code else read).append(node.tail or "")
            continue
        if not isinstance(node.tag, str):
            remainder.append(str(node.text))
            continue
        own = code or node.tag in _CODE or node.get("translate") == "no" or "notranslate" in node.get("class", "")
        remainder.append(node.tag)
        (remainder if own else read).append(node.text or "")
        for child in reversed(node):
            waiting += [(child, own, True), (child, own, False)]


def markdown(data: bytes) -> Texts:
    """Texts of CommonMark with tables; the kinds of all tokens, code and targets."""
    parser = MarkdownIt("commonmark").enable(["table", "strikethrough"]).use(front_matter_plugin)
    read: list[str] = []
    remainder: list[str] = []
    for token in parser.parse(decoded(data)):
        remainder.append(token.type)
        if token.type != "inline":
            if token.type in ("fence", "code_block", "front_matter"):
                remainder.append(token.content)
            continue
        for child in token.children or []:
            if child.type == "text":
                read.append(child.content)
            else:
                target = child.attrs.get("href") or child.attrs.get("src") or ""
                remainder.append(f"{child.type} {target} {child.content if child.type == 'code_inline' else ''}")
    return read, remainder


def catalogue(data: bytes) -> Texts:
    """Current translations of the messages that had none; everything else of the file.

    polib reads a string with `splitlines`, so that messages with U+2028 end early: the caller skips those files.
    """
    entries = list(polib.pofile(decoded(data)))
    read: list[str] = []
    remainder: list[str] = []
    for entry in entries:
        empty = not entry.obsolete and not entry.fuzzy
        output = [entry.msgstr_plural[n] for n in sorted(entry.msgstr_plural)] if entry.msgid_plural else [entry.msgstr]
        (read if empty else remainder).extend(output)
        remainder += [
            entry.msgid,
            entry.msgid_plural,
            entry.comment,
            entry.tcomment,
            str(entry.flags),
            str(entry.occurrences),
        ]
    return read, remainder


def strings(data: bytes) -> Texts:
    """String values; keys and all other values."""
    read: list[str] = []
    remainder: list[str] = []

    def walk(value: Any) -> None:
        if isinstance(value, dict):
            remainder.extend(value)
            for item in value.values():
                walk(item)
        elif isinstance(value, list):
            for item in value:
                walk(item)
        else:
            (read if isinstance(value, str) else remainder).append(
                value if isinstance(value, str) else json.dumps(value)
            )

    walk(json.loads(decoded(data)))
    return read, remainder


def word(data: bytes) -> Texts:
    """Paragraphs of all parts by local names, in either namespace; every other part of the package."""
    read: list[str] = []
    remainder: list[str] = []
    with zipfile.ZipFile(io.BytesIO(data)) as package:
        for info in package.infolist():
            content = package.read(info)
            if re.fullmatch(
                r"word/(?:document|header\d*|footer\d*|footnotes|endnotes|comments)\d*\.xml", info.filename
            ):
                root = etree.fromstring(content)
                remainder += [node.tag for node in root.iter() if isinstance(node.tag, str)]
                read += _paragraphs(root)
            else:
                remainder.append(f"{info.filename} {hash(content)}")
    return read, remainder


def _paragraphs(root: Any) -> Iterator[str]:
    for paragraph in root.iterfind(".//{*}p"):
        nodes = [n for n in paragraph.iterfind(".//{*}t") if next(n.iterancestors("{*}p")) is paragraph]
        yield "".join(node.text or "" for node in nodes)


READERS: dict[str, Callable[[bytes], Texts]] = {
    ".txt": plain,
    ".srt": cues,
    ".vtt": cues,
    ".html": page,
    ".htm": page,
    ".md": markdown,
    ".markdown": markdown,
    ".po": catalogue,
    ".json": strings,
    ".docx": word,
}
