"""Compare two systems: python examples/evaluate.py MINE.txt OTHER.txt REFERENCES.txt LANGUAGE"""

import sys
from pathlib import Path

import distilmt

mine, other, references = (Path(name).read_text(encoding="utf-8").splitlines() for name in sys.argv[1:4])
evaluation = distilmt.evaluate(mine, references, against={"other": other}, target=sys.argv[4])
low, high = evaluation.systems["hypotheses"].intervals["bleu"]
print(f"BLEU {evaluation.scores.bleu:.2f} [{low:.2f}, {high:.2f}] {evaluation.scores.bleu_signature}")
row = evaluation.comparison("other", "chrf")
print(f"chrF difference {row['difference']:+.2f} [{row['ci'][0]:.2f}, {row['ci'][1]:.2f}], p = {row['p_value']:.3f}")
