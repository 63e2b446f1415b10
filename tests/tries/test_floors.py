"""Corpora, classifiers and floors as people bring them: tries T50 to T56, T79 to T82, and adversary C1, S4."""

import bz2
import json
import lzma
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from distilmt import progress
from distilmt.corpora.readers import read_pairs
from distilmt.errors import UserError


@pytest.fixture
def said(monkeypatch):
    messages = []
    monkeypatch.setattr(progress, "say", messages.append)
    return messages


def read(*paths: Path) -> list[tuple[str, str]]:
    return [(pair.source, pair.target) for pair in read_pairs([str(path) for path in paths], "en", "it")]


@pytest.mark.parametrize(
    ("ending", "pack"),
    [(".xz", lzma.compress), (".bz2", bz2.compress), (".zst", lambda d: pa.compress(d, codec="zstd", asbytes=True))],
)
def test_t50_compressed_corpora(tmp_path, ending, pack):
    for side, text in (("en", b"A small editor.\nA house.\n"), ("it", b"Un piccolo editor.\nUna casa.\n")):
        (tmp_path / f"z.{side}{ending}").write_bytes(pack(text))
    found = read(tmp_path / f"z.en{ending}", tmp_path / f"z.it{ending}")
    assert found == [("A small editor.", "Un piccolo editor."), ("A house.", "Una casa.")]


def test_t51_blank_lines_and_the_name_json(tmp_path):
    record = json.dumps({"translation": {"en": "A house.", "it": "Una casa."}})
    for name in ("hf.jsonl", "hf.json"):
        (tmp_path / name).write_text(f"{record}\n\n{record}\n\n")
        assert read(tmp_path / name) == [("A house.", "Una casa.")] * 2
    (tmp_path / "hf.json").write_text(f"[{record},\n {record}]")
    assert read(tmp_path / "hf.json") == [("A house.", "Una casa.")] * 2
    (tmp_path / "crlf.tsv").write_bytes(b"A house.\tUna casa.\r\n\r\n")
    assert read(tmp_path / "crlf.tsv") == [("A house.", "Una casa.")]


def test_t54_states_of_xliff(tmp_path, said):
    segment = "<segment{}><source>Text {}.</source><target>Testo {}.</target></segment>"
    states = ("", ' state="initial"', ' state="translated"', ' state="final"')
    units = "".join(f"<unit>{segment.format(state, n, n)}</unit>" for n, state in enumerate(states))
    units += f'<unit translate="no">{segment.format("", 9, 9)}</unit>'
    (tmp_path / "v20.xliff").write_text(
        f'<xliff version="2.0" srcLang="en" trgLang="it" xmlns="urn:oasis:names:tc:xliff:document:2.0">'
        f"<file>{units}</file></xliff>"
    )
    assert [left for left, _ in read(tmp_path / "v20.xliff")] == ["Text 0.", "Text 2.", "Text 3."]
    assert "state=initial" in said[0] and "translate=no" in said[0]

    unit = "<trans-unit{}><source>Text {}.</source><target{}>Testo.</target>"
    unit += "<alt-trans><target>no</target></alt-trans></trans-unit>"
    kinds = [("", ""), (' approved="no"', ""), (' translate="no"', ""), ("", ' state="needs-review-translation"')]
    kinds += [(' approved="yes"', ' state="final"'), ("", ' state="new"')]
    body = "".join(unit.format(on_unit, n, on_target) for n, (on_unit, on_target) in enumerate(kinds))
    (tmp_path / "v12.xlf").write_text(
        f'<xliff version="1.2"><file source-language="en" target-language="it"><body>{body}</body></file></xliff>'
    )
    assert read(tmp_path / "v12.xlf") == [("Text 0.", "Testo."), ("Text 4.", "Testo.")]


def test_t55_heads_quotes_and_csv(tmp_path, said):
    (tmp_path / "header.tsv").write_text("source\ttarget\nA house.\tUna casa.\n")
    assert read(tmp_path / "header.tsv") == [("A house.", "Una casa.")]
    assert "names the columns" in said[-1]
    (tmp_path / "quoted.tsv").write_text('"He said ""yes"" to me."\t"Mi ha detto ""sì""."\n')
    assert read(tmp_path / "quoted.tsv") == [('He said "yes" to me.', 'Mi ha detto "sì".')]
    assert "quotation marks" in said[-1]
    (tmp_path / "a.csv").write_text('id,en,it\n1,"Hello, world","Ciao, mondo"\n')
    assert read(tmp_path / "a.csv") == [("Hello, world", "Ciao, mondo")]


def test_t56_moses_and_parquet_as_before(tmp_path):
    (tmp_path / "a.en").write_bytes("one\u2028two\x0c\n\nthree\n".encode())
    (tmp_path / "a.it").write_bytes("uno\x85due\n\ntre\n".encode())
    assert read(tmp_path / "a.en", tmp_path / "a.it") == [
        ("one\u2028two\x0c", "uno\x85due"),
        ("", ""),
        ("three", "tre"),
    ]
    (tmp_path / "b.it").write_bytes(b"uno\n")
    with pytest.raises(UserError, match=r"has 3 lines but .* has 1"):
        read(tmp_path / "a.en", tmp_path / "b.it")
    pq.write_table(pa.table({"translation": [{"en_US": "a", "it_IT": "b"}]}), tmp_path / "a.parquet")
    assert read(tmp_path / "a.parquet") == [("a", "b")]
