"""Corpora of recorded speech: which recording belongs to which transcript.

Manifests are tables, JSON lines or Parquet; Common Voice and CoVoST 2 are tables with their sound in `clips`. A
directory has recordings with subtitles beside them, or is a data set of Hugging Face saved on disk.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from distilmt.audio.decoding import is_recording
from distilmt.utils.errors import UserError

_AUDIO = ("audio", "path", "file", "audio_path", "audio_filepath", "wav")
_TRANSCRIPT = ("transcript", "sentence", "transcription", "text", "source")
_TABLES = (".tsv", ".csv", ".jsonl", ".ndjson", ".parquet")
_SUBTITLES = (".srt", ".vtt")
_TIME = r"(?:(\d+):)?(\d\d):(\d\d)[,.](\d{3})"
_CUE = re.compile(rf"^\s*{_TIME}\s+-->\s+{_TIME}[^\n]*\n(.*?)(?=\n\s*\n|\Z)", re.MULTILINE | re.DOTALL)
_TAG = re.compile(r"<[^>]*>|\{\\[^}]*\}")
_LONGEST_FIELD = 1 << 20

_Record = Mapping[str, object]


@dataclass(frozen=True)
class RecordedSentence:
    """A sentence that somebody speaks in a recording."""

    transcript: str
    audio: Path | bytes
    """A file, or the content of one."""
    start: float = 0.0
    """Seconds from the beginning of the recording."""
    end: float | None = None
    """Seconds, as `start`; None: the end of the recording."""


def recorded_sentences(path: Path) -> Iterator[RecordedSentence]:
    """The sentences of a manifest or directory; rows without a transcript are left out.

    Args:
        path: a .tsv, .csv, .jsonl or .parquet file that names a column of sound (`audio`, `path` or `file`) and one of
            transcripts (`transcript`, `sentence` or `text`), perhaps `start` and `end` in seconds; or a directory of
            recordings with .srt or .vtt files of the same names, or of a data set that `save_to_disk` has written.

    Raises:
        UserError: it is none of these, damaged, or names a recording that is missing.
    """
    if path.is_dir():
        yield from _of_arrow(path) if [*path.glob("*.arrow")] else _of_subtitles(path)
        return
    if path.suffix.lower() not in _TABLES:
        raise UserError(f"{path} is no corpus of recordings: name a {', '.join(_TABLES)} file, or a directory")
    try:
        for number, record in enumerate(_records(path), 1):
            if sentence := _sentence(record, path.parent, f"{path}, row {number}"):
                yield sentence
    except (OSError, ValueError, csv.Error) as error:
        raise UserError(f"{path} cannot be read ({' '.join(str(error).split())[:120]}): write it again") from None


def _records(path: Path) -> Iterator[_Record]:
    suffix = path.suffix.lower()
    if suffix == ".parquet":
        yield from _of_parquet(path)
        return
    with path.open(encoding="utf-8-sig", newline="") as file:
        if suffix in (".jsonl", ".ndjson"):
            yield from (_object(line, path) for line in file if line.strip())
        else:
            csv.field_size_limit(_LONGEST_FIELD)
            # Common Voice writes quotation marks of a sentence as they are.
            options = {"delimiter": "\t", "quoting": csv.QUOTE_NONE} if suffix == ".tsv" else {}
            yield from csv.DictReader(file, **options)  # type: ignore[call-overload]


def _object(line: str, path: Path) -> _Record:
    record = json.loads(line)
    if not isinstance(record, dict):
        raise UserError(f"{path} has a line that is no JSON object: write one object per line")
    return record


def _of_parquet(path: Path) -> Iterator[_Record]:
    import pyarrow.parquet as pq

    with pq.ParquetFile(path, pre_buffer=False) as file:
        for batch in file.iter_batches(batch_size=256):
            yield from batch.to_pylist()


def _of_arrow(directory: Path) -> Iterator[RecordedSentence]:
    import pyarrow as pa

    for path in sorted(directory.glob("*.arrow")):
        number = 0
        try:
            with pa.memory_map(str(path)) as source, pa.ipc.open_stream(source) as stream:
                for batch in stream:
                    for record in batch.to_pylist():
                        number += 1
                        if sentence := _sentence(record, directory, f"{path}, row {number}"):
                            yield sentence
        except (OSError, pa.ArrowException) as error:
            raise UserError(f"{path} is damaged ({str(error)[:120]}): save the data set again") from None


def _of_subtitles(directory: Path) -> Iterator[RecordedSentence]:
    if not directory.is_dir():
        raise UserError(f"{directory} does not exist: name a manifest or a directory of recordings")
    count = 0
    for audio in sorted(filter(is_recording, directory.rglob("*"))):
        for subtitles in filter(Path.is_file, map(audio.with_suffix, _SUBTITLES)):
            text = subtitles.read_text(encoding="utf-8-sig", errors="replace").replace("\r\n", "\n")
            for match in _CUE.finditer(text):
                transcript = " ".join(_TAG.sub("", match[9]).split())
                if transcript:
                    count += 1
                    yield RecordedSentence(transcript, audio, _seconds(match, 1), _seconds(match, 5))
            break
    if not count:
        raise UserError(f"{directory} has no recordings with .srt or .vtt files of the same names: add them")


def _seconds(match: re.Match[str], group: int) -> float:
    hours, minutes, seconds, milliseconds = (int(match[group + place] or 0) for place in range(4))
    return hours * 3600 + minutes * 60 + seconds + milliseconds / 1000


def _sentence(record: _Record, directory: Path, where: str) -> RecordedSentence | None:
    audio, transcript = (_value(record, names, where) for names in (_AUDIO, _TRANSCRIPT))
    if not isinstance(transcript, str) or not transcript.strip():
        return None
    sound = _sound(audio, directory, where)
    try:
        start, end = (float(str(value)) if (value := record.get(key)) not in (None, "") else None for key in _SPAN)
    except ValueError:
        raise UserError(f"{where}: start and end are no numbers: write seconds") from None
    return RecordedSentence(transcript, sound, start or 0.0, end)


_SPAN = ("start", "end")


def _value(record: _Record, names: tuple[str, ...], where: str) -> object:
    for name in names:
        if name in record:
            return record[name]
    have = ", ".join(list(record)[:12])
    raise UserError(f"{where}: no column {', '.join(map(repr, names[:3]))} (it has {have}): rename one")


def _sound(audio: object, directory: Path, where: str) -> Path | bytes:
    """The content or the file of a recording, which may be in `clips` beside its table."""
    if isinstance(audio, dict):
        content = audio.get("bytes")
        if isinstance(content, bytes):
            return content
        audio = audio.get("path")
    if not isinstance(audio, str) or not audio:
        raise UserError(f"{where}: has no recording: write the path of a file")
    for path in (directory / audio, directory / "clips" / audio):
        if path.is_file():
            return path
    raise UserError(f"{where}: {audio} is missing in {directory} and in its directory clips: copy it there")


def opened(audio: Path | bytes) -> Path | io.BytesIO:
    """What `read_audio` reads."""
    return audio if isinstance(audio, Path) else io.BytesIO(audio)
