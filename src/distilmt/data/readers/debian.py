"""Sentence pairs from translated Debian package descriptions: joined, aligned by structure, split into sentences."""

from __future__ import annotations

import gzip
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from distilmt.data.cleaning import normalize, split_words, weighted_length
from distilmt.data.readers.apt import Indices
from distilmt.data.sentence_splitter import sentences
from distilmt.utils import progress

_RATIO_RANGE = (0.4, 2.5)
_RATIO_SMOOTHING = 8
_MIN_LETTERS = 0.5
_BULLET = re.compile(r"( +)([-*+•·oO–]|\d{1,2}[.)])\s+(?=\S)")
_HYPHENATED = re.compile(r"\w-$")
# Before these a hyphen replaces a word (`pre- and postprocessing`).
_LIST_WORD = re.compile(r"(and|or|to|und|oder|bzw|sowie|bis|e|o|ed|et|ou|y|og|och|eller|en|of|i|a|lub)\b|\W")
_EAST_ASIAN = re.compile("[\u3001-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff01-\uff9f]")


class AlignedSentence(NamedTuple):
    """A sentence pair: `kind` is S (short description), P (of a paragraph) or B (of a list)."""

    package: str
    kind: str
    source: str
    target: str


class DescriptionBlock(NamedTuple):
    """Block of lines of a description: kind P, B, or V for verbatim text."""

    kind: str
    text: str


class Description(NamedTuple):
    """A package's English description, with the archive section that its maintainer chose."""

    package: str
    source: str
    """Its source package."""
    section: str
    text: str
    """Short and long description in one line."""


class _IndexEntry(NamedTuple):
    package: str
    short: str
    long: str


def aligned_sentences(indices: Indices, source: str, target: str) -> Iterator[AlignedSentence]:
    """Aligned sentences of all descriptions that exist in both languages, in the order of the index.

    Args:
        indices: downloaded descriptions in both languages.
        source: language code of the source.
        target: language code of the target.
    """
    names = _source_names(indices.packages)
    translated = dict(_descriptions(indices.translations[target], target))
    with progress.task("align package descriptions", None, "packages") as task:
        done: set[str] = set()
        for number, (md5, left) in enumerate(_descriptions(indices.translations[source], source)):
            right = translated.get(md5)
            if right is not None and md5 not in done:
                done.add(md5)
                yield from _align(names.get(left.package, left.package), left, right)
            if number % 1000 == 999:
                task.advance(1000)


def descriptions(indices: Indices) -> Iterator[Description]:
    """English descriptions, in the order of the index; of equal ones only the first.

    Args:
        indices: downloaded descriptions, including English.
    """
    packages = {binary: (source, section) for binary, source, section in _packages(indices.packages)}
    seen: set[str] = set()
    for _, entry in _descriptions(indices.translations["en"], "en"):
        source, section = packages.get(entry.package, ("", ""))
        long = " ".join(line.strip() for line in entry.long.split("\n") if line.strip() not in ("", "."))
        text = normalize(f"{entry.short}. {long}")
        letters = "".join(filter(str.isalpha, text)).lower()
        if section and letters not in seen:
            seen.add(letters)
            yield Description(entry.package, source, section, text)


def english_sentences(indices: Indices) -> Iterator[tuple[str, str]]:
    """English sentences of all descriptions, translated or not: (source package, sentence), each once in a package.

    Args:
        indices: downloaded descriptions, including English.
    """
    names = _source_names(indices.packages)
    seen: set[tuple[str, str]] = set()
    for _, entry in _descriptions(indices.translations["en"], "en"):
        package = names.get(entry.package, entry.package)
        blocks = [block for group in description_blocks(entry.long) for block in group if block.kind != "V"]
        for sentence in (normalize(entry.short), *(text for block in blocks for text in sentences(block.text))):
            if (package, sentence) not in seen and len(split_words(sentence)) > 1:
                seen.add((package, sentence))
                if _letter_share(sentence) >= _MIN_LETTERS:
                    yield package, sentence


def _source_names(path: Path) -> dict[str, str]:
    return {binary: source for binary, source, _ in _packages(path)}


def _packages(path: Path) -> Iterator[tuple[str, str, str]]:
    """Name, source package and section of every package."""
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            binary, source, section = line.rstrip("\n").split("\t")
            yield binary, source, section


