"""Spellings of language codes in data sets: `en`, `en_US`, `eng_Latn`, `zh-Hans`, `English`, in columns or files."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache

from distilmt.utils.languages import ENDONYMS, language_name

# ISO 639-3 (including members of macrolanguages, as in FLORES and NLLB) to ISO 639-1.
_THREE = """
    afr:af amh:am ara:ar arb:ar asm:as aze:az azj:az bel:be ben:bn bos:bs bul:bg cat:ca ces:cs cze:cs chi:zh cmn:zh
    zho:zh cym:cy wel:cy dan:da deu:de ger:de ell:el gre:el eng:en epo:eo est:et ekk:et eus:eu baq:eu fas:fa per:fa
    pes:fa fin:fi fra:fr fre:fr gle:ga glg:gl guj:gu hau:ha heb:he hin:hi hrv:hr hun:hu hye:hy arm:hy ibo:ig ind:id
    isl:is ice:is ita:it jav:jv jpn:ja kan:kn kat:ka geo:ka kaz:kk khm:km kin:rw kir:ky kor:ko kmr:ku lao:lo lav:lv
    lvs:lv lin:ln lit:lt ltz:lb lug:lg mal:ml mar:mr mkd:mk mac:mk mlg:mg plt:mg mlt:mt mon:mn khk:mn mri:mi mao:mi
    msa:ms may:ms zsm:ms mya:my bur:my nep:ne npi:ne nld:nl dut:nl nno:nn nob:nb nor:no oci:oc ori:or ory:or pan:pa
    pol:pl por:pt pus:ps pbt:ps ron:ro rum:ro rus:ru sin:si slk:sk slo:sk slv:sl sna:sn snd:sd som:so spa:es sqi:sq
    alb:sq als:sq srp:sr sun:su swa:sw swh:sw swe:sv tam:ta tat:tt tel:te tgk:tg tgl:tl tha:th tir:ti tur:tr tuk:tk
    uig:ug ukr:uk urd:ur uzb:uz uzn:uz vie:vi wol:wo xho:xh yid:yi ydd:yi yor:yo zul:zu
"""
_TO_TWO = dict(pair.split(":") for pair in _THREE.split())
_CODE = re.compile(r"[a-z]{2,3}([-_][A-Z][a-z]{3}|[-_](han[st]|latn|cyrl|arab))?([-_]([A-Za-z]{2}|\d{3}))?")
_AFFIX = re.compile(r"(?:translation|text|sentence|sent|segment|src|tgt|trg|source|target|lang)[._\- ]+(.+)")
_ENDING = re.compile(r"(.+?)[._\- ]+(?:text|sentence|sent|segment|translation)")
_REGION = re.compile(r"\s*\([^()]*\)$")
_SIDES = (
    ("source", "target"),
    ("src", "tgt"),
    ("src", "trg"),
    ("source_text", "target_text"),
    ("src_text", "tgt_text"),
    ("source_sentence", "target_sentence"),
    ("src_sentence", "tgt_sentence"),
)
_TRANSLATED = ("sentence", "text", "original", "source", "source_text", "src")
"""Names of a source column whose translations are in a column named `translation`."""


def base_language(code: str) -> str:
    """A language code without region, script and variant, in two letters if there is such a code: `pt_BR` is `pt`."""
    plain = re.split("[-_@.]", code.strip().lower())[0]
    return _TO_TWO.get(plain, plain)


def head_columns(names: Sequence[str], source: str, target: str) -> tuple[str, str] | None:
    """As `language_columns`, for the header of a table, where `translation` is not a record of both texts."""
    if named := language_columns(names, source, target):
        return named
    plain = {name.strip().lower(): name for name in names}
    originals = [plain[name] for name in _TRANSLATED if name in plain]
    return (originals[0], plain["translation"]) if originals and "translation" in plain else None


def language_columns(names: Iterable[str], source: str, target: str) -> tuple[str, str] | None:
    """Find the columns of the two texts by name; None if no names match.

    In order: the exact codes; other spellings (`en_US`, `eng_Latn`, `text_en`, `translation.en`, `English`);
    `source` and `target` or the like.

    Args:
        names: names of all columns.
        source: language code.
        target: language code.
    """
    return _columns(tuple(names), source, target)


@lru_cache(maxsize=1024)
def _columns(names: tuple[str, ...], source: str, target: str) -> tuple[str, str] | None:
    if source in names and target in names:
        return source, target
    left, right = _column(names, source), _column(names, target)
    if left and right and left != right:
        return left, right
    plain = {name.strip().lower().replace(" ", "_"): name for name in names}
    for one, other in _SIDES:
        if one in plain and other in plain:
            return plain[one], plain[other]
    return None


def _column(names: tuple[str, ...], code: str) -> str | None:
    """The column of a language: the only one with its exact code, else the only one in its language.

    Codes in capitals (`EN`) count only if no other name matches: `ID` and `NO` are also words.
    """
    return _column_of(code, {name: _code_in(name, code) for name in names}) or _column_of(
        code, {name: _code_in(name.lower(), code) for name in names}
    )


def _column_of(code: str, codes: Mapping[str, str | None]) -> str | None:
    for exact_code in (_normalize_code(code), None):
        fits = [
            n
            for n, c in codes.items()
            if c and (_normalize_code(c) == exact_code if exact_code else base_language(c) == base_language(code))
        ]
        if len(fits) == 1:
            return fits[0]
    return None


def _code_in(name: str, code: str) -> str | None:
    """The language code in the name of a column; `code` itself for the language's English or native name."""
    stripped = name.strip().strip("\ufeff").lstrip("# ")
    if not {stripped.lower(), _REGION.sub("", stripped.lower())}.isdisjoint(_language_names(code)):
        return code
    for candidate in (stripped, *(match[1] for p in (_AFFIX, _ENDING) if (match := p.fullmatch(stripped)))):
        if _CODE.fullmatch(candidate):
            return candidate
    return None


def _language_names(code: str) -> tuple[str, ...]:
    base = base_language(code)
    return language_name(code).lower(), language_name(base).lower(), ENDONYMS.get(base, base)


def _normalize_code(code: str) -> str:
    return re.sub("[-_@]+", "-", code.strip().lower())
