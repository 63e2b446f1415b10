"""Split paragraphs into sentences by rules, to align translations: only equal splits of both sides are used."""

from __future__ import annotations

import re

# Abbreviations (without the last full stop, in lower case) after which a capital does not start a sentence.
_ABBREVIATED = """
    e.g i.e etc vs cf mr mrs ms dr prof st inc ltd co corp fig no vol ver resp approx aka esp incl pp ed al jr sr
    p.es es ecc sig dott pag num art z.b bzw ca usw u.a d.h evtl ggf inkl nr s.u s.o vgl f.eks bl.a osv p.ex ex
    par p.e p.ej ej sra av m.m t.ex dvs bijv o.a d.w.z enz np tzn itd itp m.in tj napr tzv apod
"""
ABBREVIATIONS = frozenset(_ABBREVIATED.split())
_LONG = 40  # No abbreviation is this long: a longer look back would take quadratic time.
# Also full stops and question marks of Indic, Arabic, Armenian, Ethiopic, Burmese and Khmer script.
_WESTERN_END = re.compile(r"[.!?…।॥۔؟։።፧။។]+[\"'”’»)\]]*\s+(?=[\"'“‘«(\[¿¡„»]*(\w))")
_EASTERN_END = re.compile("(?<=[。！？])(?![。！？」』）”’])|(?<=[。！？][」』）”’])")


def sentences(text: str) -> list[str]:
    """The sentences of a paragraph on one line, split at full stops before a space, and at East Asian ones."""
    sentence_list = []
    for part in _EASTERN_END.split(text):
        sentence_list += _western(part)
    return sentence_list


def _western(text: str) -> list[str]:
    sentence_list, start = [], 0
    for match in _WESTERN_END.finditer(text):
        if not _is_lower(match[1]) and not _is_abbreviation(
            text[max(start, match.start() - _LONG) : match.start()], match[0]
        ):
            sentence_list.append(text[start : match.end()].strip())
            start = match.end()
    return [*sentence_list, tail] if (tail := text[start:].strip()) else sentence_list


def _is_lower(letter: str) -> bool:
    """Whether no sentence starts with a letter; those of Georgian are lower-case ones for Unicode, but sentences do."""
    return letter.islower() and not "\u10d0" <= letter <= "\u10ff"


def _is_abbreviation(before: str, end: str) -> bool:
    """Whether a full stop belongs to the word before it (`e.g.`, an initial)."""
    if not end.startswith(".") or end.startswith(".."):
        return False
    word = before.rsplit(None, 1)[-1].lower().lstrip("\"'“‘«([") if before.strip() else ""
    return word in ABBREVIATIONS or (len(word) == 1 and word.isalpha())
