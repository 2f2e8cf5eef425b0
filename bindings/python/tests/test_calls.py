"""The four calls: what goes over the wire, and what comes back."""

from __future__ import annotations

import asyncio
import inspect
import pickle
from typing import Any

import numpy as np
import pytest

import hedgerow
from hedgerow import HttpClientWrapper, PerformanceClient, RequestProcessingPreference
from mock_server import MockServer, texts


def echoed(response: hedgerow.BatchPostResponse) -> dict[str, Any]:
    found: dict[str, Any] = response.data[0]
    return found


def test_embed_gives_every_vector_in_input_order(
    server: MockServer, client: PerformanceClient
) -> None:
    preference = RequestProcessingPreference(batch_size=7, max_concurrent_requests=4)
    response = client.embed(texts(100), "m", None, 16, "someone", preference)
    assert server.requests == 15
    assert server.stats["peak_in_flight"] <= 4
    expected = np.array(server.vectors(texts(100), dimensions=16), dtype=np.float32)
    assert np.array_equal(response.numpy(), expected)
    assert response.model == "m" and response.object == "list"
    assert response.usage.prompt_tokens == response.usage.total_tokens > 0
    assert len(response.individual_request_times) == 15
    assert response.individual_batch_request_times == response.individual_request_times
    assert all(0 < time < 60 for time in response.individual_request_times)
    assert 0 < response.total_time < 60
    assert response.response_headers[14]["content-type"] == "application/json"
    assert response.errors == []


def test_rerank_and_classify(client: PerformanceClient) -> None:
    ranking = client.rerank("q", ["a", "b"], return_text=True)
    assert [(rank.index, rank.text) for rank in ranking.data] == [(0, "a"), (1, "b")]
    assert all(0 < rank.score < 1 for rank in ranking)
    assert client.rerank("q", ["a"]).data[0].text is None
    classes = client.classify(["a", "b"])
    assert len(classes) == 2
    for labels in classes.data:
        assert {result.label for result in labels} == {"positive", "negative"}
        assert sum(result.score for result in labels) == pytest.approx(1)


def test_async_calls_give_the_same(client: PerformanceClient) -> None:
    async def ask() -> None:
        embeddings = await client.async_embed(texts(9), "m")
        assert embeddings.data == client.embed(texts(9), "m").data
        ranking = await client.async_rerank("q", texts(9))
        assert ranking.data == client.rerank("q", texts(9)).data
        classes = await client.async_classify(texts(9))
        assert classes.data == client.classify(texts(9)).data
        posts = await client.async_batch_post("/echo", [{"a": 1}, [2]])
        assert [answer["body"] for answer in posts] == [{"a": 1}, [2]]

    asyncio.run(ask())


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH"])
def test_a_method_is_sent_and_carries_a_body_or_none(
    client: PerformanceClient, method: str
) -> None:
    answer = echoed(client.batch_post("/echo/x?a=b", [{"n": 1}], method=method))
    assert (answer["method"], answer["path"], answer["query"]) == (method, "/echo/x", "a=b")
    assert answer["body"] == (None if method == "GET" else {"n": 1})


@pytest.mark.parametrize("method", ["DELETE", "HEAD", "OPTIONS"])
def test_methods_whose_answer_is_in_the_head_give_an_empty_dict(
    server: MockServer, client: PerformanceClient, method: str
) -> None:
    assert list(client.batch_post("/echo", [None, None], method=method).data) == [{}, {}]
    assert server.stats["per_path"] == {"/echo": 2}


@pytest.mark.parametrize("method", ["post", "TRACE", ""])
def test_other_methods_are_refused(
    server: MockServer, client: PerformanceClient, method: str
) -> None:
    with pytest.raises(ValueError, match="Invalid HTTP method"):
        client.batch_post("/echo", [1], method=method)
    assert server.requests == 0


def test_batch_post_takes_its_arguments_in_the_old_order_and_in_the_new(
    client: PerformanceClient,
) -> None:
    preference = RequestProcessingPreference(extra_headers={"X-Extra": "e"})
    headers = {"X-Custom": "c"}
    calls: list[tuple[Any, ...]] = [
        (headers, preference, "PUT"),
        (preference, "PUT"),
        (None, preference, "PUT"),
        (preference, None, "PUT"),
        (preference, headers, "PUT"),
    ]
    for arguments in calls:
        answer = echoed(client.batch_post("/echo", [1], *arguments))
        assert answer["method"] == "PUT"
        assert answer["headers"]["x-extra"] == "e"
        assert answer["headers"].get("x-custom") == ("c" if headers in arguments else None)
    with pytest.raises(TypeError, match="preference was given twice"):
        client.batch_post("/echo", [1], preference, preference)
    with pytest.raises(TypeError, match="of type int"):
        client.batch_post("/echo", [1], 5)  # type: ignore[arg-type]


