import pytest
from hypothesis import given
from hypothesis import strategies as st

from distilmt.serving import language_codes
from distilmt.serving.segmentation import join_sentences, split_sentences


def whole(text):
    return [text]


@given(st.text(alphabet=st.sampled_from("aB1.! \n\t。é\r\u2028"), max_size=60))
def test_what_is_no_word_is_preserved(text):
    sentences, frame = split_sentences(text, whole)
    assert all(any(c.isalnum() for c in sentence) or sentence for sentence in sentences)
    again = join_sentences(frame, sentences)
    assert [c for c in again if not c.isspace()] == [c for c in text if not c.isspace()]
    assert again.splitlines(keepends=True)[:1] == [] or len(again.splitlines()) == len(text.splitlines())


def test_lines_and_space_around_them_stay():
    text = "  One. Two!\n\n* * *\n\tThree \n"
    sentences, frame = split_sentences(text, whole)
    assert sentences == ["One.", "Two!", "Three"]
    assert join_sentences(frame, ["Uno.", "Due!", "Tre"]) == "  Uno. Due!\n\n* * *\n\tTre \n"
    assert join_sentences(split_sentences("一。二。", whole)[1], ["壹。", "贰。"]) == "壹。贰。"


@pytest.mark.parametrize(
    ("code", "shown", "name"),
    [
        ("en", "en", "English"),
        ("pt_BR", "pt-BR", "Portuguese (Brazil)"),
        ("pb", "pt-BR", "Portuguese (Brazil)"),
        ("zh", "zh-Hans", "Chinese"),
        ("zh_TW", "zh-Hant", "Chinese (traditional)"),
        ("no", "nb", "Norwegian"),
        ("xx", "xx", "xx"),
    ],
)
def test_codes_as_libretranslate_writes_them(code, shown, name):
    assert language_codes.normalize_code(code) == shown and language_codes.name(shown) == name
    assert language_codes.normalize_code(shown) == shown


def test_the_closest_language():
    assert (
        language_codes.closest("pt", ["en", "pt-BR"]) == "pt-BR"
        and language_codes.closest("PT-br", ["pt", "pt-BR"]) == "pt-BR"
    )
    assert language_codes.closest("zh-TW", ["zh-Hans"]) == "zh-Hans" and language_codes.closest("da", ["en"]) is None
