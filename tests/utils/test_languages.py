"""Languages by codes in the spellings of corpora, Argos Translate, NLLB and gettext."""

from __future__ import annotations

import pytest

from distilmt.utils import languages

# ISO 639-3 to ISO 639-1, with members of macrolanguages and bibliographic codes, as FLORES, NLLB and OPUS have them.
THREE = """
    afr:af ara:ar arb:ar aze:az azj:az ben:bn ces:cs cze:cs chi:zh cmn:zh zho:zh cym:cy wel:cy deu:de ger:de ell:el
    gre:el eng:en est:et ekk:et eus:eu baq:eu fas:fa per:fa pes:fa fra:fr fre:fr hye:hy arm:hy isl:is ice:is kat:ka
    geo:ka kmr:ku lav:lv lvs:lv mkd:mk plt:mg khk:mn msa:ms zsm:ms mya:my npi:ne nld:nl dut:nl nno:nn nob:nb nor:no
    ory:or pbt:ps ron:ro rum:ro slk:sk slo:sk sqi:sq als:sq swh:sw tgl:tl uzn:uz ydd:yi
"""


@pytest.mark.parametrize("pair", THREE.split())
def test_three_letters_become_two(pair):
    three, two = pair.split(":")
    assert languages.base_language(f"{three}_Latn") == two


@pytest.mark.parametrize(
    ("code", "base"),
    [("pt_BR", "pt"), ("zh-Hans", "zh"), ("EN-us", "en"), ("sr@latin", "sr"), ("ast", "ast"), ("xx", "xx")],
)
def test_base_language(code, base):
    assert languages.base_language(code) == base


@pytest.mark.parametrize(
    ("code", "name", "native"),
    [
        ("de", "German", "deutsch"),
        ("pt_BR", "Portuguese (Brazil)", "português"),
        ("zh_TW", "Chinese (traditional)", "中文"),
        ("zh-Hans", "Chinese", "中文"),
        ("en_US", "English", "english"),
        ("nb", "Norwegian", "norsk bokmål"),
        ("ms", "Malay", "bahasa melayu"),
        ("ita_Latn", "Italian", "italiano"),
        ("xx", "xx", "xx"),
        ("not a code", "not a code", "not a code"),
    ],
)
def test_names(code, name, native):
    assert languages.language_name(code) == name
    assert languages.native_name(code) == native


def test_codes_of_argos():
    assert (
        languages.language_name("pb") == "Portuguese (Brazil)"
        and languages.language_name("zt") == "Chinese (traditional)"
    )


@pytest.mark.parametrize("code", ["ar", "fa_IR", "he", "iw", "ur", "yi", "ckb", "ps", "dv", "arc"])
def test_right_to_left(code):
    assert languages.is_right_to_left(code)


@pytest.mark.parametrize("code", ["en", "az", "ku", "sr@latin", "xx", "zh_TW"])
def test_left_to_right(code):
    assert not languages.is_right_to_left(code)


def test_languages_without_spaces():
    without = [code for code in ("zh", "zh_TW", "yue", "ja", "th", "lo", "km", "my", "bo", "ko", "vi", "en", "xx")]
    assert [code for code in without if languages.is_written_without_spaces(code)] == without[:9]


@pytest.mark.parametrize(
    ("code", "script", "territory"),
    [("zh", "Hans", "CN"), ("zh_HK", "Hant", "HK"), ("sr", "Cyrl", "RS"), ("sr@latin", "Latn", "RS"), ("xx", "", "")],
)
def test_script_and_territory(code, script, territory):
    assert (languages.script_of(code), languages.territory_of(code)) == (script, territory)


@pytest.mark.parametrize(("code", "current"), [("iw", "he"), ("in", "id"), ("ji", "yi"), ("tl", "tl"), ("sh", "sh")])
def test_withdrawn_codes(code, current):
    assert languages.current_code(code) == current


def test_codes_of_one_language():
    assert all(map(languages.is_language, ["en", "eng", "pt_BR", "tlh", "zt", "ita_Latn"]))
    assert not any(map(languages.is_language, ["", "mul", "roa", "ROMANCE", "NORTH_EU", "xx", "multilingual"]))


@pytest.mark.parametrize(("one", "other"), [("por", "pt_BR"), ("no", "nb"), ("zt", "zh"), ("sr@latin", "sr")])
def test_forms_of_one_language(one, other):
    assert languages.same_language(one, other)


@pytest.mark.parametrize(("one", "other"), [("en", "tlh"), ("es", "pt"), ("gl", "es"), ("xx", "en")])
def test_different_languages(one, other):
    assert not languages.same_language(one, other)
