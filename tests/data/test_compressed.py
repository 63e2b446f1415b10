"""Compressed files, other encodings and rows that cannot be read, from every reader of text."""

import bz2
import csv
import gzip
import io
import json
import lzma
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pytest
from helpers.examples import example_count
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from distilmt.data.readers.compressed import utf8_chunks
from distilmt.data.readers.files import read_lines, read_pairs
from distilmt.data.readers.language_tags import language_columns
from distilmt.data.readers.textlines import text_lines
from distilmt.utils.errors import UserError

PACKERS = {
    "": lambda data: data,
    ".gz": gzip.compress,
    ".bz2": bz2.compress,
    ".xz": lzma.compress,
    ".zst": lambda data: bytes(pa.compress(data, codec="zstd", asbytes=True)),
}
FILES = settings(
    max_examples=example_count(60), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
WORDS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1).filter(lambda t: t.strip() == t)


def pairs_in(path: Path) -> list[tuple[str, str]]:
    return [(pair.source, pair.target) for pair in read_pairs([str(path)], "en", "it")]


@FILES
@given(data=st.binary(max_size=2000), ending=st.sampled_from(list(PACKERS)))
def test_what_was_packed_comes_back(tmp_path: Path, data: bytes, ending: str) -> None:
    data = b"text " + data  # no mark of another encoding
    for name in (f"a{ending}", "a.txt"):  # and by another name
        (tmp_path / name).write_bytes(PACKERS[ending](data))
        assert b"".join(utf8_chunks(tmp_path / name)) == data


@FILES
@given(
    data=st.binary(max_size=300), ending=st.sampled_from([*PACKERS, ".tsv", ".csv", ".json", ".jsonl", ".tmx", ".xlf"])
)
def test_any_bytes_give_pairs_or_a_line(tmp_path: Path, data: bytes, ending: str) -> None:
    path = tmp_path / (f"a.tsv{ending}" if ending in PACKERS else f"a{ending}")
    for content in (data, PACKERS.get(ending, bytes)(data)[: len(data) + 9], b"[" + data, b'{"en": "' + data):
        path.write_bytes(content)
        try:
            pairs_in(path)
        except UserError as error:
            assert "\n" not in str(error) and str(path) in str(error)


@FILES
@given(
    lines=st.lists(WORDS, min_size=1),
    codec=st.sampled_from(["utf-8-sig", "utf-16", "utf-16-be", "utf-32", "utf-32-be"]),
    end=st.sampled_from(["\n", "\r\n", "\r"]),
)
def test_marked_encodings_and_line_ends(tmp_path: Path, lines: list[str], codec: str, end: str) -> None:
    assume(not any(set("\r\n\ufeff") & set(line) for line in lines))
    mark = "\ufeff" if codec.endswith("be") else ""
    (tmp_path / "a.en").write_bytes((mark + "".join(line + end for line in lines)).encode(codec))
    assert list(text_lines(tmp_path / "a.en")) == lines


def test_cut_utf16_is_a_line(tmp_path: Path) -> None:
    (tmp_path / "a.en").write_bytes("Hello\n".encode("utf-16")[:-1])
    with pytest.raises(UserError, match="is not valid UTF-16"):
        list(text_lines(tmp_path / "a.en"))


@FILES
@given(rows=st.lists(st.tuples(WORDS, WORDS), min_size=2), delimiter=st.sampled_from([",", ";", "\t"]))
def test_csv_round_trip(tmp_path: Path, rows: list[tuple[str, str]], delimiter: str) -> None:
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=delimiter).writerows([("en", "it"), *rows])
    (tmp_path / "a.csv").write_bytes(text.getvalue().encode())
    # Another delimiter may cut a few words alike: the right one cuts the head too.
    result = pairs_in(tmp_path / "a.csv")
    assert result == rows


@FILES
@given(rows=st.lists(st.tuples(WORDS, WORDS), min_size=2), indent=st.sampled_from([None, 2]), wrapped=st.booleans())
def test_json_arrays_round_trip(tmp_path: Path, rows: list[tuple[str, str]], indent: int | None, wrapped: bool) -> None:
    records: object = [{"en": left, "it": right} for left, right in rows]
    (tmp_path / "a.json").write_text(json.dumps({"data": records} if wrapped else records, indent=indent))
    if wrapped and indent is None:  # on one line it is an object as any other
        return
    assert pairs_in(tmp_path / "a.json") == rows


