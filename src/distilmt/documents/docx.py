"""Word documents: the text of paragraphs in the body, tables, headers, footers, notes, comments and charts.

Elements are identified by local names, in both namespaces of Office Open XML (transitional and strict). Only parts
whose text changes are rewritten; every other part of the package is copied byte for byte.
"""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby, pairwise
from typing import Any

from distilmt.documents import Translate, report_of
from distilmt.documents.docx_package import open_package, root_of, text_parts
from distilmt.documents.docx_untranslated import count_untranslated
from distilmt.documents.inline import translate_segments
from distilmt.documents.segments import InlineTag, Segment, gaps, text_of
from distilmt.utils.errors import UserError

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


def _written(root: Any) -> bytes:
    from lxml import etree

    return bytes(etree.tostring(root.getroottree(), xml_declaration=True, encoding="UTF-8", standalone=True))


@dataclass
class _DocxText:
    """A paragraph, or its part between two tabs or line breaks."""

    segment: Segment = field(default_factory=list)
    nodes: list[list[Any]] = field(default_factory=lambda: [[]])
    """For every gap of the segment the text nodes that contain it."""

    def add_tag(self, kind: Any, shown: str = "") -> None:
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
                    _removed(node)
                node.text = ""
            texts[0].text = ""
            _fill(texts[0], text.split("-") if has_same_hyphens else [text])
        return changed


def _removed(node: Any) -> None:
    node.getparent().remove(node)


def _fill(node: Any, parts: Sequence[str]) -> None:
    """Write a text into a node; its parts are joined by non-breaking hyphens."""
    for part in parts:
        if part is not parts[0]:
            parent, at = node.getparent(), node.getparent().index(node) + 1
            parent.insert(at, node.makeelement(node.tag.replace("}t", "}noBreakHyphen")))
            node = node.makeelement(node.tag)
            parent.insert(at + 1, node)
        node.text = part
        if part != part.strip():
            node.set(_SPACE, "preserve")


def _local(node: Any) -> str:
    """An element's name without its namespace; empty for a comment."""
    return str(node.tag).rpartition("}")[2] if isinstance(node.tag, str) else ""


def _texts(root: Any) -> list[_DocxText]:
    texts: list[_DocxText] = []
    for paragraph in root.iter("{*}p"):
        if _is_code(paragraph, "p"):
            continue
        items = _items(paragraph)
        for broken, part in groupby(items, lambda item: item[0] == "break"):
            if not broken:
                texts.append(_text(list(part)))
    return texts


def _items(paragraph: Any) -> Iterator[tuple[str, Any, Any]]:
    """Contents of a paragraph, in order.

    `text` with its node and format, `code`, `field` (a name to fill in), `symbol`, `break`, or `point` (a note, a
    picture …).
    """
    waiting: list[tuple[Any, tuple[Any, ...]]] = [(child, ()) for child in reversed(paragraph)]
    fields: list[str] = []  # Instructions of the open fields; those with a visible result end with "|".
    while waiting:
        node, above = waiting.pop()
        name = _local(node)
        if name == "fldChar":
            _follow(fields, next((v for k, v in node.attrib.items() if k.endswith("fldCharType")), ""))
        elif name == "instrText" and fields:
            fields[-1] += node.text or ""
        if name in _NO_TEXT or not name:
            continue
        if name in ("t", "noBreakHyphen", "softHyphen"):
            merged = any(_MERGE.match(field) for field in fields)
            yield "field" if merged else "code" if _is_code(node.getparent(), "r") else "text", node, above
        elif name in _BREAKS:
            yield "break", node, None
        elif name == "sym":
            yield "symbol", node, None
        elif name == "fldSimple" and _MERGE.match(next((v for k, v in node.attrib.items() if k.endswith("instr")), "")):
            yield "field", node, above
        elif name in _INSIDE:
            run_format = (*above, _run_format(node)) if name == "r" else (*above, id(node))
            waiting += [(child, run_format) for child in reversed(node)]
        elif not _unseen(name):
            yield "point", node, None


def _follow(fields: list[str], kind: str) -> None:
    if kind == "begin":
        fields.append("")
    elif kind == "end" and fields:
        fields.pop()


def _is_code(node: Any, kind: str) -> bool:
    """Whether a run (`r`) or a paragraph (`p`) has a style for code."""
    style = node.find(f"{{*}}{kind}Pr/{{*}}{kind}Style")
    return style is not None and any(_CODE.search(value) for key, value in style.attrib.items() if key.endswith("val"))


def _run_format(run: Any) -> Any:
    """The format of a run, without the languages and ids that Word stores for itself."""
    properties = run.find("{*}rPr")
    if properties is None:
        return ()
    own = [node for node in properties if _local(node) not in ("lang", "noProof", "")]
    return tuple((node.tag, *sorted(node.attrib.items())) for node in own)


def _unseen(name: str) -> bool:
    """Bookmarks and similar elements: they may occur between any words, and split no word."""
    return name in ("proofErr", "lastRenderedPageBreak") or name.startswith("permS")


def _string(node: Any) -> str:
    """The text of a text node or of a hyphen element."""
    name = _local(node)
    return "-" if name == "noBreakHyphen" else (node.text or "") if name == "t" else ""


def _same_looks(items: Sequence[tuple[str, Any, Any]]) -> list[tuple[str, Any, Any]]:
    """Merge texts into one format if the format changes every few characters without meaning."""
    looks = [(len(_string(node)), look) for kind, node, look in items if kind == "text"]
    changes = sum(a[1] != b[1] for a, b in pairwise(looks))
    if changes <= _MANY or sum(length for length, _ in looks) > _TINY * changes:
        return list(items)
    return [(kind, node, () if kind == "text" else look) for kind, node, look in items]


def _text(items: Sequence[tuple[str, Any, Any]]) -> _DocxText:
    """Runs in the format of most of the text are plain; others become a text between two tags."""
    weights: dict[Any, int] = {}
    items = _same_looks(items)
    for kind, node, look in items:
        if kind == "text":
            weights[look] = weights.get(look, 0) + len(_string(node))
    common = max(weights, key=lambda look: weights[look], default=None)
    text = _DocxText()
    for (kind, look), run in groupby(items, lambda item: (item[0], item[2])):
        nodes = [node for _, node, _ in run]
        if kind == "point":
            for _ in nodes:
                text.add_tag("point")
            continue
        if kind == "symbol" or (kind in ("code", "field")):
            text.add_tag("kept", "".join("".join(node.itertext()) for node in nodes).strip() or "X")
            continue
        if not any(_local(node) == "t" for node in nodes):  # a single hyphen between two formats
            text.add_tag("point")
            continue
        if look != common:
            text.add_tag("open")
        text.segment.append("".join(map(_string, nodes)))
        text.nodes[-1] += nodes
        if look != common:
            text.add_tag("close")
    return text
