import pytest
from hypothesis import given
from hypothesis import strategies as st

from distilmt.config import CleaningConfig, CorpusConfig
from distilmt.config.bounds import check_bounds
from distilmt.data import cleaning_rules
from distilmt.data.cleaning import Cleaner, CleaningReport
from distilmt.data.pairs import Pair
from distilmt.utils.errors import UserError


def judge(pair: tuple[str, str], monolingual: bool = False, **keys: object) -> tuple[dict[str, int], list[Pair]]:
    report = CleaningReport()
    cleaner = Cleaner(CleaningConfig(**keys), "en", "zh")  # type: ignore[arg-type]
    remaining = list(cleaner.clean([Pair(1, *pair)], report, monolingual))
    return report.dropped, remaining


@pytest.mark.parametrize(
    ("reason", "pair", "keys"),
    [
        ("long_word", ("a " + "b" * 11 + " c", "d"), {"max_word_chars": 10}),
        ("markup", ("a <b>c</b>", "d"), {"markup": "drop"}),
        ("markup", ("a", "b &amp; c"), {"markup": "drop"}),
        ("few_letters", ("12 - 34 = a", "b"), {"min_letters": 0.5}),
        ("repetition", ("ha ha ha ha", "a"), {"max_repetition": 3}),
        ("repetition", ("x y z x y z x y z", "a"), {"max_repetition": 2}),
        ("repetition", ("a", "好好好好"), {"max_repetition": 3}),
        ("numbers", ("in 1981", "1918年"), {"drop_number_mismatch": True}),
        ("urls", ("see www.example.org", "见 www.example.com"), {"drop_url_mismatch": True}),
    ],
)
def test_reasons(reason: str, pair: tuple[str, str], keys: dict[str, object]) -> None:
    assert judge(pair, **keys)[0] == {reason: 1}
    assert judge(pair)[0] == {}


@pytest.mark.parametrize(
    ("pair", "keys"),
    [
        (("a " + "b" * 10, "一" * 60), {"max_word_chars": 10, "max_ratio": 30.0}),
        (("1 < 2 & 3 > 2; AT&T", "d"), {"markup": "drop"}),
        (("word 12", "की बात"), {"min_letters": 0.6}),
        (("ha ha ha", "x y x y"), {"max_repetition": 3}),
        (("1,234.5 km on 3 May", "3日 1 234,5 公里"), {"drop_number_mismatch": True}),
        (("٣ files", "3 个"), {"drop_number_mismatch": True}),
        (("See https://a.org/b.", "见 https://a.org/b）"), {"drop_url_mismatch": True}),
    ],
)
def test_what_is_preserved(pair: tuple[str, str], keys: dict[str, object]) -> None:
    assert judge(pair, **keys)[0] == {}


def test_markup_is_mended() -> None:
    raw = ("<p>Fish &amp;amp; chips</p><br/>now", "caf&eacute; &lt;3 <!-- no -->")
    assert judge(raw, markup="fix", max_ratio=9.0)[1] == [Pair(1, "Fish & chipsnow", "café <3")]
    assert judge(("<b></b>", "x"), markup="fix")[0] == {"empty": 1}


def test_rules_of_one_side_hold_for_text_of_one_language() -> None:
    assert judge(("12 12 12", ""), True, min_letters=0.5)[0] == {"few_letters": 1}
    assert judge(("in 1981", ""), True, drop_number_mismatch=True, drop_url_mismatch=True)[0] == {}


@pytest.mark.parametrize("share", [50, -0.1, 1.01, float("nan")])
def test_min_letters_is_a_share(share: float) -> None:
    with pytest.raises(UserError, match=r"cleaning\.min_letters is .*: it must be at least 0 and at most 1"):
        check_bounds(CorpusConfig(cleaning=CleaningConfig(min_letters=share)), "corpus.")


@given(st.text())
def test_rules_take_any_text(text: str) -> None:
    assert 0 <= cleaning_rules.letters(text) <= 1
    assert cleaning_rules.numbers(text) == sorted(cleaning_rules.numbers(text))
    cleaning_rules.urls(text)
    if not cleaning_rules.has_markup(text):
        assert cleaning_rules.without_markup(text) == text
