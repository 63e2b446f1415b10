"""Corpora of recorded speech in their layouts: the same sentences, and one line for what cannot be read."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

pytest.importorskip("av")
from helpers.recordings import tone, wav

from distilmt.audio.recorded_sentences import RecordedSentence, recorded_sentences
from distilmt.utils.errors import UserError

TEXTS = ('She said "no".', "Two men wait.")


@pytest.fixture
def corpus(tmp_path) -> Path:
    (tmp_path / "clips").mkdir()
    for number in range(2):
        (tmp_path / "clips" / f"{number}.wav").write_bytes(wav(tone(0.2 + number)))
    return tmp_path


def of_clips(corpus: Path) -> list[RecordedSentence]:
    return [RecordedSentence(text, corpus / "clips" / f"{number}.wav") for number, text in enumerate(TEXTS)]


def test_common_voice_and_covost(corpus) -> None:
    rows = [f"{number}.wav\t{text}\tEin Satz." for number, text in enumerate(TEXTS)]
    (corpus / "train.tsv").write_text("\n".join(["path\tsentence\ttranslation", *rows, ""]), encoding="utf-8")
    assert [*recorded_sentences(corpus / "train.tsv")] == of_clips(corpus)


def test_json_lines_with_times_and_without_a_transcript(corpus) -> None:
    records = [
        {"audio": "clips/0.wav", "transcript": TEXTS[0], "start": 0.05, "end": 0.15},
        {"audio": "clips/1.wav", "transcript": None, "translation": "Ein Satz."},
        {"audio": "clips/1.wav", "transcript": TEXTS[1]},
    ]
    (corpus / "a.jsonl").write_text("\n".join(map(json.dumps, records)), encoding="utf-8")
    first, second = of_clips(corpus)
    cut = RecordedSentence(first.transcript, first.audio, 0.05, 0.15)
    assert [*recorded_sentences(corpus / "a.jsonl")] == [cut, second]


def test_parquet_and_a_data_set_on_disk_hold_the_sound(corpus) -> None:
    content = wav(tone(0.2))
    columns = {"audio": [{"bytes": content, "path": None}], "text": [TEXTS[0]]}
    table = pa.table(columns)
    pq.write_table(table, corpus / "a.parquet")
    expected = [RecordedSentence(TEXTS[0], content)]
    assert [*recorded_sentences(corpus / "a.parquet")] == expected
    datasets = pytest.importorskip("datasets")
    datasets.Dataset(table).save_to_disk(corpus / "saved")
    assert [*recorded_sentences(corpus / "saved")] == expected


def test_recordings_with_subtitles(corpus) -> None:
    cues = "1\n00:00:00,100 --> 00:00:00,500\n<i>Two men</i>\nwait.\n\n2\n00:00:00,600 --> 00:00:01,000\nOne.\n"
    (corpus / "clips" / "1.srt").write_text(cues, encoding="utf-8")
    audio = corpus / "clips" / "1.wav"
    expected = [RecordedSentence("Two men wait.", audio, 0.1, 0.5), RecordedSentence("One.", audio, 0.6, 1.0)]
    assert [*recorded_sentences(corpus / "clips")] == expected


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.tsv", "path\tsentence\nx.wav\tHello.\n", "x.wav is missing"),
        ("a.tsv", "clip\tsentence\nx.wav\tHello.\n", "no column 'audio'"),
        ("a.jsonl", "{", "cannot be read"),
        ("a.jsonl", '{"audio": "clips/0.wav", "text": "a", "start": "x"}', "no numbers"),
        ("a.parquet", "PAR1", "cannot be read"),
        ("a.txt", "a", "no corpus of recordings"),
        ("a.tsv", None, "cannot be read"),
    ],
)
def test_what_cannot_be_read_is_one_line(corpus, name, content, message) -> None:
    if content is not None:
        (corpus / name).write_text(content, encoding="utf-8")
    with pytest.raises(UserError, match=message):
        list(recorded_sentences(corpus / name))
    (corpus / "empty").mkdir(exist_ok=True)
    with pytest.raises(UserError, match="no recordings with"):
        list(recorded_sentences(corpus / "empty"))
