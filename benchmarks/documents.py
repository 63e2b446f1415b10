"""Placement of inline tags in documents: by finding the text, by attention, or by translating in parts.

Sentences of documents are counted by method. To measure the cost in quality, tags are put around random words of a test
set with references.
"""

from __future__ import annotations

import argparse
import random
import re
import statistics
import time
from collections import Counter
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import sacrebleu
from turns import write

from distilmt.data.cleaning import normalize
from distilmt.documents import Translate, TranslateWithAttention, inline, translate_document
from distilmt.documents.segments import InlineTag, Segment, text_of
from distilmt.documents.sentence_tasks import AttentionRequest
from distilmt.documents.tag_alignment import Span, align_by_attention, find_span
from distilmt.inference.translator import Translator

WORD = re.compile(r"\w+(?:['’-]\w+)*")
WAYS = ("found", "attended", "no place", "not kept")
FAILED = {True: "no place", False: "not kept"}


class Counting:
    """Counts the method used for each sentence with inline tags. It replaces `inline._translate_whole`."""

    def __init__(self) -> None:
        self.how: list[tuple[InlineTag, str]] = []
        self._whole = inline._translate_whole
        inline._translate_whole = self.whole

    def whole(self, parts: Segment, strict: bool) -> Generator[Any, Any, Segment | None]:
        job, responses, requests = self._whole(parts, strict), None, False
        while True:
            try:
                request = job.send(responses)
            except StopIteration as stop:
                tag = next((p for p in parts if isinstance(p, InlineTag) and p.kind in ("open", "close")), None)
                if tag is not None:
                    whole = stop.value is not None
                    self.how.append((tag, ("attended" if requests else "found") if whole else FAILED[requests]))
                return stop.value
            requests = requests or isinstance(request, AttentionRequest)
            responses = yield request

    def taken(self) -> list[tuple[InlineTag, str]]:
        """The first tag of each sentence, and the method used for it."""
        how, self.how = self.how, []
        return how


def tagged(text: str, span: Span) -> Segment:
    a, b = span
    return [p for p in (text[:a], InlineTag("open", "<b>"), text[a:b], InlineTag("close", "</b>"), text[b:]) if p != ""]


def spans(texts: list[str], seed: int) -> list[Span]:
    """A random span of one to four words in each text."""
    draw, result = random.Random(seed), []
    for text in texts:
        words = [match.span() for match in WORD.finditer(text)]
        count = min(len(words), draw.randint(1, 4))
        first = draw.randrange(len(words) - count + 1)
        result.append((words[first][0], words[first + count - 1][1]))
    return result


def scores(output: list[str], references: list[str]) -> str:
    bleu, chrf = (f(output, [references]).score for f in (sacrebleu.corpus_bleu, sacrebleu.corpus_chrf))
    return f"{bleu:.1f} | {chrf:.1f}"


def marked(texts: list[str], places: list[Span], translate: Translate, counting: Counting) -> dict[str, Any]:
    """The texts translated with one tag pair each, without their tags; the method used for each; and the time."""
    units = [tagged(*pair) for pair in zip(texts, places, strict=True)]
    begin = time.perf_counter()
    instance = inline.translate_segments(units, translate)
    seconds = time.perf_counter() - begin
    pages = [text_of(unit) for unit in instance]
    assert all(re.findall("<.*?>", page) == ["<b>", "</b>"] for page in pages)
    ways = {id(tag): way for tag, way in counting.taken()}
    how = [next((ways[id(part)] for part in unit if id(part) in ways), "found") for unit in units]
    output = [" ".join(re.sub("<.*?>", "", page).split()) for page in pages]
    return {"said": output, "how": how, "seconds": seconds}


def agreement(texts: list[str], places: list[Span], translator: Translator) -> str:
    """If a span's own translation is found, how often attention alone gives the same words, by word count."""
    beam = translator.beam_size
    whole = translator.translate(texts, beam)
    own = translator.translate([text[a:b] for text, (a, b) in zip(texts, places, strict=True)], beam)
    message = translator.attention(texts, whole)
    result: dict[int, list[tuple[bool, float]]] = {}
    for text, (a, b), output, alone, words in zip(texts, places, whole, own, message, strict=True):
        expected = find_span(alone, text[a:b], output, a / len(text))
        if expected is not None:
            got = align_by_attention(words, (a, b), text[a:b], output) or (0, 0)
            one, other = (
                {i for i, m in enumerate(WORD.finditer(output)) if m.start() < y and m.end() > x}
                for x, y in (expected, got)
            )
            if not one | other:  # a symbol without a word
                continue
            score = 2 * len(one & other) / (len(one) + len(other))
            result.setdefault(len(WORD.findall(text[a:b])), []).append((one == other, score))
    rows = ["| words of the part | parts found | attention: same words | F1 over words |", "|---:|---:|---:|---:|"]
    for count, scored in [*sorted(result.items()), ("all", [pair for some in result.values() for pair in some])]:
        same, shared = (statistics.mean(column) for column in zip(*scored, strict=True))
        rows.append(f"| {count} | {len(scored)} | {same:.1%} | {shared:.2f} |")
    return "\n".join(rows)


