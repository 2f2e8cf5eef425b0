"""The points in which the client that this one replaces was known to be wrong, by their number."""

from __future__ import annotations

import asyncio
import base64
import email.utils
import os
import signal
import struct
import subprocess
import threading
import time
from collections.abc import Callable

import numpy as np
import pytest

import hedgerow
from conftest import finish
from hedgerow import CancellationToken, PerformanceClient, RequestProcessingPreference
from mock_server import MockServer, eventually, texts

Python = Callable[..., "subprocess.Popen[str]"]


def one_each(**settings: object) -> RequestProcessingPreference:
    return RequestProcessingPreference(batch_size=1, **settings)  # type: ignore[arg-type]


def test_point_01_cancel_closes_the_sockets_of_every_call_with_the_token(
    server: MockServer, client: PerformanceClient
) -> None:
    # The best of five tries: the machine may be busy during any of them.
    took = []
    for _ in range(5):
        server.clear()
        server.forget()
        server.inject("hang")
        token = CancellationToken()
        raised: list[Exception] = []

        def call(token: CancellationToken = token, raised: list[Exception] = raised) -> None:
            with pytest.raises(ValueError, match="cancelled") as error:
                client.embed(texts(10), "m", preference=one_each(cancel_token=token))
            raised.append(error.value)

        threads = [threading.Thread(target=call) for _ in range(2)]
        for thread in threads:
            thread.start()
        eventually("20 requests hang", lambda: server.stats["in_flight"] == 20)
        token.cancel()
        took.append(eventually("all are closed", lambda: server.stats["aborted"] == 20))
        for thread in threads:
            thread.join()
        assert len(raised) == 2
        assert all(isinstance(error, hedgerow.Cancelled) for error in raised)
    assert min(took) < 0.2, took


def test_point_02_a_success_leaves_the_token_as_it_was(client: PerformanceClient) -> None:
    token = CancellationToken()
    for _ in range(2):
        client.embed(texts(3), "m", preference=one_each(cancel_token=token))
        assert not token.is_cancelled()


def test_point_03_after_ctrl_c_the_next_call_works(server: MockServer, python: Python) -> None:
    server.inject("hang", times=1)
    child = python(
        """
        import hedgerow
        client = hedgerow.PerformanceClient(url)
        try:
            client.embed(["hangs"], "m")
        except KeyboardInterrupt:
            print("interrupted", len(client.embed(["works"], "m")))
        """
    )
    eventually("the call hangs", lambda: server.stats["in_flight"] == 1)
    child.send_signal(signal.SIGINT)
    assert finish(child) == "interrupted 1\n"
    assert server.stats["aborted"] == 1


