"""Text in a wrong encoding is recognized and repaired; right text is left alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from distilmt.data.mojibake import repaired

RIGHT = [
    "Il caffè è già caldo.", "»Spaß«, sagte er – und ging …", "NÃO É ISSO, À ÉTÉ", "Größe: 20 m²", "ÅÄÖ åäö", "naïve",
    "l’été à “Paris”", "Привет, мир!", "Καλημέρα", "გამარჯობა", "你好，世界。", "こんにちは", "안녕하세요", "नमस्ते",
    "สวัสดี", "Tiếng Việt ở đây",
    "Þórsdóttir á Íslandi", "¿Qué tal? ¡Señor!", "",
]  # fmt: skip


@pytest.mark.parametrize("text", RIGHT)
def test_right_text_is_left_alone(text: str) -> None:
    assert repaired(text) is None


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252"])
@pytest.mark.parametrize("text", ["Il caffè è già caldo.", "Größe und Maße", "Señor García", "à bientôt, Zoé"])
def test_utf8_that_was_read_as_latin(text: str, encoding: str) -> None:
    try:
        wrong = text.encode().decode(encoding)
    except UnicodeDecodeError:
        pytest.skip("not text in that encoding")
    assert repaired(wrong) == text


def test_another_script_that_was_read_as_latin() -> None:
    assert repaired("Привет, мир".encode().decode("cp1252", "replace")) is not None
    assert repaired("Привет, как дела".encode("cp1251").decode("cp1252")) == "Привет, как дела"


@given(st.text("abZ &<.?!09~", max_size=40))
def test_ascii_is_never_repaired(text: str) -> None:
    assert repaired(text) is None
