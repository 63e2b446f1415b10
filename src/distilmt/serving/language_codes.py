"""Language codes: maps those of corpora (`pt_BR`) and Argos (`pb`) to LibreTranslate's (`pt-BR`)."""

from __future__ import annotations

import re
from collections.abc import Collection

from distilmt.utils.languages import current_code, is_traditional_chinese, language_name

# LibreTranslate's code for other codes.
_LIBRETRANSLATE_CODES = {"pb": "pt-BR", "pt-br": "pt-BR", "zt": "zh-Hant", "no": "nb"}
MACROLANGUAGES = {"no": "nb", "nn": "nb", "yue": "zh", "wuu": "zh"}
"""Detector's codes, and the codes of models that can translate these languages."""


def normalize_code(code: str) -> str:
    """A code in LibreTranslate's form."""
    plain = re.split(r"[.]", code.strip().lower().replace("_", "-"))[0]
    first, *others = plain.split("-")
    if first == "zh":
        return "zh-Hant" if is_traditional_chinese(plain) else "zh-Hans"
    own = _LIBRETRANSLATE_CODES.get(first, current_code(first))
    return _LIBRETRANSLATE_CODES.get(plain) or "-".join([own, *others])


def base(code: str) -> str:
    """The language without its country or script: `pt` for `pt-BR`."""
    return re.split("[-@]", code)[0]


def name(code: str) -> str:
    """English name of a code in LibreTranslate's form; the code itself if its name is unknown."""
    return language_name(code)


def closest(code: str, codes: Collection[str]) -> str | None:
    """The matching code of `codes`: the same, else the first one with the same language; None if there is none."""
    normal_code = normalize_code(code)
    if normal_code in codes:
        return normal_code
    return next((other for other in sorted(codes) if base(other) == base(normal_code)), None)
