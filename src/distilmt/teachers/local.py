"""Teachers on this machine: Marian directories (trained here or OPUS-MT), and any other Hugging Face seq2seq model."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from transformers import AutoConfig, MarianMTModel

from distilmt.errors import UserError
from distilmt.integrity import check_step, remedy
from distilmt.rundir import fingerprint_files
from distilmt.students.presets import zero_pad
from distilmt.tokenizer import Tokenizer
from distilmt.training.device import pick_device, pick_dtype, use_threads
from distilmt.training.forward import Batch, decoder_states
from distilmt.untrusted import check_configuration, loading

_CHUNK = 512


def load_marian(directory: str | Path) -> MarianMTModel:
    """A Marian model from safetensors, in eval mode and without gradients.

    Raises:
        UserError: nothing loadable is there, it is not a Marian model, or files are not as a run wrote them.
    """
    place = Path(directory)
    check_step(place)
    check_configuration(directory)
    if place.is_dir():
        _check_type(place)
    try:
        with loading(directory):
            loaded: Any = MarianMTModel.from_pretrained(
                directory, use_safetensors=True, dtype=torch.float32, output_loading_info=True
            )
    except UserError as error:
        raise UserError(_refusal(place, str(error).partition("cannot be loaded: ")[2])) from None
    model: MarianMTModel = loaded[0]
    if any(".layers." in key for keys in ("missing_keys", "unexpected_keys") for key in loaded[1][keys]):
        raise UserError(_refusal(place, "its weights have other layers than config.json says"))
    zero_pad(model)
    return model.eval().requires_grad_(False)


def _check_type(directory: Path) -> None:
    """transformers would take any type for Marian, and build a model of its default size where nothing is said."""
    file = directory / "config.json"
    if not file.is_file():
        raise UserError(f"{file} is missing: {remedy(directory)}")
    try:
        kind = json.loads(file.read_bytes()).get("model_type", "marian")
    except ValueError:
        return  # transformers refuses it
    if kind != "marian":
        raise UserError(_refusal(directory, f"config.json has the model_type {kind!r}"))


def _refusal(directory: Path, reason: str) -> str:
    if "ignore_mismatched_sizes" in reason:
        reason = "its weights have other shapes than config.json says"
    return f"{directory} is not a Marian model in safetensors: {reason.rstrip('.')}: {remedy(directory)}"


def family(path: str) -> str:
    """The architecture of a model directory or hub name (`marian`, `t5`, `m2m_100`, …).

    Raises:
        UserError: there is no model of that name.
    """
    check_configuration(path)
    with loading(path):
        config = AutoConfig.from_pretrained(path, trust_remote_code=False)
    if not config.is_encoder_decoder:
        raise UserError(f"teacher {path!r} is a {config.model_type} model: name a sequence-to-sequence model")
    return str(config.model_type)


def weights_fingerprint(directory: Path) -> str:
    """Stands for a model directory's weights and configuration."""
    files = sorted([*directory.glob("*.safetensors"), *directory.glob("*config.json")])
    if not any(f.suffix == ".safetensors" for f in files):
        raise UserError(f"{directory} holds no .safetensors weights: convert the model with `save_pretrained` first")
    return fingerprint_files(*files)


@dataclass
class WordScorer:
    """Asks Marian teachers how likely every word was: top-k log-probabilities with teacher forcing.

    Of several teachers with the same pieces the probabilities are averaged (an ensemble, Freitag et al. 2017).

    Raises:
        UserError: more words are wanted than the teachers have.
    """

    models: list[MarianMTModel]
    tokenizer: Tokenizer
    top_k: int

    def __post_init__(self) -> None:
        words = min(len(model.lm_head.weight) - 1 for model in self.models)
        if self.top_k > words:
            raise UserError(f"labels.top_k is {self.top_k}, but the teacher has only {words} words: set it to {words}")
        # Both are invariants of every answer: dropout or gradients here would silently spoil all labels.
        self.device = pick_device()
        for model in self.models:
            model.eval().requires_grad_(False)
            model.to(self.device, pick_dtype("auto", self.device))  # type: ignore[arg-type, call-overload]

    @property
    def max_length(self) -> int:
        """Longest sequence all teachers can read."""
        return min(int(model.config.max_position_embeddings) for model in self.models)

    @torch.inference_mode()
    def __call__(self, batch: Batch) -> tuple[np.ndarray, np.ndarray]:
        """Top-k of the teachers' distribution at every target word.

        Returns:
            Ids [N, k] int64 and natural log-probabilities [N, k] float16, likeliest first.
        """
        use_threads()
        hidden = [decoder_states(model, batch.to(self.device)) for model in self.models]
        answers = [self._top([h[i : i + _CHUNK] for h in hidden]) for i in range(0, len(hidden[0]), _CHUNK)]
        ids, values = (torch.cat(parts).cpu().numpy() for parts in zip(*answers, strict=True))
        return ids, values.astype(np.float16)

    def _top(self, hidden: list[Tensor]) -> tuple[Tensor, Tensor]:
        logits = [_logits(model, states) for model, states in zip(self.models, hidden, strict=True)]
        if len(logits) > 1:
            logits = [torch.stack([each.log_softmax(-1) for each in logits]).logsumexp(0)]
        values, ids = logits[0].topk(self.top_k)
        return ids, values - logits[0].logsumexp(-1, keepdim=True)


def _logits(model: MarianMTModel, states: Tensor) -> Tensor:
    """Float32 logits without the row of <pad>, which is last: it can be no word's answer."""
    logits = states @ model.lm_head.weight[:-1].T
    return logits.float() + model.final_logits_bias[0, :-1].float()
