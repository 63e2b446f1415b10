"""CTC against the sum over all alignments."""

from __future__ import annotations

from dataclasses import replace
from itertools import groupby, product

import pytest
import torch
from torch import Tensor

from distilmt.losses.ctc import BLANK, ctc_loss, initial_head
from distilmt.losses.records import Reading

CHARACTERS, WIDTH = 2, 6


def reading(targets: list[list[int]], lengths: list[int]) -> Reading:
    head = initial_head(CHARACTERS, WIDTH)
    states = torch.randn(len(targets), max(lengths), WIDTH, generator=torch.Generator().manual_seed(3))
    return Reading(
        states=states.requires_grad_(),
        state_lengths=torch.tensor(lengths),
        characters=torch.tensor([each for target in targets for each in target]),
        character_lengths=torch.tensor([len(target) for target in targets]),
        weight=head["ctc.weight"],
        bias=head["ctc.bias"],
    )


def alignments(states: Tensor, of: Reading, target: list[int]) -> Tensor:
    """Minus the logarithm of the sum of the probabilities of all alignments, by their definition."""
    logprobs = (states @ of.weight.T + of.bias).log_softmax(-1)  # [S, classes]
    total = []
    for path in product(range(CHARACTERS + 1), repeat=len(logprobs)):
        if [each for each, _ in groupby(path) if each != BLANK] == target:
            total.append(sum(logprobs[position, each] for position, each in enumerate(path)))
    return -torch.stack(total).logsumexp(0)


def test_it_is_the_sum_over_all_alignments() -> None:
    targets, lengths = [[1, 1], [2], [1, 2, 1]], [4, 2, 5]
    batch = reading(targets, lengths)
    expected = torch.stack(
        [alignments(batch.states[i, :length], batch, targets[i]) for i, length in enumerate(lengths)]
    ).sum()
    loss = ctc_loss(batch)
    torch.testing.assert_close(loss, expected)
    (own,), (reference,) = (torch.autograd.grad(value, batch.states) for value in (loss, expected))
    torch.testing.assert_close(own, reference, atol=1e-5, rtol=1e-4)


def test_more_characters_than_positions_count_as_zero() -> None:
    batch = reading([[1, 1, 1]], [4])  # two equal characters need a blank between them
    assert ctc_loss(batch).item() == 0
    assert ctc_loss(replace(batch, characters=torch.tensor([1, 2, 1]))).item() > 0


def test_a_character_without_a_class_is_an_error_instead_of_memory_corruption() -> None:
    with pytest.raises(ValueError, match="character 3 has no class among 3"):
        ctc_loss(reading([[1, 3]], [4]))
