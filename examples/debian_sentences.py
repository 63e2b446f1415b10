"""English sentences of Debian's package descriptions as monolingual text: what a teacher of the pair translates.

    python debian_sentences.py pt_BR debian.en

Sentences of the packages that `corpus.dataset: debian` holds out for valid and test are left out, and so are those that
share more than half of their 5-grams with a held-out sentence.
"""

from __future__ import annotations

import sys
from pathlib import Path

from distilmt.data.readers import apt, debian
from distilmt.data.splitting import package_split, split_by_package


def ngrams(sentence: str, size: int = 5) -> list[tuple[str, ...]]:
    """Overlapping sequences of words in lower case."""
    words = sentence.lower().split()
    return list(zip(*(words[start:] for start in range(size)), strict=False))


def main(target: str, output: Path) -> None:
    """Write the sentences for English to `target`, a language that Debian translates into, one per line."""
    indices = apt.fetch(["en", target], apt.default_cache())
    splits = split_by_package(list(debian.aligned_sentences(indices, "en", target)), 1_000_000, 1_000_000)
    held_out = {ngram for part in (splits.valid, splits.test) for row in part for ngram in ngrams(row.source)}
    training = (row for row in debian.english_sentences(indices) if package_split(row[0]) == "train")
    unlike = (text for _, text in training if 2 * sum(map(held_out.__contains__, own := ngrams(text))) <= len(own))
    sentences = dict.fromkeys(unlike)
    output.write_text("".join(f"{sentence}\n" for sentence in sentences), encoding="utf-8")
    print(f"{output}: {len(sentences):,} sentences")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
