"""Translate with a run or an exported model, without torch: python examples/translate.py runs/demo"""

import sys

import distilmt

with distilmt.Translator(sys.argv[1], beam_size=2) as translator:
    print(translator.translate("A small editor for text files."))
    print(translator.translate(["One sentence.", "Another sentence."]))
    for hypothesis in translator.n_best(["A small editor."], count=2)[0]:
        print(f"{hypothesis.confidence:.2f} {hypothesis.text}")
