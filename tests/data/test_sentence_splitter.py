"""Sentences are split in scripts with and without case, here and in the browser by the same rule."""

import re
from pathlib import Path

import pytest

from distilmt.data import sentence_splitter
from distilmt.data.sentence_splitter import sentences

BROWSER = Path(sentence_splitter.__file__).parents[1] / "web" / "browser" / "text.js"


@pytest.mark.parametrize(
    "text",
    [
        "It rains. We stay.",
        "यह एक वाक्य है। यह दूसरा है।",
        "এটি একটি বাক্য। এটি আরেকটি।",
        "یہ ایک جملہ ہے۔ یہ دوسرا ہے۔",
        "هل تسمعني؟ نعم أسمعك.",
        "هذه جملة. وهذه أخرى.",
        "ეს წინადადებაა. ეს მეორეა.",
        "Սա նախադասություն է։ Սա երկրորդն է։",
        "ይህ አንድ ዓረፍተ ነገር ነው። ይህ ሁለተኛው ነው።",
        "နေကောင်းလား။ ကောင်းပါတယ်။",
        "זה משפט. זה עוד משפט.",
        "这是一句话。这是另一句。",
    ],
)
def test_two_sentences(text: str) -> None:
    first, second = sentences(text)
    assert "".join(text.split()) == "".join((first + second).split())


@pytest.mark.parametrize("text", ["See e.g. page 3.", "At 3.5 m it ends", "what? yes", ""])
def test_one_sentence_at_most(text: str) -> None:
    assert len(sentences(text)) <= 1


def test_the_browser_has_the_same_full_stops() -> None:
    (python,) = re.findall(r"_WESTERN_END = re\.compile\(r\"\[(.*?)\]", Path(sentence_splitter.__file__).read_text())
    (browser,) = re.findall(r"WESTERN_END = /\[(.*?)\]", BROWSER.read_text())
    assert python == browser
