"""Documents from real use: counts of texts translated, kept and skipped.

    python benchmarks/real_documents.py FOLDER [FOLDER ...] [--most 1500] [--name real-documents]

Every file of a known kind below the folders (each content once) is translated twice: by the identity (the bytes must
be the same), and by a model that adds a letter to each word. Other parsers (`document_texts.py`) then compare both
documents: texts with words must have changed, and nothing else.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import signal
import time
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from document_texts import READERS
from turns import write

from distilmt.documents import TranslateWithAttention, translate_document
from distilmt.utils.errors import UserError

MARK = "ж"
_STAND_IN = re.compile(r"X\d+|ABC|XYZ|DQF|KLM|RST|VWB|GHP|JNQ")
_WORD = re.compile(r"[^\W\d_]+")
# Text that a reader classifies as code or as a name is excluded, by the same rule for all formats.
_NO_TEXT = re.compile(r"[%$@\\{}<>|=_#~`/]|::|\w\.\w|\w\(|(?<!\w)-{1,2}\w|^\W*(?:https?:|www\.)|\d\w|\w\d|[a-z][A-Z]")
_SECONDS = 60


@dataclass
class Kind:
    """Counts of one format."""

    files: int = 0
    texts: int = 0
    """Texts of two words and more, without anything in them that looks like code."""
    changed: int = 0
    partly: int = 0
    untouched: int = 0
    reported: int = 0
    """Texts that distilmt itself counts as left."""
    different: list[str] = field(default_factory=list)
    """Files that an identity changed."""
    beyond: list[str] = field(default_factory=list)
    """Files in which something other than text changed."""
    refused: Counter[str] = field(default_factory=Counter)
    crashed: list[str] = field(default_factory=list)
    unread: int = 0
    """Files that the other parser cannot read."""
    reasons: Counter[str] = field(default_factory=Counter)
    examples: list[str] = field(default_factory=list)
    seconds: float = 0.0


class TooLongError(Exception):
    """A file exceeded the time limit."""


def marked(texts: list[str]) -> list[str]:
    """The text with a letter added to each word, except placeholders."""
    return [_WORD_OR_STAND_IN.sub(_with_mark, text) for text in texts]


_WORD_OR_STAND_IN = re.compile(rf"(?<!\w)(?:{_STAND_IN.pattern})(?!\w)|{_WORD.pattern}")


def _with_mark(match: re.Match[str]) -> str:
    return match[0] if _STAND_IN.fullmatch(match[0]) else match[0] + MARK


def collect(folders: list[Path], most: int, most_bytes: int) -> dict[str, list[Path]]:
    """Files by extension, each content once, in the order of a hash, so that no folder dominates."""
    contents: dict[str, dict[str, Path]] = defaultdict(dict)
    for folder in folders:
        for path in folder.rglob("*"):
            suffix = path.suffix.lower()
            if suffix in READERS and path.is_file() and not path.is_symlink() and 0 < path.stat().st_size <= most_bytes:
                contents[suffix].setdefault(hashlib.sha256(path.read_bytes()).hexdigest(), path)
    return {suffix: [path for _, path in sorted(by.items())][:most] for suffix, by in sorted(contents.items())}


def _through(data: bytes, name: str, translate: Any) -> bytes:
    signal.alarm(_SECONDS)
    try:
        return translate_document(data, name, translate)
    finally:
        signal.alarm(0)


def look_at(path: Path, kind: Kind) -> None:
    """One file, through both models."""
    data, name = path.read_bytes(), path.name
    kind.files += 1
    begin = time.perf_counter()
    attentive = TranslateWithAttention(marked, lambda texts, output: [[] for _ in texts])
    try:
        if not _same(data, _through(data, name, list), path):
            kind.different.append(str(path))
        changed = _through(data, name, attentive)
    except UserError as error:
        kind.refused[re.sub(r"\d+", "N", str(error).removeprefix(f"{name}: "))[:90]] += 1
        return
    except Exception as error:  # any exception is a finding
        kind.crashed.append(f"{path}: {type(error).__name__} {str(error)[:80]}")
        return
    kind.seconds += time.perf_counter() - begin
    report = getattr(attentive, "report", None)
    if report is not None:
        kind.reported += report.left
        kind.reasons.update({reason: skipped.count for reason, skipped in report.skipped.items()})
    _compare(data, changed, path, kind)


def _same(data: bytes, instance: bytes, path: Path) -> bool:
    """Whether a document is unchanged; a catalogue's empty translations are filled, which changes its lines."""
    if data == instance or path.suffix != ".po":
        return data == instance
    try:
        return READERS[".po"](data)[1] == READERS[".po"](instance)[1]
    except Exception:  # the other parser's own limits
        return False


