"""Statistics of a run's text: number of pairs, lengths and vocabulary sizes, measured instead of assumed."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from distilmt.config import RunConfig
from distilmt.data import prepare
from distilmt.data import tokenizer as tokenizers
from distilmt.data.readers.files import read_pairs
from distilmt.data.tokenizer import Tokenizer
from distilmt.labels.rows import LabelRow, schema_of, table_of
from distilmt.models.packing import fill_bins
from distilmt.planning.model_counts import TokenCounts
from distilmt.training.batching import Ragged, token_batches
from distilmt.utils.errors import UserError

_SAMPLE, _STORED, _BATCHES, _ROWS = 30_000, 2000, 24, 128


@dataclass
class CorpusStatistics:
    """Properties of the training pairs that costs depend on."""

    pairs: int
    """Training pairs; before cleaning if the corpus does not exist yet."""
    sources: list[str]
    """A sample of the pairs, the same ones on both sides."""
    targets: list[str]
    source: np.ndarray
    """[sample] tokens with `</s>`."""
    target: np.ndarray
    vocabulary: int
    """Vocabulary size of each side."""
    shared: bool
    tokenizer_bytes: int
    """Size of the tokenizer files of a model."""
    processor_bytes: int
    """Size of those that an export includes, and its vocabulary file."""
    ready: bool
    """Whether this is the run's own corpus and tokenizer, not raw input files."""

    def tokens(self) -> tuple[float, float]:
        """Mean source and target tokens per pair."""
        return float(self.source.mean()), float(self.target.mean())

    def mean_pair(self) -> TokenCounts:
        """Token counts of a mean pair, without padding."""
        s, t = self.source.astype(float), self.target.astype(float)
        return TokenCounts(*(float(values.mean()) for values in (s, t, s * s, t * t, s * t)))

    def mean_batch(self, batch_tokens: int, longest: int, seed: int = 1) -> tuple[TokenCounts, float]:
        """Mean token counts of an update, padded as in `training.packing`, and its mean number of sentences.

        Args:
            batch_tokens: maximum tokens of an update on either side.
            longest: maximum tokens of a training sentence.
            seed: seed of the order.
        """
        rows = np.flatnonzero((self.source <= longest) & (self.target <= longest))
        if not len(rows):
            raise UserError(f"all sentences are longer than model.max_positions, {longest}: increase it")
        rows = np.random.default_rng(seed).permutation(rows)
        source, target = self.source[rows], self.target[rows]
        parts = token_batches(source, target, batch_tokens)
        if len(parts) > 1 and len(self.source) < self.pairs:
            parts = parts[:-1]  # the whole corpus has many batches, few of them partial
        sample = parts if len(parts) <= _BATCHES else parts[:: len(parts) // _BATCHES]
        loads = [_packed(source[part], target[part]) for part in sample]
        mean = np.mean([[x.source, x.target, x.encoder_pairs, x.causal_pairs, x.cross_pairs] for x in loads], axis=0)
        return TokenCounts(*mean.tolist()), float(np.mean([part.stop - part.start for part in sample]))

    def row_bytes(self, hypotheses: int, references: bool) -> float:
        """Bytes per sentence in a label store, without top-k, measured by writing a sample.

        Args:
            hypotheses: translations per sentence; the references are used in their place.
            references: whether the tokens of the references are stored.
        """
        sources, targets = self.sources[:_STORED], self.targets[:_STORED]
        ids = np.random.default_rng(1).integers(2, self.vocabulary, 1 << 16)
        starts = [0, *np.cumsum(self.target[: len(targets)]).tolist()]
        tokens = [np.take(ids, range(a, b), mode="wrap").tolist() for a, b in pairwise(starts)]
        pairs = enumerate(zip(sources, targets, tokens, strict=True))
        rows = [
            LabelRow(f"train-{n:06d}", s, t, [(t, i, -1.0)] * hypotheses, reference_tokens=i if references else None)
            for n, (s, t, i) in pairs
        ]
        sink = pa.BufferOutputStream()
        pq.write_table(table_of(rows, schema_of(self.vocabulary)), sink, compression="zstd")
        return float(sink.getvalue().size) / max(1, len(rows))


def _packed(source: np.ndarray, target: np.ndarray) -> TokenCounts:
    """Token counts of one batch, its rows padded to a multiple of 128 as in `Packing`."""
    cells = float(sum(rows * width * width for rows, width in fill_bins(source, target).blocks))
    filled = [(int(side.sum()) // _ROWS + 1) * _ROWS for side in (source, target)]
    return TokenCounts(float(filled[0]), float(filled[1]), cells, cells, cells)


def read(config: RunConfig) -> CorpusStatistics:
    """The text of a run: its corpus if it exists, else the input files.

    Raises:
        UserError: there is no corpus, and the input is not files of pairs.
    """
    paths = config.paths
    if (paths.corpus / "train.parquet").exists():
        pairs, sources, targets = _of_corpus(paths.corpus)
    else:
        pairs, sources, targets = _of_files(config)
    if not sources:
        raise UserError(f"{' and '.join(config.corpus.train)} have no pairs: choose files that contain text")
    directories = [paths.tokenizer, *([Path(config.tokenizer.path)] if config.tokenizer.path else [])]
    tokenizer_dir = next((directory for directory in directories if (directory / "vocab.json").exists()), None)
    if tokenizer_dir is not None:
        tokenizer = tokenizers.load(tokenizer_dir)
        ready = (paths.corpus / "train.parquet").exists()
        return _encoded(pairs, sources, targets, tokenizer, len(tokenizer.target.tokens), ready)
    with tempfile.TemporaryDirectory() as directory:
        size = tokenizers.train(sources, targets, config.tokenizer, Path(directory), config.seed).sizes[0]
        # A sample of a big text may give a smaller vocabulary than configured; the whole text will not.
        if len(sources) < pairs:
            size = max(size, config.tokenizer.vocab_size)
        return _encoded(pairs, sources, targets, tokenizers.load(Path(directory)), size, False)


def _of_corpus(corpus: Path) -> tuple[int, list[str], list[str]]:
    table = prepare.load_training_pairs(corpus)
    table = table.take(np.arange(0, table.num_rows, max(1, table.num_rows // _SAMPLE)))
    return prepare.count_rows(corpus, "train"), table["source"].to_pylist(), table["target"].to_pylist()


def _of_files(config: RunConfig) -> tuple[int, list[str], list[str]]:
    corpus = config.corpus
    if not corpus.train:
        raise UserError(
            f"{config.run_dir} has no corpus yet, and corpus.train has no files of pairs: run `distilmt prepare` "
            "with the same arguments first, then `distilmt cost`"
        )
    total = sum(1 for _ in _full(config))
    step = max(1, total // _SAMPLE)
    sample = list(islice(_full(config), 0, None, step))
    split_off = (0 if corpus.valid else corpus.valid_size) + (0 if corpus.test else corpus.test_size)
    pairs = max(1, min(total - split_off, corpus.max_train or total))
    return pairs, [source for source, _ in sample], [target for _, target in sample]


def _full(config: RunConfig) -> Iterator[tuple[str, str]]:
    corpus = config.corpus
    for pair in read_pairs(corpus.train, corpus.source, corpus.target):
        if pair.source.strip() and pair.target.strip():
            yield pair.source, pair.target


def _encoded(
    pairs: int, sources: Sequence[str], targets: Sequence[str], tokenizer: Tokenizer, size: int, ready: bool
) -> CorpusStatistics:
    source, target = (
        Ragged.of(side.encode(texts)).lengths
        for side, texts in ((tokenizer.source, sources), (tokenizer.target, targets))
    )
    names = ["source.spm", "target.spm", "vocab.json", "target_vocab.json", "tokenizer_config.json"]
    bytes_ = {n: (tokenizer.directory / n).stat().st_size for n in names if (tokenizer.directory / n).exists()}
    taken = [*names[:1], "vocab.json"] if tokenizer.shared else names[:4]
    shipped, whole = sum(bytes_[name] for name in taken), sum(bytes_.values())
    return CorpusStatistics(
        pairs, list(sources), list(targets), source, target, size, tokenizer.shared, whole, shipped, ready
    )
