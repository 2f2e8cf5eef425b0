"""What the tests share."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator

import pytest

from hedgerow import PerformanceClient
from mock_server import MockServer


@pytest.fixture(autouse=True)
def no_keys_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("BASETEN_API_KEY", "OPENAI_API_KEY"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def server() -> Iterator[MockServer]:
    server = MockServer()
    yield server
    server.stop()


@pytest.fixture
def client(server: MockServer) -> PerformanceClient:
    return PerformanceClient(server.url, "sk-test-key")


@pytest.fixture
def python(server: MockServer) -> Callable[..., subprocess.Popen[str]]:
    """Starts a Python program of a test's own, which finds the server's URL as `url`."""

    def start(source: str, *options: str) -> subprocess.Popen[str]:
        head = f"url = {server.url!r}\nimport sys\n"
        return subprocess.Popen(
            [sys.executable, *options, "-c", head + textwrap.dedent(source)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    return start


def finish(child: subprocess.Popen[str], seconds: float = 60) -> str:
    """Waits for a program that must end well, and gives what it printed."""
    try:
        out, err = child.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        child.kill()
        out, err = child.communicate()
        raise AssertionError(f"the program hangs\n{out}\n{err}") from None
    assert child.returncode == 0, f"{child.returncode}\n{out}\n{err}"
    return out
