"""Connectionist temporal classification (Graves et al. 2006): the encoder is to name the characters of its source."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn import functional as F

from distilmt.losses.records import Reading

BLANK = 0
"""The class of a position that reads no new character; those of characters follow."""


def ctc_loss(reading: Reading) -> Tensor:
    """Negative log-probability of the characters, summed over sources: a scalar, in float32.

    A source with more characters than positions cannot be read: it counts as zero.

    Raises:
        ValueError: a character has no class; PyTorch would write beyond its memory.
    """
    if reading.characters.numel() and int(reading.characters.max()) >= len(reading.weight):
        raise ValueError(f"character {int(reading.characters.max())} has no class among {len(reading.weight)}")
    logits = F.linear(reading.states, reading.weight.to(reading.states.dtype), reading.bias.to(reading.states.dtype))
    return F.ctc_loss(
        logits.float().log_softmax(-1).transpose(0, 1),  # [S, B, characters + 1]
        reading.characters,
        reading.state_lengths,
        reading.character_lengths,
        blank=BLANK,
        reduction="sum",
        zero_infinity=True,
    )


def head_rows(head: Mapping[str, Tensor], characters: str, alphabet: str) -> dict[str, Tensor]:
    """A trained projection for another alphabet: rows of the characters that it knows, initial ones of all others.

    Args:
        head: its parameters, as `initial_head` names them.
        characters: its alphabet, in the order of its rows after that of blank.
        alphabet: the other alphabet.
    """
    result = initial_head(len(alphabet), head["ctc.weight"].shape[1])
    rows = {character: row for row, character in enumerate(characters, 1)}
    shared = [(row, rows[character]) for row, character in enumerate(alphabet, 1) if character in rows]
    to_rows, from_rows = ([BLANK, *numbers] for numbers in (zip(*shared, strict=True) if shared else ((), ())))
    for name, values in result.items():
        values[to_rows] = head[name][from_rows].to(values.dtype)
    return result


def initial_head(characters: int, d_model: int) -> dict[str, Tensor]:
    """Initial projection from states to blank and characters: the same ones for the same sizes."""
    generator = torch.Generator().manual_seed(1)
    weight = torch.randn(characters + 1, d_model, generator=generator) / d_model**0.5
    return {"ctc.weight": weight, "ctc.bias": torch.zeros(characters + 1)}
