"""BLEU on Multi30k's test2016 in the scoring of published papers, beside our own: numbers to lay beside theirs.

    python benchmarks/published.py RUN_DIR [EXPORT ...] > benchmarks/results/NAME.md

Published figures are of hypotheses in lower case, with normalised punctuation, cut by Moses' tokenizer, against
`test2016.lc.norm.tok.de`; BLEU then counts what stands between spaces. Texts are translated by the exports named
(`teacher` by default) at beam 5. Needs `pip install sacremoses`.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import sacrebleu
from run import DATA
from sacremoses import MosesPunctNormalizer, MosesTokenizer

from distilmt.evaluation.quality import score
from distilmt.machine import cores
from distilmt.report.machine import machine
from distilmt.translator import Translator

BEAM = 5


def published(hypotheses: list[str], references: list[str]) -> float:
    """BLEU of hypotheses prepared as the references were."""
    normalizer, tokenizer = MosesPunctNormalizer("de"), MosesTokenizer("de")
    cut = [tokenizer.tokenize(normalizer.normalize(h.lower()), return_str=True) for h in hypotheses]
    return float(sacrebleu.corpus_bleu(cut, [references], tokenize="none", force=True).score)


def main(run: Path, exports: list[str]) -> None:
    sources, raw, cut = (
        Path(f"{DATA}/test2016.{part}").read_text(encoding="utf-8").splitlines()
        for part in ("en", "de", "lc.norm.tok.de")
    )
    command = f"python benchmarks/published.py {' '.join(sys.argv[1:])}"
    print(f"# {run.name}, scored as papers do\n\n`{command}`, {json.dumps(machine())}\n")
    print(f"The references themselves, prepared like the hypotheses: {published(raw, cut):.2f} (100 were perfect).\n")
    print(f"| export, beam {BEAM} | lower-cased, tokenised | raw text (sacreBLEU) | signature of the latter |")
    print("|---|---:|---:|---|")
    for name in exports or ["teacher"]:
        translator = Translator(run / "exports" / name, threads=1, workers=cores())
        hypotheses = translator.translate(sources, beam_size=BEAM)
        found = score(hypotheses, raw, "de")
        print(f"| {name} | {published(hypotheses, cut):.2f} | {found.bleu:.2f} | {found.bleu_signature} |")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
