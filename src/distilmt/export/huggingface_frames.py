"""Models of Whisper's architecture in transformers: what pictures and speech have in common."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from transformers import AutoTokenizer, WhisperForConditionalGeneration

from distilmt.data.tokenizer import Tokenizer
from distilmt.models.checkpoint import write_tokenizer
from distilmt.models.frames import FRAMES_PER_POSITION
from distilmt.models.whisper import WhisperModel
from distilmt.models.whisper_checkpoint import generation_config


def write_whisper(model: WhisperModel, tokenizer: Tokenizer, directory: Path, dtype: str) -> None:
    """Write the weights in a type of PyTorch, and the files of the tokenizer."""
    network = copy.deepcopy(model.network).to(getattr(torch, dtype))
    network.generation_config = generation_config(network)
    network.save_pretrained(directory)
    write_tokenizer(tokenizer, directory, model.dimensions.max_positions)


@torch.inference_mode()
def translations_of_frames(
    directory: Path, sources: Iterable[np.ndarray | None], most_tokens: Callable[[int], int]
) -> list[str]:
    """Translate frames with a directory in safetensors and transformers' `generate`, greedily.

    Args:
        directory: an export, or a student of a run.
        sources: [frames, frame size] float32 each, at most as long as the model has positions; None where there is
            nothing to translate.
        most_tokens: how many tokens the translation of so many frames has at most.
    """
    model = WhisperForConditionalGeneration.from_pretrained(directory, use_safetensors=True, dtype=torch.float32).eval()
    model.generation_config.max_length = None  # every source has a bound of its own
    tokenizer = AutoTokenizer.from_pretrained(directory, trust_remote_code=False)
    positions = model.model.encoder.embed_positions.weight.data
    translations = []
    for frames in sources:
        most = 0 if frames is None else min(len(positions) - 1, most_tokens(len(frames)))
        ids = [] if frames is None else _generated(model, frames, positions, most)
        translations.append(str(tokenizer.decode(ids, skip_special_tokens=True)))
    return translations


def _generated(
    model: WhisperForConditionalGeneration, frames: np.ndarray, positions: torch.Tensor, most: int
) -> list[int]:
    """Greedy tokens of one source; transformers accepts one length only, which is set to that of the source."""
    frames = frames[: FRAMES_PER_POSITION * len(positions)]
    length = -(-len(frames) // FRAMES_PER_POSITION)
    network: Any = model
    network.config.max_source_positions = length
    network.model.encoder.embed_positions = nn.Embedding.from_pretrained(positions[:length])
    features = torch.from_numpy(np.ascontiguousarray(frames.T[None]))  # [1, frame size, frames]
    ids = network.generate(features, num_beams=1, do_sample=False, max_new_tokens=most)[0].tolist()
    return [number for number in ids if number < network.config.pad_token_id]
