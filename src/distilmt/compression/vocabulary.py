"""Vocabulary pruning: remove tokens that a language pair does not use.

Embeddings are most of a small model. In a vocabulary for many languages or for more text, most rows are never read.
Removing them changes nothing for text that does not use them: the tokenization and the logits of all other tokens stay
the same.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch

from distilmt.compression.pruning import rebuild
from distilmt.data.sentencepiece_model import NORMAL, is_bpe, read_entries, remove_entries
from distilmt.data.tokenizer import EOS, UNK, LanguageTokenizer, Tokenizer, load
from distilmt.models.base import Seq2SeqModel
from distilmt.utils.errors import UserError
from distilmt.utils.run_dir import atomic_path, write_json, write_text


@dataclass(frozen=True)
class VocabularySubset:
    """The retained tokens, including </s>, <unk> and <pad>."""

    source: np.ndarray
    """[n]: original ids, ascending."""
    target: np.ndarray
    """[n]: original ids, ascending; as many as for the source."""
    original_size: int
    """Original number of tokens of one side."""


def used_vocabulary(
    tokenizer: Tokenizer,
    sources: Iterable[str],
    targets: Iterable[str],
    min_count: int = 1,
    characters: bool = True,
    keep: Collection[str] = (),
) -> VocabularySubset:
    """Tokens that text uses.

    Always retained are </s>, <unk>, <pad>, the space, byte tokens and user-defined symbols of the tokenizer: with byte
    tokens, any text can still be written. With BPE, a token is also used if another one is merged from it. Split
    vocabularies must have equal sizes in Marian: the side with fewer tokens retains the first of its unused tokens.

    Args:
        tokenizer: the tokenizer.
        sources: text like the model's input.
        targets: text like the model's output: references, and translations by the model or its teacher.
        min_count: minimum count of a used token. Above 1, the tokenization of text with rarer tokens changes.
        characters: retain all single characters. A vocabulary for many scripts has thousands; without this, unused
            characters are written in bytes.
        keep: tokens that are always retained, such as the language tokens `>>xx<<` of a multilingual model.
    """
    read = _read(tokenizer)
    counts = [
        _counts(side, texts, model)
        for side, texts, model in zip((tokenizer.source, tokenizer.target), (sources, targets), read, strict=True)
    ]
    always = [
        _required_mask(side, model, characters, keep)
        for side, model in zip((tokenizer.source, tokenizer.target), read, strict=True)
    ]
    if tokenizer.shared:
        counts, always = [counts[0] + counts[1]] * 2, [always[0] | always[1]] * 2
    masks = [fixed | (count >= min_count) for fixed, count in zip(always, counts, strict=True)]
    size = max(int(flags.sum()) for flags in masks)
    ids = [_filled(flags, size) for flags in masks]
    return VocabularySubset(ids[0], ids[1], len(tokenizer.source.tokens))


def prune_tokenizer(tokenizer: Tokenizer, subset: VocabularySubset, directory: Path) -> Tokenizer:
    """Write a tokenizer directory with the retained tokens.

    Args:
        tokenizer: the tokenizer; it is not changed.
        subset: the result of `used_vocabulary`.
        directory: for `vocab.json` and the other files of a Marian directory.
    """
    directory.mkdir(parents=True, exist_ok=True)
    _write_pieces(tokenizer.source, subset.source, tokenizer.directory / "source.spm", directory)
    _write_pieces(tokenizer.target, subset.target, tokenizer.directory / "target.spm", directory)
    _write_ids(tokenizer.source, subset.source, directory / "vocab.json")
    if not tokenizer.shared:
        _write_ids(tokenizer.target, subset.target, directory / "target_vocab.json")
    config = tokenizer.directory / "tokenizer_config.json"
    if config.exists():
        write_text(directory / config.name, config.read_text(encoding="utf-8"))
    return load(directory)


def _write_pieces(side: LanguageTokenizer, ids: np.ndarray, path: Path, directory: Path) -> None:
    """Write a side's SentencePiece file. Its tokens outside the vocabulary remain: they are <unk> as before."""
    stay = {side.tokens[i] for i in ids}
    gone = set(side.tokens) - stay
    with atomic_path(directory / path.name) as temporary:
        temporary.write_bytes(
            remove_entries(path.read_bytes(), lambda piece: piece.kind == NORMAL and piece.text in gone)
        )


def _write_ids(side: LanguageTokenizer, ids: np.ndarray, path: Path) -> None:
    write_json(path, {side.tokens[old]: new for new, old in enumerate(ids)})


