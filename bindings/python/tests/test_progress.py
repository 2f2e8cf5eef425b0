"""Progress: functions and bars."""

from __future__ import annotations

import asyncio
import subprocess
import threading
from collections.abc import Callable
from typing import Any

import pytest

from conftest import finish
from hedgerow import PerformanceClient, Progress, RequestProcessingPreference
from mock_server import MockServer, eventually, texts

ONE_EACH = RequestProcessingPreference(batch_size=1, max_concurrent_requests=10)


@pytest.mark.parametrize("loop", [False, True])
@pytest.mark.parametrize("name", ["embed", "rerank", "classify", "batch_post"])
def test_a_function_is_told_on_the_thread_that_waits(
    server: MockServer, client: PerformanceClient, name: str, loop: bool
) -> None:
    server.inject("delay=50", "/")
    told: list[Progress] = []
    threads: set[int] = set()

    def tell(progress: Progress) -> None:
        told.append(progress)
        threads.add(threading.get_ident())

    arguments: dict[str, Any] = {
        "embed": (texts(100), "m"),
        "rerank": ("q", texts(100)),
        "classify": (texts(100),),
        "batch_post": ("/echo", texts(100)),
    }
    more = {"preference": ONE_EACH, "progress": tell}
    if loop:
        asyncio.run(getattr(client, f"async_{name}")(*arguments[name], **more))
    else:
        getattr(client, name)(*arguments[name], **more)
    assert threads == {threading.get_ident()}
    assert len(told) >= 3
    done = [progress.done for progress in told]
    assert done == sorted(done) and done[-1] == 100
    assert {progress.total for progress in told} == {100}
    assert told[-1].elapsed >= 0.5 and 0 < told[-1].rate < 201
    assert repr(told[-1]).startswith("Progress(done=100, total=100, elapsed=")


@pytest.mark.parametrize("loop", [False, True])
def test_what_the_function_raises_ends_the_call(
    server: MockServer, client: PerformanceClient, loop: bool
) -> None:
    server.inject("hang", body_contains='number 9"')

    def refuse(progress: Progress) -> None:
        raise LookupError(f"seen {progress.total}")

    with pytest.raises(LookupError, match="seen 10"):
        if loop:
            asyncio.run(client.async_embed(texts(10), "m", preference=ONE_EACH, progress=refuse))
        else:
            client.embed(texts(10), "m", preference=ONE_EACH, progress=refuse)
    eventually("the rest is aborted", lambda: server.stats["in_flight"] == 0)
    assert len(client.embed(["a"], "m")) == 1


def test_a_stream_tells_of_each_batch(client: PerformanceClient) -> None:
    preference = RequestProcessingPreference(batch_size=10)
    for inputs, total in ((texts(30), 30), (iter(texts(30)), None)):
        told: list[tuple[int, int | None]] = []
        tell: Callable[[Progress], None] = lambda it, told=told: told.append((it.done, it.total))  # noqa: E731
        for _ in client.embed_iter(inputs, "m", preference=preference, progress=tell):
            pass
        assert told == [(10, total), (20, total), (30, total)]


BARS = """
import asyncio, hedgerow
client = hedgerow.PerformanceClient(url)
texts = [f"text {n}" for n in range(1234)]
client.embed(texts, "m", progress=True)
asyncio.run(client.async_classify(texts, progress=True))
for batch in client.embed_iter(iter(texts), "m", progress=True):
    pass
"""


def test_true_shows_a_bar_of_tqdm(python: Callable[..., subprocess.Popen[str]]) -> None:
    child = python(BARS + "print('tqdm' in sys.modules)")
    out, err = child.communicate(timeout=60)
    assert child.returncode == 0 and out == "True\n", err
    assert err.count("1234/1234") == 2 and "100%" in err
    assert "1234 inputs [" in err


def test_true_shows_a_line_without_tqdm(python: Callable[..., subprocess.Popen[str]]) -> None:
    child = python("sys.modules['tqdm'] = sys.modules['tqdm.auto'] = None" + BARS)
    out, err = child.communicate(timeout=60)
    assert child.returncode == 0, err
    # A line that is written over reads as several here.
    lines = err.split("\n")
    assert lines.count("1,234 of 1,234 (100%) inputs") == 2 and "1,234 inputs" in lines


def test_without_progress_nothing_is_shown(python: Callable[..., subprocess.Popen[str]]) -> None:
    child = python(BARS.replace("True", "False"))
    out, err = child.communicate(timeout=60)
    assert (child.returncode, out, err) == (0, "", "")


def test_the_bar_goes_when_the_call_fails(
    server: MockServer, python: Callable[..., subprocess.Popen[str]]
) -> None:
    server.inject("status=404")
    child = python(
        """
        import hedgerow
        client = hedgerow.PerformanceClient(url)
        try:
            client.embed(["a"] * 1000, "m", progress=True)
        except hedgerow.HTTPError:
            print("failed")
        """
    )
    assert finish(child) == "failed\n"
