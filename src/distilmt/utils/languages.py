"""Languages by their codes, from langcodes (CLDR): names, scripts, territories and members of macrolanguages.

Tools spell codes differently: `pt_BR` (corpora), `pb` (Argos Translate), `por_Latn` (NLLB), `sr@latin` (gettext).
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from langcodes import Language

_ARGOS = {"pb": "pt-BR", "zt": "zh-Hant"}
# Members of a macrolanguage that CLDR does not map to it, and a code that it replaces by another one.
_MEMBERS = {"fuv": "ff", "pbt": "ps", "quy": "qu", "tgl": "tl", "twi": "tw"}
# Names that CLDR has otherwise than translation tools.
_NAMES = {"bn": "Bengali", "nb": "Norwegian", "no": "Norwegian", "tl": "Tagalog"}
_NATIVE_NAMES = {"ms": "bahasa melayu", "tl": "tagalog"}
_OTHER_LANGUAGE = 20
"""CLDR's distance from which on two languages are not forms of one: 12 for Danish and Norwegian, 20 for Galician and
Spanish."""
_RIGHT_TO_LEFT = frozenset(["Adlm", "Arab", "Armi", "Hebr", "Mand", "Nkoo", "Rohg", "Samr", "Syrc", "Thaa"])
_WITHOUT_SPACES = frozenset(["Hani", "Hans", "Hant", "Jpan", "Khmr", "Laoo", "Mymr", "Thai", "Tibt"])


def base_language(code: str) -> str:
    """A code without region, script and variant, in two letters if there is such a code: `pt_BR` and `por` are `pt`."""
    plain = re.split("[-_@.]", code.strip().lower())[0]
    if len(plain) != 3 or not plain.isalpha():
        return plain
    base = _MEMBERS.get(plain) or _tag(plain).prefer_macrolanguage().language or plain
    return base if len(base) == 2 else plain


def language_name(code: str) -> str:
    """The English name of a language, of Brazilian Portuguese and of traditional Chinese; an unknown code itself."""
    tag = _tag(code)
    if tag.language == "pt" and tag.territory == "BR":
        return "Portuguese (Brazil)"
    if is_traditional_chinese(code):
        return "Chinese (traditional)"
    base = base_language(code)
    return _NAMES.get(base) or (_tag(base).display_name() if _is_valid(base) else code)


def native_name(code: str) -> str:
    """What a language calls itself, in lower case; an unknown code itself."""
    base = base_language(code)
    return _NATIVE_NAMES.get(base) or (_tag(base).autonym().lower() if _is_valid(base) else code)


def script_of(code: str) -> str:
    """ISO 15924 code of the script; without one the usual one of the language and region: `Hant` of `zh_TW`."""
    return _likely(code).script or ""


def territory_of(code: str) -> str:
    """The region of a code, or that with the most speakers: `JP` of `ja`."""
    return _likely(code).territory or ""


def is_right_to_left(code: str) -> bool:
    """Whether a language is written from right to left."""
    return script_of(code) in _RIGHT_TO_LEFT


def is_written_without_spaces(code: str) -> bool:
    """Whether a language has no spaces between words."""
    return script_of(code) in _WITHOUT_SPACES


def is_traditional_chinese(code: str) -> bool:
    """Whether a code of Chinese has traditional characters, by its script or region: `zt`, `zh_TW`, `zh-Hant`."""
    return _tag(code).language == "zh" and script_of(code) == "Hant"


def current_code(code: str) -> str:
    """The code of two letters that replaces a withdrawn one: `he` for `iw`; any other code itself."""
    language = _tag(code).language or code
    return language if code in ("iw", "in", "ji") else code


def is_language(code: str) -> bool:
    """Whether a code names one language: no group (`roa`, `mul`, `ROMANCE`) and no unknown word."""
    base = base_language(code)
    return 2 <= len(base) <= 3 and _is_valid(base) and base not in _groups()


def same_language(code: str, other: str) -> bool:
    """Whether two codes name one language or written forms of one, such as `por` and `pt_BR`, or `no` and `nb`."""
    from langcodes import tag_distance

    one, two = (base_language(_ARGOS.get(each.lower(), each)) for each in (code, other))
    if one == two or not (_is_valid(one) and _is_valid(two)):
        return one == two
    return min(tag_distance(one, two), tag_distance(two, one)) < _OTHER_LANGUAGE


@cache
def _groups() -> frozenset[str]:
    """Codes of groups of languages, and of none."""
    from langcodes.registry_parser import parse_registry

    records = parse_registry()  # type: ignore[no-untyped-call]
    groups = {record["Subtag"] for record in records if record.get("Scope") in ("collection", "special")}
    return frozenset(map(str, groups))


def _likely(code: str) -> Language:
    """The tag with its usual script and region; unchanged if the language is unknown."""
    return _tag(code).maximize() if _is_valid(code) else _tag(code)


def _is_valid(code: str) -> bool:
    return _tag(code).is_valid() and _tag(code).language not in (None, "und")


@cache
def _tag(code: str) -> Language:
    """A code in any spelling; of one with an invalid part only the language, and `und` if that is invalid too."""
    from langcodes import Language  # takes 0.15 seconds
    from langcodes.tag_parser import LanguageTagError

    plain = _ARGOS.get(code.lower(), code).replace("@latin", "-Latn").replace("@cyrillic", "-Cyrl")
    for spelling in (re.sub("[_@]", "-", plain).split(".")[0], re.split("[-_@.]", plain)[0]):
        try:
            return Language.get(spelling)
        except LanguageTagError:
            continue
    return Language.get("und")
