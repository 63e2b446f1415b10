"""Sentences in capitals: passed to the model unchanged, and in lower case.

    python benchmarks/capitals.py MODEL --corpus RUN/corpus [--sentences 200]

Sources and references of the test set are upper-cased; scores are for upper-cased translations.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import pyarrow.parquet as pq
import sacrebleu
from turns import write

from distilmt.inference.base import DecodingOptions
from distilmt.inference.translator import Translator


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path, help="an exported model")
    parser.add_argument("--corpus", type=Path, required=True, help="the corpus directory of its run")
    parser.add_argument("--sentences", type=int, default=200)
    parser.add_argument("--name", default="capitals", help="of the files in results/")
    chosen = parser.parse_args()
    test = pq.read_table(chosen.corpus / "test.parquet").to_pydict()
    sources, references = (test[side][: chosen.sentences] for side in ("source", "target"))
    translator = Translator(chosen.model, threads=1)
    beam, capitals = translator.beam_size, [source.upper() for source in sources]
    as_it_stands = [
        result[0].text if result else "" for result in translator.hypotheses(capitals, DecodingOptions(beam_size=beam))
    ]
    arms = {
        "ordinary case": translator.translate(sources, beam),
        "capitals, given as they stand": as_it_stands,
        "capitals, given in lower case": translator.translate(capitals, beam),
    }
    expected = [[reference.upper() for reference in references]]
    rows = ["| source | BLEU | chrF |", "|---|---:|---:|"]
    data = {}
    for name, output in arms.items():
        upper = [text.upper() for text in output]
        data[name] = [f(upper, expected).score for f in (sacrebleu.corpus_bleu, sacrebleu.corpus_chrf)]
        rows.append(f"| {name} | {data[name][0]:.1f} | {data[name][1]:.1f} |")
    command = f"python benchmarks/capitals.py {chosen.model} --corpus {chosen.corpus} --sentences {chosen.sentences}"
    write(chosen.name, command, [f"{len(sources)} sentences:", "\n".join(rows)], data)


if __name__ == "__main__":
    main()
