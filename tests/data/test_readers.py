import gzip
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from helpers.examples import example_count
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from distilmt.data.pairs import Pair
from distilmt.data.readers import textlines
from distilmt.data.readers.files import read_pairs
from distilmt.utils.errors import UserError

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\n")).filter(
    lambda text: not text.endswith("\r") and not text.startswith("\ufeff")
)
PAIRS = st.lists(st.tuples(TEXT, TEXT), min_size=1, max_size=8)
FILES = settings(
    max_examples=example_count(60), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def write_lines(path: Path, lines: list[str]) -> str:
    data = "".join(f"{line}\n" for line in lines).encode()
    path.write_bytes(gzip.compress(data, mtime=0) if path.suffix == ".gz" else data)
    return str(path)


def read(*paths: object, source: str = "en", target: str = "it") -> list[Pair]:
    return list(read_pairs([str(path) for path in paths], source, target))


def complaint(*paths: object) -> str:
    with pytest.raises(UserError) as caught:
        read(*paths)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def numbered(pairs: list[tuple[str, str]]) -> list[Pair]:
    return [Pair(line, *pair) for line, pair in enumerate(pairs, 1)]


@FILES
@given(PAIRS, st.sampled_from(["", ".gz"]))
def test_moses_round_trip(tmp_path: Path, pairs: list[tuple[str, str]], ending: str) -> None:
    left = write_lines(tmp_path / f"a.en{ending}", [source for source, _ in pairs])
    right = write_lines(tmp_path / f"a.it{ending}", [target for _, target in pairs])
    assert read(left, right) == numbered(pairs)


@FILES
@given(PAIRS, st.sampled_from(["", ".gz"]))
def test_tsv_round_trip(tmp_path: Path, pairs: list[tuple[str, str]], ending: str) -> None:
    pairs = [(source.replace("\t", " "), target.replace("\t", " ")) for source, target in pairs]
    path = write_lines(tmp_path / f"a.tsv{ending}", ["\t".join(pair) for pair in pairs])
    assert read(path) == numbered(pairs)


@FILES
@given(PAIRS, st.sampled_from(["", ".gz"]), st.booleans(), st.sampled_from(["codes", "names", "translation"]))
def test_jsonl_round_trip(
    tmp_path: Path, pairs: list[tuple[str, str]], ending: str, ascii_only: bool, layout: str
) -> None:
    records = [record(layout, *pair) for pair in pairs]
    lines = [json.dumps(record, ensure_ascii=ascii_only) for record in records]
    assert read(write_lines(tmp_path / f"a.jsonl{ending}", lines)) == numbered(pairs)


@FILES
@given(PAIRS, st.sampled_from(["codes", "names", "translation"]))
def test_parquet_round_trip(tmp_path: Path, pairs: list[tuple[str, str]], layout: str) -> None:
    pq.write_table(pa.Table.from_pylist([record(layout, *pair) for pair in pairs]), tmp_path / "a.parquet")
    assert read(tmp_path / "a.parquet") == numbered(pairs)


def record(layout: str, source: str, target: str) -> dict[str, object]:
    if layout == "names":
        return {"source": source, "target": target}
    sides = {"en": source, "it": target}
    return {"translation": sides} if layout == "translation" else {**sides, "id": 3}


def test_only_line_feeds_split_lines_and_marks_are_stripped(tmp_path: Path) -> None:
    (tmp_path / "a.en").write_bytes("\ufeffone\u2028two\x0b\x0c\x85three\r\nfour".encode())
    (tmp_path / "a.it").write_bytes(b"uno\r\nquattro\n")
    pairs = read(tmp_path / "a.en", tmp_path / "a.it")
    assert pairs == [Pair(1, "one\u2028two\x0b\x0c\x85three", "uno"), Pair(2, "four", "quattro")]


@pytest.mark.parametrize(("left", "right"), [(3, 5), (5, 3), (0, 2)])
def test_different_lengths_name_both_counts(tmp_path: Path, left: int, right: int) -> None:
    paths = [write_lines(tmp_path / "a.en", ["x"] * left), write_lines(tmp_path / "a.it", ["y"] * right)]
    message = complaint(*paths)
    assert f"a.en has {left} lines" in message
    assert f"a.it has {right}:" in message


def test_invalid_utf8_names_line_and_byte(tmp_path: Path) -> None:
    (tmp_path / "a.tsv").write_bytes(b"\xef\xbb\xbfa\tb\nperch\xe9\tx\n")
    message = complaint(tmp_path / "a.tsv")
    assert "line 2" in message
    assert "byte 12 " in message
    assert "iconv" in message


@pytest.mark.parametrize(
    ("name", "data", "report_text"),
    [
        ("a.tsv", b"a\tb\nonly one\n", "line 2: has no tab"),
        ("a.tsv", b"a\tb\0\n", "line 1: has a NUL byte"),
        ("a.tsv", b"", "is empty"),
        ("a.tsv.gz", gzip.compress(b"a\tb\n" * 9999, mtime=0)[:60], "gzip"),
        ("a.tsv.gz", b"a\tb\n", "gzip"),
        ("a.jsonl", b'{"en": "a", "it": "b"}\n{"en": \n', "line 2: is not JSON"),
        ("a.jsonl", b"[1, 2]\n", "line 1: is not a JSON object"),
        ("a.jsonl", b'{"en": "a", "de": "b"}\n', "no columns 'en' and 'it'"),
        ("a.jsonl", b'{"en": "a", "it": 3}\n', "has int instead of text"),
        ("a.jsonl", b'{"en": "a", "it": "\\ud800"}\n', "U+D800"),
        ("a.parquet", b"PAR1 but not quite", "not a complete Parquet file"),
        ("a.docx", b"x", "name two parallel text files"),
    ],
)
def test_bad_files(tmp_path: Path, name: str, data: bytes, report_text: str) -> None:
    (tmp_path / name).write_bytes(data)
    message = complaint(tmp_path / name)
    assert name in message
    assert report_text in message


def test_bad_paths(tmp_path: Path) -> None:
    there = write_lines(tmp_path / "a.it", ["x"])
    assert "does not exist" in complaint(tmp_path / "b.en", there)
    assert "is a directory" in complaint(tmp_path, there)
    assert "no corpus file" in complaint()
    assert "3 file(s)" in complaint(there, there, there)
    assert "swap the two files" in complaint(there, write_lines(tmp_path / "a.en", ["y"]))
    tables = write_lines(tmp_path / "a.tsv", ["x\ty"])
    assert "2 file(s)" in complaint(tables, tables)


def test_missing_parquet_column_and_null(tmp_path: Path) -> None:
    pq.write_table(pa.table({"en": ["a"], "de": ["b"]}), tmp_path / "a.parquet")
    assert "found 'en', 'de'" in complaint(tmp_path / "a.parquet")
    pq.write_table(pa.table({"en": ["a", None], "it": ["b", "c"]}), tmp_path / "b.parquet")
    assert read(tmp_path / "b.parquet") == [Pair(1, "a", "b"), Pair(2, "", "c")]


def test_long_lines_are_read_up_to_a_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_lines(tmp_path / "a.tsv", ["a\tb", "x" * 10_000_000 + "\ty"])
    assert len(read(path)[1].source) == 10_000_000
    monkeypatch.setattr(textlines, "MAX_LINE_BYTES", 1 << 20)
    assert "line 2: is longer than 1 MiB" in complaint(path)


@pytest.mark.parametrize("place", [10, 0.3, 0.8, -20])
def test_damaged_parquet(tmp_path: Path, place: float) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"en": [f"a {n}" for n in range(5000)], "it": [f"b {n}" for n in range(5000)]}), path)
    data = bytearray(path.read_bytes())
    start = int(place * len(data)) if 0 < place < 1 else int(place)
    data[start : start + 12] = b"\xff" * 12
    path.write_bytes(data)
    assert "a.parquet" in complaint(path)