def _compare(data: bytes, changed: bytes, path: Path, kind: Kind) -> None:
    reader = READERS[path.suffix.lower()]
    try:
        (before, remainder), (after, remainder_after) = reader(data), reader(changed)
    except Exception:  # the other parser's own limits
        kind.unread += 1
        return
    if remainder != remainder_after or len(before) != len(after):
        other = next(
            (f"{a!r} -> {b!r}" for a, b in zip(remainder, remainder_after, strict=False) if a != b), "another number"
        )
        kind.beyond.append(f"{path}: {other[:150]}")
        return
    for old, new in zip(before, after, strict=True):
        _count(old, new, path, kind)


def _count(old: str, new: str, path: Path, kind: Kind) -> None:
    source = new.replace(MARK, "") if path.suffix == ".po" else old
    if path.suffix == ".po" and old:
        return
    words = _WORD.findall(source)
    if len([word for word in words if len(word) > 1]) < 2 or _NO_TEXT.search(source):
        return
    kind.texts += 1
    marks = sum(word.endswith(MARK) for word in _WORD.findall(new))
    if marks >= len(words):
        kind.changed += 1
    elif marks:
        kind.partly += 1
    else:
        kind.untouched += 1
    if marks < len(words) and len(kind.examples) < 200:
        kind.examples.append(f"{path.name}: {' '.join(new.split())[:160]}")


def table(kinds: dict[str, Kind]) -> str:
    """A row for every format."""
    head = (
        "| format | files | identity differs | beyond text | refused | crashed | texts | changed | partly | untouched "
    )
    rows = [head + "| reported | seconds |", "|---|" + "---:|" * 11]
    for suffix, k in kinds.items():
        share = [f"{n:,} ({n / max(1, k.texts):.1%})" for n in (k.changed, k.partly, k.untouched)]
        cells = [k.files, len(k.different), len(k.beyond), k.refused.total(), len(k.crashed), f"{k.texts:,}", *share]
        rows.append(f"| {suffix} | " + " | ".join(map(str, [*cells, k.reported, f"{k.seconds:.0f}"])) + " |")
    total = sum(k.files for k in kinds.values())
    return "\n".join([*rows, "", f"{total:,} files."])


def named(kinds: dict[str, Kind]) -> str:
    """Reasons of refusals and of skipped texts, most frequent first."""
    lines = [f"- {s}, {n} refused: {why}" for s, k in kinds.items() for why, n in k.refused.most_common(8)]
    lines += [f"- {s}, {n} texts left: {why}" for s, k in kinds.items() for why, n in k.reasons.most_common(8)]
    return "\n".join(lines)


def _earlier(details: Path | None) -> dict[str, Kind]:
    """Formats that an earlier call has finished: the same command resumes after them."""
    if details is None or not details.exists():
        return {}
    kinds = {suffix: Kind(**counts) for suffix, counts in json.loads(details.read_text(encoding="utf-8")).items()}
    for kind in kinds.values():
        kind.refused, kind.reasons = Counter(kind.refused), Counter(kind.reasons)
    return kinds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", type=Path, nargs="+")
    parser.add_argument("--most", type=int, default=1500, help="files of a format")
    parser.add_argument("--most_bytes", type=int, default=100_000, help="of a file")
    parser.add_argument("--only", nargs="*", help="endings")
    parser.add_argument("--name", default="real-documents", help="of the files in results/")
    parser.add_argument(
        "--details", type=Path, help="where names of files and examples go; an earlier call's are gone on from"
    )
    chosen = parser.parse_args()

    def stop(*_: object) -> None:
        raise TooLongError(f"over {_SECONDS} s")

    signal.signal(signal.SIGALRM, stop)
    kinds = _earlier(chosen.details)
    for suffix, paths in collect(chosen.folders, chosen.most, chosen.most_bytes).items():
        if suffix in kinds or (chosen.only and suffix not in chosen.only):
            continue
        kind = kinds[suffix] = Kind()
        for path in paths:
            look_at(path, kind)
        print(table({suffix: kind}), flush=True)
        if chosen.details:
            whole = json.dumps({s: vars(k) for s, k in kinds.items()}, ensure_ascii=False, indent=1)
            chosen.details.write_text(whole, encoding="utf-8")
    data = {s: {n: v for n, v in vars(k).items() if isinstance(v, int | float)} for s, k in kinds.items()}
    command = f"python benchmarks/real_documents.py FOLDERS --most {chosen.most} --most_bytes {chosen.most_bytes}"
    write(chosen.name, command, [table(kinds), named(kinds)], data)


if __name__ == "__main__":
    main()
