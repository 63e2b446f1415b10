"""Forced decoding: token scores of given translations (teacher forcing)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
import torch
from torch import Tensor

from distilmt.data.tokenizer import Tokenizer
from distilmt.models.base import Seq2SeqModel
from distilmt.models.batch import Batch, make_batch, make_frame_batch
from distilmt.models.device import pick_device, use_threads
from distilmt.models.frames import FRAMES_PER_POSITION
from distilmt.teachers.top_k import SCORING_ROWS, SCORING_TOKENS
from distilmt.training.batching import Ragged, token_batches
from distilmt.utils.statistics import expected_calibration_error


@dataclass
class TokenScores:
    """Scores of every target token of every translation, sentences concatenated: [positions] each."""

    nll: np.ndarray
    """Negative natural log-probability of the target token."""
    entropy: np.ndarray
    """Entropy of the model's distribution, nats."""
    confidence: np.ndarray
    """Probability of the model's most likely token."""
    likeliest: np.ndarray
    """Id of that token."""
    ids: np.ndarray
    """Id of the target token."""
    lengths: np.ndarray
    """[sentences]: number of positions of each."""
    rows: np.ndarray
    """[sentences]: index into the given sentences; those too long for the model are missing."""

    def accuracy(self) -> float:
        """Share of positions where the most likely token is the target token."""
        return float((self.likeliest == self.ids).mean())

    def calibration_error(self) -> float:
        """Expected calibration error (Guo et al. 2017): mean |accuracy − confidence| over 15 bins of equal width."""
        return expected_calibration_error(self.confidence, self.likeliest == self.ids)

    def probabilities(self) -> np.ndarray:
        """Probability of every translation, [sentences]."""
        rows = np.repeat(np.arange(len(self.lengths)), self.lengths)
        return np.exp(-np.bincount(rows, self.nll, len(self.lengths)))

    def mean_logprobs(self) -> np.ndarray:
        """Mean log-probability of the tokens of every translation, [sentences]."""
        rows = np.repeat(np.arange(len(self.lengths)), self.lengths)
        return -np.bincount(rows, self.nll, len(self.lengths)) / self.lengths


class _Texts:
    """Sources that are sentences."""

    def __init__(self, texts: Sequence[str], tokenizer: Tokenizer) -> None:
        self.ids, self.pad = Ragged.of(tokenizer.source.encode(list(texts))), tokenizer.pad
        self.lengths = self.ids.lengths

    def batch(self, rows: np.ndarray, target: np.ndarray, target_lengths: np.ndarray) -> Batch:
        """Some of them with their target tokens."""
        flat = self.ids.flat[self.ids.positions(rows)].astype(np.int64)
        return make_batch(flat, self.lengths[rows], target, target_lengths, self.pad)


class _Frames:
    """Sources that are frames, such as those of pictures."""

    def __init__(self, frames: Sequence[np.ndarray], tokenizer: Tokenizer) -> None:
        self.frames, self.pad = frames, tokenizer.pad
        self.lengths = np.array([-(-len(each) // FRAMES_PER_POSITION) for each in frames], dtype=np.int64)

    def batch(self, rows: np.ndarray, target: np.ndarray, target_lengths: np.ndarray) -> Batch:
        """As `_Texts.batch`."""
        return make_frame_batch([self.frames[row] for row in rows], target, target_lengths, self.pad)


def force_decode(
    model: Seq2SeqModel, tokenizer: Tokenizer, sources: Sequence[str] | Sequence[np.ndarray], targets: Sequence[str]
) -> TokenScores:
    """Score translations with a model; sentences too long for it are left out.

    Args:
        model: float32; it is put into eval mode.
        tokenizer: the model's.
        sources: one sentence each; for a model that reads frames its frames, [frames, frame size] float32.
        targets: their translations.
    """
    device = pick_device()
    model.eval().requires_grad_(False).to(device)
    use_threads()
    source = _sources(model, tokenizer, sources)
    target = Ragged.of(tokenizer.target.encode(list(targets)))
    widths = np.maximum(source.lengths, target.lengths)
    rows = np.flatnonzero(widths <= model.dimensions.max_positions)
    batches = token_batches(source.lengths[rows], target.lengths[rows], SCORING_TOKENS)
    parts = [_force_decode_batch(model, source, target, rows[part]) for part in batches]
    names = [field.name for field in fields(TokenScores)]
    return TokenScores(**{name: np.concatenate([getattr(part, name) for part in parts]) for name in names})


def _sources(
    model: Seq2SeqModel, tokenizer: Tokenizer, sources: Sequence[str] | Sequence[np.ndarray]
) -> _Texts | _Frames:
    if model.reads_frames:
        return _Frames([each for each in sources if isinstance(each, np.ndarray)], tokenizer)
    return _Texts([each for each in sources if isinstance(each, str)], tokenizer)


@torch.inference_mode()
def _force_decode_batch(model: Seq2SeqModel, source: _Texts | _Frames, target: Ragged, rows: np.ndarray) -> TokenScores:
    ids = target.flat[target.positions(rows)].astype(np.int64)
    lengths, device = target.lengths[rows], model.device
    hidden = model.decoder_states(source.batch(rows, ids, lengths).to(device))
    chunks = [slice(begin, begin + SCORING_ROWS) for begin in range(0, len(ids), SCORING_ROWS)]
    columns = zip(*(_columns(model, hidden[c], torch.from_numpy(ids[c]).to(device)) for c in chunks), strict=True)
    nll, entropy, confidence, likeliest = (torch.cat(column).cpu().numpy() for column in columns)
    return TokenScores(nll, entropy, confidence, likeliest, ids, lengths, rows)


def _columns(model: Seq2SeqModel, hidden: Tensor, ids: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """NLL, entropy, confidence and likeliest token, [n] each, of states [n, d] and target ids [n]."""
    logs = torch.log_softmax(model.logits(hidden), -1)  # [n, V]
    best = logs.max(-1)
    entropy = -(logs.exp() * logs).sum(-1)
    return -logs.gather(1, ids[:, None])[:, 0], entropy, best.values.exp(), best.indices
