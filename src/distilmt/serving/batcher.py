"""Sentences of all requests, translated together: what has come while a batch was under way makes the next one."""

from __future__ import annotations

import asyncio
import math
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

from distilmt.inference.base import Hypothesis
from distilmt.serving.errors import ApiError

TranslateBatch = Callable[[list[str], int], list[list[Hypothesis]]]
T = TypeVar("T")
_SENTENCES_PER_REQUEST = 32  # sentences of a request in a batch, while others wait: a book must not keep a word waiting
_CHARACTERS_PER_TOKEN = 3


@dataclass
class BatchLimits:
    """How batches are made."""

    concurrency: int = 1
    """Batches translated at a time, on a thread each."""
    window: float = 0.003
    """Seconds a sentence may wait for company, while others come."""
    tokens: int = 1024
    """Pieces of a batch, about."""
    queue: int = 20000
    """Sentences that wait at most."""


class _BatchRequest:
    """Sentences of one request."""

    __slots__ = ("count", "deadline", "future", "hypotheses", "left", "taken", "texts")

    def __init__(self, texts: Sequence[str], count: int, deadline: float, future: asyncio.Future[Any]) -> None:
        self.texts, self.count, self.deadline, self.future = texts, count, deadline, future
        self.hypotheses: list[Any] = [None] * len(texts)
        self.taken, self.left = 0, len(texts)


class Batcher:
    """One model's queue. All methods are called on the event loop; only `translate` runs on threads."""

    def __init__(
        self, translate: TranslateBatch, limits: BatchLimits, on_batch: Callable[[int, float], None] | None = None
    ) -> None:
        """Start with an empty queue.

        Args:
            translate: texts, and how many translations of each, to translations in order.
            limits: how batches are made.
            on_batch: called after every batch with its sentences and seconds.
        """
        self._translate, self._limits, self._on_batch = translate, limits, on_batch
        self._threads = ThreadPoolExecutor(limits.concurrency, "batch")
        self._jobs: deque[_BatchRequest] = deque()
        self.waiting = 0
        self.running = 0
        self._has_several_requests = False  # whether the last batch held sentences of more than one request
        self._timer: asyncio.TimerHandle | None = None
        self._rate = 100.0  # sentences a second, of late

    def submit(self, texts: Sequence[str], count: int, deadline: float) -> asyncio.Future[list[list[Hypothesis]]]:
        """Translations of each text, best first.

        Args:
            texts: a sentence each, not empty.
            count: translations of each.
            deadline: `time.monotonic()` after which nobody wants to know.

        Raises:
            Refused: too much waits already (503).
        """
        if self.waiting + len(texts) > self._limits.queue:
            if len(texts) > self._limits.queue:
                raise ApiError(400, f"Invalid request: {len(texts)} sentences exceed the limit ({self._limits.queue})")
            raise ApiError(503, "The server is busy: try again later", self.waiting / self._rate)
        future: asyncio.Future[list[list[Hypothesis]]] = asyncio.get_running_loop().create_future()
        if not texts:
            future.set_result([])
            return future
        self._jobs.append(_BatchRequest(texts, count, deadline, future))
        self.waiting += len(texts)
        self._schedule()
        return future

    def run_in_executor(self, work: Callable[[], T]) -> asyncio.Future[T]:
        """Do something else with the model, on one of the threads that translate."""
        return asyncio.get_running_loop().run_in_executor(self._threads, work)

    def close(self) -> None:
        """Let the threads go; nothing may wait any more."""
        self._threads.shutdown(wait=False)

    def _schedule(self) -> None:
        """Start a batch if a thread is free: at once, or a little later where company is likely."""
        if self._timer is not None or self.running >= self._limits.concurrency or not self._jobs:
            return
        if not self._has_several_requests or self.waiting * 8 >= self._limits.tokens:
            self._start()
        else:
            self._timer = asyncio.get_running_loop().call_later(self._limits.window, self._start)

    def _start(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        batch = self._next_batch()
        if not batch:
            return
        self.running += 1
        loop = asyncio.get_running_loop()
        begun = time.monotonic()
        work = loop.run_in_executor(self._threads, self._run, batch)
        work.add_done_callback(lambda done: self._finish(batch, done, time.monotonic() - begun))
        self._schedule()

    def _next_batch(self) -> list[tuple[_BatchRequest, int]]:
        """Sentences of the next batch: some of every request in turn, until there are tokens enough."""
        batch: list[tuple[_BatchRequest, int]] = []
        tokens, jobs, now = 0, 0, time.monotonic()
        while self._jobs and tokens < self._limits.tokens:
            job = self._jobs.popleft()
            if self._is_expired(job, now):
                continue
            jobs += 1
            end = min(job.taken + _SENTENCES_PER_REQUEST, len(job.texts))
            for index in range(job.taken, end):
                batch.append((job, index))
                tokens += 2 + len(job.texts[index]) // _CHARACTERS_PER_TOKEN
            self.waiting -= end - job.taken
            job.taken = end
            if end < len(job.texts):
                self._jobs.append(job)
        self._has_several_requests = jobs > 1
        return batch

    def _is_expired(self, job: _BatchRequest, now: float) -> bool:
        """Whether nobody waits for a job any more, or has waited too long."""
        if job.future.done() or now > job.deadline:
            self.waiting -= len(job.texts) - job.taken
            if not job.future.done():
                job.future.set_exception(ApiError(503, "The server is busy: try again later", 1.0))
            return True
        return False

    def _run(self, batch: list[tuple[_BatchRequest, int]]) -> list[list[Hypothesis]]:
        """On a thread: the translations of a batch, in its order."""
        results: list[list[Hypothesis]] = [[]] * len(batch)
        for count in sorted({job.count for job, _ in batch}):
            rows = [row for row, (job, _) in enumerate(batch) if job.count == count]
            translations = self._translate([batch[row][0].texts[batch[row][1]] for row in rows], count)
            for row, hypotheses in zip(rows, translations, strict=True):
                results[row] = hypotheses
        return results

    def _finish(
        self, batch: list[tuple[_BatchRequest, int]], batch_future: asyncio.Future[Any], seconds: float
    ) -> None:
        self.running -= 1
        self._rate += 0.1 * (len(batch) / max(seconds, 1e-6) * self._limits.concurrency - self._rate)
        if self._on_batch:
            self._on_batch(len(batch), seconds)
        error = batch_future.exception()
        for position, (job, index) in enumerate(batch):
            if job.future.done():
                continue
            if error is not None:
                job.future.set_exception(error)
                continue
            job.hypotheses[index] = batch_future.result()[position]
            job.left -= 1
            if not job.left:
                job.future.set_result(job.hypotheses)
        self._schedule()

    def seconds_waiting(self) -> float:
        """About how long a sentence that came now would wait."""
        return self.waiting / self._rate if math.isfinite(self._rate) else 0.0
