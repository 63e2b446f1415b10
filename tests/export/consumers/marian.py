"""Translate standard input with pymarian and the options given, a line for a line; run by test_marian.py."""

import sys

from pymarian import Translator

translator = Translator(" ".join(sys.argv[1:]))
output = translator.translate(sys.stdin.read().splitlines())
print("\n".join(output))
