"""Sharding of the optimizer: each rank stores master weights, moments and averages of its own part only.

ZeRO, stage 1 (Rajbhandari et al. 2020), on one flat vector. Adam's part is split anywhere. Muon's matrices are assigned
whole, so that their matrix products are computed once. Every rank has all weights in the model's precision.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from distilmt.training.distributed import Ranks
from distilmt.training.muon import Stack


@dataclass
class Shards:
    """A flat vector [n], split between ranks. A rank's own vector is its part of the head, then of every stack."""

    ranks: Ranks
    head: int
    """Elements before the first stack."""
    stacks: list[Stack]

    def own(self, flat: Tensor) -> Tensor:
        """This rank's part [own] of a flat vector [n]; the vector itself if there is one rank."""
        if self.ranks.size == 1:
            return flat
        return torch.cat([flat[begin:end] for begin, end in self._spans(self.ranks.rank)])

    def whole(self, own: Tensor) -> Tensor:
        """All-gather: the flat vector [n] from every rank's own part [own]."""
        if self.ranks.size == 1:
            return own
        spans_by_rank = [self._spans(rank) for rank in range(self.ranks.size)]
        parts = self.ranks.all_gather(own, [sum(end - begin for begin, end in spans) for spans in spans_by_rank])
        flat = own.new_empty(sum(map(len, parts)))
        for part, spans in zip(parts, spans_by_rank, strict=True):
            for (begin, end), values in zip(spans, part.split([end - begin for begin, end in spans]), strict=True):
                flat[begin:end] = values
        return flat

    def own_head(self, head: Tensor) -> Tensor:
        """`own` for a vector of the head only: [head] -> [own head]."""
        return head[slice(*self._head(self.ranks.rank))]

    def whole_head(self, own: Tensor) -> Tensor:
        """`whole` for a vector of the head only: [own head] -> [head]."""
        return torch.cat(self.ranks.all_gather(own, self.heads()))

    def heads(self) -> list[int]:
        """Number of elements of the head per rank."""
        spans = map(self._head, range(self.ranks.size))
        return [end - begin for begin, end in spans]

    def own_stacks(self) -> list[Stack]:
        """This rank's stacks of matrices, with positions in its own vector."""
        first, stacks = self.heads()[self.ranks.rank], []
        for stack in self.stacks:
            begin, end = self._matrices(stack, self.ranks.rank)
            if begin < end:
                stacks.append(replace(stack, begin=first, count=end - begin))
                first = stacks[-1].end
        return stacks

    def _spans(self, rank: int) -> list[tuple[int, int]]:
        spans = [self._head(rank)]
        for stack in self.stacks:
            size = stack.rows * stack.columns
            begin, end = self._matrices(stack, rank)
            spans.append((stack.begin + begin * size, stack.begin + end * size))
        return spans

    def _head(self, rank: int) -> tuple[int, int]:
        return _share(self.head, rank, self.ranks.size)

    def _matrices(self, stack: Stack, rank: int) -> tuple[int, int]:
        return _share(stack.count, rank, self.ranks.size)


def _share(count: int, rank: int, size: int) -> tuple[int, int]:
    return count * rank // size, count * (rank + 1) // size
