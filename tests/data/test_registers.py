"""Registers: from columns and sources, by targets in rows and shares, and of the held-out rows."""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from distilmt.config import CorpusConfig, SourceConfig
from distilmt.config.registers import RegisterTargets, parse_register_targets
from distilmt.data.prepare import load_split, prepare
from distilmt.data.readers.files import read_pairs
from distilmt.data.registers import read_registers, row_totals, trained_rows
from distilmt.utils.errors import UserError


def jsonl(path: Path, registers: dict[str | None, int]) -> str:
    """Distinct pairs, as many of each register as given."""
    rows = [
        {"en": f"{path.stem} {name} sentence {n}", "it": f"{path.stem} {name} frase {n}"}
        | ({"register": name} if name else {})
        for name, count in registers.items()
        for n in range(count)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


def trained(directory: Path) -> dict[str, int]:
    """Training rows by register, counted in the text of the rows."""
    texts = load_split(directory, "train")["source"].to_pylist()
    return {name: sum(f" {name} " in text for text in texts) for name in ("news", "chat", "None")}


def config(path: Path, counts: dict[str | None, int], **values: object) -> CorpusConfig:
    return CorpusConfig(train=[jsonl(path / "a.jsonl", counts)], valid_size=5, test_size=5, **values)


def test_every_format_has_the_column(tmp_path: Path) -> None:
    rows = [{"en": "one", "it": "uno", "register": "chat"}, {"en": "two", "it": "due", "register": None}]
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "a.json").write_text(json.dumps(rows))
    (tmp_path / "a.tsv").write_text("en\tregister\tit\none\tchat\tuno\ntwo\t\tdue\n")
    (tmp_path / "a.csv").write_text("en,it,register\none,uno,chat\ntwo,due,\n")
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "a.parquet")
    for name in ("a.jsonl", "a.json", "a.tsv", "a.csv", "a.parquet"):
        pairs = list(read_pairs([str(tmp_path / name)], "en", "it"))
        assert [(pair.source, pair.target, pair.register) for pair in pairs] == [
            ("one", "uno", "chat"),
            ("two", "due", None),
        ], name


def test_rows_and_shares(tmp_path: Path) -> None:
    given_rows = {"news": 300, "chat": 20, None: 100}
    targets = ["news=50", "chat=0.4"]
    result = prepare(config(tmp_path, given_rows, registers=targets), 1, tmp_path / "out")
    counts = trained(tmp_path / "out")
    labels = [label for split in ("valid", "test") for label in read_registers(tmp_path / "out", split)]
    others = 100 - labels.count(None)
    assert counts == {"news": 50, "chat": round(0.4 * (50 + others) / 0.6), "None": others}
    assert trained_rows(tmp_path / "out") == {"news": 50, "chat": counts["chat"]}
    assert result.train == sum(counts.values()) and len(labels) == 10
    ids = load_split(tmp_path / "out", "train")["id"].to_pylist()
    assert len(set(ids)) == len(ids)
    for split in ("valid", "test"):
        texts = load_split(tmp_path / "out", split)["source"].to_pylist()
        for text, label in zip(texts, read_registers(tmp_path / "out", split), strict=True):
            assert f" {label} " in text


def test_the_label_of_a_row_wins_over_that_of_its_source(tmp_path: Path) -> None:
    own = SourceConfig([jsonl(tmp_path / "b.jsonl", {None: 40, "chat": 30})], register="news")
    whole = config(tmp_path, {None: 60}, sources=[own], registers=["news=10", "chat=60"])
    prepare(whole, 1, tmp_path / "out")
    texts = load_split(tmp_path / "out", "train")["source"].to_pylist()
    assert sum(text.startswith("b None") for text in texts) == 10
    assert sum(text.startswith("b chat") for text in texts) == 60
    assert sum(text.startswith("a None") for text in texts) == 50


def test_without_registers_nothing_changes(tmp_path: Path) -> None:
    prepare(config(tmp_path, {None: 80}), 1, tmp_path / "plain")
    assert not (tmp_path / "plain" / "registers.json").exists() and read_registers(tmp_path / "plain", "test") == []
    prepare(config(tmp_path, {None: 80}, register="news"), 1, tmp_path / "labeled")
    tables = [load_split(tmp_path / name, "train") for name in ("plain", "labeled")]
    assert tables[0].equals(tables[1]) and trained_rows(tmp_path / "labeled") == {"news": 70}


def test_monolingual_files_are_registers_by_name(tmp_path: Path) -> None:
    for name in ("news", "chat"):
        (tmp_path / f"{name}.txt").write_text("".join(f"one {name} sentence {n}\n" for n in range(60)))
    files = [str(tmp_path / f"{name}.txt") for name in ("news", "chat")]
    prepare(CorpusConfig(monolingual=files, registers=["chat=0.75"], valid_size=5, test_size=5), 1, tmp_path / "out")
    counts = trained(tmp_path / "out")
    assert counts["chat"] == 3 * counts["news"]


@pytest.mark.parametrize(
    ("targets", "message"),
    [
        (["chat"], "write NAME=ROWS"),
        (["chat=0"], "whole number of rows"),
        (["chat=1.5"], "whole number of rows"),
        (["chat=x"], "whole number of rows"),
        (["chat=3", "chat=0.5"], "two targets"),
        (["chat=0.6", "news=0.6"], "sum of 1.2"),
    ],
)
def test_wrong_targets(targets: list[str], message: str) -> None:
    with pytest.raises(UserError, match=message):
        CorpusConfig(registers=targets)


def test_targets_that_cannot_be_met(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no training pair has the register 'law' \(there are: news\)"):
        prepare(config(tmp_path, {"news": 40}, registers=["law=10"]), 1, tmp_path / "out")
    halves = ["news=0.5", "chat=0.5"]
    with pytest.raises(UserError, match="lower a share"):
        prepare(config(tmp_path, {"news": 40, "chat": 40, None: 40}, registers=halves), 1, tmp_path / "out")


@given(
    st.lists(st.lists(st.integers(0, 50), min_size=3, max_size=3), min_size=1, max_size=4),
    st.integers(1, 500),
)
def test_a_target_is_met_exactly(rows: list[list[int]], target: int) -> None:
    available = [np.array(row, float) for row in rows]
    assume(any(row[1] for row in rows))
    totals = np.array(row_totals(available, ["news", "chat"], RegisterTargets({"news": target})))
    assert totals[:, 1].sum() == target and (totals[:, [0, 2]] == np.array(rows)[:, [0, 2]]).all()
    assert all(total == 0 for total, row in zip(totals[:, 1], rows, strict=True) if row[1] == 0)


@given(st.integers(1, 999), st.floats(0.01, 0.99))
def test_targets_are_read_as_they_were_written(rows: int, share: float) -> None:
    assert parse_register_targets([f"news={rows}", f"chat={share!r}"]) == RegisterTargets(
        {"news": rows}, {"chat": share}
    )
