"""Exports packed for the way to where they are used: every big file by itself as `.xz`.

Weights of eight bits hardly pack; rounded to four or six (`training.rounding`) they are bytes that take few values, and
a file that is coded by how often each of them occurs is a half or a third as big (Han et al. 2016, "Deep Compression",
section 4, with Huffman codes). What computes is the same int8 model as ever: a `Translator` unpacks the files in
memory, and `unxz DIRECTORY/*.xz` makes an ordinary CTranslate2 directory of them.
"""

from __future__ import annotations

import lzma
from pathlib import Path

SUFFIX = ".xz"
_LEAST = 1024
# Weights have no structure beyond how often a value occurs: the byte before and its place tell nothing of a byte.
_FILTERS = [{"id": lzma.FILTER_LZMA2, "preset": 9 | lzma.PRESET_EXTREME, "lc": 0, "lp": 0, "pb": 0}]
_TEXT_FILTERS = [{"id": lzma.FILTER_LZMA2, "preset": 9 | lzma.PRESET_EXTREME}]


def pack(directory: Path) -> None:
    """Pack the files of an export in place, but small ones and what is for people to read.

    Args:
        directory: a CTranslate2 export that nobody uses yet.
    """
    for path in sorted(directory.iterdir()):
        if path.is_file() and path.suffix not in (SUFFIX, ".md") and path.stat().st_size >= _LEAST:
            path.with_name(path.name + SUFFIX).write_bytes(_packed(path.read_bytes()))
            path.unlink()


def _packed(content: bytes) -> bytes:
    """The smaller of both ways."""
    return min((lzma.compress(content, filters=chain) for chain in (_FILTERS, _TEXT_FILTERS)), key=len)
