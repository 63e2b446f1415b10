"""Dynamic batching: sentences that arrive while a batch is translated, from all requests, form the next batch.

A sentence is a text, or a picture of one.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence, Sized
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Generic, TypeAlias, TypeVar

from distilmt.inference.base import Hypothesis
from distilmt.serving.errors import ApiError

T = TypeVar("T")
Sentence = TypeVar("Sentence", bound=Sized)
"""A text, or a picture [columns, height]."""
TranslateBatch: TypeAlias = Callable[[list[Sentence], int], list[list[Hypothesis]]]
_SENTENCES_PER_REQUEST = 32  # sentences of one request per turn, so that a large request does not block a small one
_CHARACTERS_PER_TOKEN = 3
"""Characters, or columns of a picture; an estimate, for batches only: exact counts would need the tokenizer on the
event loop, which must not block."""
_TOKENS_PER_SENTENCE = 8
"""Lower bound of what a waiting sentence adds to a batch, so that enough of them start it without waiting longer: real
sentences are longer, and a batch that is already full gains nothing from the window."""
_FIRST_RATE = 100.0
"""Sentences per second before the first batch is measured; it only estimates when a refused client may try again."""
_RATE_WEIGHT = 0.1
"""Weight of the newest batch in the moving average of the rate: about the last ten batches count, so that one batch of
long sentences does not change the estimate much."""


@dataclass
class BatchLimits:
    """Limits of the batching."""

    concurrency: int = 1
    """Batches translated at the same time, each on its own thread."""
    window: float = 0.003
    """Maximum seconds that a batch waits for more sentences, under concurrent requests."""
    tokens: int = 1024
    """Approximate tokens of a batch."""
    queue: int = 20000
    """Maximum number of waiting sentences."""


_Results: TypeAlias = list[list[Hypothesis]]
"""The hypotheses of every sentence."""


class _BatchRequest(Generic[Sentence]):
    """Sentences of one request."""

    __slots__ = ("count", "deadline", "future", "hypotheses", "left", "taken", "texts")

    def __init__(
        self, texts: Sequence[Sentence], count: int, deadline: float, future: asyncio.Future[_Results]
    ) -> None:
        self.texts, self.count, self.deadline, self.future = texts, count, deadline, future
        self.hypotheses: _Results = [[] for _ in texts]
        self.taken, self.left = 0, len(texts)


class Batcher(Generic[Sentence]):
    """One model's queue. All methods are called on the event loop; only `translate` runs on threads."""

    def __init__(
        self,
        translate: TranslateBatch[Sentence],
        limits: BatchLimits,
        on_batch: Callable[[int, float], None] | None = None,
    ) -> None:
        """Start with an empty queue.

        Args:
            translate: maps texts and the number of hypotheses per text to hypotheses, in order.
            limits: limits of the batching.
            on_batch: called after every batch with its number of sentences and its seconds.
        """
        self._translate, self._limits, self._on_batch = translate, limits, on_batch
        self._threads = ThreadPoolExecutor(limits.concurrency, "batch")
        self._jobs: deque[_BatchRequest[Sentence]] = deque()
        self.waiting = 0
        self.running = 0
        self._has_several_requests = False  # whether the last batch had sentences of more than one request
        self._timer: asyncio.TimerHandle | None = None
        self._rate = _FIRST_RATE  # sentences per second, a moving average

    def submit(self, texts: Sequence[Sentence], count: int, deadline: float) -> asyncio.Future[_Results]:
        """Translations of each text, best first.

        Args:
            texts: a sentence each, not empty; or pictures.
            count: hypotheses per sentence.
            deadline: `time.monotonic()` after which the request is dropped.

        Raises:
            ApiError: the queue is full (503), or the request has more sentences than it holds (400).
        """
        if self.waiting + len(texts) > self._limits.queue:
            if len(texts) > self._limits.queue:
                raise ApiError(400, f"Invalid request: {len(texts)} sentences exceed the limit ({self._limits.queue})")
            raise ApiError(503, "The server is busy: try again later", self.waiting / self._rate)
        future: asyncio.Future[_Results] = asyncio.get_running_loop().create_future()
        if not texts:
            future.set_result([])
            return future
        self._jobs.append(_BatchRequest(texts, count, deadline, future))
        self.waiting += len(texts)
        self._schedule()
        return future

    def run_in_executor(self, work: Callable[[], T]) -> asyncio.Future[T]:
        """Run other work with the model on one of the translation threads."""
        return asyncio.get_running_loop().run_in_executor(self._threads, work)

    def close(self) -> None:
        """Stop the threads; no request may be waiting."""
        self._threads.shutdown(wait=False)

    def _schedule(self) -> None:
        """Start a batch if a thread is free: at once, or after the window if more sentences are likely to arrive."""
        if self._timer is not None or self.running >= self._limits.concurrency or not self._jobs:
            return
        if not self._has_several_requests or self.waiting * _TOKENS_PER_SENTENCE >= self._limits.tokens:
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

    def _next_batch(self) -> list[tuple[_BatchRequest[Sentence], int]]:
        """Sentences of the next batch: some of every request in turn, up to the limit of tokens."""
        batch: list[tuple[_BatchRequest[Sentence], int]] = []
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

    def _is_expired(self, job: _BatchRequest[Sentence], now: float) -> bool:
        """Whether a job was canceled or is past its deadline; its waiting sentences are then removed."""
        if job.future.done() or now > job.deadline:
            self.waiting -= len(job.texts) - job.taken
            if not job.future.done():
                job.future.set_exception(ApiError(503, "The server is busy: try again later", 1.0))
            return True
        return False

    def _run(self, batch: list[tuple[_BatchRequest[Sentence], int]]) -> list[list[Hypothesis]]:
        """Translate a batch, in its order. Runs on a thread."""
        results: list[list[Hypothesis]] = [[]] * len(batch)
        for count in sorted({job.count for job, _ in batch}):
            rows = [row for row, (job, _) in enumerate(batch) if job.count == count]
            translations = self._translate([batch[row][0].texts[batch[row][1]] for row in rows], count)
            for row, hypotheses in zip(rows, translations, strict=True):
                results[row] = hypotheses
        return results

    def _finish(
        self,
        batch: list[tuple[_BatchRequest[Sentence], int]],
        batch_future: asyncio.Future[_Results],
        seconds: float,
    ) -> None:
        self.running -= 1
        self._rate += _RATE_WEIGHT * (len(batch) / max(seconds, 1e-6) * self._limits.concurrency - self._rate)
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
