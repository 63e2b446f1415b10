"""Distill with a whole configuration: python examples/distill_yaml.py CONFIG.yaml"""

import sys

import distilmt

config = distilmt.RunConfig.from_yaml(sys.argv[1], {"student.training.max_steps": 15, "seed": 2})
run = distilmt.distill(config)  # resumes if it was interrupted
for name, scores in run.scores.items():
    print(f"{name}: {scores.bleu:.2f} BLEU, {scores.chrf:.2f} chrF ({scores.bleu_signature})")
print(run.report)
