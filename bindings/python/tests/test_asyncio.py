"""Calls on event loops: awaiting, cancelling, loops that come and go, loops that must not stand."""

from __future__ import annotations

import asyncio
import gc
import subprocess
import threading
import time
import weakref
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import anyio
import numpy as np
import pytest
import uvloop

import hedgerow
from conftest import finish
from hedgerow import PerformanceClient, RequestProcessingPreference, _loops
from mock_server import MockServer, eventually, texts

Python = Callable[..., "subprocess.Popen[str]"]


async def until(what: str, condition: Callable[[], bool]) -> None:
    await asyncio.get_running_loop().run_in_executor(None, eventually, what, condition)


def test_tasks_gather_and_wait_for_take_a_call(client: PerformanceClient) -> None:
    async def ask() -> None:
        task = asyncio.create_task(client.async_embed(["a"], "m"))
        gathered = await asyncio.gather(*(client.async_embed([text], "m") for text in texts(200)))
        assert [len(response) for response in gathered] == [1] * 200
        assert len({tuple(response.data[0].embedding) for response in gathered}) == 200
        assert len(await task) == 1
        assert len(await asyncio.wait_for(client.async_embed(["a"], "m"), 30)) == 1
        assert len(await asyncio.shield(client.async_classify(["a"]))) == 1

    asyncio.run(ask())


def test_anyio_takes_a_call(client: PerformanceClient) -> None:
    found: list[int] = []

    async def one() -> None:
        found.append(len(await client.async_embed(["a"], "m")))

    async def ask() -> None:
        async with anyio.create_task_group() as group:
            for _ in range(5):
                group.start_soon(one)

    anyio.run(ask)
    assert found == [1] * 5


async def _cancel_the_task(call: Awaitable[Any]) -> None:
    task = asyncio.ensure_future(call)
    await asyncio.sleep(0.2)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def _time_out(call: Awaitable[Any]) -> None:
    with pytest.raises(asyncio.TimeoutError):
        await asyncio.wait_for(call, 0.2)


async def _leave_a_scope(call: Awaitable[Any]) -> None:
    with anyio.move_on_after(0.2):
        await call


def none_is_left(server: MockServer) -> bool:
    stats = server.stats
    return bool(stats["in_flight"] == 0 and stats["aborted"] == stats["requests"] > 0)


@pytest.mark.parametrize("leave", [_cancel_the_task, _time_out, _leave_a_scope])
def test_cancelling_aborts_the_requests(
    server: MockServer, client: PerformanceClient, leave: Callable[[Awaitable[Any]], Any]
) -> None:
    server.inject("hang")
    preference = RequestProcessingPreference(batch_size=1)

    async def ask() -> None:
        await leave(client.async_embed(texts(20), "m", preference=preference))
        # On a busy machine some may not have been sent by then.
        await until("the requests are aborted", lambda: none_is_left(server))
        server.clear()
        assert len(await client.async_embed(["a"], "m")) == 1
        bridge = _loops._bridges[asyncio.get_running_loop()]()
        assert bridge is not None and len(bridge) == 0

    asyncio.run(ask())
    assert server.stats["in_flight"] == 0


def test_a_failure_in_a_task_group_aborts_its_brothers(
    server: MockServer, client: PerformanceClient
) -> None:
    server.inject("hang", body_contains="slow")
    # By then the others have most often been sent.
    server.inject("delay=500,status=404", body_contains="broken")

    async def ask() -> None:
        async with anyio.create_task_group() as group:
            for text in ("slow", "slow too", "broken"):
                group.start_soon(client.async_embed, [text], "m")

    with pytest.raises(BaseException) as raised:
        anyio.run(ask)
    [error] = raised.value.exceptions  # type: ignore[attr-defined]
    assert isinstance(error, hedgerow.HTTPError)
    eventually("the others are aborted", lambda: server.stats["aborted"] == server.requests - 1)
    assert server.stats["in_flight"] == 0


def test_loops_come_and_go(server: MockServer, client: PerformanceClient) -> None:
    for _ in range(10):
        assert len(asyncio.run(client.async_embed(["a"], "m"))) == 1
    gc.collect()
    assert len(_loops._bridges) <= 1
    # One that is closed with calls under way does not keep what it had.
    server.inject("hang")
    loop = asyncio.new_event_loop()
    task = loop.create_task(client.async_embed(["a"], "m"))
    loop.run_until_complete(until("it hangs", lambda: server.stats["in_flight"] == 1))
    loop.close()
    task._log_destroy_pending = False  # type: ignore[attr-defined]
    del task, loop
    server.clear()
    assert len(asyncio.run(client.async_embed(["a"], "m"))) == 1
    eventually("the call of the closed loop is aborted", lambda: server.stats["aborted"] == 1)


