"""Tokenization of an exported model: texts to tokens, tokens to text, and the spans of tokens in a text."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import accumulate, groupby, pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import sentencepiece as spm

from distilmt.data.cleaning import unspaced_count
from distilmt.inference.base import Span, WordAttention
from distilmt.inference.manifest import ExportManifest, has_file, read_model_file

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_BYTE = re.compile("<0x[0-9A-F]{2}>")
_UNKNOWN = "<unk>"
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")
_RESERVED = frozenset({"<s>", "</s>", "<pad>"})
# Tokens that pad a vocabulary to a round size (fairseq and CTranslate2's converters, OpenNMT, distilmt).
_FILLER = re.compile(r"madeupword\d+|averyunlikelytoken\d+|<unused\d+>|<blank>")


class SentencePieceTokenizer:
    """SentencePiece tokens in Marian's convention, or of a model without `</s>` in its input (`source_end: false`)."""

    def __init__(self, path: Path, manifest: ExportManifest) -> None:
        self._end = ["</s>"] if manifest.get("source_end", True) else []
        self.prefix = [manifest["target_prefix"]] if "target_prefix" in manifest else []
        self._before = str(manifest.get("prefix", ""))
        self._source = spm.SentencePieceProcessor(model_proto=read_model_file(path, "source.spm"))
        self._coverage_cache: dict[str, bool] = {}
        own = has_file(path, "target.spm")
        self._target = (
            spm.SentencePieceProcessor(model_proto=read_model_file(path, "target.spm")) if own else self._source
        )

    def encode(self, texts: list[str]) -> list[list[str]]:
        """Input tokens of each text; an empty text has none."""
        # One by one: for a list SentencePiece starts threads, which is slower for the few sentences of a batch.
        rows = (self._source.encode(self._before + text if text else "", out_type=str) for text in texts)
        return [[*map(_unreserved, tokens), *self._end] if tokens else [] for tokens in rows]

    def decode(self, tokens: list[str]) -> str:
        """The text of output tokens, which begin with `prefix`."""
        written = [token for token in tokens[len(self.prefix) :] if token != _UNKNOWN and not _FILLER.fullmatch(token)]
        return str(self._target.decode(without_broken_bytes(written)))

    def has_token(self, character: str) -> bool:
        """Whether the source vocabulary has a token for a character."""
        if character not in self._coverage_cache:
            tokens = self._source.encode(character, out_type=str)
            ids = [self._source.piece_to_id(token) for token in tokens]
            broken = self._source.unk_id() in ids or any(map(_BYTE.fullmatch, tokens))
            self._coverage_cache[character] = not broken
        return self._coverage_cache[character]

    def source_spans(self, text: str) -> list[Span]:
        """Spans of the tokens in a text; empty if SentencePiece changes its characters."""
        before = len(self._before)
        spans = [span for _, span in _tokens_with_spans(self._source, self._before + text)]
        return [(max(0, a - before), max(0, b - before)) for a, b in spans]

    def target(self, text: str) -> list[tuple[str, Span]]:
        """The tokens of a translation and their spans; empty if SentencePiece changes its characters."""
        return _tokens_with_spans(self._target, text)


class HuggingFaceTokenizer:
    """Tokens of any other teacher, from its own tokenizer."""

    def __init__(self, path: Path, manifest: ExportManifest) -> None:
        self.tokenizer = load_auto_tokenizer(path / "tokenizer")
        # CTranslate2 adds these tokens itself.
        self._ends = None if manifest.get("source_end", True) else self.tokenizer.eos_token
        if "source_language" in manifest:
            self.tokenizer.src_lang = manifest["source_language"]
        self.prefix = [manifest["target_prefix"]] if "target_prefix" in manifest else []
        self._before = str(manifest.get("prefix", ""))
        self._as_text = names_as_text(self.tokenizer)
        self._coverage_cache: dict[str, bool] = {}

    def has_token(self, character: str) -> bool:
        """Whether the vocabulary has a token for a character."""
        if character not in self._coverage_cache:
            ids = self.tokenizer(character, add_special_tokens=False).input_ids
            names = map(str, self.tokenizer.convert_ids_to_tokens(ids))
            self._coverage_cache[character] = self.tokenizer.unk_token_id not in ids and not any(
                map(_BYTE.fullmatch, names)
            )
        return self._coverage_cache[character]

    def encode(self, texts: list[str]) -> list[list[str]]:
        """Input tokens of each text; an empty text has none."""
        to_tokens = self.tokenizer.convert_ids_to_tokens
        texts = [self._before + self._as_text(text) if text else "" for text in texts]
        rows = [list(to_tokens(self.tokenizer(text).input_ids)) if text else [] for text in texts]
        return [row[:-1] if self._ends and row[-1:] == [self._ends] else row for row in rows]

    def decode(self, tokens: list[str]) -> str:
        """The text of output tokens, which begin with `prefix`."""
        written = [piece for piece in tokens[len(self.prefix) :] if not _FILLER.fullmatch(piece)]
        ids = self.tokenizer.convert_tokens_to_ids(without_broken_bytes(written))
        return str(self.tokenizer.decode(ids, skip_special_tokens=True)).strip()


