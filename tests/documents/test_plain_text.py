"""Plain text: every line end of Unicode ends a line, and stands in the translation as it was."""

import re

from hypothesis import given
from hypothesis import strategies as st

from distilmt.documents import translate_document

ENDS = ["\n", "\r\n", "\v", "\f", "\r", "\x85", "\u2028", "\u2029"]
_ENDS = re.compile("\r\n|[\n\v\f\r\x85\u2028\u2029]")
# An LF stands in every text: where CR alone ends lines, a file is one of an old Mac.
TEXTS = st.lists(
    st.one_of(st.sampled_from(ENDS), st.sampled_from(["ban der", "Fith ban. Ban der!", "42", " ", "漢字。", "😀"])),
    max_size=12,
).map(lambda parts: "".join([*parts, "\n"]))


def through(text, translate):
    return translate_document(text.encode(), "a.txt", translate).decode()


@given(TEXTS)
def test_line_ends_stay_and_no_sentence_crosses_one(text):
    requests: list[str] = []

    def upper(texts):
        requests.extend(texts)
        return [one.upper() for one in texts]

    assert through(text, upper) == text.upper()
    assert not any(_ENDS.search(one) for one in requests)
    lines = [line.strip() for line in _ENDS.split(text)]
    assert all(any(one in line for line in lines) for one in requests)


@given(TEXTS)
def test_an_identity_keeps_every_byte(text):
    assert through(text, list) == text


@given(TEXTS)
def test_a_longer_translation_brings_no_line_end(text):
    translation = through(text, lambda texts: [f"{one}\u2028x\ny" for one in texts])
    assert _ENDS.findall(translation) == _ENDS.findall(text)
    assert through(translation, list) == translation
