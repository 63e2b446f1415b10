"""Make the student of a finished run smaller: python examples/compress.py runs/demo"""

import sys

import distilmt

run = distilmt.Run(sys.argv[1])
small = distilmt.compress(run, max_drop=0.5)
print(small.scores, small.bytes, "bytes, the teacher has", run.systems["teacher"]["file_bytes"])
print(small.translator().translate("A small editor for text files."))
print(small.report)
