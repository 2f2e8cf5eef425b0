"""Requests and tokens a minute: what a call sets, and what a server tells."""

from __future__ import annotations

import time

import pytest

from hedgerow import PerformanceClient, RequestProcessingPreference
from mock_server import MockServer, texts


def client_of(server: MockServer) -> PerformanceClient:
    return PerformanceClient(server.url, api_key="a-key")


def test_tokens_are_counted_by_the_caller_s_function(server: MockServer) -> None:
    seen: list[str] = []

    def ten(text: str) -> int:
        seen.append(text)
        return 10

    # Five go at once, and 19.6 a second follow.
    preference = RequestProcessingPreference(
        batch_size=1, tokens_per_minute=12_000, count_tokens=ten
    )
    start = time.monotonic()
    response = client_of(server).embed(texts(20), model="m", preference=preference)
    assert len(response) == 20
    assert time.monotonic() - start >= 0.7
    assert sorted(seen) == sorted(texts(20))


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_function_that_raises_costs_no_row(server: MockServer) -> None:
    asked: list[str] = []

    def fails(text: str) -> int:
        asked.append(text)
        raise RuntimeError(f"not {text}")

    preference = RequestProcessingPreference(
        tokens_per_minute=1_000_000, count_tokens=fails
    )
    response = client_of(server).embed(texts(3), model="m", preference=preference)
    assert len(response) == 3
    assert len(asked) == 3


def test_a_rate_that_headers_tell_is_kept() -> None:
    # A busy machine spoils some tries, and a fault all of them.
    tries = [a_rate_told_by_headers() for _ in range(5)]
    # 400 at once, and 400 a second; one in twenty is refused at most.
    assert any(0.9 <= took <= 4.0 and refused <= 40 for took, refused in tries), tries


def a_rate_told_by_headers() -> tuple[float, int]:
    """How long 800 requests took at 400 a second, and how often they were refused."""
    server = MockServer("--requests-per-minute", "24000", "--limit-style", "openai")
    try:
        preference = RequestProcessingPreference(batch_size=1, max_concurrent_requests=256)
        start = time.monotonic()
        response = client_of(server).embed(texts(800), model="m", preference=preference)
        took = time.monotonic() - start
        assert len(response) == 800
        return took, sum(server.ask("GET", "/stats")["per_limit"].values())
    finally:
        server.stop()
