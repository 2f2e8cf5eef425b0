"""The package survives every way of being loaded: by a thread that ends, before a fork, beside other
interpreters; and its exceptions are there when there is nothing left to load them with."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

import pytest

from conftest import finish
from mock_server import MockServer

Python = Callable[..., "subprocess.Popen[str]"]

LOADED = """
from threading import Thread
def in_a_thread(work):
    thread = Thread(target=work)
    thread.start()
    thread.join()
in_a_thread(lambda: __import__("hedgerow"))
import asyncio, os, hedgerow
client = hedgerow.PerformanceClient(url)
"""

CALLERS = {
    "the main thread": "print(len(client.embed(['a'], 'm')))",
    "another thread": "in_a_thread(lambda: print(len(client.embed(['a'], 'm'))))",
    "many threads": """
threads = [Thread(target=lambda: client.embed(["a"] * 300, "m")) for _ in range(8)]
for thread in threads: thread.start()
for thread in threads: thread.join()
print(1)
""",
    "an event loop": "print(len(asyncio.run(client.async_embed(['a'], 'm'))))",
    "a child": """
child = os.fork()
if child == 0:
    os._exit(len(client.embed(["a"], "m")))
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
""",
}


@pytest.mark.parametrize("caller", CALLERS)
def test_a_thread_that_has_ended_may_have_loaded_it(python: Python, caller: str) -> None:
    # What a thread leaves behind is used again by chance: once is not enough.
    for _ in range(5):
        child = python(LOADED + CALLERS[caller], "-Wignore")
        assert finish(child) == "1\n"


def test_a_thread_that_called_may_end_before_others_call(python: Python) -> None:
    child = python(
        """
        from threading import Thread
        def call():
            import hedgerow
            client = hedgerow.PerformanceClient(url)
            response = client.embed([f"text {n}" for n in range(2000)], "m", dimensions=64)
            print(len(response))
        for _ in range(4):
            thread = Thread(target=call)
            thread.start()
            thread.join()
        """
    )
    assert finish(child) == "2000\n" * 4


def test_another_interpreter_is_refused_or_served_and_spoils_nothing(python: Python) -> None:
    child = python(
        """
        try:
            import _interpreters as interpreters
        except ImportError:
            import _xxsubinterpreters as interpreters
        import hedgerow
        client = hedgerow.PerformanceClient(url)
        assert len(client.embed(["a"], "m")) == 1
        for _ in range(3):
            other = interpreters.create()
            source = "try:\\n    import hedgerow\\nexcept ImportError:\\n    pass"
            interpreters.run_string(other, source)
            interpreters.destroy(other)
            assert len(client.embed(["a"], "m")) == 1
        print("works")
        """
    )
    if sys.version_info >= (3, 14):
        child.kill()
        pytest.skip("the module has another name again")
    assert finish(child) == "works\n"


@pytest.mark.parametrize("with_requests", [True, False])
def test_an_error_is_told_where_no_file_can_be_opened(
    server: MockServer, python: Python, with_requests: bool
) -> None:
    server.inject("status=404", body_contains="bad")
    hide = "" if with_requests else "sys.modules['requests'] = None"
    child = python(
        f"""
        {hide}
        import asyncio, hedgerow, os, resource
        client = hedgerow.PerformanceClient(url)
        def fill():
            _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
            resource.setrlimit(resource.RLIMIT_NOFILE, (64, most))
            try:
                while True:
                    os.open("/dev/null", os.O_RDONLY)
            except OSError:
                pass
        def tell(error):
            assert error.response.json if error.response is not None else False
            print(type(error).__name__, error.args[0], error.kind)
        async def ask():
            await client.async_embed(["good"], "m")
            # From here on there is the one connection that was kept.
            fill()
            try:
                await client.async_embed(["bad"], "m")
            except hedgerow.HTTPError as error:
                tell(error)
        asyncio.run(ask())
        try:
            client.embed(["bad"], "m")
        except OSError as error:
            tell(error)
        try:
            client.batch_post("/x", [object()])
        except TypeError as error:
            print(type(error).__name__)
        """
    )
    assert finish(child) == "HTTPError 404 status\n" * 2 + "PayloadError\n"
