"""Responses: lazy sequences, views, lengths, texts."""

from __future__ import annotations

import collections.abc
import gc
import tracemalloc
import warnings
import weakref
from typing import Any

import numpy as np
import pytest

from hedgerow import OpenAIEmbeddingsResponse, PerformanceClient, RequestProcessingPreference
from mock_server import MockServer, texts


@pytest.fixture
def response(client: PerformanceClient) -> OpenAIEmbeddingsResponse:
    return client.embed(texts(10), "m", preference=RequestProcessingPreference(batch_size=3))


def test_data_is_a_sequence(response: OpenAIEmbeddingsResponse) -> None:
    data = response.data
    rows = response.numpy().tolist()
    assert isinstance(data, collections.abc.Sequence)
    assert len(data) == len(response) == 10
    assert [item.embedding for item in data] == rows
    assert [item.embedding for item in response] == rows
    assert [item.index for item in data] == list(range(10))
    assert data[3].object == "embedding"
    assert data[-1].index == data[np.int64(9)].index == 9
    assert [item.index for item in data[1:8:3]] == [1, 4, 7]
    assert [item.index for item in data[::-1]] == list(range(9, -1, -1))
    assert [item.index for item in reversed(data)] == list(range(9, -1, -1))
    assert isinstance(data[2:4], list) and data[5:2] == []
    assert data[4] in data and "text" not in data
    assert data.index(data[4]) == 4 and data.count(data[4]) == 1
    assert data == list(data) == response.data and data != list(data)[1:]


@pytest.mark.parametrize("index", [10, -11, 2**70, -(2**70)])
def test_an_index_out_of_range(response: OpenAIEmbeddingsResponse, index: int) -> None:
    with pytest.raises(IndexError):
        response.data[index]


def test_an_index_that_is_none(response: OpenAIEmbeddingsResponse) -> None:
    with pytest.raises(TypeError, match="indices must be integers or slices, not str"):
        response.data["a"]  # type: ignore[call-overload]


def test_every_object_says_what_it_is(
    client: PerformanceClient, response: OpenAIEmbeddingsResponse
) -> None:
    assert repr(response) == "OpenAIEmbeddingsResponse(10 x 8, model='m')"
    assert repr(response.data[0]) == "OpenAIEmbeddingData(index=0, embedding=<8 floats>)"
    assert repr(response.data).endswith("... 10 in all]")
    assert repr(response.usage).startswith("OpenAIUsage(prompt_tokens=")
    ranking = client.rerank("q", ["it's"], return_text=True)
    score = ranking.data[0].score
    expected = f'RerankResult(index=0, score={score}, text="it\'s")'
    assert repr(ranking) == f"RerankResponse(data=[{expected}])"
    classes = client.classify(["a"])
    assert "ClassificationResult(label='" in repr(classes)
    assert repr(client.batch_post("/echo", [1], method="DELETE")) == "BatchPostResponse(data=[{}])"


def test_numpy_may_be_asked_for_at_any_time_and_outlives_the_response(
    client: PerformanceClient,
) -> None:
    response = client.embed(texts(5), "m")
    item = response.data[2]
    before = item.embedding
    times, headers = response.individual_request_times, response.response_headers
    array = response.numpy()
    with warnings.catch_warnings():
        # Newer versions of NumPy would rather have a new view.
        warnings.simplefilter("ignore")
        array.shape = (40,)
    assert response.numpy().shape == (5, 8)
    assert item.embedding == before
    assert response.individual_request_times == times
    assert response.response_headers == headers
    assert len(response) == 5 and response.total_time > 0
    item_row = item.numpy()
    assert item_row.shape == (8,) and np.shares_memory(item_row, array)
    del response, item
    gc.collect()
    assert array.reshape(5, 8)[2].tolist() == before


def test_a_look_at_a_row_does_not_cost_the_matrix(client: PerformanceClient) -> None:
    response = client.embed(["same text"] * 20_000, "m", dimensions=256)
    tracemalloc.start()
    row = response.data[12_345].embedding
    array = response.numpy()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(row) == 256 and array.nbytes > 20_000_000
    # What Python allocated: a list of 256 floats and a few objects. A copy would show: NumPy
    # reports its memory to tracemalloc.
    assert peak < 1_000_000


def test_responses_are_freed(server: MockServer, client: PerformanceClient) -> None:
    class Marker:
        pass

    response = client.batch_post("/echo", [1])
    marker = Marker()
    alive = weakref.ref(marker)
    answer: dict[str, Any] = response.data[0]
    answer["marker"] = marker
    del marker, response, answer
    gc.collect()
    assert alive() is None