def test_point_04_an_outage_is_not_met_with_many_times_the_load(
    server: MockServer, client: PerformanceClient
) -> None:
    server.inject("status=500")
    settings = {"max_retries": 6, "initial_backoff_ms": 50, "max_concurrent_requests": 512}
    preference = one_each(on_error="return", **settings)
    client = PerformanceClient(server.url, client_wrapper=hedgerow.HttpClientWrapper())
    began = time.monotonic()
    response = client.embed(texts(2000), "m", preference=preference)
    assert len(response.errors) == 2000 and len(response) == 0
    # 20 % of the requests, 100 in reserve, and what ten seconds and more give back.
    allowed = 2000 + 400 + 100 + 100 * (int(time.monotonic() - began) // 10)
    assert 2000 < server.requests <= allowed


def test_point_05_the_first_success_of_a_hedged_pair_wins(
    server: MockServer, client: PerformanceClient
) -> None:
    preference = one_each(hedge_delay=0.1, max_retries=0)
    # The first attempt is slow, and its twin is refused.
    server.inject("delay=400", times=1)
    server.inject("status=500", times=1)
    assert len(client.embed(["a"], "m", preference=preference)) == 1
    assert server.requests == 2
    # The first attempt hangs in its body, which is covered too.
    server.clear()
    server.forget()
    server.inject("hang_body", times=1)
    assert len(client.embed(["a"], "m", preference=preference)) == 1
    assert server.requests == 2
    eventually("the loser is closed", lambda: server.stats["aborted"] == 1)


def test_point_06_a_call_may_have_a_key_of_its_own(
    server: MockServer, client: PerformanceClient
) -> None:
    client.embed(texts(1), "m")
    client.embed(texts(2), "m", preference=one_each(primary_api_key_override="sk-other"))
    assert server.stats["per_key"] == {"sk-other": 2, "sk-test-key": 1}


def test_point_07_one_failed_batch_does_not_throw_away_the_others(
    server: MockServer, client: PerformanceClient
) -> None:
    server.inject("status=422", body_contains='number 7"')
    preference = one_each(max_concurrent_requests=1)
    with pytest.raises(hedgerow.HTTPError) as raised:
        client.embed(texts(10), "m", preference=preference)
    error = raised.value
    assert isinstance(error.partial, hedgerow.OpenAIEmbeddingsResponse)
    assert [item.index for item in error.partial.data] == list(range(7))
    assert [(failed.start, failed.end) for failed in error.errors] == [(7, 8)]

    preference.on_error = "return"
    response = client.embed(texts(10), "m", preference=preference)
    assert [item.index for item in response.data] == [0, 1, 2, 3, 4, 5, 6, 8, 9]
    [failed] = response.errors
    assert (failed.start, failed.end) == (7, 8)
    assert isinstance(failed.error, hedgerow.HTTPError) and failed.error.args[0] == 422
    array = response.numpy()
    assert array.shape == (10, 8)
    assert np.isnan(array).all(axis=1).tolist() == [row == 7 for row in range(10)]


def test_point_07_the_total_timeout_does_not_throw_away_what_finished(
    server: MockServer, client: PerformanceClient
) -> None:
    server.inject("hang", body_contains='number 3"')
    preference = one_each(total_timeout_s=2)
    with pytest.raises(hedgerow.Timeout) as raised:
        client.embed(texts(6), "m", preference=preference)
    assert isinstance(raised.value.partial, hedgerow.OpenAIEmbeddingsResponse)
    assert [item.index for item in raised.value.partial] == [0, 1, 2, 4, 5]
    preference.on_error = "return"
    response = client.embed(texts(6), "m", preference=preference)
    assert [item.index for item in response] == [0, 1, 2, 4, 5]
    assert isinstance(response.errors[0].error, TimeoutError)


@pytest.mark.parametrize("fault", ["cut_body", "cut_body,chunked"])
def test_point_08_a_body_that_breaks_off_is_asked_for_again(
    server: MockServer, client: PerformanceClient, fault: str
) -> None:
    server.inject(fault, times=1)
    assert len(client.embed(texts(5), "m")) == 5
    assert server.requests == 2


@pytest.mark.parametrize("fault", ["short_rows", "extra_rows", "repeated_index"])
def test_point_09_wrong_rows_are_asked_for_once_more_and_then_an_error(
    server: MockServer, client: PerformanceClient, fault: str
) -> None:
    server.inject(fault, times=1)
    assert len(client.embed(texts(3), "m")) == 3
    assert server.requests == 2
    server.clear()
    server.forget()
    server.inject(fault)
    with pytest.raises(hedgerow.AnswerError, match="Request ID: perfclient-") as raised:
        client.embed(texts(3), "m")
    assert isinstance(raised.value, ValueError)
    assert server.requests == 2


def test_point_10_base64_embeddings_are_decoded(
    server: MockServer, client: PerformanceClient
) -> None:
    server.inject("", body_contains='"encoding_format":"base64"')
    server.inject("status=418")
    response = client.embed(texts(9), "m", encoding_format="base64")
    server.clear()
    raw = [base64.b64decode(row) for row in server.vectors(texts(9), encoding_format="base64")]
    expected = [list(struct.unpack("<8f", row)) for row in raw]
    assert response.numpy().tolist() == expected
    assert [item.embedding for item in response.data] == expected


def test_point_11_looking_at_a_row_copies_that_row_and_numpy_is_a_view(
    client: PerformanceClient,
) -> None:
    response = client.embed(texts(300), "m")
    before = response.data[17].embedding
    array = response.numpy()
    assert array.dtype == np.float32 and array.shape == (300, 8)
    assert np.shares_memory(array, response.numpy())
    assert np.shares_memory(array, response.data[17].numpy())
    assert array[17].tolist() == before
    array[17] = 0
    assert response.data[17].embedding == [0.0] * 8


def test_point_12_retry_after_is_kept_in_each_of_its_forms(
    server: MockServer, client: PerformanceClient
) -> None:
    # A date has whole seconds: between one and two are left of it.
    forms: list[tuple[str, Callable[[], str], float]] = [
        ("retry-after", lambda: "1", 1.0),
        ("retry-after-ms", lambda: "300", 0.3),
        ("retry-after", lambda: email.utils.formatdate(time.time() + 2, usegmt=True), 0.9),
    ]
    for name, value, least in forms:
        server.clear()
        server.forget()
        value_now = value().replace(",", "%2C")
        server.inject(f"status=429,header={name}:{value_now}", times=1)
        fresh = PerformanceClient(server.url, client_wrapper=hedgerow.HttpClientWrapper())
        began = time.monotonic()
        fresh.embed(texts(1), "m")
        took = time.monotonic() - began
        assert least <= took < least + 10, (name, took)
        assert server.requests == 2


def test_point_12_a_sleeping_retry_holds_no_slot(
    server: MockServer, client: PerformanceClient
) -> None:
    server.inject("status=500;retry_after=1", times=1)
    response = client.embed(texts(50), "m", preference=one_each(max_concurrent_requests=1))
    times = sorted(response.individual_request_times)
    assert times[-1] >= 1 and times[-2] < 0.9


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_point_13_after_fork_the_child_starts_its_own_system(
    server: MockServer, python: Python
) -> None:
    child = python(
        """
        import os, hedgerow
        client = hedgerow.PerformanceClient(url)
        assert len(client.embed(["before"], "m")) == 1
        for _ in range(3):
            child = os.fork()
            if child == 0:
                assert len(client.embed(["in the child"], "m")) == 1
                os._exit(7)
            assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
        assert len(client.embed(["after"], "m")) == 1
        """,
        "-Wignore",
    )
    finish(child)
    assert server.stats["answered"] == 5


def test_point_14_a_ranking_stays_in_input_order_and_sorts_best_first(
    server: MockServer, client: PerformanceClient
) -> None:
    preference = RequestProcessingPreference(batch_size=7)
    response = client.rerank("which", texts(50), preference=preference, return_text=True)
    assert server.requests == 8
    assert [rank.index for rank in response.data] == list(range(50))
    assert [rank.text for rank in response.data] == texts(50)
    best_first = sorted(response.data, key=lambda rank: -rank.score)
    assert response.sorted() == best_first
    assert best_first != list(response.data)


def test_point_14_holds_for_asyncio_too(client: PerformanceClient) -> None:
    preference = RequestProcessingPreference(batch_size=7)
    response = asyncio.run(client.async_rerank("which", texts(50), preference=preference))
    assert [rank.index for rank in response] == list(range(50))
