"""Which rank looks after which weights: masters, moments and averages are kept once, not by every rank.

ZeRO, stage 1 (Rajbhandari et al. 2020), on one flat vector. What Adam has is cut anywhere; Muon's matrices are dealt
out whole, so that its matrix products, too, are done once. Every rank has the weights that the model computes with.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from distilmt.training.distributed import Ranks
from distilmt.training.muon import Stack


@dataclass
class Shards:
    """A flat vector dealt out to ranks. A rank's own vector is its share of the head, then of every stack."""

    ranks: Ranks
    head: int
    """Elements before the first stack."""
    stacks: list[Stack]

    def own(self, flat: Tensor) -> Tensor:
        """This rank's part of a flat vector: the vector itself where a rank is alone."""
        if self.ranks.size == 1:
            return flat
        return torch.cat([flat[begin:end] for begin, end in self._spans(self.ranks.rank)])

    def whole(self, own: Tensor) -> Tensor:
        """The flat vector of which every rank gives its own part."""
        if self.ranks.size == 1:
            return own
        spans_by_rank = [self._spans(rank) for rank in range(self.ranks.size)]
        parts = self.ranks.all_gather(own, [sum(end - begin for begin, end in spans) for spans in spans_by_rank])
        flat = own.new_empty(sum(map(len, parts)))
        for part, spans in zip(parts, spans_by_rank, strict=True):
            for (begin, end), piece in zip(spans, part.split([end - begin for begin, end in spans]), strict=True):
                flat[begin:end] = piece
        return flat

    def own_head(self, head: Tensor) -> Tensor:
        """`own` of a vector that has the head alone."""
        return head[slice(*self._head(self.ranks.rank))]

    def whole_head(self, own: Tensor) -> Tensor:
        """`whole` of a vector that has the head alone."""
        return torch.cat(self.ranks.all_gather(own, self.heads()))

    def heads(self) -> list[int]:
        """How many elements of the head each rank has."""
        spans = map(self._head, range(self.ranks.size))
        return [end - begin for begin, end in spans]

    def own_stacks(self) -> list[Stack]:
        """The matrices of this rank, where they lie in its own vector."""
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
