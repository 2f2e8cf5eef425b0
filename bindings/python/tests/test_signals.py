"""What the signals of a process do to it while calls are under way."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from subprocess import Popen

import pytest

from conftest import finish


@pytest.fixture
def closing() -> Iterator[int]:
    """A server that closes its connections while it is written to: FIN, and RST behind it. Linux tells
    the next write of that by SIGPIPE. Gives its port."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                connection.recv(1 << 10)
                connection.shutdown(socket.SHUT_WR)

    thread = threading.Thread(target=serve)
    thread.start()
    yield listener.getsockname()[1]
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join()


def test_a_server_that_closes_ends_no_program_that_a_closed_pipe_would_end(
    python: Callable[..., Popen[str]], closing: int
) -> None:
    child = python(f"""
        import hedgerow, signal

        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
        client = hedgerow.PerformanceClient("http://127.0.0.1:{closing}", "key")
        preference = hedgerow.RequestProcessingPreference(
            max_retries=1, initial_backoff_ms=50, timeout_s=5
        )
        for _ in range(3):
            try:
                client.embed(["x" * 8_000_000], model="m", preference=preference)
            except hedgerow.HedgerowError:
                print("failed")
    """)
    assert finish(child).split() == ["failed"] * 3
