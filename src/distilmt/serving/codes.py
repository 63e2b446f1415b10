"""Language codes: those of corpora (`pt_BR`), of Argos (`pb`) and of LibreTranslate (`pt-BR`) name one language."""

from __future__ import annotations

from collections.abc import Collection

from distilmt.languages import NAMES

# LibreTranslate's way to write what others write so.
_SHOWN = {
    "pb": "pt-BR",
    "pt-br": "pt-BR",
    "zh": "zh-Hans",
    "zh-cn": "zh-Hans",
    "zh-hans": "zh-Hans",
    "zt": "zh-Hant",
    "zh-tw": "zh-Hant",
    "zh-hk": "zh-Hant",
    "zh-hant": "zh-Hant",
    "no": "nb",
}
_NAMED = {"pt-BR": "pb", "zh-Hans": "zh", "zh-Hant": "zt"}


def shown(code: str) -> str:
    """A code as LibreTranslate writes it."""
    plain = code.strip().lower().replace("_", "-")
    return _SHOWN.get(plain, plain)


def base(code: str) -> str:
    """The language without its country or script: `pt` of `pt-BR`."""
    return code.split("-")[0]


def name(code: str) -> str:
    """English name of a code as LibreTranslate writes it; the code itself where nobody named it here."""
    return NAMES.get(_NAMED.get(code, base(code)), code)


def closest(code: str, known: Collection[str]) -> str | None:
    """The known code of a language: the same, else one of another country or script of it."""
    wanted = shown(code)
    if wanted in known:
        return wanted
    return next((other for other in known if base(other) == base(wanted)), None)
