"""A Hugging Face seq2seq teacher that CTranslate2 cannot convert: uses transformers' `generate`, which is slower."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from distilmt.data.cleaning import normalize
from distilmt.inference.base import DEFAULT_DECODING, DecodingOptions, Hypothesis
from distilmt.inference.teacher_reference import TeacherReference
from distilmt.inference.tokenization import load_auto_tokenizer, names_as_text
from distilmt.utils.untrusted import check_configuration, loading

if TYPE_CHECKING:
    from torch import Tensor

_TOKENS, _SENTENCE_TOKENS = 4096, 64
"""Tokens of a batch over all beams, with padding, and the length that a sentence is assumed to have: `generate` keeps
keys and values of all beams in memory."""


class TransformersTeacher:
    """A model of transformers, in eval mode and without gradients; float32 on the CPU, bfloat16 on a GPU."""

    def __init__(self, facts: TeacherReference) -> None:
        """Load the model at `path`, from safetensors; the other facts are those of an export."""
        import torch
        from transformers import AutoModelForSeq2SeqLM

        self._torch, self._prefix = torch, facts.get("prefix", "")
        device = "cuda" if torch.cuda.is_available() else "cpu"
        dtype = torch.bfloat16 if device == "cuda" else torch.float32
        check_configuration(facts["path"])
        with loading(facts["path"]):
            model = AutoModelForSeq2SeqLM.from_pretrained(facts["path"], use_safetensors=True, dtype=dtype)
        self._model = model.eval().requires_grad_(False).to(device)
        self._tokenizer = load_auto_tokenizer(facts["path"])
        self._as_text = names_as_text(self._tokenizer)
        if "source_language" in facts:
            self._tokenizer.src_lang = facts["source_language"]
        self._first = (
            self._tokenizer.convert_tokens_to_ids(facts["target_prefix"]) if "target_prefix" in facts else None
        )
        self.max_length = int(facts["max_positions"]) - 1

    def hypotheses(self, texts: Sequence[str], options: DecodingOptions = DEFAULT_DECODING) -> list[list[Hypothesis]]:
        """As `TranslationModel.hypotheses`; the tokens of a hypothesis are the teacher's own."""
        sources = [normalize(text) for text in texts]
        rows = sorted((i for i, text in enumerate(sources) if text), key=lambda i: len(sources[i]))
        n_best_lists: list[list[Hypothesis]] = [[] for _ in texts]
        count, temperature = options.num_hypotheses, options.sampling_temperature
        width = max(options.beam_size, count)
        per_batch = (
            max(1, _TOKENS // _SENTENCE_TOKENS // width) if options.batch_type == "tokens" else options.batch_size
        )
        settings = {
            "num_beams": options.beams,
            "num_return_sequences": count,
            "length_penalty": options.length_penalty,
            **({"do_sample": True, "temperature": temperature, "top_k": 0} if temperature else {"do_sample": False}),
        }
        for begin in range(0, len(rows), per_batch):
            part = rows[begin : begin + per_batch]
            for row, row_hypotheses in zip(
                part, self._generate([sources[i] for i in part], count, settings), strict=True
            ):
                n_best_lists[row] = row_hypotheses
        return n_best_lists

    def translate(self, texts: Sequence[str], beam_size: int = 4, batch_size: int = 64) -> list[str]:
        """Best translation of each text, in order; empty for an empty text."""
        n_best_lists = self.hypotheses(texts, DecodingOptions(beam_size=beam_size, batch_size=batch_size))
        return [each[0].text if each else "" for each in n_best_lists]

    def _generate(self, texts: list[str], count: int, settings: Mapping[str, float]) -> list[list[Hypothesis]]:
        inputs = self._tokenizer(
            [self._prefix + self._as_text(text) for text in texts],
            return_tensors="pt",
            padding=True,
            truncation=True,
            max_length=self.max_length,
        ).to(self._model.device)
        with self._torch.inference_mode():
            output = self._model.generate(
                **inputs,
                **settings,
                **({} if self._first is None else {"forced_bos_token_id": self._first}),
                max_new_tokens=self.max_length,
                output_scores=True,
                return_dict_in_generate=True,
            )
        scores = getattr(output, "sequences_scores", None)
        values = [0.0] * len(output.sequences) if scores is None else scores.float().tolist()
        hypotheses = [self._hypothesis(ids, score) for ids, score in zip(output.sequences, values, strict=True)]
        return [hypotheses[i : i + count] for i in range(0, len(hypotheses), count)]

    def _hypothesis(self, ids: Tensor, score: float) -> Hypothesis:
        text = str(self._tokenizer.decode(ids, skip_special_tokens=True)).strip()
        return Hypothesis(text, self._tokenizer.tokenize(text), score)