def _descriptions(path: Path, language: str) -> Iterator[tuple[str, _IndexEntry]]:
    """Description-md5 and description of every stanza."""
    field = f"Description-{language}: "
    with gzip.open(path, "rt", encoding="utf-8", errors="replace", newline="\n") as lines:
        package = md5 = short = ""
        long: list[str] = []
        for line in (*lines, "\n"):
            if line.startswith(" "):
                long.append(line.rstrip())
            elif line.startswith("Package: "):
                package = line[9:].strip()
            elif line.startswith("Description-md5: "):
                md5 = line[17:].strip()
            elif line.startswith(field):
                short = line[len(field) :].strip()
            elif line == "\n":
                if md5 and short:
                    yield md5, _IndexEntry(package, short, "\n".join(long))
                package = md5 = short = ""
                long = []


def _align(package: str, left: _IndexEntry, right: _IndexEntry) -> Iterator[AlignedSentence]:
    if _is_clean(left.short, right.short):
        yield AlignedSentence(package, "S", normalize(left.short), normalize(right.short))
    left_groups, right_groups = (description_blocks(description.long) for description in (left, right))
    if len(left_groups) != len(right_groups):
        return
    for left_group, right_group in zip(left_groups, right_groups, strict=True):
        if [block.kind for block in left_group] == [block.kind for block in right_group]:
            for left_block, right_block in zip(left_group, right_group, strict=True):
                yield from _align_block(package, left_block, right_block)


def _align_block(package: str, left: DescriptionBlock, right: DescriptionBlock) -> Iterator[AlignedSentence]:
    if left.kind == "V":
        return
    left_sentences, right_sentences = sentences(left.text), sentences(right.text)
    if len(left_sentences) != len(right_sentences):
        return
    for source, target in zip(left_sentences, right_sentences, strict=True):
        if _is_clean(source, target):
            yield AlignedSentence(package, left.kind, source, target)


def description_blocks(text: str) -> list[list[DescriptionBlock]]:
    """Blocks of a long description, separated by ` .` lines."""
    groups = []
    for group in re.split(r"^ \.$", text, flags=re.MULTILINE):
        lines = [line for line in group.split("\n") if line.strip()]
        if lines:
            groups.append(_group_blocks(lines))
    return groups


def _group_blocks(lines: list[str]) -> list[DescriptionBlock]:
    """Blocks of lines: indented text is a list item or its continuation, else it is verbatim."""
    groups: list[tuple[str, list[str]]] = []
    hanging = 0
    for line in lines:
        indent = len(line) - len(line.lstrip(" "))
        bullet = _BULLET.match(line)
        if bullet and (indent > 1 or bullet[2] not in "oO"):
            groups.append(("B", [line[bullet.end() :]]))
            hanging = indent
        elif groups and groups[-1][0] == "B" and indent > hanging:
            groups[-1][1].append(line)
        else:
            kind = "P" if indent == 1 else "V"
            if not groups or groups[-1][0] != kind:
                groups.append((kind, []))
            groups[-1][1].append(line)
    return [DescriptionBlock(kind, _join(parts)) for kind, parts in groups]


def _join(lines: list[str]) -> str:
    """Join wrapped lines."""
    joined = ""
    for line in (normalize(line) for line in lines):
        joined += line if not joined or _is_one_word(joined, line) else f" {line}"
    return joined


def _is_one_word(before: str, after: str) -> bool:
    """Whether a line break is not a space: in East Asian text, and after a hyphen (`Qt-` / `Module`)."""
    if _EAST_ASIAN.match(before[-1]) and _EAST_ASIAN.match(after[:1]):
        return True
    return _HYPHENATED.search(before) is not None and _LIST_WORD.match(after) is None


def _is_clean(source: str, target: str) -> bool:
    return min(len(split_words(source)), len(split_words(target))) >= 2 and is_plausible(source, target)


def is_plausible(source: str, target: str) -> bool:
    """Whether the sides of a normalized pair differ, have similar lengths, and consist of letters for the most part."""
    if source == target:
        return False
    ratio = (weighted_length(target) + _RATIO_SMOOTHING) / (weighted_length(source) + _RATIO_SMOOTHING)
    if not _RATIO_RANGE[0] <= ratio <= _RATIO_RANGE[1]:
        return False
    return min(_letter_share(source), _letter_share(target)) >= _MIN_LETTERS


def _letter_share(text: str) -> float:
    letters = sum(map(str.isalpha, text))
    return letters / max(1, len(text) - text.count(" "))
