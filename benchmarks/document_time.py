"""Growth of the translation time with the length of a document, for documents constructed to take long.

    python benchmarks/document_time.py [--only NAME ...] [--most_bytes 10000000] [--seconds 20]

Every document starts at 50 kB and is doubled until it has --most_bytes or takes longer than --seconds. The model is the
identity, so that only readers and writers are timed (processor time of one thread). Linear growth gives a ratio of 2 to
the half size.
"""

from __future__ import annotations

import argparse
import io
import math
import random
import time
import zipfile
from collections.abc import Callable
from dataclasses import asdict, dataclass

from turns import write

from distilmt.documents import translate_document
from distilmt.utils.errors import UserError

_FIRST = 50_000
_FEWEST = 3  # sizes, however long they take
_LINEAR = 2.4
"""Upper limit of the mean ratio of the last doublings for linear growth; it allows for noise of the timing."""
_LAST = 3


@dataclass
class Timing:
    """A document of one size."""

    size: int
    """Bytes."""
    seconds: float
    outcome: str = "same bytes"
    """`same bytes`, `other bytes`, or the reason of the refusal."""


def _repeated(text: str, head: str = "", tail: str = "") -> Callable[[int], bytes]:
    return lambda size: (head + text * max(1, size // len(text.encode())) + tail).encode()


def _numbered(line: str, head: str = "", joint: str = "", tail: str = "") -> Callable[[int], bytes]:
    def document(size: int) -> bytes:
        count = max(1, size // (len(line.format(n=10_000, m=20_000)) + len(joint)))
        return (head + joint.join(line.format(n=n, m=n + 10_000) for n in range(count)) + tail).encode()

    return document


def _backticks(size: int) -> bytes:
    return " ".join("`" * (1 + number % 30) for number in range(size // 16)).encode()


def _docx(size: int) -> bytes:
    """One paragraph of many one-letter runs; the size is that of its XML."""
    run = "<w:r><w:rPr><w:b/></w:rPr><w:t>a </w:t></w:r>"
    return _word(run * (size // len(run)))


def _words_docx(size: int) -> bytes:
    """One paragraph in which each word differs from all others, and in format from its neighbors."""
    letters, run = random.Random(1), '<w:r><w:rPr><w:{}/></w:rPr><w:t xml:space="preserve">{} </w:t></w:r>'
    words = ("".join(letters.choices("abcdefghijklmnop", k=5)) for _ in range(size // 70))
    return _word("".join(run.format("bi"[number % 2], word) for number, word in enumerate(words)))


def _word(runs: str) -> bytes:
    """A package with one paragraph."""
    space = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
    parts = {
        "[Content_Types].xml": '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
        '<Default Extension="xml" ContentType="application/xml"/></Types>',
        "word/document.xml": f'<w:document xmlns:w="{space}"><w:body><w:p>{runs}</w:p></w:body></w:document>',
    }
    memory = io.BytesIO()
    with zipfile.ZipFile(memory, "w", zipfile.ZIP_DEFLATED) as package:
        for name, text in parts.items():
            package.writestr(name, text)
    return memory.getvalue()


CASES: dict[str, Callable[[int], bytes]] = {
    "asterisks.md": _repeated("*a "),
    "asterisks without spaces.md": _repeated("*a"),
    "underlines.md": _repeated("_a"),
    "snake case.md": _repeated("The snake_case_name is a thing. "),
    "ampersands.md": _repeated("&"),
    "brackets.md": _repeated("["),
    "open links.md": _repeated("[a]("),
    "images.md": _repeated("!["),
    "backticks.md": _backticks,
    "less-than signs.md": _repeated("<"),
    "open tags.md": _repeated("<a "),
    "bold tags.md": _repeated("<b>a "),
    "front matter.md": _repeated("title: a b\n", "---\n"),
    "one word a line.md": _repeated("word\n"),
    "one letter a line.md": _repeated("a\n"),
    "references.md": _numbered("[name {n}]: target\n"),
    "quotes.md": _repeated("> word\n"),
    "items.md": _repeated("- word\n"),
    "cells.md": _repeated("| word ", "| a |\n|---|\n", "|\n"),
    "rows.md": _repeated("| word | other |\n", "| a | b |\n|---|---|\n"),
    "one line.md": _repeated("word "),
    "sentences.md": _repeated("This is a sentence of a long text. "),
    "paragraphs.md": _numbered("Paragraph {n} has *some* words and `code`.\n\n"),
    "unclosed tags.html": _repeated("<b>a "),
    "bold words.html": _repeated("<b>a b</b> "),
    "paragraphs.html": _numbered("<p>Paragraph {n} has <i>some</i> words.</p>\n"),
    "nested blocks.html": _repeated("<div>a "),
    "attributes.html": _repeated('a="x" ', "<p ", ">text</p>"),
    "less-than signs.html": _repeated("<"),
    "open tags.html": _repeated("<a "),
    "comments.html": _repeated("<!-- a "),
    "expressions.html": _repeated("{{ a "),
    "percent signs.html": _repeated("a %s "),
    "ampersands.html": _repeated("&"),
    "one line.html": _repeated("word "),
    "one line.txt": _repeated("word "),
    "sentences.txt": _repeated("This is a sentence of a long text. "),
    "lines.txt": _repeated("word\n"),
    "cues.srt": _numbered("{n}\n00:00:01,000 --> 00:00:02,000\nLine {n} of a film.\n\n"),
    "one cue.srt": _repeated("word\n", "1\n00:00:01,000 --> 00:00:02,000\n"),
    "italics.srt": _repeated("<i>a ", "1\n00:00:01,000 --> 00:00:02,000\n"),
    "cues.vtt": _numbered("00:00:01.000 --> 00:00:02.000\nLine {n} of a film.\n\n", "WEBVTT\n\n"),
    "messages.po": _numbered('msgid "Message {n} of a program"\nmsgstr ""\n\n'),
    "placeholders.po": _repeated("%s ", 'msgid "', '"\nmsgstr ""\n'),
    "messages.json": _numbered('"key{n}": "Message {n} of a program"', "{\n", ",\n", "\n}\n"),
    "placeholders.json": _repeated("{a} ", '{"key": "', '"}'),
    "braces.json": _repeated("{", '{"key": "a ', '"}'),
    "runs.docx": _docx,
    "words.docx": _words_docx,
}


def timed(name: str, size: int) -> Timing:
    """Translate one document once."""
    data = CASES[name](size)
    begin = time.process_time()
    try:
        outcome = "same bytes" if translate_document(data, name, list) == data else "other bytes"
    except UserError as error:
        outcome = f"refused: {str(error).removeprefix(f'{name}: ')}"
    return Timing(size, time.process_time() - begin, outcome)


def doubled(name: str, most_bytes: int, seconds: float) -> list[Timing]:
    """Timings of a document from 50 kB up."""
    timed(name, 1000)  # imports at first use are not timed
    timings: list[Timing] = []
    while len(timings) < _FEWEST or (timings[-1].size < most_bytes and 2 * timings[-1].seconds < seconds):
        timings.append(timed(name, min(2 * timings[-1].size, most_bytes) if timings else _FIRST))
    return timings


def growth(timings: list[Timing]) -> float:
    """Mean growth factor of the time over the last doublings; 0 if none took measurable time."""
    last = [t for t in timings if t.seconds > 0.05][-1 - _LAST :]
    if len(last) < 2:
        return 0.0
    doublings = math.log2(last[-1].size / last[0].size)
    return float((last[-1].seconds / last[0].seconds) ** (1 / doublings))


def row(name: str, timings: list[Timing]) -> str:
    """A row of the table."""
    ratio, last = growth(timings), timings[-1]
    verdict = ("linear" if ratio <= _LINEAR else "**grows faster**") if ratio else "too quick to tell"
    cells = [
        name,
        f"{last.size / 1e6:.2f} MB",
        f"{last.seconds:.1f}",
        f"{last.size / 1e6 / max(last.seconds, 1e-3):.2f}",
    ]
    return f"| {' | '.join(cells)} | {f'{ratio:.2f}' if ratio else '–'} | {verdict} | {last.outcome} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="*", default=list(CASES), help="names of documents, or their endings")
    parser.add_argument("--most_bytes", type=int, default=10_000_000)
    parser.add_argument("--seconds", type=float, default=20, help="a document that would take longer is not doubled")
    parser.add_argument("--name", default="document-time", help="of the files in results/; empty for none")
    parser.add_argument("--note", default="", help="a sentence for the results file, such as who shared the machine")
    chosen = parser.parse_args()
    head = "| document | largest | seconds | MB/s | ratio | | outcome |\n|---|" + "---:|" * 4 + "---|---|"
    print(head)
    results: dict[str, list[Timing]] = {}
    for name in CASES:
        if name.endswith(tuple(chosen.only)):
            results[name] = doubled(name, chosen.most_bytes, chosen.seconds)
            print(row(name, results[name]), flush=True)
    if chosen.name:
        command = f"python benchmarks/document_time.py --most_bytes {chosen.most_bytes} --seconds {chosen.seconds:g}"
        note = (
            f"Ratio: the factor of time at a doubling, the mean of the last {_LAST}; up to {_LINEAR} is called linear."
        )
        if chosen.note:
            note = f"{note} {chosen.note}"
        table = "\n".join([head, *(row(name, timings) for name, timings in results.items())])
        write(chosen.name, command, [table, note], {n: [asdict(t) for t in timings] for n, timings in results.items()})


if __name__ == "__main__":
    main()
