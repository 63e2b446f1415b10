"""Split records by source package, so that no test sentence is almost the same as a training sentence.

Candidates for valid and test are compared with all other packages, not with the training text: so they do not
depend on which packages are sampled.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from distilmt.data.cleaning import hash64, key, split_words, unspaced_count
from distilmt.data.pairs import Pair, Splits
from distilmt.data.readers.debian import AlignedSentence

_SEED = "distilmt-1"
_WORDS = range(5, 61)
_NGRAM = 5
_MAX_SHARED_NGRAMS = 0.5
_RARE = 10
_BAND = 0.05
"""Share of the source packages that is held out for test, and again for valid: 4,704 and 5,774 suitable sentences of
English-Italian, enough for small languages too."""
_PRIME = np.uint64(0x9E3779B97F4A7C15)
_NO_WORD = re.compile(r"[^\w\s]|_")

Hashes = npt.NDArray[np.uint64]
Flags = npt.NDArray[np.bool_]
Integers = npt.NDArray[np.int64]


def split_by_package(records: Sequence[AlignedSentence], valid_size: int, test_size: int) -> Splits:
    """Hold out whole source packages; their suitable sentences become test and valid.

    The split of a package depends on the hash of its name alone, never on the sizes or on other packages: a later
    archive moves no test sentence into the training text, which a model trained on an earlier one may have learned.

    Args:
        records: all aligned sentences; `line` of a pair is its number among them, from 1.
        valid_size: maximum validation pairs; 0 leaves the validation packages in the training text.
        test_size: maximum test pairs; 0 leaves the test packages in the training text.
    """
    suitable = suitable_for_test(records)
    hashes = {package: _package_hash(package) for package in {record.package for record in records}}
    split_of = {package: _split_of(value) for package, value in hashes.items()}
    order = sorted(np.flatnonzero(suitable).tolist(), key=lambda index: (hashes[records[index].package], index))
    sizes = {"test": test_size, "valid": valid_size}
    parts = {}
    for split, size in sizes.items():
        part = {key(records[index].source): index for index in order if split_of[records[index].package] == split}
        parts[split] = [_pair(records, index) for index in list(part.values())[:size]]
    held_out = {package for package, split in split_of.items() if sizes.get(split, 0)}
    return Splits(_others(records, held_out), parts["valid"], parts["test"])


def package_split(package: str) -> str:
    """The split of a source package, by its name alone: `train`, `valid` or `test`."""
    return _split_of(_package_hash(package))


def _package_hash(package: str) -> int:
    return hash64(f"{_SEED} {package}")


def _split_of(package_hash: int) -> str:
    """The split of a package: each held-out one has a band of the hash values."""
    share = package_hash / 2**64
    return "test" if share < _BAND else "valid" if share < 2 * _BAND else "train"


def _pair(records: Sequence[AlignedSentence], index: int) -> Pair:
    return Pair(index + 1, records[index].source, records[index].target)


def _others(records: Sequence[AlignedSentence], held_out: set[str]) -> Iterator[Pair]:
    return (_pair(records, index) for index, record in enumerate(records) if record.package not in held_out)


def suitable_for_test(records: Sequence[AlignedSentence]) -> Flags:
    """Which records are suitable for testing: whole sentences that differ from those of all other source packages.

    Returns:
        A flag per record. True for sentences of paragraphs of 5 to 60 words whose source, target and template
        (numbers, names and rare words masked) occur in one package only, at most half of their 5-grams in others.
    """
    if not records:
        return np.zeros(0, bool)
    numbers: dict[str, int] = {}
    owners = np.array([numbers.setdefault(record.package, len(numbers)) for record in records])
    tokens = [_tokens(record) for record in records]
    lengths = np.array([len(sentence) for sentence in tokens])
    suitable = np.array(
        [record.kind == "P" and len(sentence) in _WORDS for record, sentence in zip(records, tokens, strict=True)]
    )
    for side in ("source", "target"):
        hashes = np.array([hash64(key(getattr(record, side))) for record in records], np.uint64)
        suitable &= ~_shared(hashes, owners)
    ids, masked = _token_ids(tokens, set(numbers))
    suitable &= ~_shared(_templates(np.where(masked, 0, ids), lengths), owners)
    return suitable & (_shared_ngram_share(ids, lengths, owners) <= _MAX_SHARED_NGRAMS)


def _tokens(record: AlignedSentence) -> list[str]:
    """Lower-case words of the source, or of the target if only the target has spaces."""
    side = record.target if unspaced_count(record.source) > unspaced_count(record.target) else record.source
    return split_words(_NO_WORD.sub(" ", side.lower()))


def _token_ids(tokens: Sequence[list[str]], names: set[str]) -> tuple[Integers, Flags]:
    """Concatenated numbers of all tokens, from 1, and which of them a template masks."""
    vocabulary: dict[str, int] = {"": 0}
    ids = np.array([vocabulary.setdefault(token, len(vocabulary)) for sentence in tokens for token in sentence], int)
    special = [token in names or any(map(str.isdigit, token)) for token in vocabulary]
    counts = np.bincount(ids, minlength=len(vocabulary))
    return ids, (np.array(special) | (counts < _RARE))[ids]


def _powers(count: int) -> Hashes:
    powers = np.full(count, _PRIME, np.uint64)
    powers[:1] = 1
    return np.multiply.accumulate(powers)


def _templates(ids: Integers, lengths: Integers) -> Hashes:
    """Hash per sentence of its token numbers; runs of zeros count as one."""
    owner = np.repeat(np.arange(len(lengths)), lengths)
    again = np.zeros(len(ids), bool)
    again[1:] = (ids[1:] == 0) & (ids[:-1] == 0) & (owner[1:] == owner[:-1])
    ids, owner = ids[~again], owner[~again]
    position = np.arange(len(ids)) - np.searchsorted(owner, owner)
    terms = (ids + 1).astype(np.uint64) * _powers(int(position.max(initial=0)) + 1)[position]
    hashes = np.zeros(len(lengths), np.uint64)
    np.add.at(hashes, owner, terms)
    return hashes


def _shared_ngram_share(ids: Integers, lengths: Integers, owners: Integers) -> npt.NDArray[np.float64]:
    """Fraction of each sentence's 5-grams that also occur in another package."""
    count = max(0, len(ids) - _NGRAM + 1)
    sentence = np.repeat(np.arange(len(lengths)), lengths)
    whole = sentence[:count] == sentence[len(ids) - count :]
    hashes = np.zeros(count, np.uint64)
    for offset, power in enumerate(_powers(_NGRAM)):
        hashes += (ids[offset : offset + count] + 1).astype(np.uint64) * power
    sentence = sentence[:count][whole]
    is_shared = _shared(hashes[whole], owners[sentence])
    ngrams = np.bincount(sentence, minlength=len(lengths))
    return np.bincount(sentence, is_shared, len(lengths)) / np.maximum(1, ngrams)


def _shared(values: Hashes, owners: Integers) -> Flags:
    """Whether each value has more than one owner."""
    if not len(values):
        return np.zeros(0, bool)
    order = np.lexsort((owners, values))
    ordered, holders = values[order], owners[order]
    starts = np.flatnonzero(np.append(True, ordered[1:] != ordered[:-1]))
    ends = np.append(starts[1:], len(values)) - 1
    shared = np.empty(len(values), bool)
    shared[order] = np.repeat(holders[starts] != holders[ends], ends - starts + 1)
    return shared
