"""Distill your own teacher on your own text: python examples/distill.py TEACHER mine.en en-it MINUTES"""

import sys

import distilmt

teacher, text, pair, minutes = sys.argv[1:]
run = distilmt.distill(teacher=teacher, text=text, pair=pair, minutes=float(minutes))
print(run.scores["student-int8"].chrf, run.systems["student-int8"]["file_bytes"], "bytes")
print(run.translator().translate("A small editor for text files."))
print("continue with: distilmt run", run.directory / "config.yaml")
