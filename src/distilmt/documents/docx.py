"""Word documents: the text of paragraphs in the body, tables, headers, footers, notes, comments and charts.

Elements are identified by local names, in both namespaces of Office Open XML (transitional and strict). Only parts
whose text changes are rewritten; every other part of the package is copied byte for byte.
"""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby, pairwise
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from distilmt.documents import Translate, report_of
from distilmt.documents.docx_package import open_package, root_of, text_parts
from distilmt.documents.docx_untranslated import count_untranslated
from distilmt.documents.inline import translate_segments
from distilmt.documents.segments import InlineTag, Segment, TagKind, gaps, text_of
from distilmt.utils.errors import UserError

if TYPE_CHECKING:
    from lxml.etree import _Element

_SPACE = "{http://www.w3.org/XML/1998/namespace}space"
_BREAKS = frozenset({"br", "cr", "tab", "ptab"})
_NO_TEXT = frozenset(["pPr", "rPr", "del", "moveFrom", "instrText", "delText", "sdtPr", "tblPr", "endParaRPr"])
_INSIDE = frozenset(
    ["r", "hyperlink", "ins", "moveTo", "smartTag", "sdt", "sdtContent", "fldSimple", "customXml", "dir", "bdo"]
)
_MERGE = re.compile(r"\s*(?:MERGEFIELD|DOCPROPERTY|DOCVARIABLE)\b", re.IGNORECASE)
# Names of styles for code in Word, LibreOffice and pandoc.
_CODE = re.compile(r"(?i)verbatim|code|source|preformatted|teletype")
_MANY, _TINY = 200, 4  # More format changes than this, after fewer characters each, come from a scanner, not a writer.


def translate_docx(data: bytes, translate: Translate) -> bytes:
    """Translate a Word document.

    Args:
        data: the file. Runs, styles, tables, fields and notes keep their places; deleted text stays unchanged.
        translate: as in `translate_document`.

    Raises:
        UserError: lxml is missing, or the file is not a .docx file, or larger than 64 MiB when unpacked.
    """
    package = open_package(data)
    infos = package.infolist()
    main, names = text_parts(package)
    roots = {info.filename: root_of(package, info) for info in infos if info.filename in names}
    if main not in roots:
        raise UserError("not a Word document (word/document.xml is missing): save it as .docx")
    count_untranslated(package, roots.values(), report_of(translate))
    texts = [(name, text) for name, root in roots.items() for text in _texts(root)]
    translations = translate_segments([text.segment for _, text in texts], translate, strict=True)
    changed = {name for (name, text), segment in zip(texts, translations, strict=True) if text.write(segment)}
    if not changed:
        return data
    output = io.BytesIO()
    with zipfile.ZipFile(output, "w") as target:
        for info in infos:
            content = _written(roots[info.filename]) if info.filename in changed else package.read(info)
            target.writestr(info, content, info.compress_type)
    return output.getvalue()


def _written(root: _Element) -> bytes:
    from lxml import etree

    return bytes(etree.tostring(root.getroottree(), xml_declaration=True, encoding="UTF-8", standalone=True))


@dataclass
class _DocxText:
    """A paragraph, or its part between two tabs or line breaks."""

    segment: Segment = field(default_factory=list)
    nodes: list[list[_Element]] = field(default_factory=lambda: [[]])
    """For every gap of the segment the text nodes that contain it."""

    def add_tag(self, kind: TagKind, shown: str = "") -> None:
        self.segment.append(InlineTag(kind, "", shown))
        self.nodes.append([])

    def write(self, translation: Segment) -> bool:
        """Write a translation into the nodes; returns whether anything changed."""
        changed = False
        for before, after, nodes in zip(gaps(self.segment), gaps(translation), self.nodes, strict=True):
            text = text_of(after)
            if not nodes or text == text_of(before):
                continue
            changed = True
            texts = [node for node in nodes if _local(node) == "t"]
            hyphens = [node for node in nodes if _local(node) == "noBreakHyphen"]
            has_same_hyphens = bool(hyphens) and text_of(before).count("-") == len(hyphens)
            for node in nodes:
                if _local(node) != "t":
                    _parent(node).remove(node)
                node.text = ""
            texts[0].text = ""
            _fill(texts[0], text.split("-") if has_same_hyphens else [text])
        return changed


def _parent(node: _Element) -> _Element:
    parent = node.getparent()
    assert parent is not None  # text nodes are inside of runs
    return parent


def _fill(node: _Element, parts: Sequence[str]) -> None:
    """Write a text into a node; its parts are joined by non-breaking hyphens."""
    parent, tag = _parent(node), str(node.tag)
    for part in parts:
        if part is not parts[0]:
            at = parent.index(node) + 1
            parent.insert(at, node.makeelement(tag.replace("}t", "}noBreakHyphen")))
            node = node.makeelement(tag)
            parent.insert(at + 1, node)
        node.text = part
        if part != part.strip():
            node.set(_SPACE, "preserve")


def _local(node: _Element) -> str:
    """An element's name without its namespace; empty for a comment."""
    return str(node.tag).rpartition("}")[2] if isinstance(node.tag, str) else ""


