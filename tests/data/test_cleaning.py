import builtins
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from distilmt.config import CleaningConfig
from distilmt.data.cleaning import Cleaner, CleaningReport, key, normalize, split_words
from distilmt.data.pairs import Pair
from distilmt.data.readers.files import read_pairs
from distilmt.utils.errors import UserError
from distilmt.utils.language_identification import language_identifier

DATA = Path(__file__).parents[3] / "shared" / "data"


def clean(pairs: list[tuple[str, str]], **rules: object) -> CleaningReport:
    report = CleaningReport()
    cleaner = Cleaner(CleaningConfig(**rules), "en", "zh")  # type: ignore[arg-type]
    list(cleaner.clean((Pair(line, *pair) for line, pair in enumerate(pairs, 1)), report))
    return report


@given(st.text(st.characters()))
def test_normalise_is_idempotent_and_storable(text: str) -> None:
    once = normalize(text)
    assert normalize(once) == once
    assert once == once.strip()
    assert "  " not in once
    assert not any(unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp") for character in once)
    once.encode()


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (" a\u00a0\u3000b\t\x0b\u2028c\r\n", "a b c"),
        ("\ufeffze\u200bro\x00 wi\u00addth", "zero width"),
        ("e\u0301", "é"),
        ("（全角，标点）：ＡＢＣ！", "（全角，标点）：ＡＢＣ！"),
        ("می\u200cخواهم", "می\u200cخواهم"),
        ("क्\u200dष", "क्\u200dष"),
        ("e\u200b\u0301", "é"),
        ("\ud800x", "\ufffdx"),
    ],
)
def test_normalise(raw: str, expected: str) -> None:
    assert normalize(raw) == expected


def test_key_keeps_letters_marks_and_digits() -> None:
    assert key("The «Foo», 2.0!") == key("the foo 20")
    assert key("की") != key("के")
    assert key("?!") != key("...")


def test_words_counts_characters_where_there_are_no_spaces() -> None:
    assert split_words("two words") == ["two", "words"]
    assert len(split_words("使用 Debian 系统。")) == 6
    assert len(split_words("สวัสดี")) == 6
    assert len(split_words("안녕 세계")) == 2


@given(st.lists(st.tuples(st.text(), st.text()), max_size=30), st.booleans())
def test_counts_add_up(pairs: list[tuple[str, str]], drop: bool) -> None:
    report = clean(pairs * 2, drop_duplicates=drop, drop_identical=drop, max_words=3)
    assert report.read == 2 * len(pairs)
    assert report.read == report.retained_count + sum(report.dropped.values())
    message = report.as_dict()["dropped"]
    assert isinstance(message, dict)
    assert all(1 <= len(entry["examples"]) <= min(5, entry["count"]) for entry in message.values())


@pytest.mark.parametrize(
    ("reason", "pair", "rules"),
    [
        ("empty", (" \u200b", "b"), {}),
        ("too_short", ("one two", "一二三"), {"min_words": 3}),
        ("too_long", ("a b c d", "一"), {"max_words": 3}),
        ("too_long", ("a b", "一二三四五六七八九十"), {"max_words": 3}),
        ("too_long", ("a" * 51, "b"), {"max_chars": 50}),
        ("too_long", ("a" * 10_000_000, "b"), {}),
        ("length_ratio", ("word " * 20, "短"), {}),
        ("identical", ("same\u00a0text", "same text"), {}),
    ],
)
def test_reasons(reason: str, pair: tuple[str, str], rules: dict[str, object]) -> None:
    report = clean([pair], **rules)
    assert report.dropped == {reason: 1}
    assert len(report.examples[reason][0].source) <= 200


def test_ratio_weighs_scripts() -> None:
    english = "The Committee shall adopt its own rules of procedure."
    report = clean([(english, "委员会应自行制定其议事规则。")], max_ratio=1.5)
    assert report.retained_count == 1


def test_rules_can_be_turned_off() -> None:
    pairs = [("same text", "same text"), ("same text", "same text")]
    assert clean(pairs, drop_identical=False, drop_duplicates=False).retained_count == 2


def test_language_rule() -> None:
    pytest.importorskip("py3langid")
    english = "This package contains the documentation of the library."
    chinese = "这个软件包包含了该函数库的全部文档和示例。"
    french = "Ce paquet contient la documentation de la bibliothèque."
    report = clean([(english, chinese), (french, chinese), (english, french), ("ok", "好")], language_id=True)
    assert report.dropped == {"language": 2}
    assert [example.line for example in report.examples["language"]] == [2, 3]


def test_unknown_language() -> None:
    pytest.importorskip("py3langid")
    with pytest.raises(UserError, match="tlh"):
        Cleaner(CleaningConfig(language_id=True), "en", "tlh")


def test_missing_py3langid_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    real_import = builtins.__import__

    def without(name: str, *remainder: object) -> object:
        if name.startswith("py3langid"):
            raise ImportError(name)
        return real_import(name, *remainder)  # type: ignore[arg-type]

    language_identifier.cache_clear()
    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(UserError, match=r"\.\[langid\]"):
        Cleaner(CleaningConfig(language_id=True), "en", "it")


@pytest.mark.skipif(not (DATA / "en-zh").is_dir(), reason="the shared data are not here")
def test_clean_data_stay_clean() -> None:
    paths = [str(DATA / "en-zh" / f"dev.{language}") for language in ("en", "zh")]
    report = CleaningReport()
    remaining = len(list(Cleaner(CleaningConfig(), "en", "zh").clean(read_pairs(paths, "en", "zh"), report)))
    assert remaining > 0.99 * report.read > 1000
