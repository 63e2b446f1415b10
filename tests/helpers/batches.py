"""Batches in other forms."""

from __future__ import annotations

import torch
from torch.nn.utils.rnn import pad_sequence

from distilmt.models.batch import Batch


def padded(batch: Batch, pad: int) -> dict[str, torch.Tensor]:
    """A batch as transformers wants it. Logits [B, T] of its words, in the batch's order: `logits[target_mask]`."""
    lengths = [words.sentences.bincount().tolist() for words in (batch.source, batch.target)]
    columns = ((batch.source.ids, lengths[0], pad), (batch.decoder_input, lengths[1], pad))
    columns += ((torch.ones_like(batch.source.ids), lengths[0], 0), (torch.ones_like(batch.target.ids), lengths[1], 0))
    result = [pad_sequence(list(c.split(sizes)), batch_first=True, padding_value=value) for c, sizes, value in columns]
    return dict(zip(("input_ids", "decoder_input_ids", "attention_mask", "target_mask"), result, strict=True))
