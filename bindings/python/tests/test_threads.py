"""Blocking calls: many threads, signals, and the end of the interpreter."""

from __future__ import annotations

import signal
import subprocess
import threading
import time
from collections.abc import Callable

import pytest

from conftest import finish
from hedgerow import PerformanceClient
from mock_server import MockServer, eventually, texts

Python = Callable[..., "subprocess.Popen[str]"]


def test_64_threads_with_one_client_wait_side_by_side(
    server: MockServer, client: PerformanceClient
) -> None:
    # Each answer is held back until all 64 are asked for, or the test fails.
    server.inject("hang", above_in_flight=0)
    found: list[int] = []
    failed: list[Exception] = []

    def call(number: int) -> None:
        try:
            response = client.embed([f"text {number}"] * 3, "m")
            assert response.data[0] != response.data[1]
            found.append(len(response))
        except Exception as error:
            failed.append(error)

    threads = [threading.Thread(target=call, args=(number,)) for number in range(64)]
    for thread in threads:
        thread.start()
    eventually("64 calls are in flight at once", lambda: server.stats["in_flight"] == 64)
    assert found == [] and failed == []
    # This thread has the interpreter while 64 wait.
    assert server.stats["peak_in_flight"] == 64
    server.stop()
    for thread in threads:
        thread.join()
    assert len(failed) == 64 and all(isinstance(error, ConnectionError) for error in failed)


def test_answers_do_not_get_mixed_up_between_threads(
    server: MockServer, client: PerformanceClient
) -> None:
    wrong: list[str] = []

    def call(number: int) -> None:
        for turn in range(20):
            text = f"{number} {turn}"
            if client.batch_post("/echo", [text]).data[0]["body"] != text:
                wrong.append(text)

    threads = [threading.Thread(target=call, args=(number,)) for number in range(64)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == [] and server.requests == 64 * 20


def test_other_threads_run_while_one_waits(
    server: MockServer, client: PerformanceClient
) -> None:
    server.inject("delay=1000")
    ticks = 0
    waiting = threading.Thread(target=client.embed, args=(["a"], "m"))
    waiting.start()
    while waiting.is_alive():
        ticks += 1
        time.sleep(0.001)
    assert ticks > 20


@pytest.mark.parametrize(
    "call", ["client.embed(['a'], 'm')", "next(client.embed_iter(['a'], 'm'))"]
)
def test_ctrl_c_raises_within_bounds_aborts_the_requests_and_the_next_call_works(
    server: MockServer, python: Python, call: str
) -> None:
    server.inject("hang", times=3)
    child = python(
        f"""
        import hedgerow, time
        client = hedgerow.PerformanceClient(url)
        for turn in range(3):
            try:
                {call}
            except KeyboardInterrupt:
                print(time.time(), flush=True)
        assert len(client.embed(["works"], "m")) == 1
        """
    )
    assert child.stdout is not None
    took = []
    for turn in range(3):
        eventually("a call hangs", lambda: server.stats["in_flight"] == 1)
        began = time.time()
        child.send_signal(signal.SIGINT)
        took.append(float(child.stdout.readline()) - began)
        eventually("it is aborted", lambda turn=turn: server.stats["aborted"] == turn + 1)
    finish(child)
    # 50 ms at most between two looks at the signals; the rest is for a machine that is busy.
    assert min(took) < 0.3 and max(took) < 5, took


def test_a_signal_handler_that_does_not_raise_lets_the_call_go_on(
    server: MockServer, python: Python
) -> None:
    server.inject("delay=1000", times=1)
    child = python(
        """
        import hedgerow, signal
        signal.signal(signal.SIGUSR1, lambda *_: print("handled", flush=True))
        client = hedgerow.PerformanceClient(url)
        print(len(client.embed(["a"], "m")))
        """
    )
    eventually("the call waits", lambda: server.stats["in_flight"] == 1)
    child.send_signal(signal.SIGUSR1)
    assert finish(child) == "handled\n1\n"
    assert server.requests == 1


def test_ctrl_c_while_a_generator_is_pulled(server: MockServer, python: Python) -> None:
    child = python(
        """
        import hedgerow, time
        client = hedgerow.PerformanceClient(url)
        def slow():
            yield "a"
            print("pulling", flush=True)
            time.sleep(60)
        try:
            list(client.embed_iter(slow(), "m"))
        except KeyboardInterrupt:
            print("interrupted", len(client.embed(["works"], "m")))
        """
    )
    assert child.stdout is not None and child.stdout.readline() == "pulling\n"
    child.send_signal(signal.SIGINT)
    assert finish(child) == "interrupted 1\n"


def test_the_interpreter_ends_while_a_daemon_thread_waits(
    server: MockServer, python: Python
) -> None:
    # The answer comes while the interpreter is ending, or never.
    for fault in ("hang", "delay=50"):
        server.clear()
        server.inject(fault)
        child = python(
            """
            import hedgerow, threading, time
            client = hedgerow.PerformanceClient(url)
            for _ in range(8):
                call = lambda: client.embed(["a"], "m")
                threading.Thread(target=call, daemon=True).start()
            time.sleep(0.05)
            print("ends")
            """
        )
        assert finish(child) == "ends\n"


def test_sys_exit_in_a_call_s_own_thread_and_at_exit_calls(
    server: MockServer, python: Python
) -> None:
    child = python(
        """
        import atexit, hedgerow
        client = hedgerow.PerformanceClient(url)
        atexit.register(lambda: print(len(client.embed(["at exit"], "m"))))
        def stop(progress):
            sys.exit(0)
        client.embed(["a"] * 300, "m", progress=stop)
        """
    )
    assert finish(child) == "1\n"


def test_the_interpreter_ends_with_asyncio_calls_under_way(
    server: MockServer, python: Python
) -> None:
    server.inject("hang")
    child = python(
        """
        import asyncio, hedgerow
        client = hedgerow.PerformanceClient(url)
        loop = asyncio.new_event_loop()
        tasks = [loop.create_task(client.async_embed(["a"], "m")) for _ in range(5)]
        loop.run_until_complete(asyncio.sleep(0.1))
        print("ends")
        """,
        "-Wignore",
    )
    assert finish(child).startswith("ends\n")


def test_threads_and_generators_share_a_client_with_streams(
    server: MockServer, client: PerformanceClient
) -> None:
    totals: list[int] = []

    def call() -> None:
        totals.append(sum(len(batch) for batch in client.embed_iter(iter(texts(1000)), "m")))

    threads = [threading.Thread(target=call) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert totals == [1000] * 8
