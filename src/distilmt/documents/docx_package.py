"""The package of a Word document: its parts by their relationships, and limits of its unpacked size."""

from __future__ import annotations

import io
import posixpath
import zipfile
from typing import TYPE_CHECKING

from distilmt.utils.errors import UserError
from distilmt.utils.extras import install_command
from distilmt.utils.unpacking import ZIP_ERRORS

if TYPE_CHECKING:
    from lxml.etree import _Element

# The kinds of parts with text, by the last word of the relationship's type.
_KINDS = frozenset(["header", "footer", "footnotes", "endnotes", "comments", "chart", "diagramData", "diagramDrawing"])
# Word itself writes far less; a decompression bomb has more.
_MOST_BYTES, _MOST_FILES = 64 << 20, 5000
_MOST_TEXT, _MOST_TAGS = 24 << 20, 1_500_000
# No text compresses this well.
_MOST_RATIO, _SMALL = 150, 1 << 20


def open_package(data: bytes) -> zipfile.ZipFile:
    """Open a package. Raises UserError if it is not a package, or its unpacked size is too large."""
    try:
        package = zipfile.ZipFile(io.BytesIO(data))
        infos = package.infolist()
        if len(infos) > _MOST_FILES or sum(info.file_size for info in infos) > _MOST_BYTES:
            raise UserError(f"larger than {_MOST_BYTES >> 20} MiB when unpacked: remove large pictures")
        tight = (i for i in infos if _is_xml(i) and i.file_size > max(_SMALL, _MOST_RATIO * i.compress_size))
        if first := next(tight, None):
            raise UserError(
                f"{first.filename} in it is packed {_MOST_RATIO} to 1, as in a decompression bomb: "
                "remove repeated content in a word processor, or save it as .txt"
            )
        read = 0
        for info in infos:  # the sizes that a package declares may be false
            with package.open(info) as part:
                read += len(part.read(_MOST_BYTES + 1 - read))
            if read > _MOST_BYTES:
                raise UserError(f"larger than {_MOST_BYTES >> 20} MiB when unpacked: remove large pictures")
    except (*ZIP_ERRORS, OSError, ValueError) as error:
        raise UserError(f"not a .docx file ({str(error)[:100]}): save it again as .docx") from None
    return package


def _is_xml(info: zipfile.ZipInfo) -> bool:
    return info.filename.endswith((".xml", ".rels"))


def root_of(package: zipfile.ZipFile, info: zipfile.ZipInfo) -> _Element:
    """The root element of a part. Raises UserError if it is damaged, too large, or has a document type."""
    try:
        from lxml import etree
    except ImportError:
        raise UserError(f"reading .docx files needs lxml: {install_command('documents')}") from None
    content = package.read(info)
    if len(content) > _MOST_TEXT or content.count(b"<") > _MOST_TAGS:
        limits = f"{_MOST_TEXT >> 20} MiB or {_MOST_TAGS:,} tags"
        raise UserError(f"{info.filename} in it has more than {limits}: split the document")
    if b"<!DOCTYPE" in content:
        raise UserError(f"{info.filename} in it has a document type, as no .docx file does: save it again as .docx")
    parser = etree.XMLParser(resolve_entities=False, load_dtd=False, no_network=True, huge_tree=False)
    try:
        return etree.fromstring(content, parser)
    except etree.XMLSyntaxError as error:
        raise UserError(f"{info.filename} in it is damaged ({error.msg}): save it again as .docx") from None


def text_parts(package: zipfile.ZipFile) -> tuple[str, set[str]]:
    """Names of the main part and of all parts with text, found by relationships as in Word."""
    main = next((t for kind, t in _related(package, "") if kind == "officeDocument"), "word/document.xml")
    part_names, waiting = {main}, [main]
    while waiting:
        for kind, target in _related(package, waiting.pop()):
            if kind in _KINDS and target not in part_names:
                part_names.add(target)
                waiting.append(target)
    return main, part_names


def _related(package: zipfile.ZipFile, part: str) -> list[tuple[str, str]]:
    """Relationships of a part inside the package: the last word of each type, and the other part."""
    folder, name = posixpath.split(part)
    path = posixpath.join(folder, "_rels", f"{name}.rels")
    if path not in package.NameToInfo:
        return []
    relationships = []
    for node in root_of(package, package.getinfo(path)).iterfind("{*}Relationship"):
        if node.get("TargetMode") != "External":
            target = posixpath.normpath(posixpath.join("/", folder, node.get("Target", ""))).lstrip("/")
            relationships.append((node.get("Type", "").rpartition("/")[2], target))
    return relationships