def test_headers_replace_those_of_the_same_name_whatever_its_case(
    client: PerformanceClient,
) -> None:
    preference = RequestProcessingPreference(
        extra_headers={"user-AGENT": "mine", "x-one": "preference"}
    )
    sent = echoed(client.batch_post("/echo", [1], {"X-One": "call"}, preference))["headers"]
    assert sent["user-agent"] == "mine"
    assert sent["x-one"] == "call"
    assert sent["authorization"] == "Bearer sk-test-key"
    assert sent["x-baseten-customer-request-id"].startswith("perfclient-")
    assert 0 < int(sent["request-timeout-ms"]) <= 3_600_000
    plain = echoed(client.batch_post("/echo", [1]))["headers"]
    assert plain["user-agent"] == f"hedgerow/{hedgerow.__version__}"


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda client: client.embed([], "m"), "Input list cannot be empty"),
        (lambda client: client.rerank("q", []), "Texts list cannot be empty"),
        (lambda client: client.classify([]), "Inputs list cannot be empty"),
        (lambda client: client.batch_post("/x", []), "Payloads list cannot be empty"),
        (lambda client: client.embed(["a"], "m", "zip"), "Encoding format must be"),
        (lambda client: client.embed(["a"], "m", None, 0), "dimensions must be greater than 0"),
        (lambda client: client.rerank("q", ["a"], truncation_direction="Up"), "'Left' or 'Right'"),
    ],
)
def test_bad_arguments_are_value_errors(
    server: MockServer, client: PerformanceClient, call: Any, text: str
) -> None:
    with pytest.raises(ValueError, match=text):
        call(client)
    assert server.requests == 0


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda client: client.embed("one text", "m"), "input must be a list, not str"),
        (lambda client: client.embed(b"bytes", "m"), "input must be a list, not bytes"),
        (lambda client: client.embed({"a": 1}, "m"), "input must be a list, not dict"),
        (lambda client: client.embed(None, "m"), "input must be a list, not NoneType"),
        (lambda client: client.embed(["a", 1], "m"), r"input\[1\] must be a str, not int"),
        (lambda client: client.rerank("q", [None]), r"texts\[0\] must be a str, not NoneType"),
        (lambda client: client.rerank(1, ["a"]), "query must be a str, not int"),
        (lambda client: client.embed(["a"], None), "model must be a str, not NoneType"),
        (lambda client: client.batch_post("/x", {"a": 1}), "payloads must be a list, not dict"),
        (lambda client: client.embed(["a"], "m", progress=3), "progress must be"),
    ],
)
def test_values_of_a_wrong_type_are_type_errors(
    client: PerformanceClient, call: Any, text: str
) -> None:
    with pytest.raises(TypeError, match=text):
        call(client)


def test_a_lone_surrogate_is_refused_with_its_place(client: PerformanceClient) -> None:
    with pytest.raises(ValueError, match=r"input\[1\] holds a lone surrogate"):
        client.embed(["fine", "\ud800"], "m")


def test_inputs_are_anything_that_can_be_iterated(client: PerformanceClient) -> None:
    expected = client.embed(["a", "b"], "m").data
    for given in (("a", "b"), iter(["a", "b"]), np.array(["a", "b"]), {"a": 0, "b": 0}.keys()):
        assert client.embed(given, "m").data == expected
    # A character of any size, an empty text, and a text with every escape.
    hostile = ["\U0001f600", "", '"\\\b\f\n\r\t\x00\x7f\u2028', "a" * 100_000]
    assert len(client.embed(hostile, "m")) == 4


def test_a_list_that_shrinks_while_it_is_read_is_noticed(client: PerformanceClient) -> None:
    many = ["text"] * 2_000_000

    async def ask() -> None:
        call = asyncio.ensure_future(client.async_embed(many, "m"))
        await asyncio.sleep(0)
        many.clear()
        with pytest.raises(RuntimeError, match="input changed while it was read"):
            await call

    asyncio.run(ask())


