"""The cases: how a server says no, what is asked of it, and how soon it could have done it all."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass, replace

DEFAULT = 128
"""Inputs a request, and requests at once, that hedgerow makes where it is told nothing. Clients
that have other defaults, or none, are told these: they are to make the same requests."""
TOKENS_A_TEXT = 20
BYTES_A_TOKEN = 4
"""As the mock counts them."""
BAD = "a bad input"


@dataclass(frozen=True)
class Outage:
    """The server is killed, and started again on the same port."""

    after_s: float
    """From the beginning of the call."""
    spans_s: tuple[float, ...]
    """How long it is away, in the first round, the second, and so on over again."""

    def span_s(self, round: int) -> float:
        """How long it is away in this round."""
        return self.spans_s[round % len(self.spans_s)]


class Capacity(ABC):
    """What a server can do at most."""

    @abstractmethod
    def ideal_s(self, case: Case) -> float:
        """Seconds of a client that knows it, where there is no outage."""

    def answers_a_second(self, case: Case) -> float:
        """Once it is at work."""
        return case.requests / self.ideal_s(case)


@dataclass(frozen=True)
class Case:
    """One call, to one kind of server."""

    name: str
    title: str
    flags: tuple[str, ...]
    """Of `batchbench mock`, beside its latency."""
    latency_s: float
    requests: int
    """Of `batch` inputs each, the last one of what is left."""
    capacity: Capacity
    inputs_in_all: int = 0
    """Where the last request is smaller."""
    batch: int | None = None
    """Inputs a request; hedgerow's default where it is None."""
    window: int | None = None
    """Requests at once; hedgerow's default where it is None."""
    scaled_requests: int | None = None
    """What AsyncOpenAI does, where all would take it minutes of CPU."""
    keeps_going: bool = False
    """`on_error="return"`, and its like."""
    max_retries: int | None = None
    initial_backoff_ms: int | None = None
    rules: tuple[dict[str, object], ...] = ()
    """For `POST /mock/rules`."""
    bad: int = 0
    """Inputs that the server takes from nobody."""
    outage: Outage | None = None
    plotted: bool = False
    """Whether it lasts long enough for a curve."""

    @property
    def inputs(self) -> int:
        """How many are asked for."""
        return self.inputs_in_all or self.requests * (self.batch or DEFAULT)

    @property
    def bound(self) -> int:
        """The most inputs a request."""
        return self.batch or DEFAULT

    @property
    def at_once(self) -> int:
        """The most requests at once."""
        return self.window or DEFAULT

    @property
    def good(self) -> int:
        """Inputs that the server takes."""
        return self.inputs - self.bad

    def ideal_s(self, round: int) -> float:
        """Seconds that a client needs who knows all limits."""
        away = self.outage.span_s(round) if self.outage else 0
        return self.capacity.ideal_s(self) + away

    def longest_s(self, round: int) -> float:
        """A client that has not ended then is stopped."""
        return 4 * self.ideal_s(round) + 20

    def answers_a_second(self) -> float:
        """What the server gives at most while it is there."""
        return self.capacity.answers_a_second(self)

    def texts(self) -> list[str]:
        """Of the same number of tokens each, and no two the same."""
        width = TOKENS_A_TEXT * BYTES_A_TOKEN
        texts = [f"text {number}".ljust(width, ".") for number in range(self.inputs)]
        middle = self.inputs // 2
        texts[middle : middle + self.bad] = [BAD.ljust(width, ".")] * self.bad
        return texts

    def scaled(self) -> Case:
        """The same with the requests of AsyncOpenAI."""
        return replace(self, requests=self.scaled_requests or self.requests)


@dataclass(frozen=True)
class AtMost(Capacity):
    """So many requests at once, or the window's where those are fewer."""

    at_once: int

    def ideal_s(self, case: Case) -> float:
        return math.ceil(case.requests / self._at_once(case)) * case.latency_s

    def answers_a_second(self, case: Case) -> float:
        return self._at_once(case) / case.latency_s

    def _at_once(self, case: Case) -> int:
        return min(self.at_once, case.at_once)


@dataclass(frozen=True)
class AtRate(Capacity):
    """A second's worth at once, and then as it is refilled."""

    a_second: int
    units_a_request: int = 1

    def ideal_s(self, case: Case) -> float:
        units = case.requests * self.units_a_request
        return max(0, units - self.a_second) / self.a_second + case.latency_s

    def answers_a_second(self, case: Case) -> float:
        return self.a_second / self.units_a_request