def _texts(root: _Element) -> list[_DocxText]:
    texts: list[_DocxText] = []
    for paragraph in root.iter("{*}p"):
        if _is_code(paragraph, "p"):
            continue
        items = _items(paragraph)
        for broken, part in groupby(items, lambda item: item.kind == "break"):
            if not broken:
                texts.append(_text(list(part)))
    return texts


_Format: TypeAlias = tuple[Hashable, ...]
"""Format of a run, to compare it with others: the elements around it and its own properties."""


class _Item(NamedTuple):
    """A part of a paragraph."""

    kind: str
    """`text`, `code`, `field` (a name to fill in), `symbol`, `break`, or `point` (a note, a picture …)."""
    node: _Element
    format: _Format | None
    """Of `text`, `code` and `field`."""


def _items(paragraph: _Element) -> Iterator[_Item]:
    """Contents of a paragraph, in order."""
    waiting: list[tuple[_Element, _Format]] = [(child, ()) for child in reversed(paragraph)]
    fields: list[str] = []  # Instructions of the open fields; those with a visible result end with "|".
    while waiting:
        node, above = waiting.pop()
        name = _local(node)
        if name == "fldChar":
            _follow(fields, _attribute(node, "fldCharType"))
        elif name == "instrText" and fields:
            fields[-1] += node.text or ""
        if name in _NO_TEXT or not name:
            continue
        if name in ("t", "noBreakHyphen", "softHyphen"):
            merged = any(_MERGE.match(field) for field in fields)
            yield _Item("field" if merged else "code" if _is_code(_parent(node), "r") else "text", node, above)
        elif name in _BREAKS:
            yield _Item("break", node, None)
        elif name == "sym":
            yield _Item("symbol", node, None)
        elif name == "fldSimple" and _MERGE.match(_attribute(node, "instr")):
            yield _Item("field", node, above)
        elif name in _INSIDE:
            run_format = (*above, _run_format(node)) if name == "r" else (*above, id(node))
            waiting += [(child, run_format) for child in reversed(node)]
        elif not _unseen(name):
            yield _Item("point", node, None)


def _attribute(node: _Element, name: str) -> str:
    """The attribute with a local name; empty if there is none."""
    return next((str(value) for key, value in node.attrib.items() if str(key).endswith(name)), "")


def _follow(fields: list[str], kind: str) -> None:
    if kind == "begin":
        fields.append("")
    elif kind == "end" and fields:
        fields.pop()


def _is_code(node: _Element, kind: str) -> bool:
    """Whether a run (`r`) or a paragraph (`p`) has a style for code."""
    style = node.find(f"{{*}}{kind}Pr/{{*}}{kind}Style")
    if style is None:
        return False
    return any(_CODE.search(str(value)) for key, value in style.attrib.items() if str(key).endswith("val"))


def _run_format(run: _Element) -> _Format:
    """The format of a run, without the languages and ids that Word stores for itself."""
    properties = run.find("{*}rPr")
    if properties is None:
        return ()
    own = [node for node in properties if _local(node) not in ("lang", "noProof", "")]
    return tuple((node.tag, *sorted(node.attrib.items())) for node in own)


def _unseen(name: str) -> bool:
    """Bookmarks and similar elements: they may occur between any words, and split no word."""
    return name in ("proofErr", "lastRenderedPageBreak") or name.startswith("permS")


def _string(node: _Element) -> str:
    """The text of a text node or of a hyphen element."""
    name = _local(node)
    return "-" if name == "noBreakHyphen" else (node.text or "") if name == "t" else ""


def _merge_formats(items: Sequence[_Item]) -> list[_Item]:
    """Merge texts into one format if the format changes every few characters without meaning."""
    texts = [item for item in items if item.kind == "text"]
    changes = sum(a.format != b.format for a, b in pairwise(texts))
    if changes <= _MANY or sum(len(_string(item.node)) for item in texts) > _TINY * changes:
        return list(items)
    return [item._replace(format=()) if item.kind == "text" else item for item in items]


def _text(items: Sequence[_Item]) -> _DocxText:
    """Runs in the format of most of the text are plain; others become a text between two tags."""
    weights: dict[_Format | None, int] = {}
    items = _merge_formats(items)
    for item in items:
        if item.kind == "text":
            weights[item.format] = weights.get(item.format, 0) + len(_string(item.node))
    common = max(weights, key=lambda run_format: weights[run_format], default=None)
    text = _DocxText()
    for (kind, run_format), run in groupby(items, lambda item: (item.kind, item.format)):
        nodes = [item.node for item in run]
        if kind == "point":
            for _ in nodes:
                text.add_tag("point")
            continue
        if kind == "symbol" or (kind in ("code", "field")):
            text.add_tag("kept", "".join("".join(map(str, node.itertext())) for node in nodes).strip() or "X")
            continue
        if not any(_local(node) == "t" for node in nodes):  # a single hyphen between two formats
            text.add_tag("point")
            continue
        if run_format != common:
            text.add_tag("open")
        text.segment.append("".join(map(_string, nodes)))
        text.nodes[-1] += nodes
        if run_format != common:
            text.add_tag("close")
    return text
