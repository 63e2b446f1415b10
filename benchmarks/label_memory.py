"""Peak memory of the labels step by corpus size: short sentences, a tiny teacher, both kinds of labels."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import cycle, islice
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from arms.common import Spec, sequences
from turns import Arm, Results, run, table, write
from workload import add_model

from distilmt.config import ModelConfig, TokenizerConfig
from distilmt.data.tokenizer import Tokenizer, load, train

LENGTHS = (100_000, 1_000_000)
WORDS, PIECES, BLOCK = 5, 1000, 10_000
COLUMNS = ("id", "source", "target")
TINY = ModelConfig(None, 64, 128, 2, 1, 1, max_positions=24)
KEYS = {"peak RSS, MB": ("peak_rss_bytes", 1e-6, 0), "sentences/s": ("sentences_per_second", 1, 0)}


def main(work: Path, command: str, seed: int = 1) -> None:
    sentences = _short(work)
    result: Results = {}
    for length in LENGTHS:
        root = work.with_name(f"labels-{length}")
        _corpus(root / "corpus", sentences, length)
        (root / "tokenizer").mkdir(exist_ok=True)
        train(*map(list, zip(*sentences, strict=True)), TokenizerConfig(vocab_size=PIECES), root / "tokenizer", seed)
        tokenizer = load(root / "tokenizer")
        add_model(root, "teacher", TINY, tokenizer)
        tokenizer.copy_to(root / "teacher")
        name = f"{length:,} sentences"
        result[name] = [run(Arm(name, "labels", Spec(str(work), options={"run_dir": str(root)})))]
    note = f"Up to {WORDS} words a sentence, {PIECES} pieces, 1+1 layers, d={TINY.d_model}, random weights"
    base = f"{LENGTHS[0]:,} sentences"
    write("label-memory", command, [note, table(result, KEYS, base, "peak_rss_bytes")], result)


def _short(work: Path) -> list[tuple[str, str]]:
    """The workload's sentences, truncated to a few words."""
    tokenizer: Tokenizer = load(work / "tokenizer")
    sides = [
        side.decode(sequences(str(work), "train", name))
        for side, name in ((tokenizer.source, "source"), (tokenizer.target, "target"))
    ]
    cut = [[" ".join(text.split()[:WORDS]) for text in side] for side in sides]
    return list(zip(*cut, strict=True))


def _corpus(directory: Path, sentences: list[tuple[str, str]], length: int) -> None:
    """train.parquet of a corpus step, with the sentences repeated."""
    directory.mkdir(parents=True, exist_ok=True)
    with pq.ParquetWriter(directory / "train.parquet", pa.schema([(n, pa.string()) for n in COLUMNS])) as writer:
        for block in _blocks(islice(enumerate(cycle(sentences)), length)):
            ids, pairs = zip(*block, strict=True)
            columns = [list(map(str, ids)), *map(list, zip(*pairs, strict=True))]
            writer.write_table(pa.table(dict(zip(COLUMNS, columns, strict=True))))


def _blocks(rows: Iterator[tuple[int, tuple[str, str]]]) -> Iterator[list[tuple[int, tuple[str, str]]]]:
    while block := list(islice(rows, BLOCK)):
        yield block