@dataclass(frozen=True)
class InBatchesOf(Capacity):
    """Requests of so many inputs at most, as many at once as the window has."""

    most: int

    def ideal_s(self, case: Case) -> float:
        requests = math.ceil(case.inputs / self.most)
        return math.ceil(requests / case.at_once) * case.latency_s


@dataclass(frozen=True)
class Halved(Capacity):
    """All requests at once; then the halves of the one with the bad input, until it is alone."""

    def ideal_s(self, case: Case) -> float:
        return (1 + math.ceil(math.log2(case.bound))) * case.latency_s


@dataclass(frozen=True)
class Twice(Capacity):
    """What was begun when the server died is done all over again."""

    def ideal_s(self, case: Case) -> float:
        assert case.outage is not None, "it dies"
        return case.outage.after_s + case.latency_s


ALL = [
    Case(
        name="in-flight-64",
        title="at most 64 at once, else 429; 8,000 requests, window 256, 50 ms",
        flags=("--max-in-flight", "64"),
        latency_s=0.05,
        requests=8_000,
        batch=1,
        window=256,
        capacity=AtMost(64),
        plotted=True,
    ),
    Case(
        name="in-flight-16",
        title="at most 16 at once, else 429; 1,600 requests of 8 inputs, window 128, 100 ms",
        flags=("--max-in-flight", "16"),
        latency_s=0.1,
        requests=1_600,
        batch=8,
        window=128,
        capacity=AtMost(16),
        plotted=True,
    ),
    Case(
        name="in-flight-64-retry-after",
        title="as the first, with Retry-After: 1",
        flags=("--max-in-flight", "64", "--retry-after", "1"),
        latency_s=0.05,
        requests=8_000,
        batch=1,
        window=256,
        capacity=AtMost(64),
        plotted=True,
    ),
    Case(
        name="requests-500",
        title="500 requests/s, else 429 in OpenAI's words; 5,000 requests, window 256, 50 ms",
        flags=("--requests-per-minute", "30000", "--limit-style", "openai"),
        latency_s=0.05,
        requests=5_000,
        batch=1,
        window=256,
        capacity=AtRate(500),
        plotted=True,
    ),
    Case(
        name="tokens-20000",
        title="20,000 tokens/s, else 429 in OpenAI's words; 1,000 requests of 10 inputs of 20"
        " tokens, 50 ms",
        flags=("--tokens-per-minute", "1200000", "--limit-style", "openai"),
        latency_s=0.05,
        requests=1_000,
        batch=10,
        capacity=AtRate(20_000, 10 * TOKENS_A_TEXT),
        plotted=True,
    ),
    Case(
        name="batch-32",
        title="422 above 32 inputs, as text-embeddings-inference; 12,800 inputs, default batches,"
        " 50 ms",
        flags=("--max-batch-items", "32", "--limit-style", "tei"),
        latency_s=0.05,
        requests=100,
        capacity=InBatchesOf(32),
    ),
    Case(
        name="one-bad-input",
        title='400 for one bad input; 12,800 inputs, default batches, on_error="return", 50 ms',
        flags=(),
        latency_s=0.05,
        requests=100,
        capacity=Halved(),
        keeps_going=True,
        rules=({"path": "/v1", "body_contains": BAD, "faults": "status=400"},),
        bad=1,
    ),
    Case(
        name="down-6s",
        title="refuses connections for 6 s, from 1 s on; 100,000 requests, window 64,"
        ' max_retries=6, on_error="return", 10 ms',
        flags=(),
        latency_s=0.01,
        requests=100_000,
        scaled_requests=5_000,
        batch=1,
        window=64,
        capacity=AtMost(64),
        keeps_going=True,
        max_retries=6,
        outage=Outage(after_s=1, spans_s=(6,)),
        plotted=True,
    ),
    Case(
        name="in-flight-10",
        title="at most 10 at once, else 503, as Traefik and uvicorn; 10,000 inputs, defaults,"
        " 50 ms",
        flags=("--max-in-flight", "10", "--overload-status", "503"),
        latency_s=0.05,
        requests=math.ceil(10_000 / DEFAULT),
        inputs_in_all=10_000,
        capacity=AtMost(10),
    ),
    Case(
        name="restart",
        title="one request of 5 s, killed at 4 s, back 1 to 4 s later; max_retries=6,"
        " initial backoff 4 s",
        flags=(),
        latency_s=5,
        requests=1,
        batch=1,
        capacity=Twice(),
        max_retries=6,
        initial_backoff_ms=4_000,
        outage=Outage(after_s=4, spans_s=(2.5, 1, 4)),
    ),
]


def named(name: str) -> Case:
    """The case of that name."""
    return next(case for case in ALL if case.name == name)
