"""Translation with an exported model, for evaluation, labeling and serving; imports no torch."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path

import ctranslate2
from ctranslate2 import TranslationResult

from distilmt.data.cleaning import normalize
from distilmt.data.sentence_splitter import sentences
from distilmt.inference.base import (
    DEFAULT_DECODING,
    DecodingOptions,
    Hypothesis,
    WordAttention,
    join_hypotheses,
    join_translations,
)
from distilmt.inference.device import compute_type_for, usable_device
from distilmt.inference.manifest import (
    card_languages,
    check_input,
    has_file,
    read_manifest,
    unpacked_files,
    wrap_mismatched_files,
)
from distilmt.inference.moses_bpe import MosesBpeTokenizer
from distilmt.inference.text_preprocessing import ModelTraits, PreprocessedSentence, is_no_prose
from distilmt.inference.tokenization import (
    HuggingFaceTokenizer,
    SentencePieceTokenizer,
    attention_by_word,
    batches_by_length,
    check_texts,
)
from distilmt.utils import checksums
from distilmt.utils.errors import UserError

# Batches per call to CTranslate2, which no signal interrupts: a long list needs only the memory of a few batches.
_BATCHES = 4
_TOKENIZERS: dict[str, tuple[type[SentencePieceTokenizer | HuggingFaceTokenizer | MosesBpeTokenizer], str]] = {
    "": (SentencePieceTokenizer, "source.spm or target.spm"),
    "huggingface": (HuggingFaceTokenizer, "tokenizer"),
    "subword-nmt": (MosesBpeTokenizer, "bpe.codes or a vocabulary"),
}
"""By the value of `tokenizer` in distilmt.json: the class, and its files."""


class Translator:
    """A loaded exported model (`distilmt export`)."""

    def __init__(
        self,
        path: str | Path,
        threads: int = 0,
        workers: int = 1,
        device: str = "cpu",
        shortlist: bool | None = None,
    ) -> None:
        """Load a model directory.

        Args:
            path: a CTranslate2 directory written by distilmt.
            threads: CPU threads per worker; 0: one per core.
            workers: batches translated in parallel.
            device: `cpu`, `cuda`, or `auto` for the GPU if one is usable.
            shortlist: whether to use only tokens of the model's shortlist (`vmap.txt`); None: if it has
                one. The tokens allowed for a batch are those of all its sentences, so a translation can depend on
                the other sentences of its batch; `batch_size=1` prevents that.

        Raises:
            UserError: the directory is not such a model, a file is missing or damaged, the requested shortlist is
            missing, or CTranslate2 cannot use the device.
        """
        self.path = Path(path)
        checksums.check_checksums(self.path)
        manifest = read_manifest(self.path)
        check_input(self.path, manifest, "text")
        self.max_length = int(manifest["max_positions"]) - 1
        self.beam_size = int(manifest.get("beam_size", 4))
        has_shortlist = has_file(self.path, "vmap.txt")
        if shortlist and not has_shortlist:
            raise UserError(f"{self.path} has no shortlist (vmap.txt is missing): leave shortlist out, or build one")
        self.shortlist = has_shortlist if shortlist is None else shortlist
        self.device = usable_device(device)
        kind, files = _TOKENIZERS.get(str(manifest.get("tokenizer", "")), _TOKENIZERS[""])
        with checksums.wrap_read_errors(self.path, files):
            self.tokenizer = kind(self.path, manifest)
        self._workers = workers
        source, target = card_languages(self.path)
        self._traits = ModelTraits(
            self.tokenizer.has_token, self._token_count, source, target, manifest.get("capitals")
        )
        self._model = self._load(compute_type_for(manifest, self.device), threads)

    def _load(self, compute_type: str, threads: int) -> ctranslate2.Translator:
        with checksums.wrap_read_errors(self.path, "model.bin, config.json or a vocabulary"):
            return ctranslate2.Translator(
                str(self.path),
                device=self.device,
                compute_type=compute_type,
                inter_threads=self._workers,
                intra_threads=min(threads, os.cpu_count() or 1),
                files=unpacked_files(self.path),
            )

    def tokenize(self, texts: Sequence[str]) -> list[list[str]]:
        """Tokens of each text, truncated to the model's positions; empty texts have none."""
        rows = self.tokenizer.encode([normalize(text) for text in texts])
        cut = self.max_length
        return [p if len(p) <= cut else [*p[: cut - 1], p[-1]] for p in rows]

    def translate(self, texts: Sequence[str], beam_size: int = 4, batch_size: int = 64) -> list[str]:
        """Best translation of each text, in order; an empty text gives an empty one.

        A text longer than the model's positions is translated sentence by sentence, so that nothing is lost.

        Args:
            texts: one sentence each, or more.
            beam_size: 1 is greedy.
            batch_size: sentences per batch.

        Raises:
            TypeError: as `check_texts`.
            ValueError: as `DecodingOptions`.
        """
        check_texts(texts)
        options = DecodingOptions(beam_size=beam_size, batch_size=batch_size)
        portions = [self.portions(text) for text in texts]
        ranked = self.ranked([p for per_text in portions for p in per_text], options)
        translations = (per_text[0].text if per_text else "" for per_text in ranked)
        return [join_translations(list(islice(translations, len(per_text)))) for per_text in portions]

    def candidates(self, texts: Sequence[str], options: DecodingOptions = DEFAULT_DECODING) -> list[list[Hypothesis]]:
        """The best translations of each text with their scores, best first; none for an empty text.

        For a text longer than the model's positions, the translations of its parts are joined, the best with the best
        and so on; the score is the mean over all tokens.
        """
        check_texts(texts)
        portions = [self.portions(text) for text in texts]
        scored = replace(options, return_scores=True)
        parts = iter(self.ranked([p for text_portions in portions for p in text_portions], scored))
        own = [[h for h in islice(parts, len(text_portions)) if h] for text_portions in portions]
        return [[join_hypotheses(ranked) for ranked in zip(*hypotheses, strict=False)] for hypotheses in own]

    def ranked(self, texts: Sequence[str], options: DecodingOptions = DEFAULT_DECODING) -> list[list[Hypothesis]]:
        """The best translations of each text, postprocessed for readers, best first; none for an empty text.

        In addition to `hypotheses`: a text without letters, or longer than any word but without a space
        (`is_no_prose`), is returned unchanged; symbols and emoji without a token keep their places; full-width letters
        are read as letters; sentences in capitals, and in title case if the model copies it, are translated in lower
        case. A text must fit into the model's positions (`portions`).
        """
        inputs = [PreprocessedSentence(text, self._traits) for text in texts]
        pending = [sentence for sentence in inputs if sentence.result is None]
        while pending:
            requests = [request for sentence in pending for request in sentence.requests]
            hypotheses = iter(self.hypotheses(requests, options))
            for sentence in pending:
                sentence.receive(list(islice(hypotheses, len(sentence.requests))))
            pending = [sentence for sentence in pending if sentence.result is None]
        return [sentence.result or [] for sentence in inputs]

    def attention(self, texts: Sequence[str], translations: Sequence[str]) -> list[list[WordAttention]]:
        """Attention of the words of translations on the tokens of their texts.

        By forced decoding: the model decodes greedily with each translation as prefix. This needs no search, and
        CTranslate2 returns the correct attention of the first token, which it does not with
        a beam.

        Args:
            texts: sentences.
            translations: the translation of each, from any source.

        Returns:
            For each translation its words (between spaces; in scripts without spaces, its tokens) with the attention of
            the decoder's last layer on each token of the text, mean over heads (in foreign models often only the first
            head) and over the word's tokens. Empty for a model with another tokenizer, or a text with too many tokens
            or characters that the tokenizer changes.
        """
        tokenizer = self.tokenizer
        words_by_text: list[list[WordAttention]] = [[] for _ in texts]
        if not isinstance(tokenizer, SentencePieceTokenizer):
            return words_by_text
        texts, translations = (
            [self._in_lower_case(text) for text in texts],
            [self._in_lower_case(text) for text in translations],
        )
        sources, targets = (
            [tokenizer.source_spans(text) for text in texts],
            [tokenizer.target(text) for text in translations],
        )
        cut = self.max_length - 1 - len(tokenizer.prefix)
        rows = [i for i, s in enumerate(sources) if 0 < len(s) <= cut and 0 < len(targets[i]) <= cut]
        results = self._translate_batch(
            tokenizer.encode([texts[i] for i in rows]),
            target_prefix=[[*tokenizer.prefix, *(token for token, _ in targets[i])] for i in rows],
            beam_size=1,
            max_batch_size=64,
            max_decoding_length=self.max_length,
            return_attention=True,
        )
        for row, result in zip(rows, results, strict=True):
            spans, weights = [span for _, span in targets[row]], result.attention[0][len(tokenizer.prefix) :]
            words_by_text[row] = attention_by_word(translations[row], spans, weights, sources[row])
        return words_by_text

    def _in_lower_case(self, text: str) -> str:
        """The model input for a text in capitals, if all characters keep their positions."""
        lower = text.lower() if text.isupper() and self._traits.capitals is not True else text
        return lower if len(lower) == len(text) else text

    def portions(self, text: str) -> list[str]:
        """Split a text into sentences, or parts of sentences, only if needed to fit into the model's positions."""
        if is_no_prose(text) or self._fits(text):
            return [text]
        sentence_list = sentences(text)
        if len(sentence_list) > 1:
            return [portion for sentence in sentence_list for portion in self.portions(sentence)]
        spaces = [i for i, c in enumerate(text) if c == " " and 0 < i < len(text) - 1]
        middle = min(spaces, key=lambda i: abs(i - len(text) // 2)) if spaces else len(text) // 2
        return [portion for part in (text[:middle], text[middle:].lstrip()) for portion in self.portions(part)]

    @property
    def compute_type(self) -> str:
        """The numeric type in which the model computes, in CTranslate2's words: `float32`, `int8_float32`."""
        return str(self._model.compute_type)

    def _token_count(self, text: str) -> int:
        return len(self.tokenizer.encode([normalize(text)])[0])

    def _fits(self, text: str) -> bool:
        if len(text.encode("utf-8", "surrogatepass")) + 2 <= self.max_length or len(text) < 2:
            return True  # every token has at least one byte
        return self._token_count(text) <= self.max_length

    def hypotheses(self, texts: Sequence[str], options: DecodingOptions = DEFAULT_DECODING) -> list[list[Hypothesis]]:
        """The best translations of each text, best first; none for an empty text."""
        sources = self.tokenize(texts)
        rows = [i for i, source in enumerate(sources) if source]
        results: list[list[Hypothesis]] = [[] for _ in texts]
        if not rows:
            return results
        settings = self._decoding_settings(options)
        weights = [1 if options.batch_type == "examples" else len(source) for source in sources]
        for batch in batches_by_length(rows, sources, weights, options.batch_size * _BATCHES * self._workers):
            prefix = [self.tokenizer.prefix] * len(batch) if self.tokenizer.prefix else None
            outputs = self._translate_batch([sources[i] for i in batch], target_prefix=prefix, **settings)
            for row, result in zip(batch, outputs, strict=True):
                results[row] = self._decoded(texts[row], result)
        return results

    def _decoding_settings(self, options: DecodingOptions) -> dict[str, object]:
        """The arguments of CTranslate2's `translate_batch`."""
        return {
            "beam_size": options.beams,
            "num_hypotheses": options.num_hypotheses,
            "sampling_topk": 0 if options.sampling_temperature else 1,
            "sampling_temperature": options.sampling_temperature or 1.0,
            "length_penalty": options.length_penalty,
            "max_batch_size": options.batch_size,
            "batch_type": options.batch_type,
            "max_decoding_length": self.max_length,
            "return_scores": options.has_scores,
            "use_vmap": self.shortlist,
        }

    def _translate_batch(self, sources: list[list[str]], **options: object) -> list[TranslationResult]:
        with wrap_mismatched_files(self.path):
            return list(self._model.translate_batch(sources, **options))

    def _decoded(self, source: str, result: TranslationResult) -> list[Hypothesis]:
        scores = result.scores or [0.0] * len(result.hypotheses)
        hypotheses = []
        for tokens, score in zip(result.hypotheses, scores, strict=True):
            text = self.tokenizer.decode(tokens)
            # A vocabulary can have the replacement character as a token, from broken training text.
            text = text if "\ufffd" not in text or "\ufffd" in source else " ".join(text.replace("\ufffd", "").split())
            hypotheses.append(Hypothesis(text, tokens, score))
        return hypotheses

    def stream(self, lines: Iterator[str], beam_size: int = 4, batch_size: int = 64) -> Iterator[str]:
        """Translate a stream of lines, one output line per input line."""
        batch: list[str] = []
        for line in lines:
            batch.append(line)
            if len(batch) >= batch_size:
                yield from self.translate(batch, beam_size, batch_size)
                batch = []
        if batch:
            yield from self.translate(batch, beam_size, batch_size)
