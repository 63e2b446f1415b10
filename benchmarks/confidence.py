"""How well confidence (`distilmt translate --confidence`) predicts translation quality, on the test set of a run."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import sacrebleu
from turns import write

from distilmt.inference.base import DecodingOptions
from distilmt.inference.translator import Translator


def ranks(values: list[float]) -> np.ndarray:
    return np.argsort(np.argsort(np.array(values), kind="stable"), kind="stable").astype(float)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path, help="an exported model")
    parser.add_argument("corpus", type=Path, help="the corpus directory of its run")
    chosen = parser.parse_args()
    test = pq.read_table(chosen.corpus / "test.parquet").to_pydict()
    translator = Translator(chosen.model, threads=1)
    best = [
        result[0] for result in translator.candidates(test["source"], DecodingOptions(beam_size=translator.beam_size))
    ]
    confidence = [hypothesis.confidence for hypothesis in best]
    chrf = [sacrebleu.sentence_chrf(h.text, [r]).score for h, r in zip(best, test["target"], strict=True)]
    rho = float(np.corrcoef(ranks(confidence), ranks(chrf))[0, 1])
    lines = ["| confidence | sentences | BLEU | chrF |", "|---|---:|---:|---:|"]
    for rows in np.array_split(np.argsort(confidence), 5):
        output, references = [best[i].text for i in rows], [test["target"][i] for i in rows]
        scores = sacrebleu.corpus_bleu(output, [references]).score, sacrebleu.corpus_chrf(output, [references]).score
        span = f"{confidence[rows[0]]:.2f} … {confidence[rows[-1]]:.2f}"
        lines.append(f"| {span} | {len(rows)} | {scores[0]:.1f} | {scores[1]:.1f} |")
    lines += ["", f"Rank correlation (Spearman) of confidence and a sentence's chrF: {rho:.2f}."]
    command = f"python benchmarks/confidence.py {chosen.model} {chosen.corpus}"
    write("confidence", command, ["\n".join(lines)], {"spearman": rho, "sentences": len(best)})


if __name__ == "__main__":
    main()
