"""Word documents: the text of paragraphs in the body, tables, headers, footers, notes and comments.

Only the text nodes of those parts are changed; every other part of the package is copied byte for byte.
"""

from __future__ import annotations

import io
import re
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

from distilmt.errors import UserError
from distilmt.extras import install_command
from distilmt.formats import Translate
from distilmt.formats.inline import translate_units
from distilmt.formats.units import Mark, Unit, gaps, text_of

_PARTS = re.compile(r"word/(?:document|header\d*|footer\d*|footnotes|endnotes|comments)\.xml")
_W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_SPACE = "{http://www.w3.org/XML/1998/namespace}space"
_BREAKS = frozenset(f"{_W}{name}" for name in ("br", "cr", "tab", "ptab"))
_NO_TEXT = frozenset(
    f"{_W}{name}" for name in ("pPr", "rPr", "del", "moveFrom", "instrText", "delText", "sdtPr", "tblPr")
)
_INSIDE = frozenset(
    f"{_W}{name}"
    for name in ("r", "hyperlink", "ins", "moveTo", "smartTag", "sdt", "sdtContent", "fldSimple", "customXml")
)
# Names of styles for code, as Word, LibreOffice and pandoc have them.
_CODE = re.compile(r"(?i)verbatim|code|source|preformatted|teletype")
# Word itself writes far less; a file made to fill the memory has more.
_MOST_BYTES, _MOST_FILES = 64 << 20, 5000


def translate_docx(data: bytes, translate: Translate) -> bytes:
    """Translate a Word document.

    Args:
        data: the file. Runs, styles, tables, fields and notes keep their places; text marked as deleted is left.
        translate: as in `translate_document`.

    Raises:
        UserError: lxml is missing, or it is not a .docx file, or bigger unpacked than 64 MiB.
    """
    package = _opened(data)
    infos = package.infolist()
    roots = {info.filename: _root(package, info) for info in infos if _PARTS.fullmatch(info.filename)}
    if "word/document.xml" not in roots:
        raise UserError("not a Word document (word/document.xml is missing): save it as .docx")
    texts = [text for root in roots.values() for text in _texts(root)]
    for text, unit in zip(texts, translate_units([t.unit for t in texts], translate, strict=True), strict=True):
        text.write(unit)
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as target:
        for info in infos:
            content = _written(roots[info.filename]) if info.filename in roots else package.read(info)
            target.writestr(info, content, info.compress_type)
    return made.getvalue()


def _opened(data: bytes) -> zipfile.ZipFile:
    try:
        package = zipfile.ZipFile(io.BytesIO(data))
        infos = package.infolist()
        if len(infos) > _MOST_FILES or sum(info.file_size for info in infos) > _MOST_BYTES:
            raise UserError(f"bigger than {_MOST_BYTES >> 20} MiB when unpacked: take big pictures out of it")
        read = 0
        for info in infos:  # what a package says of its sizes need not be true
            with package.open(info) as part:
                read += len(part.read(_MOST_BYTES + 1 - read))
            if read > _MOST_BYTES:
                raise UserError(f"bigger than {_MOST_BYTES >> 20} MiB when unpacked: take big pictures out of it")
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, OSError, ValueError, zlib.error) as error:
        raise UserError(f"not a .docx file ({str(error)[:100]}): save it again as .docx") from None
    return package


def _root(package: zipfile.ZipFile, info: zipfile.ZipInfo) -> Any:
    try:
        from lxml import etree
    except ImportError:
        raise UserError(f"reading .docx files needs lxml: {install_command('documents')}") from None
    content = package.read(info)
    if b"<!DOCTYPE" in content:
        raise UserError(f"{info.filename} in it has a document type, as no .docx file does: save it again as .docx")
    parser = etree.XMLParser(resolve_entities=False, load_dtd=False, no_network=True, huge_tree=False)
    try:
        return etree.fromstring(content, parser)
    except etree.XMLSyntaxError as error:
        raise UserError(f"{info.filename} in it is broken ({error.msg}): save it again as .docx") from None


