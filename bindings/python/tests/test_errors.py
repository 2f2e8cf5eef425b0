"""The exceptions: of which classes they are, and what they hold."""

from __future__ import annotations

import asyncio
import pickle
import socket
import subprocess
import time
from collections.abc import Callable

import pytest
import requests

import hedgerow
from conftest import finish
from hedgerow import CancellationToken, PerformanceClient, RequestProcessingPreference
from mock_server import MockServer, texts

Python = Callable[..., "subprocess.Popen[str]"]


def one_try(**settings: object) -> RequestProcessingPreference:
    return RequestProcessingPreference(max_retries=0, **settings)  # type: ignore[arg-type]


def test_a_status_that_is_no_success(server: MockServer, client: PerformanceClient) -> None:
    server.inject('status=403;body={"detail": "denied"},header=x-why:because')
    with pytest.raises(requests.exceptions.HTTPError) as raised:
        client.embed(["a"], "m")
    error = raised.value
    assert isinstance(error, (hedgerow.HTTPError, hedgerow.HedgerowError))
    assert isinstance(error, hedgerow.HTTPError)
    assert error.args[0] == 403
    assert "403 Forbidden" in str(error) and '{"detail": "denied"}' in str(error)
    assert "Request ID: perfclient-" in str(error)
    assert error.request_id is not None and error.request_id in str(error)
    response = error.response
    assert isinstance(response, requests.Response)
    assert response.status_code == 403 and response.reason == "Forbidden" and not response.ok
    assert response.text == '{"detail": "denied"}' and response.json() == {"detail": "denied"}
    assert response.content == response.text.encode()
    assert response.headers["X-Why"] == "because"
    assert error.partial is not None and len(error.partial) == 0
    assert len(error.errors) == 1


def test_a_timeout_of_a_request(server: MockServer, client: PerformanceClient) -> None:
    server.inject("hang")
    with pytest.raises(requests.exceptions.Timeout, match=r"local timeout.* 0.2 s") as raised:
        client.embed(["a"], "m", preference=one_try(timeout_s=0.2))
    assert isinstance(raised.value, hedgerow.Timeout) and isinstance(raised.value, TimeoutError)


def test_a_timeout_of_the_whole_call(server: MockServer, client: PerformanceClient) -> None:
    server.inject("hang")
    with pytest.raises(requests.exceptions.Timeout, match=r"local.*total_timeout_s.* 0.2 s"):
        client.embed(["a"], "m", preference=RequestProcessingPreference(total_timeout_s=0.2))


def test_no_connection_fails_soon_whatever_the_number_of_batches() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    client = PerformanceClient(f"http://127.0.0.1:{port}")
    began = time.monotonic()
    with pytest.raises(ValueError, match=r"\(Connect\).*refused") as raised:
        client.embed(texts(500), "m", preference=RequestProcessingPreference(batch_size=1))
    # 3 s, and what a busy machine takes for the rest.
    assert time.monotonic() - began < 10
    for kind in (hedgerow.ConnectError, ConnectionError, requests.exceptions.ConnectionError):
        assert isinstance(raised.value, kind)


def test_a_connection_that_breaks(server: MockServer, client: PerformanceClient) -> None:
    server.inject("reset")
    with pytest.raises(hedgerow.NetworkError) as raised:
        client.embed(["a"], "m", preference=one_try())
    for kind in (ValueError, ConnectionError, requests.exceptions.ConnectionError):
        assert isinstance(raised.value, kind)


def test_a_cancelled_call(server: MockServer, client: PerformanceClient) -> None:
    token = CancellationToken()
    token.cancel()
    with pytest.raises(ValueError, match="cancelled") as raised:
        client.embed(["a"], "m", preference=RequestProcessingPreference(cancel_token=token))
    assert isinstance(raised.value, hedgerow.Cancelled)
    assert isinstance(raised.value.partial, hedgerow.OpenAIEmbeddingsResponse)
    assert len(raised.value.partial) == 0 and raised.value.errors == []
    assert server.requests == 0


def test_async_calls_raise_the_same(server: MockServer, client: PerformanceClient) -> None:
    server.inject("status=404;body=nothing")

    async def ask() -> None:
        with pytest.raises(requests.exceptions.HTTPError, match="404 Not Found: nothing"):
            await client.async_embed(["a"], "m")
        with pytest.raises(ValueError, match="Input list cannot be empty"):
            await client.async_embed([], "m")

    asyncio.run(ask())


def test_exceptions_go_from_process_to_process(
    server: MockServer, client: PerformanceClient
) -> None:
    server.inject("status=403;body=denied")
    with pytest.raises(hedgerow.HTTPError) as raised:
        client.embed(["a"], "m")
    copied = pickle.loads(pickle.dumps(raised.value))
    assert type(copied) is hedgerow.HTTPError and str(copied) == str(raised.value)
    assert copied.args[0] == copied.response.status_code == 403
    assert copied.request_id == raised.value.request_id
    assert copied.partial is None and copied.errors == []


