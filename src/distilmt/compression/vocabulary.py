"""Vocabularies without the pieces that a pair of languages does not use.

Embeddings are most of a small model, and a vocabulary made for many languages, or for more text than one has, is mostly
rows that are never read. Taking them out changes nothing where they are not used: text is cut into the same pieces, and
the logits of all others are what they were.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from transformers import MarianMTModel

from distilmt.compression.pruning import rebuild
from distilmt.data.sentencepiece_model import NORMAL, is_bpe, read_entries, remove_entries
from distilmt.data.tokenizer import EOS, UNK, LanguageTokenizer, Tokenizer, load
from distilmt.utils.errors import UserError
from distilmt.utils.run_dir import atomic_path, write_json, write_text


@dataclass(frozen=True)
class VocabularySubset:
    """Which pieces stay: their ids before, ascending, as many on both sides; </s>, <unk> and <pad> among them."""

    source: np.ndarray
    target: np.ndarray
    original_size: int
    """Pieces of a side before."""


def used_vocabulary(
    tokenizer: Tokenizer,
    sources: Iterable[str],
    targets: Iterable[str],
    min_count: int = 1,
    characters: bool = True,
    keep: Collection[str] = (),
) -> VocabularySubset:
    """Pieces that text uses.

    Always kept are </s>, <unk>, <pad>, the space, byte pieces and what the tokenizer's maker defined: any text can
    still be written where byte pieces are there. With BPE a piece is used too where another is made of it.
    Vocabularies that are split stay of one size, as Marian wants: the side that uses fewer keeps the first of its
    unused pieces.

    Args:
        tokenizer: whose pieces.
        sources: text as the model will read it.
        targets: text as it should write it: references, and translations by it or its teacher.
        min_count: how often a piece is used at least. Above 1, text with rarer pieces is cut into others than before.
        characters: keep all single characters. A vocabulary for many scripts has thousands; without them, those that
            are never used are written in bytes.
        keep: pieces that stay in any case, such as the language tokens `>>xx<<` of a multilingual model.
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
    """Write a tokenizer directory of the pieces kept.

    Args:
        tokenizer: stays as it is.
        subset: what `used` found.
        directory: where the files go, `vocab.json` and the others of a Marian directory.
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
    """A side's SentencePiece file; what SentencePiece has and the vocabulary has not is <unk> before and after."""
    stay = {side.tokens[i] for i in ids}
    gone = set(side.tokens) - stay
    with atomic_path(directory / path.name) as temporary:
        temporary.write_bytes(
            remove_entries(path.read_bytes(), lambda piece: piece.kind == NORMAL and piece.text in gone)
        )


def _write_ids(side: LanguageTokenizer, ids: np.ndarray, path: Path) -> None:
    write_json(path, {side.tokens[old]: new for new, old in enumerate(ids)})


def prune_model(model: MarianMTModel, subset: VocabularySubset) -> MarianMTModel:
    """A model with the rows of the pieces kept, in embeddings, output matrix and bias.

    Args:
        model: stays as it is.
        subset: what `used` found with the model's tokenizer.

    Raises:
        UserError: the model has another vocabulary.
    """
    before = (model.config.vocab_size, model.config.decoder_vocab_size)
    if before != (subset.original_size, subset.original_size):
        raise UserError(
            f"the model has {before} pieces and its tokenizer {subset.original_size}: take those of one directory"
        )
    source, target = (torch.from_numpy(ids).to(model.device) for ids in (subset.source, subset.target))
    state = model.state_dict()
    for name in ("model.shared.weight", "model.encoder.embed_tokens.weight"):
        if name in state:
            state[name] = state[name][source]
    for name in ("model.decoder.embed_tokens.weight", "lm_head.weight"):
        state[name] = state[name][target]
    state["final_logits_bias"] = state["final_logits_bias"][:, target]
    size, pad = len(subset.target), len(subset.target) - 1
    ids = {"pad_token_id": pad, "decoder_start_token_id": pad}
    pruned_model = rebuild(model, {"vocab_size": size, "decoder_vocab_size": size} | ids, state)
    pruned_model.generation_config.update(**ids)
    if pruned_model.generation_config.bad_words_ids:  # OPUS-MT: that <pad> is never generated
        pruned_model.generation_config.bad_words_ids = [[pad]]
    return pruned_model


def retokenized_share(before: LanguageTokenizer, after: LanguageTokenizer, texts: Sequence[str]) -> float:
    """Share of texts that are cut into other pieces than before."""
    ways = (side.processor.encode(list(texts), out_type=str) for side in (before, after))
    return sum(a != b for a, b in zip(*ways, strict=True)) / max(1, len(texts))


def _read(tokenizer: Tokenizer) -> list[bytes]:
    return [(tokenizer.directory / name).read_bytes() for name in ("source.spm", "target.spm")]


def _counts(side: LanguageTokenizer, texts: Iterable[str], model: bytes) -> np.ndarray:
    """[pieces]: how often each is used; with BPE, also on the way to another."""
    counts = np.zeros(len(side.tokens), np.int64)
    for ids in side.encode(list(texts)):
        np.add.at(counts, ids, 1)
    return _formation_counts(counts, side, model) if is_bpe(model) else counts


def _formation_counts(counts: np.ndarray, side: LanguageTokenizer, model: bytes) -> np.ndarray:
    """How often BPE makes each piece, whether it stays or goes into a longer one.

    Inside a piece all merges are what they are in the piece alone: one across its border would have left no such
    piece. A piece is made at least as often as any that is made of it, so that what is kept can be made.
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
    """All symbols BPE makes out of the characters of a piece, itself among them; best pair first, left before right."""
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
    """[pieces]: what stays whatever the text."""
    names = {piece.text for piece in read_entries(model) if piece.kind != NORMAL} | set(keep)
    names.add("▁")  # written in bytes, a space would not come back as one
    flags = [piece in names or (characters and len(piece) == 1) for piece in side.tokens]
    mask = np.array(flags, dtype=bool)
    mask[[EOS, UNK, -1]] = True
    return mask


def _filled(flags: np.ndarray, size: int) -> np.ndarray:
    """Ids of the pieces kept, and of the first others until there are so many."""
    more = np.flatnonzero(~flags)[: size - int(flags.sum())]
    return np.sort(np.concatenate([np.flatnonzero(flags), more]))
