import asyncio
import threading
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from distilmt.inference.base import Hypothesis
from distilmt.serving.batcher import Batcher, BatchLimits
from distilmt.serving.errors import ApiError

FOREVER = float("inf")


def echo(texts, count):
    return [[Hypothesis(f"{text}!{n}", [], -1.0) for n in range(count)] for text in texts]


def message(responses):
    return [[hypothesis.text for hypothesis in result] for result in responses]


@settings(max_examples=30, deadline=None)
@given(
    jobs=st.lists(st.tuples(st.lists(st.text(max_size=30), max_size=80), st.integers(1, 3)), max_size=20),
    threads=st.integers(1, 3),
    tokens=st.integers(1, 200),
)
def test_every_request_gets_its_own_sentences_in_order(jobs, threads, tokens):
    async def run():
        batcher = Batcher(echo, BatchLimits(threads, 0.0005, tokens, 10**6))
        responses = await asyncio.gather(*(batcher.submit(texts, count, FOREVER) for texts, count in jobs))
        assert batcher.waiting == 0 and batcher.running == 0
        batcher.close()
        return responses

    for (texts, count), responses in zip(jobs, asyncio.run(run()), strict=True):
        assert message(responses) == message(echo(texts, count))


def test_requests_share_batches_and_a_long_one_lets_short_ones_through():
    batches = []
    free = threading.Event()

    def slow(texts, count):
        batches.append(list(texts))
        free.wait(5)
        return echo(texts, count)

    async def run():
        batcher = Batcher(slow, BatchLimits(1, 0.001, 400, 10**6))
        first = batcher.submit(["first"], 1, FOREVER)
        book = batcher.submit([f"book {i}" for i in range(500)], 1, FOREVER)
        word = batcher.submit(["word"], 1, FOREVER)
        await asyncio.sleep(0.05)
        free.set()
        await asyncio.gather(first, book, word)
        batcher.close()

    asyncio.run(run())
    assert batches[0] == ["first"], "nobody else was there: it did not wait for company"
    assert "word" in batches[1] and len(batches[1]) > 1, "and the next batch holds both requests"


def test_a_full_queue_refuses_whole_requests_and_states_when_to_come_again():
    free = threading.Event()

    def slow(texts, count):
        free.wait(5)
        return echo(texts, count)

    async def run():
        batcher = Batcher(slow, BatchLimits(1, 0, 10, 5))
        running = batcher.submit(["a"], 1, FOREVER)
        waiting = batcher.submit(["b"] * 4, 1, FOREVER)
        with pytest.raises(ApiError) as refused:
            batcher.submit(["c"] * 2, 1, FOREVER)
        assert refused.value.status == 503 and int(refused.value.headers["Retry-After"]) >= 1
        with pytest.raises(ApiError) as refused:
            batcher.submit(["c"] * 6, 1, FOREVER)
        assert refused.value.status == 400, "it would never fit"
        free.set()
        assert len(await running) == 1 and len(await waiting) == 4
        assert message(await batcher.submit(["c"] * 5, 1, FOREVER)) == [["c!0"]] * 5
        batcher.close()

    asyncio.run(run())


def test_who_waited_too_long_or_left_is_not_translated():
    seen = []
    free = threading.Event()

    def slow(texts, count):
        seen.extend(texts)
        free.wait(5)
        return echo(texts, count)

    async def run():
        batcher = Batcher(slow, BatchLimits(1, 0, 10, 100))
        running = batcher.submit(["a"], 1, FOREVER)
        late = batcher.submit(["late"], 1, time.monotonic() - 1)
        gone = batcher.submit(["gone"], 1, FOREVER)
        last = batcher.submit(["last"], 1, FOREVER)
        gone.cancel()
        free.set()
        await asyncio.gather(running, last)
        with pytest.raises(ApiError) as refused:
            await late
        assert refused.value.status == 503 and batcher.waiting == 0
        batcher.close()

    asyncio.run(run())
    assert seen == ["a", "last"]


def test_a_batch_that_fails_fails_its_requests_alone():
    def fails(texts, count):
        if "bad" in texts:
            raise RuntimeError("bad")
        return echo(texts, count)

    async def run():
        batcher = Batcher(fails, BatchLimits(1, 0, 10, 100))
        with pytest.raises(RuntimeError):
            await batcher.submit(["bad"], 1, FOREVER)
        assert message(await batcher.submit(["good"], 1, FOREVER)) == [["good!0"]]
        batcher.close()

    asyncio.run(run())