def artificial(chosen: argparse.Namespace, translator: Translator, counting: Counting) -> tuple[list[str], Any]:
    beam = translator.beam_size
    test = pq.read_table(chosen.corpus / "test.parquet").to_pydict()
    both = zip(test["source"], test["target"], strict=True)
    pairs = [(normalize(s), normalize(r)) for s, r in both if WORD.search(s)][: chosen.sentences]
    texts, references = map(list, zip(*pairs, strict=True))
    places = spans(texts, chosen.seed)

    def translate(some: list[str]) -> list[str]:
        return translator.translate(some, beam)

    arms = {
        "found, or in parts": marked(texts, places, translate, counting),
        "found, by attention, or in parts": marked(
            texts, places, TranslateWithAttention(translate, translator.attention), counting
        ),
    }
    before, after = arms.values()
    rows = ["|  | found | by attention | in parts | BLEU | chrF | seconds |", "|---|---:|---:|---:|---:|---:|---:|"]
    rows.append(f"| without tags | | | | {scores(translate(texts), references)} | |")
    for name, arm in arms.items():
        result, by_attention = (arm["how"].count(way) / len(texts) for way in WAYS[:2])
        counts = f"{result:.1%} | {by_attention:.1%} | {1 - result - by_attention:.1%}"
        rows.append(f"| {name} | {counts} | {scores(arm['said'], references)} | {arm['seconds']:.1f} |")
    pick = [i for i, way in enumerate(after["how"]) if way == "attended"]
    for name, output in (("in parts", before["said"]), ("by attention", after["said"])):
        score = scores([output[i] for i in pick], [references[i] for i in pick]) if pick else " | "
        rows.append(f"| the {len(pick)} placed by attention: {name} | | | | {score} | |")
    title = f"{len(texts)} sentences with a tag pair around one to four words at random:"
    data = {name: {"how": Counter(arm["how"]), "seconds": arm["seconds"]} for name, arm in arms.items()}
    same = f"What is found, by attention alone:\n\n{agreement(texts, places, translator)}"
    return [f"{title}\n\n" + "\n".join(rows), same], data


def counted(files: list[Path], translator: Translator, counting: Counting) -> tuple[str, Any]:
    """Number of sentences with inline tags by method, for each document."""
    beam, data = translator.beam_size, {}
    head = ["document", "sentences with tags inside", "found", "by attention", "in parts: no place", "code got lost"]
    rows = [f"| {' | '.join(head)} |", "|---|" + "---:|" * (len(head) - 1)]
    for file in files:
        translate = TranslateWithAttention(lambda texts: translator.translate(texts, beam), translator.attention)
        translate_document(file.read_bytes(), file.name, translate)
        how = Counter(way for _, way in counting.taken())
        data[file.name] = how
        rows.append(f"| {file.name} | {how.total()} | " + " | ".join(str(how[way]) for way in WAYS) + " |")
    total = sum(data.values(), Counter())
    shares = " | ".join(f"{total[way] / max(1, total.total()):.1%}" for way in WAYS)
    rows.append(f"| all | {total.total()} | {shares} |")
    return "\n".join(rows), data


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path, help="an exported model")
    parser.add_argument("documents", type=Path, nargs="*", help="files of any kind that `distilmt translate` takes")
    parser.add_argument("--corpus", type=Path, help="the corpus directory of its run, for sentences with references")
    parser.add_argument("--sentences", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--name", default="documents", help="of the files in results/")
    chosen = parser.parse_args()
    translator, counting = Translator(chosen.model, threads=1), Counting()
    parts, data = [], {}
    if chosen.corpus:
        result, data["artificial"] = artificial(chosen, translator, counting)
        parts += result
    if chosen.documents:
        table, data["documents"] = counted(chosen.documents, translator, counting)
        parts.append(table)
    names = " ".join(map(str, [chosen.model, *chosen.documents]))
    test = f" --corpus {chosen.corpus} --sentences {chosen.sentences}" if chosen.corpus else ""
    write(
        chosen.name,
        f"python benchmarks/documents.py {names}{test} --seed {chosen.seed} --name {chosen.name}",
        parts,
        data,
    )


if __name__ == "__main__":
    main()