def test_a_call_that_could_not_begin_has_a_partial_as_well(python: Python) -> None:
    child = python(
        """
        import hedgerow, resource
        client = hedgerow.PerformanceClient(url)
        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        # The threads that send need some.
        resource.setrlimit(resource.RLIMIT_NOFILE, (3, most))
        for call in (lambda: client.embed(["a"], "m"), lambda: client.rerank("q", ["a"])):
            try:
                call()
            except hedgerow.InternalError as error:
                print(type(error.partial).__name__, len(error.partial), error.errors)
        """
    )
    expected = ("OpenAIEmbeddingsResponse", "RerankResponse")
    assert finish(child) == "".join(f"{name} 0 []\n" for name in expected)


def test_each_kind_of_failure_has_a_class() -> None:
    for kind, name in [
        ("closed", "InternalError"),
        ("overloaded", "InternalError"),
        ("inside_runtime", "InternalError"),
        ("internal", "InternalError"),
        ("network", "NetworkError"),
        ("cancelled", "Cancelled"),
    ]:
        error = hedgerow.exceptions.make(
            kind=kind, text="why", status=None, body=None, headers=None, request_id=None, partial=None
        )
        assert (type(error).__name__, error.kind, str(error)) == (name, kind, "why")
        assert pickle.loads(pickle.dumps(error)).kind == kind


def test_a_million_errors_are_made_as_they_are_looked_at(
    server: MockServer, client: PerformanceClient
) -> None:
    server.inject("status=422", "/")
    preference = RequestProcessingPreference(batch_size=1, on_error="return", split_refused=False)
    response = client.embed(texts(5000), "m", preference=preference)
    before = time.thread_time()
    errors = response.errors
    assert len(errors) == 5000 and errors[-1].end == 5000
    # Each takes 14 us.
    assert time.thread_time() - before < 0.02
    assert errors[7] is errors[7] and errors[7].error is errors[7].error
    assert response.errors is errors and [it.start for it in errors[:3]] == [0, 1, 2]


def test_on_error_return_gives_an_error_for_each_failed_batch(
    server: MockServer, client: PerformanceClient
) -> None:
    for path in ("/v1/embeddings", "/rerank", "/predict", "/echo"):
        server.inject("status=422", path, body_contains='number 3"')
    preference = RequestProcessingPreference(
        batch_size=2, on_error="return", split_refused=False
    )
    kept = [0, 1, 4, 5]

    embeddings = client.embed(texts(6), "m", preference=preference)
    assert [item.index for item in embeddings.data] == kept and len(embeddings) == 4
    assert embeddings.data[-1].embedding == client.embed(texts(6)[5:], "m").data[0].embedding
    assert "1 requests failed" in repr(embeddings)
    assert [len(headers) > 0 for headers in embeddings.response_headers] == [True, False, True]
    ranking = client.rerank("q", texts(6), preference=preference)
    assert [rank.index for rank in ranking.data] == kept
    classes = client.classify(texts(6), preference=preference)
    assert [len(labels) for labels in classes.data] == [2, 2, 0, 0, 2, 2]
    posts = client.batch_post("/echo", texts(6), preference=preference)
    assert [answer and answer["body"] for answer in posts.data] == [
        None if number == 3 else text for number, text in enumerate(texts(6))
    ]
    for response, failed in ((embeddings, (2, 4)), (ranking, (2, 4)), (posts, (3, 4))):
        [error] = response.errors
        assert (error.start, error.end) == failed
        assert isinstance(error.error, hedgerow.HTTPError) and error.error.args[0] == 422
        assert "FailedRequest(start=" in repr(error)


def test_where_every_request_failed_the_shape_is_kept(
    server: MockServer, client: PerformanceClient
) -> None:
    server.inject("status=422")
    preference = RequestProcessingPreference(on_error="return")
    response = client.embed(texts(3), "m", preference=preference)
    assert response.numpy().shape == (3, 0) and list(response.data) == []


def test_no_key_is_in_an_error(server: MockServer) -> None:
    server.inject("status=401;body=bad key sk-very-secret,header=x-key:sk-very-secret")
    client = PerformanceClient(server.url, "sk-very-secret")
    with pytest.raises(hedgerow.HTTPError) as raised:
        client.embed(["a"], "m")
    error = raised.value
    assert error.response is not None
    assert error.response.headers["x-key"] == "***"
    shown = [str(error), repr(error), error.response.text, str(error.__dict__)]
    assert "sk-very-secret" not in "".join([*shown, str(error.response.headers)])
    assert b"sk-very-secret" not in pickle.dumps(error)
