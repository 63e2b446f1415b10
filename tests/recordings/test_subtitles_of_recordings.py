"""Subtitles as players read them: FFmpeg's parsers, by PyAV, read back what was written."""

import io
import json

import pytest
from helpers.examples import example_count
from hypothesis import given, settings
from hypothesis import strategies as st

from distilmt.recordings.records import TranslatedSegment, plain_text, segment_records
from distilmt.recordings.subtitles import MAX_COLUMNS, columns, cues, srt, vtt

av = pytest.importorskip("av")

WORDS = st.sampled_from(
    ["a", "der", "Übersetzung", "--> 00:00", "<i>", "& so", "{\\an8}", "12", "x" * 50, "これは字幕です。", "ภาษาไทย"]
)
TEXTS = st.one_of(st.lists(WORDS, max_size=30).map(" ".join), st.text(max_size=90))
SEGMENTS = st.lists(
    st.builds(
        lambda start, length, text: TranslatedSegment(start, start + length, text),
        st.floats(0, 90_000),
        st.floats(0, 20),
        TEXTS,
    ),
    max_size=5,
).map(lambda segments: sorted(segments, key=lambda segment: segment.start))


def parsed(text, form):
    """Start and end in milliseconds, and the text, of every packet of a subtitle file, by FFmpeg."""
    with av.open(io.BytesIO(text.encode()), format=form) as container:
        (stream,) = container.streams
        unit = 1000 * stream.time_base
        packets = [packet for packet in container.demux(stream) if packet.size]
        return [(p.pts * unit, (p.pts + p.duration) * unit, bytes(p).decode()) for p in packets]


@settings(max_examples=example_count(60))
@given(SEGMENTS)
def test_cues_are_in_order_short_and_whole(segments):
    last = 0
    shown = list(cues(segments))
    for cue in shown:
        assert last <= cue.start < cue.end
        last = cue.end
        assert 1 <= len(cue.lines) <= 2 and all(line and columns(line) <= MAX_COLUMNS for line in cue.lines)
    letters = "".join(c for segment in segments for c in segment.translation if c.isalnum())
    assert "".join(c for cue in shown for line in cue.lines for c in line if c.isalnum()) == letters


@settings(max_examples=example_count(45))
@given(SEGMENTS)
def test_players_read_the_same_cues(segments):
    shown = list(cues(segments))
    packets = parsed("".join(srt(segments)), "srt") if shown else []
    assert [(start, end) for start, end, _ in packets] == [(cue.start, cue.end) for cue in shown]
    assert all(not {"<", "{", "\\"} & set(text) for *_, text in packets)
    packets = parsed("".join(vtt(segments)), "webvtt") if shown else []
    assert [(start, end) for start, end, _ in packets] == [(cue.start, cue.end) for cue in shown]
    unescaped = [text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&") for *_, text in packets]
    assert unescaped == ["\n".join(cue.lines) for cue in shown]


def test_files_look_like_this():
    segments = [
        TranslatedSegment(0.5, 2.25, "Hallo <Welt> & alle."),
        TranslatedSegment(3, 3.5, " \n"),
        TranslatedSegment(3661.0, 3665.0, "Ein Satz, der für eine Zeile viel zu lang ist, geht auf zwei."),
    ]
    assert "".join(srt(segments)) == (
        "1\n00:00:00,500 --> 00:00:02,250\nHallo ‹Welt> & alle.\n\n"
        "2\n01:01:01,000 --> 01:01:05,000\nEin Satz, der für eine Zeile\nviel zu lang ist, geht auf zwei.\n\n"
    )
    assert "".join(vtt(segments)).startswith(
        "WEBVTT\n\n00:00:00.500 --> 00:00:02.250\nHallo &lt;Welt&gt; &amp; alle.\n\n01:01:01.000 -->"
    )
    assert plain_text(segments).splitlines() == [segments[0].translation, segments[2].translation]
    records = segment_records(segments)
    assert records[0] == {"start": 0.5, "end": 2.25, "translation": "Hallo <Welt> & alle."} and len(records) == 2
    assert json.loads(json.dumps(records)) == records


def test_a_long_segment_is_shared_by_the_length_of_its_cues():
    shown = list(cues([TranslatedSegment(10, 30, "wort " * 60), TranslatedSegment(29, 29.001, "a " * 200)]))
    first = [cue for cue in shown if cue.end <= 30_000]
    assert len(first) >= 4 and (first[0].start, first[-1].end) == (10_000, 30_000)
    seconds = [(cue.end - cue.start) / sum(map(len, cue.lines)) for cue in first]
    assert max(seconds) < 1.1 * min(seconds)
    assert shown[len(first)].start == 30_000, "it waits for the end of the last one"


def test_chinese_is_broken_between_characters_but_not_before_a_full_stop():
    (cue,) = cues([TranslatedSegment(0, 5, "这是一个很长的句子，它没有空格，所以在字之间换行（像这样）。")])
    assert len(cue.lines) == 2 and not any(line.startswith(("，", "。", "）")) for line in cue.lines)
    assert not any(line.endswith("（") for line in cue.lines)
