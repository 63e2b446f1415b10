"""Stream sentence pairs from TMX and XLIFF (1.2 and 2.0): only one unit at a time is in memory.

Document types are not read, entities are not expanded and nothing is downloaded; a document that declares its own
entities is rejected. A unit with characters that XML forbids is yielded as an error.
libxml2 limits the depth of elements and the length of a text.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from distilmt.data.pairs import Pair, match_language
from distilmt.data.readers.compressed import byte_chunks
from distilmt.data.readers.xml_characters import MARK, mark_forbidden
from distilmt.utils.errors import UserError

if TYPE_CHECKING:
    from lxml import etree

logger = logging.getLogger(__name__)

_LANG = "{http://www.w3.org/XML/1998/namespace}lang"
# Inline elements that contain codes of the original format, not text (TMX 1.4b and XLIFF 1.2).
_CODES = frozenset({"bpt", "ept", "ph", "it", "ut", "x", "bx", "ex", "sc", "ec"})
# States of a target (1.2) or a segment (2.x) that mean: not translated yet, or not confirmed.
_UNTRANSLATED = frozenset({"new", "initial"})


def read_tmx(path: Path, source: str, target: str) -> Iterator[Pair | UserError]:
    """The units of a translation memory that have both languages; `line` is the unit's number.

    Args:
        path: a .tmx file, which may be compressed.
        source: language code, matched leniently.
        target: language code, as `source`.

    Raises:
        UserError: the file is damaged, has another format, declares entities, or has no units in these languages.
    """
    has_pairs, languages = False, set[str]()
    for number, element in enumerate(_elements(path, "tmx", ("tu",)), 1):
        texts = dict(_variants(element))
        languages.update(texts)
        left, right = match_language(source, texts), match_language(target, texts)
        if left and right:
            has_pairs = True
            yield _pair(path, number, left, right)
    if not has_pairs:
        raise _no_pairs(path, source, target, languages)


def _pair(path: Path, number: int, source: str, target: str) -> Pair | UserError:
    if MARK in source or MARK in target:
        return UserError(
            f"{path}, unit {number}: has what XML forbids (a control or invalid character, a single < or &, or"
            " an undeclared entity): write &lt; or &amp;, or remove it"
        )
    return Pair(number, source, target)


def _variants(unit: etree._Element) -> Iterator[tuple[str, str]]:
    for variant in unit.iterchildren("{*}tuv"):
        code = variant.get(_LANG) or variant.get("lang")
        for segment in variant.iterchildren("{*}seg"):
            if code:
                yield code, _text(segment)


def read_xliff(path: Path, source: str, target: str) -> Iterator[Pair | UserError]:
    """The translated segments of an XLIFF file, of version 1 or 2; `line` is the segment's number.

    Segments whose state is new, initial or needs work, unapproved segments, and segments marked as not translatable are
    left out and counted.

    `file` elements in other languages are skipped; those in the opposite direction are swapped.

    Args:
        path: a .xlf or .xliff file, which may be compressed.
        source: language code, matched leniently.
        target: language code, as `source`.

    Raises:
        UserError: as `read_tmx`.
    """
    number, has_pairs, languages, left_out = 0, False, set[str](), Counter[str]()
    for element in _elements(path, "xliff", ("trans-unit", "segment")):
        pair = _languages(element)
        languages.update(filter(None, pair))
        turned = _direction(pair, source, target)
        if turned is not None and (reason := _unfit(element)):
            left_out[reason] += 1
            number += 1
            continue
        for left, right in _segments(element):
            number += 1
            if turned is not None and left.strip() and right.strip():
                has_pairs = True
                yield _pair(path, number, *((right, left) if turned else (left, right)))
    if left_out:
        logger.info(f"{path}: left out {_counted(left_out)}")
    if not has_pairs:
        raise _no_pairs(path, source, target, languages)


def _counted(reasons: Counter[str]) -> str:
    return ", ".join(f"{count:,} segments ({reason})" for reason, count in reasons.most_common())


def _unfit(element: etree._Element) -> str | None:
    """Why a unit or segment with a target is not a usable translation, by its attributes; else None."""
    target = next(element.iterchildren("{*}target"), None)
    if target is None:
        return None
    for each in (element, *element.iterancestors()):
        if each.get("translate"):
            if each.get("translate") == "no":
                return "translate=no"
            break
    if element.get("approved") == "no":
        return "approved=no"
    state = str(target.get("state") or element.get("state") or "")
    if state in _UNTRANSLATED or state.startswith("needs-"):
        return f"state={state}"
    return "state-qualifier" if str(target.get("state-qualifier")).startswith("rejected-") else None


def _languages(element: etree._Element) -> tuple[str, str]:
    """Source and target language of the file of a unit: attributes of `file` (1.2) or `xliff` (2.0)."""
    for names in (("source-language", "target-language"), ("srcLang", "trgLang")):
        for above in element.iterancestors():
            if above.get(names[0]):
                return above.get(names[0]) or "", above.get(names[1]) or ""
    return "", ""


def _direction(pair: tuple[str, str], source: str, target: str) -> bool | None:
    """Whether a file has the opposite direction; None if it has other languages. Missing attributes match."""
    for turned, (left, right) in ((False, (source, target)), (True, (target, source))):
        if all(
            not code or match_language(language, {code: True})
            for code, language in zip(pair, (left, right), strict=True)
        ):
            return turned
    return None


def _segments(unit: etree._Element) -> Iterator[tuple[str, str]]:
    """The texts of a unit: its marked segments if both sides have the same ones, else the whole unit."""
    sides = {name: next(unit.iterchildren(f"{{*}}{name}"), None) for name in ("source", "seg-source", "target")}
    right = sides["target"]
    if right is None or sides["source"] is None:
        yield "", ""
        return
    parts = [_marked(side) for side in (sides["seg-source"], right) if side is not None]
    if len(parts) == 2 and parts[0] and list(parts[0]) == list(parts[1]):
        yield from ((left, parts[1][name]) for name, left in parts[0].items())
    else:
        yield _text(sides["source"]), _text(right)


def _marked(side: etree._Element) -> dict[str, str]:
    marks = [mark for mark in side.iter("{*}mrk") if mark.get("mtype") == "seg"]
    return {str(mark.get("mid")): _text(mark) for mark in marks}


def _text(element: etree._Element) -> str:
    """The text of a segment with that of its inline elements, without their codes; `&x;` of a DTD stays unchanged."""
    parts = [element.text or ""]
    for child in element:
        if not isinstance(child.tag, str):
            parts.append(child.text or "")
        elif child.tag.rpartition("}")[2] not in _CODES:
            parts.append(_text(child))
        parts.append(child.tail or "")
    return "".join(parts)


def _elements(path: Path, root: str, names: tuple[str, ...]) -> Iterator[etree._Element]:
    """Complete elements of the given names, each cleared after the caller has used it."""
    from lxml import etree

    tags = [f"{{*}}{name}" for name in names]
    containers = ["{*}unit", "{*}group", "{*}file"]
    parser = etree.XMLPullParser(
        ("start", "end"), tag=[*tags, *containers, f"{{*}}{root}"],
        resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, remove_comments=True, remove_pis=True,
    )  # fmt: skip
    checked = False
    try:
        for chunk in mark_forbidden(byte_chunks(path)):
            parser.feed(chunk)
            for event, element in parser.read_events():
                if not checked:
                    _check_root(element, root, path)
                    checked = True
                if event == "start":
                    continue
                if etree.QName(element).localname in names:
                    yield element
                _empty(element)
        parser.close()
    except etree.XMLSyntaxError as error:
        reason = " ".join(str(error).split())[:150]
        raise UserError(f"{path} is not complete XML ({reason}): write or copy it again") from None
    except LookupError:
        raise UserError(f"{path} is in an unknown encoding: convert it to UTF-8") from None
    if not checked:
        raise _wrong_root(path, root)


def _check_root(element: etree._Element, root: str, path: Path) -> None:
    tree = element.getroottree()
    document_root = tree.getroot()
    if str(document_root.tag).rpartition("}")[2] != root:
        raise _wrong_root(path, root)
    declared = tree.docinfo.internalDTD
    if declared is not None and (any(declared.iterentities()) or any(declared.iterelements())):
        raise UserError(f"{path} declares entities or a document type, which is unsafe to read: remove them")


def _wrong_root(path: Path, root: str) -> UserError:
    return UserError(f"{path} is not a {root.upper()} file (its first element is not <{root}>): name another file")


def _empty(element: etree._Element) -> None:
    """Free an element and everything before it, so that memory does not grow."""
    element.clear(keep_tail=False)
    parent = element.getparent()
    while parent is not None and element.getprevious() is not None:
        del parent[0]


def _no_pairs(path: Path, source: str, target: str, languages: Mapping[str, object] | set[str]) -> UserError:
    language_list = ", ".join(sorted(languages)[:12]) or "none"
    return UserError(
        f"{path} has no translated units in {source!r} and {target!r} (languages in it: {language_list}): name another "
        "file, or other languages with corpus.source and corpus.target"
    )