def load_auto_tokenizer(path: str | Path) -> PreTrainedTokenizerBase:
    """A tokenizer of transformers, from a directory or the hub; none of its code is run."""
    from transformers import AutoTokenizer

    with without_advice():
        tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(path, trust_remote_code=False)
        return tokenizer


@contextmanager
def without_advice() -> Iterator[None]:
    """Suppress what a Marian tokenizer advises while it is loaded: it tokenizes the same with sacremoses."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Recommended: pip install sacremoses")
        yield


def names_as_text(tokenizer: PreTrainedTokenizerBase) -> Callable[[str], str]:
    """A function that makes names of a Hugging Face tokenizer's special tokens in a text ordinary text.

    Only a space after the first character works for all tokenizers: many match these names in any text, even with
    `split_special_tokens`.
    """
    names = sorted((name for name in tokenizer.all_special_tokens if len(name) > 1), key=len, reverse=True)
    if not names:
        return str
    pattern = re.compile("|".join(map(re.escape, names)))
    return lambda text: pattern.sub(lambda match: f"{match[0][0]} {match[0][1:]}", text)


def _unreserved(piece: str) -> str:
    """Replace reserved names by the unknown token.

    SentencePiece returns characters without a token as text: `</s>` in a text would be read as the end.
    """
    return _UNKNOWN if piece in _RESERVED else piece


def batches_by_length(
    rows: list[int], sources: list[list[str]], weights: list[int], max_weight: int
) -> Iterator[list[int]]:
    """Batches of rows of similar length, sorted as in CTranslate2, each of a weight of at most `max_weight`."""
    batch: list[int] = []
    total = 0
    for row in sorted(rows, key=lambda i: -len(sources[i])):
        if batch and total + weights[row] > max_weight:
            yield batch
            batch, total = [], 0
        batch.append(row)
        total += weights[row]
    yield batch


def without_broken_bytes(tokens: list[str]) -> list[str]:
    """Remove byte tokens that are control characters or invalid UTF-8: SentencePiece would write U+FFFD."""
    if not any(token.startswith("<0x") for token in tokens):
        return tokens
    valid_tokens: list[str] = []
    for is_byte, run in groupby(tokens, lambda piece: bool(_BYTE.fullmatch(piece))):
        if not is_byte:
            valid_tokens += run
            continue
        text = bytes(int(token[3:5], 16) for token in run).decode("utf-8", "ignore")
        valid_tokens += [f"<0x{byte:02X}>" for byte in _CONTROL.sub("", text).encode()]
    return valid_tokens


def is_broken(tokens: Sequence[str]) -> bool:
    """Whether an output is not text: it has the unknown token, or bytes that are invalid UTF-8."""
    return _UNKNOWN in tokens or without_broken_bytes(list(tokens)) != list(tokens)


def attention_by_word(
    translation: str, spans: list[Span], attention: list[list[float]], source: list[Span]
) -> list[WordAttention]:
    """The attention of each word of a translation: the mean over its tokens.

    Args:
        translation: the translation.
        spans: spans of its tokens.
        attention: attention of each of them on each source token.
        source: spans of the source tokens.
    """
    words: list[tuple[Span, list[list[float]]]] = []
    for (start, end), weights in zip(spans, attention, strict=False):
        space = translation[start:end].startswith(" ")
        if space or not words or unspaced_count(translation[start:end]):
            words.append(((start + space, end), []))
        words[-1][1].append(weights)
        words[-1] = ((words[-1][0][0], end), words[-1][1])
    means = ([sum(column) / len(rows) for column in zip(*rows, strict=True)] for _, rows in words)
    return [
        (span, list(zip(source, mean, strict=False)))
        for (span, _), mean in zip(words, means, strict=True)
        if span[0] < span[1]
    ]


def _tokens_with_spans(processor: spm.SentencePieceProcessor, text: str) -> list[tuple[str, Span]]:
    """A text's tokens and their spans; a character split into several tokens belongs to the first."""
    tokens: list[str] = processor.encode(text, out_type=str)
    encoded = [bytes.fromhex(p[3:5]) if _BYTE.fullmatch(p) else p.replace("▁", " ").encode() for p in tokens]
    extra = len(b"".join(encoded).decode("utf-8", "replace")) - len(text)  # for the leading space
    if b"".join(encoded) != (" " * extra + text).encode("utf-8", "replace"):
        return []
    widths = (sum(byte & 0xC0 != 0x80 for byte in token) for token in encoded)
    ends = [max(0, end - extra) for end in accumulate(widths, initial=0)]
    return list(zip(tokens, pairwise(ends), strict=True))


def check_texts(texts: Sequence[str]) -> None:
    """Reject anything but a list of texts: a string is a sequence too, and would be translated letter by letter.

    Raises:
        TypeError: `texts` is one text, or has items that are not texts.
    """
    if isinstance(texts, str):
        raise TypeError("texts is a single string: put it into a list, as in translate([text])")
    if isinstance(texts, bytes | bytearray | memoryview):
        raise TypeError(f"texts is {texts!r:.60}, not a list of texts: decode it to a str, as in texts.decode()")
    for text in texts:
        if not isinstance(text, str):
            raise TypeError(f"texts has {text!r}, which is not a str: remove it, or replace it by an empty string")
