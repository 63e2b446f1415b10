"""Tokens of older Argos Translate packages: words by Moses' rules, split by subword-nmt's merges (`bpe.model`)."""

from __future__ import annotations

import io
import json
from contextlib import redirect_stderr
from pathlib import Path
from typing import TYPE_CHECKING

from distilmt.inference.manifest import ExportManifest, has_file, read_model_file

if TYPE_CHECKING:
    from subword_nmt.apply_bpe import BPE

CODES = "bpe.codes"
"""File of the merges in an export."""
_VOCABULARIES = ("source_vocabulary", "shared_vocabulary")
_UNKNOWN = "<unk>"
_JOINER = "@@"
MAX_CACHED_WORDS = 200_000


class MosesBpeTokenizer:
    """Tokenizes and detokenizes like `argostranslate.tokenizer.BPETokenizer` (1.11)."""

    def __init__(self, path: Path, manifest: ExportManifest) -> None:
        """Load the merges and the rules of both languages.

        Args:
            path: an export directory with `bpe.codes` and CTranslate2's vocabularies.
            manifest: content of its `distilmt.json`: `source_language` and `target_language` are Moses' codes; codes
            unknown to Moses are treated like English.

        Raises:
            ModuleNotFoundError: the extra `argos` is not installed.
            ValueError: the merges are damaged.
        """
        from sacremoses import MosesDetokenizer, MosesPunctNormalizer, MosesTokenizer

        source, target = str(manifest.get("source_language", "en")), str(manifest.get("target_language", "en"))
        self._normalizer = MosesPunctNormalizer(source)
        self._tokenizer, self._detokenizer = MosesTokenizer(source), MosesDetokenizer(target)
        self.merges = _merges(read_model_file(path, CODES))
        self._vocabulary = frozenset(_vocabulary(path))
        self._alphabet = frozenset("".join(self._vocabulary))
        self._end = ["</s>"] if manifest.get("source_end", False) else []
        self._before = str(manifest.get("prefix", ""))
        self.prefix = [manifest["target_prefix"]] if "target_prefix" in manifest else []

    def encode(self, texts: list[str]) -> list[list[str]]:
        """Input tokens of each text; an empty text has none."""
        rows = [self._cut(self._before + text) if text else [] for text in texts]
        return [[*row, *self._end] if row else [] for row in rows]

    def decode(self, tokens: list[str]) -> str:
        """The text of output tokens, which begin with `prefix`."""
        written = [token for token in tokens[len(self.prefix) :] if token != _UNKNOWN]
        words = " ".join(written).replace(f"{_JOINER} ", "").removesuffix(_JOINER)
        return str(self._detokenizer.detokenize(words.split()))

    def has_token(self, character: str) -> bool:
        """Whether a token of the source vocabulary has the character, or Moses' escape for it (`&amp;`)."""
        tokens = self._cut(character)
        return all(token in (self._alphabet if len(token) == 1 else self._vocabulary) for token in tokens)

    def _cut(self, text: str) -> list[str]:
        if len(self.merges.cache) > MAX_CACHED_WORDS:  # subword-nmt caches every word that it has split
            self.merges.cache.clear()
        words = self._tokenizer.tokenize(self._normalizer.normalize(text))
        tokens: list[str] = self.merges.segment_tokens(words)
        return tokens


def _merges(codes: bytes) -> BPE:
    from subword_nmt.apply_bpe import BPE

    with redirect_stderr(io.StringIO()) as complaint:
        try:
            return BPE(io.StringIO(codes.decode("utf-8")))
        except SystemExit:  # subword-nmt exits on an invalid line
            reason = complaint.getvalue().strip().partition("\n")[0]
    raise ValueError(reason.removeprefix("Error: "))


def _vocabulary(path: Path) -> list[str]:
    """The source tokens, from CTranslate2's vocabulary file."""
    for name in _VOCABULARIES:
        if has_file(path, f"{name}.json"):
            return [str(token) for token in json.loads(read_model_file(path, f"{name}.json"))]
        if has_file(path, f"{name}.txt"):
            return read_model_file(path, f"{name}.txt").decode("utf-8").split("\n")
    raise ValueError(f"{' and '.join(_VOCABULARIES)} are missing")
