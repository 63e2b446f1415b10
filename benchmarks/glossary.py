"""How often prescribed terms occur in translations with `--glossary`, and the effect on quality: test set of a run.

Terms are words of the training text with the target word of highest association (Dice's coefficient), so that the
references of the test set show the effect of following them.
"""

from __future__ import annotations

import argparse
import re
import time
from collections import Counter
from pathlib import Path

import pyarrow.parquet as pq
import sacrebleu
from turns import write

from distilmt.documents.glossary import Glossary, occurrences
from distilmt.inference.translator import Translator

WORD = re.compile(r"[^\W\d_]{3,}")


def terms(sources: list[str], targets: list[str], alike: float, least: int, most: int) -> dict[str, str]:
    """For words in `least` to `most` training sentences, the most associated word of the translations."""
    ones, others, both = Counter(), Counter(), Counter()
    for source, target in zip(sources, targets, strict=True):
        left, right = set(WORD.findall(source)), set(WORD.findall(target))
        ones.update(left)
        others.update(right)
        both.update((a, b) for a in left for b in right)
    best: dict[str, tuple[float, str]] = {}
    for (a, b), count in both.items():
        if least <= ones[a] <= most:
            best[a] = max(best.get(a, (0.0, "")), (2 * count / (ones[a] + others[b]), b))
    return {a: b for a, (score, b) in best.items() if score >= alike}


def row(name: str, output: list[str], expected: list[list[str]], references: list[str], seconds: float) -> str:
    there = sum(
        min(occurrences(text, t), targets.count(t))
        for text, targets in zip(output, expected, strict=True)
        for t in set(targets)
    )
    share = there / sum(map(len, expected))
    bleu, chrf = sacrebleu.corpus_bleu(output, [references]).score, sacrebleu.corpus_chrf(output, [references]).score
    return f"| {name} | {share:.1%} | {bleu:.1f} | {chrf:.1f} | {seconds:.1f} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path, help="an exported model")
    parser.add_argument("corpus", type=Path, help="the corpus directory of its run")
    parser.add_argument("--alike", type=float, default=0.4)
    parser.add_argument("--sentences", type=int, default=1000)
    chosen = parser.parse_args()
    train, test = (pq.read_table(chosen.corpus / f"{name}.parquet").to_pydict() for name in ("train", "test"))
    glossary = terms(train["source"], train["target"], chosen.alike, 5, len(train["source"]) // 50)
    translator = Translator(chosen.model, threads=1)
    beam = translator.beam_size
    bound = Glossary(translator, glossary, beam)
    rows = [
        (s, t, w)
        for s, t in zip(test["source"], test["target"], strict=True)
        if (w := [t for _, t in bound.terms_in(s)])
    ]
    rows = rows[: chosen.sentences]
    sources, references, expected = map(list, zip(*rows, strict=True))
    begin = time.perf_counter()
    free = translator.translate(sources, beam)
    middle = time.perf_counter()
    output = bound.translate(sources)
    end = time.perf_counter()
    fits = [all(occurrences(r, t) for t in w) for r, w in zip(references, expected, strict=True)]
    parts = []
    for name, chosen_rows in (("all", [True] * len(rows)), ("the reference has all the prescribed words", fits)):
        pick = [i for i, chosen_row in enumerate(chosen_rows) if chosen_row]
        title = f"{len(pick)} sentences with terms, {sum(len(expected[i]) for i in pick)} terms ({name})"
        lines = ["|  | terms there | BLEU | chrF | seconds for all |", "|---|---:|---:|---:|---:|"]
        for label, texts, seconds in (("without", free, middle - begin), ("with the glossary", output, end - middle)):
            lines.append(
                row(
                    label, [texts[i] for i in pick], [expected[i] for i in pick], [references[i] for i in pick], seconds
                )
            )
        parts.append(f"{title}:\n\n" + "\n".join(lines))
    parts.append(f"Sentences by the way their terms came: {dict(bound.how)}; terms in the glossary: {len(glossary)}.")
    command = f"python benchmarks/glossary.py {chosen.model} {chosen.corpus} --alike {chosen.alike}"
    write("glossary", command, parts, {"how": dict(bound.how), "terms": len(glossary), "sentences": len(rows)})


if __name__ == "__main__":
    main()