def _written(root: Any) -> bytes:
    from lxml import etree

    return bytes(etree.tostring(root.getroottree(), xml_declaration=True, encoding="UTF-8", standalone=True))


@dataclass
class _Text:
    """A paragraph, or what is between two of its tabs or line breaks."""

    unit: Unit = field(default_factory=list)
    nodes: list[list[Any]] = field(default_factory=lambda: [[]])
    """For every gap of the unit the text nodes that hold it."""

    def mark(self, kind: Any, shown: str = "") -> None:
        self.unit.append(Mark(kind, "", shown))
        self.nodes.append([])

    def write(self, said: Unit) -> None:
        for before, after, nodes in zip(gaps(self.unit), gaps(said), self.nodes, strict=True):
            text = text_of(after)
            if not nodes or text == text_of(before):
                continue
            for node in nodes:
                node.text = ""
            nodes[0].text = text
            if text != text.strip():
                nodes[0].set(_SPACE, "preserve")


def _texts(root: Any) -> list[_Text]:
    found: list[_Text] = []
    for paragraph in root.iter(f"{_W}p"):
        if _is_code(paragraph, "p"):
            continue
        items = _items(paragraph)
        for broken, part in groupby(items, lambda item: item[0] == "break"):
            if not broken:
                found.append(_text(list(part)))
    return found


def _items(paragraph: Any) -> Iterator[tuple[str, Any, Any]]:
    """What stands in a paragraph, in order: `text` with its node and look, `break`, or `point` (a note, a field …)."""
    waiting: list[tuple[Any, tuple[Any, ...]]] = [(child, ()) for child in reversed(paragraph)]
    while waiting:
        node, above = waiting.pop()
        if node.tag in _NO_TEXT or not isinstance(node.tag, str):
            continue
        if node.tag == f"{_W}t":
            yield ("code" if _is_code(node.getparent(), "r") else "text"), node, above
        elif node.tag in _BREAKS:
            yield "break", node, None
        elif node.tag in _INSIDE:
            look = (*above, _look(node)) if node.tag == f"{_W}r" else (*above, id(node))
            waiting += [(child, look) for child in reversed(node)]
        elif not _unseen(node.tag):
            yield "point", node, None


def _is_code(node: Any, kind: str) -> bool:
    """Whether a run (`r`) or a paragraph (`p`) has a style for code."""
    style = node.find(f"{_W}{kind}Pr/{_W}{kind}Style")
    return style is not None and bool(_CODE.search(style.get(f"{_W}val", "")))


def _look(run: Any) -> Any:
    """What tells how a run looks; the languages and ids that Word notes for itself are no part of it."""
    properties = run.find(f"{_W}rPr")
    if properties is None:
        return ()
    ignored = (f"{_W}lang", f"{_W}noProof")
    return tuple((n.tag, *sorted(n.attrib.items())) for n in properties if n.tag not in ignored)


def _unseen(tag: str) -> bool:
    """Bookmarks and the like: they may stand between any words, and split none."""
    name = tag.rpartition("}")[2]
    return name in ("proofErr", "lastRenderedPageBreak", "softHyphen") or name.startswith("permS")


def _text(items: Sequence[tuple[str, Any, Any]]) -> _Text:
    """Runs of the look that most of the text has are plain; others become a text between two marks."""
    weights: dict[Any, int] = {}
    for kind, node, look in items:
        if kind == "text":
            weights[look] = weights.get(look, 0) + len(node.text or "")
    common = max(weights, key=lambda look: weights[look], default=None)
    text = _Text()
    for (kind, look), run in groupby(items, lambda item: (item[0], item[2])):
        nodes = [node for _, node, _ in run]
        if kind == "point":
            for _ in nodes:
                text.mark("point")
            continue
        if kind == "code":
            text.mark("kept", "".join(node.text or "" for node in nodes).strip() or "X")
            continue
        if look != common:
            text.mark("open")
        text.unit.append("".join(node.text or "" for node in nodes))
        text.nodes[-1] += nodes
        if look != common:
            text.mark("close")
    return text
