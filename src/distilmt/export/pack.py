"""Compress exports for the transfer: every large file separately as `.xz`.

Weights of 8 bits hardly compress. Rounded to 4 or 6 bits (`training.fake_quantize`) they have few distinct values, and
entropy coding reduces the file to a half or a third (Han et al. 2016, "Deep Compression", section 4, with Huffman
codes). The model still computes in int8: a `Translator` decompresses the files in memory, and `unxz DIRECTORY/*.xz`
restores an ordinary CTranslate2 directory.
"""

from __future__ import annotations

import lzma
from pathlib import Path

SUFFIX = ".xz"
_LEAST = 1024
# Weights have no structure except the frequencies of values: previous byte and position do not predict the next byte.
_FILTERS = [{"id": lzma.FILTER_LZMA2, "preset": 9 | lzma.PRESET_EXTREME, "lc": 0, "lp": 0, "pb": 0}]
_TEXT_FILTERS = [{"id": lzma.FILTER_LZMA2, "preset": 9 | lzma.PRESET_EXTREME}]


def pack(directory: Path) -> None:
    """Compress the files of an export in place, except small files and Markdown.

    Args:
        directory: a CTranslate2 export that is not in use yet.
    """
    for path in sorted(directory.iterdir()):
        if path.is_file() and path.suffix not in (SUFFIX, ".md") and path.stat().st_size >= _LEAST:
            path.with_name(path.name + SUFFIX).write_bytes(_packed(path.read_bytes()))
            path.unlink()


def _packed(content: bytes) -> bytes:
    """The content, compressed with the better of both filters."""
    return min((lzma.compress(content, filters=chain) for chain in (_FILTERS, _TEXT_FILTERS)), key=len)