def prune_model(model: Seq2SeqModel, subset: VocabularySubset) -> Seq2SeqModel:
    """A model with only the rows of the retained tokens, in embeddings, output matrix and bias.

    Args:
        model: the model; it is not changed.
        subset: the result of `used_vocabulary` with the model's tokenizer.

    Raises:
        UserError: the model has another vocabulary, or reads no text.
    """
    if model.reads_frames:
        raise UserError(
            f"the vocabulary of a model of the architecture {model.architecture!r}, which reads pictures, cannot be "
            "pruned: distill it with a smaller tokenizer.vocab_size"
        )
    embeddings, output, size = model.embeddings(), model.output_layer(), subset.original_size
    before = (len(embeddings.source.weight), len(output.weight))
    if before != (size, size):
        raise UserError(f"the model has {before} tokens and its tokenizer {size}: load both from one directory")
    source, target = (torch.from_numpy(ids).to(model.device) for ids in (subset.source, subset.target))
    # Tied weights have several names in a state, and one place in memory.
    rows = {embeddings.source.weight.data_ptr(): source}
    rows |= {t.data_ptr(): target for t in (embeddings.target.weight, output.weight, output.bias) if t is not None}
    state = {
        name: value.index_select(value.shape.index(size), rows[value.data_ptr()]) if value.data_ptr() in rows else value
        for name, value in model.state_dict().items()
    }  # [V + 1, d] or [..., V + 1] -> that of n tokens
    return rebuild(model, replace(model.dimensions, vocabulary=len(subset.target)), state)


def retokenized_share(before: LanguageTokenizer, after: LanguageTokenizer, texts: Sequence[str]) -> float:
    """Share of texts whose tokenization has changed."""
    tokenizations = (side.processor.encode(list(texts), out_type=str) for side in (before, after))
    return sum(a != b for a, b in zip(*tokenizations, strict=True)) / max(1, len(texts))


def _read(tokenizer: Tokenizer) -> list[bytes]:
    return [(tokenizer.directory / name).read_bytes() for name in ("source.spm", "target.spm")]


def _counts(side: LanguageTokenizer, texts: Iterable[str], model: bytes) -> np.ndarray:
    """[tokens]: count of each token; with BPE, including its use in merges of longer tokens."""
    counts = np.zeros(len(side.tokens), np.int64)
    for ids in side.encode(list(texts)):
        np.add.at(counts, ids, 1)
    return _formation_counts(counts, side, model) if is_bpe(model) else counts


def _formation_counts(counts: np.ndarray, side: LanguageTokenizer, model: bytes) -> np.ndarray:
    """How often BPE forms each token, as a final token or as a part of a longer one.

    Inside a token, the merges are the same as for the token alone: a merge across its border would have prevented this
    token. A token is formed at least as often as any token that is merged from it, so that BPE can form all retained
    tokens.
    """
    scores = {piece.text: piece.score for piece in read_entries(model) if piece.kind == NORMAL}
    ids, total = {piece: i for i, piece in enumerate(side.tokens)}, np.zeros_like(counts)
    for i in np.flatnonzero(counts):
        text = side.tokens[i]
        total[i] += counts[i] if text not in scores else 0
        for part, times in _merge_counts(text, scores).items() if text in scores else ():
            if part in ids:
                total[ids[part]] += times * counts[i]
    return total


def _merge_counts(text: str, scores: dict[str, float]) -> Counter[str]:
    """All symbols that BPE forms from the characters of a token, including itself: best pair first, leftmost first."""
    symbols = list(text)
    symbol_counts = Counter(symbols)
    while len(symbols) > 1:
        pairs = [a + b for a, b in pairwise(symbols)]
        best = max(range(len(pairs)), key=lambda i: (scores.get(pairs[i], -np.inf), -i))
        if pairs[best] not in scores:
            break
        symbols[best : best + 2] = [pairs[best]]
        symbol_counts[pairs[best]] += 1
    return symbol_counts


def _required_mask(side: LanguageTokenizer, model: bytes, characters: bool, keep: Collection[str]) -> np.ndarray:
    """[tokens] bool: the tokens that are always retained."""
    names = {piece.text for piece in read_entries(model) if piece.kind != NORMAL} | set(keep)
    names.add("▁")  # written in bytes, a space would not be decoded to a space
    flags = [piece in names or (characters and len(piece) == 1) for piece in side.tokens]
    mask = np.array(flags, dtype=bool)
    mask[[EOS, UNK, -1]] = True
    return mask


def _filled(flags: np.ndarray, size: int) -> np.ndarray:
    """Ids of the flagged tokens, filled up with the first other ids to `size`."""
    more = np.flatnonzero(~flags)[: size - int(flags.sum())]
    return np.sort(np.concatenate([np.flatnonzero(flags), more]))
