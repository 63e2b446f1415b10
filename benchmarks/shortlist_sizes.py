"""Gain of a shortlist by vocabulary size: random weights, forced lengths. Prints Markdown.

    python benchmarks/shortlist_sizes.py TRAIN.en TRAIN.de TEST.en [--sizes 3000 8000 32000] [--best 50] [--note TEXT]

For every size a tokenizer is trained on the text, a shortlist is built from its pairs, and a model of random weights
(6+2 layers, d=256, int8) translates the test sentences with and without it, on one thread. The output of such a model
has no meaning; every translation has the length of its source, so that both variants do the same work.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from itertools import islice
from pathlib import Path

import ctranslate2
from shortlist import heading, table
from turns import middle
from workload import pairs_of

from distilmt.compression import shortlist
from distilmt.config import ModelConfig, ShortlistConfig, TokenizerConfig
from distilmt.data.tokenizer import Tokenizer, load, train
from distilmt.export.ctranslate2 import export
from distilmt.models.architectures import new_model
from distilmt.models.marian import marian_network

SHAPE = ModelConfig(None, 256, 1536, 8, 6, 2, max_positions=256)
BEAMS, BATCHES = (1, 4), (1, 32)
Batch = list[list[str]]


def prepared(pairs: list[tuple[str, str]], size: int, best: int, place: Path) -> tuple[Tokenizer, shortlist.Shortlist]:
    """A tokenizer, a model and its shortlist in `place`."""
    place.mkdir()
    sources, targets = (list(side) for side in zip(*pairs, strict=True))
    train(sources, targets, TokenizerConfig(vocab_size=size, vocab_sharing="shared"), place, seed=1)
    tokenizer, config = load(place), ShortlistConfig(best=best)
    encoded = zip(tokenizer.source.encode(sources), tokenizer.target.encode(targets), strict=True)
    actual = shortlist.build(encoded, tokenizer, config)
    export(marian_network(new_model(SHAPE, tokenizer, 0.0, 1)), tokenizer, place / "model", "int8")
    actual.write(place / "model")
    return tokenizer, actual


def speed(model: ctranslate2.Translator, batches: list[Batch], beam: int, used: bool) -> float:
    """Target tokens per second; a batch is as long as its longest source."""
    tokens, begin = 0, time.perf_counter()
    for batch in batches:
        length = max(len(source) for source in batch)
        actual = model.translate_batch(
            batch, beam_size=beam, use_vmap=used, min_decoding_length=length, max_decoding_length=length
        )
        tokens += sum(len(result.hypotheses[0]) for result in actual)
    return tokens / (time.perf_counter() - begin)


def row(model: ctranslate2.Translator, sources: Batch, beam: int, batch: int, rounds: int) -> list[str]:
    by_length = sorted(sources, key=len)
    batches = [by_length[i : i + batch] for i in range(0, len(by_length), batch)]
    actual: dict[bool, list[float]] = {False: [], True: []}
    for number in range(rounds + 1):
        for used in (False, True) if number % 2 == 0 else (True, False):
            actual[used].append(speed(model, batches, beam, used))
    without, restricted = actual[False][1:], actual[True][1:]  # the first round warms up
    ratios = [b / a for a, b in zip(without, restricted, strict=True)]
    return [str(beam), str(batch), middle(without), middle(restricted), middle(ratios, 2)]


def allowed(actual: shortlist.Shortlist, sources: Batch, batch: int) -> int:
    """Mean number of tokens allowed in a batch."""
    by_length = sorted(sources, key=len)
    groups = [by_length[i : i + batch] for i in range(0, len(by_length), batch)]
    return round(statistics.mean(len(set().union(*map(actual.allowed, group))) for group in groups))


def main(options: argparse.Namespace) -> None:
    pairs = list(islice(pairs_of([options.source, options.target]), options.sentences))
    lines = [line for line in Path(options.test).read_text(encoding="utf-8").split("\n") if line][: options.test_size]
    rows = []
    with tempfile.TemporaryDirectory() as root:
        for size in options.sizes:
            place = Path(root) / str(size)
            tokenizer, actual = prepared(pairs, size, options.best, place)
            sources = [[*p, "</s>"] for p in tokenizer.source.processor.encode(lines, out_type=str)]
            model = ctranslate2.Translator(str(place / "model"), inter_threads=1, intra_threads=1)
            pieces = f"{len(tokenizer.target.tokens) - 1:,}"
            for batch in BATCHES:
                few = f"{allowed(actual, sources, batch):,}"
                rows += [[pieces, few, *row(model, sources, beam, batch, options.rounds)] for beam in BEAMS]
    print(heading("shortlist by vocabulary", options.note))
    print(f"{len(pairs):,} pairs to learn from, {len(lines)} sentences translated, best {options.best}\n")
    print(table(["pieces", "allowed", "beam", "batch", "tokens/s without", "tokens/s with", "ratio"], rows))
    print(f"Medians of {options.rounds} rounds (least … greatest); ratios are those of the rounds.")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("source", "target", "test"):
        parser.add_argument(name)
    parser.add_argument("--sizes", type=int, nargs="+", default=[3000, 8000, 32000])
    parser.add_argument("--best", type=int, default=50)
    parser.add_argument("--sentences", type=int, default=200_000)
    parser.add_argument("--test_size", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--note", default="")
    main(parser.parse_args())
