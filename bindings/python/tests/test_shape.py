"""Requests that are too large for a server, and inputs that it refuses."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from hedgerow import HTTPError, PerformanceClient, RequestProcessingPreference
from mock_server import MockServer, texts

RETURNING = RequestProcessingPreference(on_error="return")


def limit(server: MockServer, **limits: Any) -> None:
    server.ask("POST", "/mock/limits", limits)


def test_a_limit_on_inputs_is_found_once_and_kept_by_every_operation(
    server: MockServer, client: PerformanceClient
) -> None:
    expected = client.embed(texts(100), "m").numpy()
    limit(server, max_batch_items=32, style="tei")
    server.forget()
    assert np.array_equal(client.embed(texts(100), "m").numpy(), expected)
    assert server.requests == 1 + 4
    assert len(client.rerank("query", texts(100)).data) == 100
    assert len(client.classify(texts(100)).data) == 100
    assert server.requests == 5 + 2 * (1 + 4)
    rows = [row for batch in client.embed_iter(texts(100), "m") for row in batch.numpy()]
    assert np.array_equal(np.stack(rows), expected)
    assert server.requests == 15 + 4


def test_a_limit_on_tokens_is_kept_after_one_refusal(
    server: MockServer, client: PerformanceClient
) -> None:
    limit(server, max_batch_tokens=150, style="openai")
    for _ in range(2):
        response = client.embed(texts(120), "m")
        assert len(response.data) == 120
    assert server.stats["per_status"]["400"] == 1


@pytest.mark.parametrize(
    "faults",
    ["status=400", "status=422;body=no", "status=500;body=json: unsupported value: NaN"],
)
def test_one_bad_input_costs_its_row(
    server: MockServer, client: PerformanceClient, faults: str
) -> None:
    inputs = [*texts(77), "bad", *texts(922)]
    server.inject(faults, path="/", body_contains='"bad"')
    response = client.embed(inputs, "m", preference=RETURNING)
    [error] = response.errors
    assert (error.start, error.end) == (77, 78)
    missing = np.isnan(response.numpy()).any(axis=1)
    assert missing.nonzero()[0].tolist() == [77]
    assert server.requests <= 8 + 15
    assert len(response.individual_request_times) >= 8
    ranking = client.rerank("query", inputs, preference=RETURNING)
    assert [(error.start, error.end) for error in ranking.errors] == [(77, 78)]
    classes = client.classify(inputs, preference=RETURNING)
    assert [(error.start, error.end) for error in classes.errors] == [(77, 78)]
    batches = list(client.embed_iter(inputs, "m", preference=RETURNING))
    rows = np.concatenate([batch.numpy() for batch in batches])
    assert np.isnan(rows).any(axis=1).nonzero()[0].tolist() == [77]


def test_a_call_that_raises_names_the_input(server: MockServer, client: PerformanceClient) -> None:
    inputs = [*texts(5), "bad", *texts(5)]
    server.inject("status=422", body_contains='"bad"')
    with pytest.raises(HTTPError) as caught:
        client.embed(inputs, "m")
    [error] = caught.value.errors
    assert (error.start, error.end) == (5, 6)


def test_batches_are_left_whole_where_that_is_asked_for(
    server: MockServer, client: PerformanceClient
) -> None:
    inputs = [*texts(5), "bad", *texts(5)]
    server.inject("status=422", body_contains='"bad"')
    whole = RequestProcessingPreference(on_error="return", split_refused=False)
    [error] = client.embed(inputs, "m", preference=whole).errors
    assert (error.start, error.end) == (0, 11)


def test_what_is_about_no_input_costs_a_logarithm(
    server: MockServer, client: PerformanceClient
) -> None:
    server.inject("status=400;body=no such thing")
    [error] = client.embed(texts(128), "m", preference=RETURNING).errors
    assert (error.start, error.end) == (0, 128)
    assert server.requests <= 1 + math.log2(128)


def test_bytes_and_tokens_bound_a_request(server: MockServer, client: PerformanceClient) -> None:
    inputs = ["word " * 60] * 20
    for settings in [{"max_bytes_per_request": 1024}, {"max_tokens_per_request": 700}]:
        server.forget()
        preference = RequestProcessingPreference(**settings)
        assert len(client.embed(inputs, "m", preference=preference).data) == 20
        assert 2 <= server.requests <= 10