def test_quoted_tables_lose_their_marks_and_quotations_keep_them(tmp_path: Path) -> None:
    path = tmp_path / "a.tsv"
    path.write_text('"He said ""yes"" to me."\t"Mi ha detto ""sì""."\n"A ""B"""\tplain\n')
    assert pairs_in(path) == [('He said "yes" to me.', 'Mi ha detto "sì".'), ('A "B"', "plain")]
    path.write_text('"Yes," he said.\t«Sì».\n"Hello"\t"Ciao"\n')
    assert pairs_in(path) == [('"Yes," he said.', "«Sì»."), ('"Hello"', '"Ciao"')]


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["en_US", "it_IT"], ("en_US", "it_IT")),
        (["id", "eng_Latn", "ita_Latn"], ("eng_Latn", "ita_Latn")),
        (["translation.en", "translation.it"], ("translation.en", "translation.it")),
        (["text_it", "text_en"], ("text_en", "text_it")),
        (["sentence_eng_Latn", "sentence_ita_Latn"], ("sentence_eng_Latn", "sentence_ita_Latn")),
        (["English", "Italian", "score"], ("English", "Italian")),
        (["src", "tgt"], ("src", "tgt")),
        (["Source", "Target"], ("Source", "Target")),
        (["en", "en_US", "it"], ("en", "it")),
        (["en_GB", "en_US", "it"], None),
        (["id", "is_valid", "text"], None),
        (["A house is red", "Una casa"], None),
        (["EN-GB", "it_IT"], ("EN-GB", "it_IT")),
        (["ID", "EN", "IT"], ("EN", "IT")),
        (["#en", "it"], ("#en", "it")),
        (["English (US)", "Italiano"], ("English (US)", "Italiano")),
        (["Source sentence", "Target sentence"], ("Source sentence", "Target sentence")),
    ],
)
def test_columns_by_name(names: list[str], expected: tuple[str, str] | None) -> None:
    assert language_columns(names, "en", "it") == expected


def test_scripts_distinguish_columns() -> None:
    assert language_columns(["zh-Hans", "zh-Hant", "en"], "en", "zh_Hans") == ("en", "zh-Hans")
    assert language_columns(["zho_Hans", "eng_Latn"], "en", "zh") == ("eng_Latn", "zho_Hans")


def test_a_few_bad_rows_are_counted_and_many_stop(tmp_path: Path, messages: list[str]) -> None:
    lines = [f"a {n}\tb {n}" for n in range(200)]
    lines[6], lines[90] = "no tab here", "nor here"
    (tmp_path / "a.tsv").write_text("\n".join(lines))
    reasons: list[str] = []
    pairs = list(read_pairs([str(tmp_path / "a.tsv")], "en", "it", report=reasons.append))
    assert len(pairs) == 198 and len(reasons) == 2 and pairs[6].line == 8
    assert "left out 2 of 200 rows" in messages[0] and "line 7: has no tab" in messages[0] and "line 91" in messages[0]
    (tmp_path / "a.tsv").write_text("\n".join([*lines[:20], "no", "no"]))
    with pytest.raises(UserError, match=r"line 7: has no tab.*\(3 of 22 rows"):
        pairs_in(tmp_path / "a.tsv")


def test_a_bad_line_of_moses_files_takes_its_partner_along(tmp_path: Path) -> None:
    (tmp_path / "a.en").write_bytes(b"".join(b"x%d\n" % n for n in range(40)))
    (tmp_path / "a.it").write_bytes(b"".join(b"\xff\n" if n == 5 else b"y%d\n" % n for n in range(40)))
    pairs = list(read_pairs([str(tmp_path / "a.en"), str(tmp_path / "a.it")], "en", "it"))
    assert len(pairs) == 39 and all(pair.source[1:] == pair.target[1:] for pair in pairs)


def test_a_long_line_is_one_bad_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("distilmt.data.readers.textlines.MAX_LINE_BYTES", 100)
    (tmp_path / "a.en").write_text("".join(f"{'x' * 1000 if n == 3 else n}\n" for n in range(30)))
    assert [pair.line for pair in read_lines(str(tmp_path / "a.en"))] == [n for n in range(1, 31) if n != 4]


@pytest.mark.parametrize("ending", [".gz", ".bz2", ".xz", ".zst"])
def test_a_bomb_is_refused_in_bounded_memory(tmp_path: Path, ending: str) -> None:
    """256 MiB of zeros from a few kilobytes: one line that is too long."""
    path = tmp_path / f"a.en{ending}"
    path.write_bytes(PACKERS[ending](bytes(16 << 20)) * 16)  # members one after the other are one file
    code = (
        "import resource, sys; from distilmt.data.readers.files import read_lines\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "try: list(read_lines(sys.argv[1]))\n"
        "except Exception as error: print(type(error).__name__, str(error)[-60:])\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)"
    )
    output = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True).stdout
    assert "UserError" in output and int(output.split()[-1]) < 200 << 10


@pytest.mark.parametrize(
    ("magic", "kind"), [(b"PK\x03\x04", "zip"), (b"7z\xbc\xaf'\x1c", "7-Zip"), (b"\x04\x22M\x18", "LZ4")]
)
def test_other_archives_are_named(tmp_path: Path, magic: bytes, kind: str) -> None:
    (tmp_path / "a.tsv").write_bytes(magic + bytes(40))
    with pytest.raises(UserError, match=rf"is compressed \({kind}\)"):
        pairs_in(tmp_path / "a.tsv")
