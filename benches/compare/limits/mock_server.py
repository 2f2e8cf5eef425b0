"""The server: our mock, with a case's limits, looked at ten times a second."""

from __future__ import annotations

import http.client
import json
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cases import Case

LOOK_EVERY_S = 0.1
HOST = "127.0.0.1"
SNMP = Path("/proc/net/snmp")


@dataclass(frozen=True)
class Look:
    """What a server has counted until a point in time."""

    at_s: float
    """Of the monotonic clock."""
    good: int
    """Answers of status 200."""


class Tally:
    """Counts that outlive the servers that made them."""

    def __init__(self) -> None:
        self._before: Counter[str] = Counter()
        self._now: Counter[str] = Counter()

    def note(self, stats: dict[str, Any]) -> None:
        """Takes in what the server that is there has counted so far."""
        statuses = Counter(stats["per_status"])
        good = statuses["200"]
        self._now = Counter(
            attempts=stats["requests"], good=good, refused=statuses.total() - good
        )

    def died(self) -> None:
        """The next server begins with nothing."""
        self._before += self._now
        self._now = Counter()

    def attempts(self) -> int:
        """Requests that came whole, answered or not."""
        return self._total("attempts")

    def good(self) -> int:
        """Answers of status 200."""
        return self._total("good")

    def refused(self) -> int:
        """All other answers."""
        return self._total("refused")

    def _total(self, name: str) -> int:
        return self._before[name] + self._now[name]


class Mock:
    """A mock server that can be killed and started again."""

    def __init__(self, program: Path, case: Case) -> None:
        self._case = case
        latency = f"fixed={case.latency_s * 1000:g}"
        self._command = [str(program), "mock", "--latency", latency, *case.flags]
        self._port = 0
        self._start()

    @property
    def url(self) -> str:
        """Its base URL, in this life and the next."""
        return f"http://{HOST}:{self._port}"

    def stats(self) -> dict[str, Any]:
        """What it has counted in this life."""
        stats: dict[str, Any] = json.loads(self._ask("GET", "/stats"))
        return stats

    def hang_up(self) -> None:
        """The next question has a connection of its own."""
        self._connection.close()

    def kill(self) -> None:
        """Ends it without a word."""
        self._process.kill()
        self._process.wait()
        self.hang_up()

    def start_again(self) -> None:
        """On the same port."""
        self._start()

    def _start(self) -> None:
        command = [*self._command, "--port", str(self._port)]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None, "it is a pipe"
        # `mock inference server at URL`, once it listens.
        line = self._process.stdout.readline()
        if "://" not in line:
            raise SystemExit(f"the mock server does not start: {' '.join(command)}")
        self._port = int(line.rsplit(":", 1)[1])
        self._connection = http.client.HTTPConnection(HOST, self._port, timeout=10)
        if self._case.rules:
            self._ask("POST", "/mock/rules", json.dumps(self._case.rules))

    def _ask(self, method: str, path: str, body: str | None = None) -> bytes:
        self._connection.request(method, path, body)
        answer = self._connection.getresponse()
        text = answer.read()
        if answer.status >= 300:
            raise RuntimeError(f"{method} {path}: {answer.status} {text.decode()}")
        return text


class Watch:
    """Looks at a mock again and again, from a thread of its own, and takes it away in between."""

    def __init__(self, mock: Mock) -> None:
        self.looks: list[Look] = []
        self.tally = Tally()
        self.connects_while_down: int | None = None
        self._mock = mock
        self._lock = threading.Lock()
        self._down = False
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def look(self) -> None:
        """Once more. A server that is away counts what it did."""
        with self._lock:
            if not self._down:
                self.tally.note(self._mock.stats())
            self.looks.append(Look(time.monotonic(), self.tally.good()))

    def take_away(self, span_s: float) -> None:
        """Kills the server, and starts it again so many seconds later."""
        self.look()
        before = failed_connects()
        with self._lock:
            self._mock.kill()
            self.tally.died()
            self._down = True
        # Nobody else asks for the port while this waits, and `start_again` connects to nothing.
        self._done.wait(span_s)
        self.connects_while_down = failed_connects() - before
        with self._lock:
            self._mock.start_again()
            self._down = False

    def stop(self) -> None:
        """Looks a last time."""
        self._done.set()
        self._thread.join()
        self.look()

    def _run(self) -> None:
        due = time.monotonic()
        while not self._done.is_set():
            try:
                self.look()
            except (OSError, http.client.HTTPException):
                # One look less. The last one, which counts, is not made here.
                self._mock.hang_up()
            due = max(due + LOOK_EVERY_S, time.monotonic())
            self._done.wait(due - time.monotonic())


@contextmanager
def running(program: Path, case: Case) -> Iterator[Mock]:
    """A mock that ends when the context does."""
    mock = Mock(program, case)
    try:
        yield mock
    finally:
        mock.kill()


def failed_connects() -> int:
    """Connects that failed on this machine since it began: a refused one reaches no process, so
    only the kernel counts it."""
    return counter(SNMP.read_text(), "Tcp:", "AttemptFails")


def counter(text: str, group: str, name: str) -> int:
    """A counter of `/proc/net/snmp`: a line of names, and one of values."""
    names, values = (
        line.split() for line in text.splitlines() if line.startswith(group)
    )
    return int(values[names.index(name)])
