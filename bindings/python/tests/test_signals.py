"""What the signals of a process do to it while calls are under way."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable, Iterator
from subprocess import Popen

import pytest

from conftest import finish

# RST in place of FIN.
AT_ONCE = struct.pack("ii", 1, 0)
SETTINGS = bytes([0, 0, 0, 4, 0, 0, 0, 0, 0])


@pytest.fixture
def closing() -> Iterator[int]:
    """A server that speaks HTTP/2 for as long as it takes to be believed. Gives its port."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                connection.sendall(SETTINGS)
                connection.recv(1 << 10)
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, AT_ONCE)

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
        client = hedgerow.PerformanceClient("http://127.0.0.1:{closing}", "key", http_version=2)
        preference = hedgerow.RequestProcessingPreference(
            max_retries=1, initial_backoff_ms=50, timeout_s=5, batch_size=1
        )
        for _ in range(20):
            try:
                client.embed(["x" * 100_000] * 32, model="m", preference=preference)
            except hedgerow.HedgerowError:
                print("failed")
    """)
    assert finish(child).split() == ["failed"] * 20
