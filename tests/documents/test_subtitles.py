"""Subtitles as people write them: times stay and are never translated, the text of every cue is."""

import re

import pytest
from helpers.document_models import backwards, nothing, upper
from helpers.examples import example_count
from hypothesis import given, settings
from hypothesis import strategies as st

from distilmt.documents import TranslateWithAttention, translate_document
from distilmt.documents.subtitles import CUE_TIMES
from distilmt.utils.errors import UserError

STAMPS = ["00:00:01,000", "0:0:5,5", "00:01.000", "00:00:03:000", "00:00:07", "-00:00:01,000", "1:02:03.25", "01:02"]
ARROWS = [" --> ", "-->", " -> ", "->", " —> ", " → ", " --&gt; ", "  -->  "]
TEXTS = [
    "The door is open.",
    "- Where is it?",
    "– Here!",
    "<i>Close</i> the door.",
    "♪ La la la ♪",
    "{\\an8}Above",
]
TEXTS += ["-Yes.", "• A point", "He ran\nhome", 'Hello, <b>you</b>\n<font color="red">there</font>', "no end"]
SETTINGS = ["", " X1:100 X2:600", " align:start line:90%"]
END = st.sampled_from(["\n", "\r\n", "\r"])


def times(texts):
    return ["00:00:09,000 --> 00:00:10,000" for _ in texts]


@st.composite
def files(draw):
    """Cues with and without numbers and blank lines, in any spelling of times."""
    lines = []
    for number in range(1, draw(st.integers(1, 5)) + 1):
        lines += [str(number)] * draw(st.integers(0, 1))
        lines += [draw(st.sampled_from(STAMPS)) + draw(st.sampled_from(ARROWS)) + draw(st.sampled_from(STAMPS))]
        lines[-1] += draw(st.sampled_from(SETTINGS))
        for text in draw(st.lists(st.sampled_from([*TEXTS, ""]), max_size=4)):
            lines += text.split("\n")
        lines += [""] * draw(st.integers(0, 2))
    return draw(st.sampled_from(["", "\ufeff"])) + draw(END).join(lines)


def skeleton(text):
    lines = re.split(r"\r\n|\r|\n", text)
    return len(lines), [
        (i, line) for i, line in enumerate(lines) if CUE_TIMES.match(line) or line.isdigit() or not line
    ]


@settings(max_examples=example_count(200), deadline=None)
@given(files())
def test_identity_changes_no_byte(text):
    for name in ("a.srt", "a.vtt"):
        assert translate_document(text.encode(), name, list) == text.encode()


@settings(max_examples=example_count(200), deadline=None)
@given(files(), st.sampled_from([upper, backwards, nothing, times]))
def test_no_time_is_translated_or_created(text, translate):
    seen = []

    def model(texts):
        seen.extend(texts)
        return translate(texts)

    instance = translate_document(text.encode(), "a.srt", model).decode()
    assert skeleton(instance) == skeleton(text)
    assert not any(CUE_TIMES.match(line) or line.strip().isdigit() for line in seen)
    assert not any(re.match(r"\s*[-–•♪]", line) for line in seen), "signs are outside"
    assert re.findall(r"<[^>]*>|\{[^}]*\}", instance) == re.findall(r"<[^>]*>|\{[^}]*\}", text)


@settings(max_examples=example_count(200), deadline=None)
@given(files())
def test_every_text_is_translated(text):
    instance = translate_document(text.encode(), "a.srt", upper).decode()
    lines = [line for line in re.split(r"[\r\n\ufeff]+", instance) if not CUE_TIMES.match(line)]
    bare = re.sub(r"<[^>]*>|\{[^}]*\}", "", "\n".join(lines))
    assert bare == bare.upper()


@pytest.mark.parametrize("line", ["00:0x:01,000 --> 00:00:02,000", "00.00.01 --> 12", "12345 -> 00:00:02,000"])
def test_a_time_that_cannot_be_read_is_counted_with_its_line(line):
    model = TranslateWithAttention(upper, lambda texts, translations: [[] for _ in texts])
    text = f"1\n00:00:01,000 --> 00:00:02,000\nOne.\n\n2\n{line}\nTwo.\n"
    instance = translate_document(text.encode(), "a.srt", model).decode()
    assert instance == text.replace("One", "ONE").replace("Two", "TWO")
    assert model.report.lines() == ["1 text left unchanged: a line with an arrow is not a readable time (line 6)"]


def test_webvtt_keeps_what_is_not_text():
    head = "WEBVTT - A film\nX-TIMESTAMP-MAP=LOCAL:00:00:00.000,MPEGTS:900000\n\nNOTE a\nb\n\nSTYLE\n::cue(b) {}\n\n"
    cue = "intro\n00:01.000 --> 00:03.000 line:90%\n<v Anna><c.loud>no</c> &amp; <00:00:01.500>yes</v>\n\n"
    note = "NOTE c\nd\n\n00:07.000 --> 00:08.000\n- a\n&gt;&gt; b\n"
    instance = translate_document(f"{head}{cue}{note}".encode(), "a.vtt", upper).decode()
    assert instance == head + cue.replace("no<", "NO<").replace("yes", "YES") + note.replace("- a", "- A").replace(
        " b", " B"
    )


ASS = """[Script Info]
Title: the title

[Events]
Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text
Dialogue: 0,0:00:01.00,0:00:02.00,Default,anna,0,0,0,,{\\an8}Hello, my {\\b1}friend{\\b0}.\\NHow are you?
Dialogue: 0,0:00:01.00,0:00:02.00,Default,,0,0,0,,- Yes.\\N- No!
Comment: 0,0:00:01.00,0:00:02.00,Default,,0,0,0,,a comment
Dialogue: 0,0:00:01.00,0:00:02.00,Default,,0,0,0,,{\\p1}m 0 0 l 100 100
"""


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_substation_alpha(end):
    text = ASS.replace("\n", end)
    assert translate_document(text.encode(), "a.ass", list) == text.encode()
    instance = translate_document(text.encode(), "a.ssa", upper).decode()
    expected = text.replace("Hello, my", "HELLO, MY").replace("friend", "FRIEND").replace("How are you", "HOW ARE YOU")
    assert instance == expected.replace("Yes.", "YES.").replace("No!", "NO!")
    with pytest.raises(UserError, match="Events"):
        translate_document(b"a text", "a.ass", upper)


@pytest.mark.parametrize("text", ["WEBVTT", "WEBVTT - a file\n\nNOTE nothing yet\n", ""])
def test_a_file_without_cues_stays(text):
    assert translate_document(text.encode(), "x.vtt", upper) == text.encode()
