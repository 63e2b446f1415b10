"""Training with distilmt's own train step in all processes that torchrun starts, each on its shard of every batch.

Without torchrun it runs in one process. Takes the settings of `own` and prints the same line; with `updates` it also
prints the mean loss of each twenty-fifth of them.
"""

from __future__ import annotations

import sys
from itertools import count

from common import Clock, Spec, begun, given
from own import begin, training_set

from distilmt.training.batching import collate, epoch_batches, shard_batch
from distilmt.training.distributed import Ranks, current, main_process, worker_loop
from distilmt.utils.hardware import rank, world_size

_PARTS = 25


def work(spec: Spec, ranks: Ranks) -> tuple[Clock, list[float]]:
    model = begun(spec)
    data = training_set(spec, model)
    stepper, clock = begin(spec, model, ranks), Clock(spec)
    curve, nll, tokens, number = [], 0.0, 0, 0
    for epoch in count():
        for whole in epoch_batches(data, spec.batch_tokens, spec.seed, epoch):
            *own, place = shard_batch(data, *whole, ranks.rank, ranks.size)
            number += 1
            nll += float(stepper.update(number, *collate(data, *own), shard=place).nll)
            tokens += place.tokens
            if spec.updates and number % (spec.updates // _PARTS) == 0:
                curve.append(nll / tokens)
                nll, tokens = 0.0, 0
            if ranks.broadcast_numbers(clock.over(place.tokens))[0]:
                return clock, curve


def main(spec: Spec) -> None:
    together = current()
    clock, curve = work(together.broadcast_object(spec), together)
    clock.report({"curve": curve, "processes": together.size})


if __name__ == "__main__":
    if rank():
        sys.exit(worker_loop(work))
    if world_size() == 1:
        main(given())
    else:
        with main_process():
            main(given())
