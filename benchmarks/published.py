"""BLEU on Multi30k's test2016 in the scoring of published papers and in our own, for comparison with papers.

    python benchmarks/published.py RUN_DIR [MODEL ...] > benchmarks/results/NAME.md

Published figures are for hypotheses in lower case, with normalized punctuation, tokenized by Moses, against
`test2016.lc.norm.tok.de`; BLEU then splits at spaces. The models named (`teacher` by default; steps of the run)
translate in float32 at beam 5. Needs `pip install sacremoses`.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

import sacrebleu
from run import DATA
from sacremoses import MosesPunctNormalizer, MosesTokenizer

from distilmt.data import tokenizer as tokenizers
from distilmt.evaluation.quality import score
from distilmt.export.ctranslate2 import export
from distilmt.inference.translator import Translator
from distilmt.models.marian_checkpoint import load_marian
from distilmt.utils.hardware import cores
from distilmt.utils.machine_info import machine

BEAM = 5


def published(hypotheses: list[str], references: list[str]) -> float:
    """BLEU of hypotheses preprocessed like the references."""
    normalizer, tokenizer = MosesPunctNormalizer("de"), MosesTokenizer("de")
    cut = [tokenizer.tokenize(normalizer.normalize(h.lower()), return_str=True) for h in hypotheses]
    return float(sacrebleu.corpus_bleu(cut, [references], tokenize="none", force=True).score)


def translations(model: Path, sources: list[str]) -> list[str]:
    """By a Marian directory of a run."""
    with tempfile.TemporaryDirectory() as place:
        export(load_marian(model), tokenizers.load(model), Path(place) / "model", "float32")
        return Translator(Path(place) / "model", threads=1, workers=cores()).translate(sources, beam_size=BEAM)


def main(run: Path, models: list[str]) -> None:
    sources, raw, cut = (
        Path(f"{DATA}/test2016.{part}").read_text(encoding="utf-8").splitlines()
        for part in ("en", "de", "lc.norm.tok.de")
    )
    command = f"python benchmarks/published.py {' '.join(sys.argv[1:])}"
    print(f"# {run.name}, scored as papers do\n\n`{command}`, {json.dumps(machine())}\n")
    print(f"The references themselves, prepared like the hypotheses: {published(raw, cut):.2f} (100 were perfect).\n")
    print(f"| model, beam {BEAM} | lower-cased, tokenised | raw text (sacreBLEU) | signature of the latter |")
    print("|---|---:|---:|---|")
    for name in models or ["teacher"]:
        hypotheses = translations(run / name, sources)
        result = score(hypotheses, raw, "de")
        print(f"| {name} | {published(hypotheses, cut):.2f} | {result.bleu:.2f} | {result.bleu_signature} |")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
