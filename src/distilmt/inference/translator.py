"""Text in, text out, over an exported model. What evaluation, labelling and serving all use; imports no torch."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import ctranslate2

from distilmt.data.cleaning import normalize
from distilmt.data.sentence_splitter import sentences
from distilmt.inference.base import Hypothesis, WordAttention, join_hypotheses, join_translations
from distilmt.inference.manifest import (
    card_languages,
    has_file,
    read_manifest,
    unpacked_files,
    wrap_mismatched_files,
)
from distilmt.inference.moses_bpe import MosesBpeTokenizer
from distilmt.inference.text_preprocessing import ModelTraits, PreprocessedSentence
from distilmt.inference.tokenization import (
    HuggingFaceTokenizer,
    SentencePieceTokenizer,
    attention_by_word,
    batches_by_length,
    check_request,
)
from distilmt.utils import checksums, progress
from distilmt.utils.errors import UserError
from distilmt.utils.hardware import loads_cublas

# Batches of one call to CTranslate2, which no signal interrupts: the memory of a long list stays that of a few batches.
_BATCHES = 4
_TOKENIZERS: dict[str, tuple[type[SentencePieceTokenizer | HuggingFaceTokenizer | MosesBpeTokenizer], str]] = {
    "": (SentencePieceTokenizer, "source.spm or target.spm"),
    "huggingface": (HuggingFaceTokenizer, "tokenizer"),
    "subword-nmt": (MosesBpeTokenizer, "bpe.codes or a vocabulary"),
}
"""How `tokenizer` of distilmt.json names them, and the files that they are in."""


class Translator:
    """An exported model (`distilmt export`), ready to translate."""

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
            threads: CPU threads of each worker; 0 takes one per core.
            workers: batches translated side by side.
            device: `cpu`, `cuda`, or `auto` for the GPU if there is one that can be used.
            shortlist: whether words are chosen from the model's shortlist (`vmap.txt`) only; None does so if it has
                one. A sentence then may use what any sentence of its batch may, so that a translation can depend on
                the sentences it shares a batch with; `batch_size=1` rules that out.

        Raises:
            UserError: the directory is not such a model, a file of it is missing or damaged, or it has no shortlist
                where one is asked for.
        """
        self.path = Path(path)
        checksums.check_checksums(self.path)
        manifest = read_manifest(self.path)
        self.max_length = int(manifest["max_positions"]) - 1
        self.beam_size = int(manifest.get("beam_size", 4))
        has_shortlist = has_file(self.path, "vmap.txt")
        if shortlist and not has_shortlist:
            raise UserError(f"{self.path} has no shortlist (vmap.txt is missing): leave shortlist out, or build one")
        self.shortlist = has_shortlist if shortlist is None else shortlist
        self.device = best_device() if device == "auto" else device
        kind, files = _TOKENIZERS.get(str(manifest.get("tokenizer", "")), _TOKENIZERS[""])
        with checksums.wrap_read_errors(self.path, files):
            self._tokenizer = kind(self.path, manifest)
        self._workers = workers
        source, target = card_languages(self.path)
        self._traits = ModelTraits(
            self._tokenizer.has_token, self._token_count, source, target, manifest.get("capitals")
        )
        with checksums.wrap_read_errors(self.path, "model.bin, config.json or a vocabulary"):
            self._model = ctranslate2.Translator(
                str(self.path),
                device=self.device,
                compute_type=_compute_type_for(manifest, self.device),
                inter_threads=workers,
                intra_threads=min(threads, os.cpu_count() or 1),
                files=unpacked_files(self.path),
            )

    def tokenize(self, texts: Sequence[str]) -> list[list[str]]:
        """Pieces of each text, cut to the model's positions; empty texts give no pieces."""
        rows = self._tokenizer.encode([normalize(text) for text in texts])
        cut = self.max_length
        return [p if len(p) <= cut else [*p[: cut - 1], p[-1]] for p in rows]

    def translate(self, texts: Sequence[str], beam_size: int = 4, batch_size: int = 64) -> list[str]:
        """Best translation of each text, in order; an empty text gives an empty one.

        A text that is longer than the model's positions is translated sentence by sentence, so that nothing is lost.

        Args:
            texts: one sentence each, or more.
            beam_size: 1 is greedy.
            batch_size: sentences translated together.

        Raises:
            TypeError, ValueError: as `check_request`.
        """
        check_request(texts, beam_size)
        portions = [self.portions(text) for text in texts]
        ranked = self.ranked([p for per_text in portions for p in per_text], beam_size, batch_size=batch_size)
        translations = (per_text[0].text if per_text else "" for per_text in ranked)
        return [join_translations(list(islice(translations, len(per_text)))) for per_text in portions]

    def candidates(self, texts: Sequence[str], beam_size: int = 4, count: int = 1) -> list[list[Hypothesis]]:
        """The `count` best translations of each text with their scores, best first; none for an empty text.

        Of a text that is longer than the model's positions they are joined of its parts' translations, the best with
        the best and so on; the score is the mean over all pieces.
        """
        check_request(texts, min(beam_size, count))
        portions = [self.portions(text) for text in texts]
        parts = iter(
            self.ranked([p for text_portions in portions for p in text_portions], beam_size, count, scored=True)
        )
        own = [[h for h in islice(parts, len(text_portions)) if h] for text_portions in portions]
        return [[join_hypotheses(ranked) for ranked in zip(*hypotheses, strict=False)] for hypotheses in own]

    def ranked(
        self,
        texts: Sequence[str],
        beam_size: int = 4,
        count: int = 1,
        batch_size: int = 64,
        batch_type: str = "examples",
        scored: bool = False,
    ) -> list[list[Hypothesis]]:
        """The `count` best translations of each text as people are to get them, best first; none for an empty text.

        Beyond `hypotheses`: a text without letters comes back as it is; symbols and emoji that the model has no piece
        for keep their places; full-width letters are read as letters; sentences in capitals, and in title case where
        the model copies it, are put to the model in lower case. A text needs no more than the model's positions
        (`portions`).
        """
        inputs = [PreprocessedSentence(text, self._traits) for text in texts]
        pending = [sentence for sentence in inputs if sentence.result is None]
        while pending:
            requests = [request for sentence in pending for request in sentence.requests]
            hypotheses = iter(
                self.hypotheses(requests, beam_size, count, batch_size=batch_size, batch_type=batch_type, scored=scored)
            )
            for sentence in pending:
                sentence.receive(list(islice(hypotheses, len(sentence.requests))))
            pending = [sentence for sentence in pending if sentence.result is None]
        return [sentence.result or [] for sentence in inputs]

    def attention(self, texts: Sequence[str], translations: Sequence[str]) -> list[list[WordAttention]]:
        """What of a text every word of a translation is made from.

        The model says the translations again, whoever made them: greedily, with each as its own prefix. No
        search is needed for that, and CTranslate2 tells the right attention of the first word, which it does not with
        a beam.

        Args:
            texts: sentences.
            translations: a translation of each.

        Returns:
            For each translation its words (between spaces; in scripts without, its pieces) with the attention of the
            decoder's last layer, mean over heads (of models from elsewhere often the first head's) and over the word's
            pieces, on each piece of the text. Nothing for a model with another tokenizer, and where a text has too many
            pieces or characters that the tokenizer changes.
        """
        tokenizer = self._tokenizer
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
        """A text in capitals as the model was given it, if no character changes its place by that."""
        lower = text.lower() if text.isupper() and self._traits.capitals is not True else text
        return lower if len(lower) == len(text) else text

    def portions(self, text: str) -> list[str]:
        """A text whole, or in sentences and at worst in parts of them, so that each has positions enough."""
        if self._fits(text):
            return [text]
        sentence_list = sentences(text)
        if len(sentence_list) > 1:
            return [portion for sentence in sentence_list for portion in self.portions(sentence)]
        spaces = [i for i, c in enumerate(text) if c == " " and 0 < i < len(text) - 1]
        middle = min(spaces, key=lambda i: abs(i - len(text) // 2)) if spaces else len(text) // 2
        return [portion for part in (text[:middle], text[middle:]) for portion in self.portions(part)]

    def _token_count(self, text: str) -> int:
        return len(self._tokenizer.encode([normalize(text)])[0])

    def _fits(self, text: str) -> bool:
        if len(text.encode("utf-8", "surrogatepass")) + 2 <= self.max_length or len(text) < 2:
            return True  # no piece is less than a byte
        return self._token_count(text) <= self.max_length

    def hypotheses(
        self,
        texts: Sequence[str],
        beam_size: int = 4,
        count: int = 1,
        length_penalty: float = 1.0,
        batch_size: int = 64,
        batch_type: str = "examples",
        sampling: float = 0.0,
        scored: bool = False,
    ) -> list[list[Hypothesis]]:
        """The `count` best translations of each text, best first; none for an empty text.

        A greedy translation has a score only if it is to be `scored`, which takes a little longer. With
        `sampling` above 0 they are drawn from the model's distribution at that temperature, without a beam.
        """
        sources = self.tokenize(texts)
        rows = [i for i, source in enumerate(sources) if source]
        results: list[list[Hypothesis]] = [[] for _ in texts]
        if not rows:
            return results
        options = {
            "beam_size": 1 if sampling else max(beam_size, count),
            "num_hypotheses": count,
            "sampling_topk": 0 if sampling else 1,
            "sampling_temperature": sampling or 1.0,
            "length_penalty": length_penalty,
            "max_batch_size": batch_size,
            "batch_type": batch_type,
            "max_decoding_length": self.max_length,
            "return_scores": scored or count > 1 or beam_size > 1,
            "use_vmap": self.shortlist,
        }
        weights = [1 if batch_type == "examples" else len(source) for source in sources]
        for batch in batches_by_length(rows, sources, weights, batch_size * _BATCHES * self._workers):
            prefix = [self._tokenizer.prefix] * len(batch) if self._tokenizer.prefix else None
            outputs = self._translate_batch([sources[i] for i in batch], target_prefix=prefix, **options)
            for row, result in zip(batch, outputs, strict=True):
                results[row] = self._decoded(texts[row], result)
        return results

    def _translate_batch(self, sources: list[list[str]], **options: Any) -> list[Any]:
        with wrap_mismatched_files(self.path):
            return list(self._model.translate_batch(sources, **options))

    def _decoded(self, source: str, result: Any) -> list[Hypothesis]:
        scores = result.scores or [0.0] * len(result.hypotheses)
        hypotheses = []
        for tokens, score in zip(result.hypotheses, scores, strict=True):
            text = self._tokenizer.decode(tokens)
            # A vocabulary can have the replacement character as a piece, from broken training text.
            text = text if "\ufffd" not in text or "\ufffd" in source else " ".join(text.replace("\ufffd", "").split())
            hypotheses.append(Hypothesis(text, tokens, score))
        return hypotheses

    def stream(self, lines: Iterator[str], beam_size: int = 4, batch_size: int = 64) -> Iterator[str]:
        """Translate lines as they come, a line for a line."""
        batch: list[str] = []
        for line in lines:
            batch.append(line)
            if len(batch) >= batch_size:
                yield from self.translate(batch, beam_size, batch_size)
                batch = []
        if batch:
            yield from self.translate(batch, beam_size, batch_size)


def best_device() -> str:
    """`cuda` where CTranslate2 can compute on a GPU, else `cpu`."""
    if ctranslate2.get_cuda_device_count() == 0:
        return "cpu"
    if loads_cublas():
        return "cuda"
    progress.info("CTranslate2 needs cuBLAS 12 for the GPU, so the CPU translates: pip install nvidia-cublas-cu12")
    return "cpu"


def _compute_type_for(manifest: dict[str, Any], device: str) -> str:
    """The type a model computes in: that of its weights, or what a CPU has instead, which CTranslate2 warns of.

    Weights that were copied as they are (`compute_in`) are turned into another type as they are loaded.
    """
    compute_type = str(manifest.get("compute_in") or manifest.get("compute_type", "float32"))
    if device != "cpu" or compute_type in ctranslate2.get_supported_compute_types("cpu"):
        return compute_type if "compute_in" in manifest else "default"
    return "int8_float32" if compute_type.startswith("int") else "float32"