def test_the_client_has_the_documented_signature() -> None:
    def parameters(function: Any) -> list[str]:
        found = inspect.signature(function).parameters.values()
        return [it.name for it in found if it.kind == it.POSITIONAL_OR_KEYWORD][1:]

    expected = {
        "__init__": "base_url api_key http_version client_wrapper proxy endpoint_pool",
        "embed": "input model encoding_format dimensions user preference",
        "rerank": "query texts raw_scores model return_text truncate truncation_direction "
        "preference",
        "classify": "inputs model raw_scores truncate truncation_direction preference",
        "batch_post": "url_path payloads custom_headers preference method",
    }
    for name, names in expected.items():
        assert parameters(getattr(PerformanceClient, name)) == names.split()
        if name != "__init__":
            twin = getattr(PerformanceClient, f"async_{name}")
            assert parameters(twin) == names.split()
            assert inspect.iscoroutinefunction(twin)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"base_url": "nonsense"}, "base_url is not a URL"),
        ({"base_url": "http://h", "api_key": "two words"}, "api_key holds a character"),
        ({"base_url": "http://h", "http_version": 3}, "http_version must be 1 or 2 .got 3."),
        ({"base_url": "http://h", "proxy": "socks5://p"}, "proxy is of an unknown scheme"),
        ({"base_url": "http://h", "endpoint_pool": object()}, "endpoint_pool must be None"),
    ],
)
def test_a_client_checks_its_arguments(arguments: dict[str, Any], text: str) -> None:
    with pytest.raises(ValueError, match=text):
        PerformanceClient(**arguments)


def test_a_client_takes_its_key_from_the_environment(
    server: MockServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert PerformanceClient(server.url).api_key is None
    monkeypatch.setenv("OPENAI_API_KEY", "sk-openai")
    assert PerformanceClient(server.url).api_key == "sk-openai"
    monkeypatch.setenv("BASETEN_API_KEY", "sk-baseten")
    client = PerformanceClient(server.url)
    assert client.api_key == "sk-baseten" and client.base_url == server.url
    client.embed(["a"], "m")
    assert server.stats["per_key"] == {"sk-baseten": 1}


def test_clients_share_connections_and_a_wrapper_has_its_own(server: MockServer) -> None:
    one, other = PerformanceClient(server.url), PerformanceClient(server.url)
    assert one.get_client_wrapper() is not None
    preference = RequestProcessingPreference(batch_size=1, max_concurrent_requests=1)
    one.embed(["a"], "m", preference=preference)
    other.embed(["a"], "m", preference=preference)
    workers = server.stats["connections_total"]
    wrapper = HttpClientWrapper()
    apart = PerformanceClient(server.url, client_wrapper=wrapper)
    assert apart.get_client_wrapper() is wrapper
    apart.embed(["a"], "m", preference=preference)
    assert server.stats["connections_total"] > workers
    together = PerformanceClient(server.url, client_wrapper=apart.get_client_wrapper())
    assert len(together.embed(["a"], "m")) == 1


def test_a_wrapper_has_its_http_version_and_proxy_and_shows_no_password() -> None:
    wrapper = HttpClientWrapper(2, "http://user:secret@127.0.0.1:3128")
    assert repr(wrapper) == "HttpClientWrapper(http_version=2, proxy=At(127.0.0.1:3128))"
    copy = pickle.loads(pickle.dumps(wrapper))
    assert repr(copy) == repr(wrapper)
    client = PerformanceClient("http://h", http_version=2)
    assert "http_version=2" in repr(client.get_client_wrapper())


def test_a_wrapper_bounds_what_is_read(server: MockServer) -> None:
    wrapper = HttpClientWrapper(max_response_bytes=100, max_buffered_bytes=1 << 20)
    shown = "max_response_bytes=100, max_buffered_bytes=1048576"
    assert repr(wrapper) == f"HttpClientWrapper(http_version=1, {shown})"
    assert repr(pickle.loads(pickle.dumps(wrapper))) == repr(wrapper)
    client = PerformanceClient(server.url, client_wrapper=wrapper)
    with pytest.raises(hedgerow.AnswerError, match="limit of 100 bytes"):
        client.embed(texts(100), "m")
    for name in ("max_response_bytes", "max_buffered_bytes"):
        with pytest.raises(ValueError, match=rf"{name} must be at least 1 \(got 0\)"):
            HttpClientWrapper(**{name: 0})


def test_requests_go_through_the_proxy(server: MockServer) -> None:
    # The mock stands where a proxy does, and is asked for the whole URL.
    client = PerformanceClient("http://nowhere.test", proxy=server.url)
    with pytest.raises(hedgerow.HTTPError) as caught:
        client.batch_post("/stand-in", [{}])
    assert caught.value.args[0] == 404
    assert server.requests == 1
