"""`embed_iter` and `async_embed_iter`: bounded memory, order, errors, ends."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import numpy as np
import pytest

import hedgerow
from hedgerow import CancellationToken, EmbedBatch, PerformanceClient, RequestProcessingPreference
from mock_server import MockServer, eventually, texts

SMALL = {"batch_size": 10, "max_concurrent_requests": 4}


def small(**settings: Any) -> RequestProcessingPreference:
    return RequestProcessingPreference(**{**SMALL, **settings})


Collect = Callable[..., list[EmbedBatch]]


def collect_in_thread(client: PerformanceClient, *arguments: Any, **more: Any) -> list[EmbedBatch]:
    return list(client.embed_iter(*arguments, **more))


def collect_on_loop(client: PerformanceClient, *arguments: Any, **more: Any) -> list[EmbedBatch]:
    async def collect() -> list[EmbedBatch]:
        return [batch async for batch in client.async_embed_iter(*arguments, **more)]

    return asyncio.run(collect())


def collect_fed(
    client: PerformanceClient, inputs: Any, *arguments: Any, **more: Any
) -> list[EmbedBatch]:
    async def feed() -> AsyncIterator[str]:
        for text in inputs:
            yield text

    return collect_on_loop(client, feed(), *arguments, **more)


every_way = pytest.mark.parametrize("collect", [collect_in_thread, collect_on_loop, collect_fed])


@every_way
def test_batches_come_in_order_with_global_indices(
    server: MockServer, client: PerformanceClient, collect: Collect
) -> None:
    # The first batch is the slowest.
    server.inject("delay=300", times=1)
    batches = collect(client, iter(texts(95)), "m", preference=small())
    assert server.requests == 10
    assert [(batch.start, batch.end) for batch in batches] == [
        (start, min(start + 10, 95)) for start in range(0, 95, 10)
    ]
    assert [item.index for batch in batches for item in batch.data] == list(range(95))
    joined = np.concatenate([batch.numpy() for batch in batches])
    assert np.array_equal(joined, client.embed(texts(95), "m").numpy())
    assert all(isinstance(batch, hedgerow.OpenAIEmbeddingsResponse) for batch in batches)
    assert repr(batches[0]) == "EmbedBatch(10 x 8, model='m')"


@every_way
def test_batches_may_come_as_they_finish(
    server: MockServer, client: PerformanceClient, collect: Collect
) -> None:
    server.inject("delay=1500", times=1)
    batches = collect(client, iter(texts(60)), "m", preference=small(), in_order=False)
    starts = [batch.start for batch in batches]
    assert sorted(starts) == list(range(0, 60, 10)) and starts != sorted(starts)
    for batch in batches:
        assert batch.data[0].index == batch.start and len(batch) == 10


def test_a_generator_is_pulled_only_as_fast_as_batches_are_taken(
    server: MockServer, client: PerformanceClient
) -> None:
    pulled = 0

    def endless() -> Iterator[str]:
        nonlocal pulled
        for number in itertools.count():
            pulled += 1
            yield f"text {number}"

    batches = client.embed_iter(endless(), "m", preference=small())
    assert pulled == 0
    for taken in range(1, 30):
        next(batches)
        # The window, and one batch that is being filled.
        assert pulled <= (taken + 4 + 1) * 10
    batches.close()  # type: ignore[attr-defined]
    eventually("nothing is in flight", lambda: server.stats["in_flight"] == 0)
    assert server.requests <= 30 + 4


@pytest.mark.parametrize("fed", [False, True])
def test_on_a_loop_inputs_are_taken_only_as_fast_as_batches_are(
    client: PerformanceClient, fed: bool
) -> None:
    pulled = 0

    def endless() -> Iterator[str]:
        nonlocal pulled
        for number in itertools.count():
            pulled += 1
            yield f"text {number}"

    async def feed() -> AsyncIterator[str]:
        for text in endless():
            yield text

    async def ask() -> None:
        inputs = feed() if fed else endless()
        taken = 0
        ahead = 1024 if fed else 0
        async for _ in client.async_embed_iter(inputs, "m", preference=small()):
            taken += 1
            await asyncio.sleep(0.005)
            assert pulled <= (taken + 4 + 1) * 10 + ahead
            if taken == 200:
                break
        assert pulled >= 2000

    asyncio.run(ask())


@every_way
def test_what_the_iterable_raises_is_raised_after_the_batches_before(
    client: PerformanceClient, collect: Collect
) -> None:
    class Broken(Exception):
        pass

    def inputs() -> Iterator[str]:
        yield from texts(25)
        raise Broken("no more")

    seen: list[int] = []
    with pytest.raises(Broken, match="no more") as raised:
        collect(client, inputs(), "m", preference=small(), progress=lambda it: seen.append(it.done))
    assert seen == [10, 20, 25]
    assert raised.value.__traceback__ is not None


@every_way
def test_an_input_that_is_no_text_is_named(client: PerformanceClient, collect: Collect) -> None:
    with pytest.raises(TypeError, match=r"inputs\[12\] must be a str, not int"):
        collect(client, [*texts(12), 5], "m", preference=small())


@every_way
def test_no_inputs_give_no_batches(client: PerformanceClient, collect: Collect) -> None:
    assert collect(client, [], "m") == []


@every_way
def test_the_first_failure_ends_the_stream(
    server: MockServer, client: PerformanceClient, collect: Collect
) -> None:
    server.inject("status=422", body_contains='number 25"')
    with pytest.raises(hedgerow.HTTPError, match="422"):
        collect(client, texts(1000), "m", preference=small())
    assert server.requests < 20


@every_way
def test_failures_may_be_in_their_batches(
    server: MockServer, client: PerformanceClient, collect: Collect
) -> None:
    server.inject("status=422", body_contains='number 25"')
    batches = collect(client, texts(50), "m", preference=small(on_error="return"))
    assert [len(batch) for batch in batches] == [10, 10, 9, 10, 10]
    [error] = batches[2].errors
    assert (error.start, error.end) == (25, 26)
    assert batches[3].errors == [] and batches[3].data[0].index == 30


@every_way
def test_a_token_and_a_total_timeout_are_those_of_the_whole_job(
    server: MockServer, client: PerformanceClient, collect: Collect
) -> None:
    server.inject("delay=100")
    with pytest.raises(hedgerow.Timeout, match="total_timeout_s"):
        collect(client, itertools.repeat("a"), "m", preference=small(total_timeout_s=0.5))
    token = CancellationToken()
    preference = small(cancel_token=token)
    with pytest.raises(hedgerow.Cancelled):
        collect(
            client, itertools.repeat("a"), "m", preference=preference,
            progress=lambda _: token.cancel(),
        )  # fmt: skip


def test_bad_arguments_are_refused_before_the_first_step(client: PerformanceClient) -> None:
    for embed_iter in (client.embed_iter, client.async_embed_iter):
        for inputs in ("text", b"bytes", None, 5):
            with pytest.raises(TypeError, match="inputs must be an iterable of str"):
                embed_iter(inputs, "m")  # type: ignore[arg-type, type-var]
        with pytest.raises(ValueError, match="Encoding format"):
            embed_iter(["a"], "m", "zip")


def test_leaving_a_stream_aborts_what_is_in_flight(
    server: MockServer, client: PerformanceClient
) -> None:
    server.inject("", times=1)
    server.inject("hang")
    for _ in client.embed_iter(texts(100), "m", preference=small(), in_order=False):
        break
    eventually("the rest is aborted", lambda: server.stats["in_flight"] == 0)

    async def ask() -> None:
        batches = client.async_embed_iter(texts(100), "m", preference=small())
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(batches.__anext__(), 0.2)
        await batches.aclose()  # type: ignore[attr-defined]

    asyncio.run(ask())
    eventually("that too", lambda: server.stats["in_flight"] == 0)
    assert server.stats["aborted"] == server.requests - 1 > 0


def test_a_slow_iterable_on_a_loop_leaves_it_its_turns(client: PerformanceClient) -> None:
    turns = 0

    async def tick() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    def slow() -> Iterator[str]:
        for text in texts(3000):
            sum(range(2000))  # some 20 us
            yield text

    async def ask() -> None:
        ticking = asyncio.ensure_future(tick())
        preference = RequestProcessingPreference(batch_size=1000, max_concurrent_requests=3)
        batches = client.async_embed_iter(slow(), "m", preference=preference)
        await batches.__anext__()
        # All three batches were filled for it, a millisecond at a time.
        assert turns > 15
        ticking.cancel()

    asyncio.run(ask())


def test_a_stream_that_pulls_from_itself_says_so(client: PerformanceClient) -> None:
    def inputs() -> Iterator[str]:
        yield "a"
        stream.next()

    call = hedgerow._hedgerow.Call.embed(None, "m", None, None, None)
    stream = client._native.stream(call, None, inputs(), True)
    stream.next()
    with pytest.raises(RuntimeError, match="its own iterable"):
        stream.next()