@pytest.mark.parametrize("fed", [False, True])
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_a_loop_that_is_dropped_unclosed_is_freed_with_its_calls(
    server: MockServer, client: PerformanceClient, fed: bool
) -> None:
    server.inject("hang")
    few = RequestProcessingPreference(max_concurrent_requests=4)

    async def endless() -> AsyncIterator[str]:
        while True:
            yield "a"

    async def ask() -> None:
        if fed:
            async for _ in client.async_embed_iter(endless(), "m", preference=few):
                pass
        await client.async_embed(["a"], "m", progress=lambda _: None)

    loop = asyncio.new_event_loop()
    task = loop.create_task(ask())
    while server.stats["in_flight"] == 0:
        loop.run_until_complete(asyncio.sleep(0.01))
    task._log_destroy_pending = False  # type: ignore[attr-defined]
    alive = weakref.ref(loop)
    del task, loop
    gc.collect()
    assert alive() is None
    eventually("its requests are aborted", lambda: server.stats["in_flight"] == 0)


@pytest.mark.parametrize("new_loop", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_loops_in_many_threads_share_a_client(
    client: PerformanceClient, new_loop: Callable[[], asyncio.AbstractEventLoop]
) -> None:
    found: list[int] = []

    async def ask() -> None:
        calls = (client.async_embed(texts(300), "m") for _ in range(10))
        found.extend(len(response) for response in await asyncio.gather(*calls))

    def run() -> None:
        loop = new_loop()
        loop.run_until_complete(ask())
        loop.close()

    threads = [threading.Thread(target=run) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [300] * 60


def test_an_answer_that_comes_after_its_future_was_cancelled_is_dropped(
    server: MockServer, client: PerformanceClient
) -> None:
    async def ask() -> None:
        for _ in range(50):
            task = asyncio.create_task(client.async_embed(["a"], "m"))
            await asyncio.sleep(0.001)
            task.cancel()
            await asyncio.wait([task])
        assert len(await client.async_embed(["a"], "m")) == 1

    raised: list[Any] = []
    with asyncio.Runner() if hasattr(asyncio, "Runner") else _runner() as runner:
        runner.get_loop().set_exception_handler(lambda _, context: raised.append(context))
        runner.run(ask())
    assert raised == []


class _runner:  # For Python 3.10.
    def __enter__(self) -> _runner:
        self._loop = asyncio.new_event_loop()
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.close()

    def get_loop(self) -> asyncio.AbstractEventLoop:
        return self._loop

    def run(self, main: Any) -> Any:
        return self._loop.run_until_complete(main)


def test_blocking_calls_work_beside_a_loop(client: PerformanceClient) -> None:
    async def ask() -> None:
        loop = asyncio.get_running_loop()
        calls = [loop.run_in_executor(None, client.embed, ["a"], "m") for _ in range(8)]
        assert [len(response) for response in await asyncio.gather(*calls)] == [1] * 8
        # On the loop's own thread it stops the loop, as any blocking call does, and works.
        assert len(client.embed(["a"], "m")) == 1

    asyncio.run(ask())


def test_a_call_without_a_loop_says_so(client: PerformanceClient) -> None:
    call = client.async_embed(["a"], "m")
    with pytest.raises(RuntimeError, match="no running event loop"):
        call.send(None)


def test_the_first_error_imports_nothing_on_the_loop(server: MockServer, python: Python) -> None:
    server.inject("status=404")
    child = python(
        """
        import asyncio, hedgerow
        client = hedgerow.PerformanceClient(url)
        before = set(sys.modules)
        async def ask():
            try:
                await client.async_embed(["a"], "m")
            except OSError as error:
                print(type(error).__name__, sorted(set(sys.modules) - before))
        asyncio.run(ask())
        """
    )
    assert finish(child) == "HTTPError []\n"


class LongestTurn:
    """The most CPU time that the loop's thread spent between two turns of this task. Not the time
    of the clock: the machine may be busy."""

    def __init__(self) -> None:
        self.seconds = 0.0

    async def watch(self) -> None:
        last = time.thread_time()
        while True:
            await asyncio.sleep(0)
            now = time.thread_time()
            self.seconds = max(self.seconds, now - last)
            last = now


def test_the_loop_does_not_stand_still_for_large_calls_and_large_results(
    client: PerformanceClient,
) -> None:
    inputs = [f"text {number % 128}" for number in range(65_536)]
    payloads = [{"number": number, "text": "payload"} for number in range(300_000)]
    many = [f"text {number}" for number in range(1_000_000)]
    turn = LongestTurn()

    async def ask() -> None:
        watcher = asyncio.ensure_future(turn.watch())
        for look in (True, False):
            response = await client.async_embed(inputs, "m", dimensions=1024)
            if look:
                array = response.numpy()
                assert array.nbytes == 256 << 20 and np.array_equal(array[0], array[128])
                del array
            del response
            await asyncio.sleep(0)
        # Refused when all is taken out of Python.
        with pytest.raises(ValueError, match="Invalid HTTP method"):
            await client.async_batch_post("/echo", payloads, method="none")
        with pytest.raises(ValueError, match="Encoding format"):
            await client.async_embed(many, "m", "none")
        watcher.cancel()

    gc.collect()
    gc.disable()
    try:
        asyncio.run(ask())
    finally:
        gc.enable()
    # At once, the matrix alone would take 100 ms to copy, the payloads 150 ms and the texts 60 ms.
    assert turn.seconds < 0.02, turn.seconds
