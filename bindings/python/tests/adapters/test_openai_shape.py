"""`hedgerow.openai_shape` beside the real openai package, at the same server."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import openai
import pytest
from openai.types import CreateEmbeddingResponse

from hedgerow import PerformanceClient
from hedgerow.openai_shape import AsyncEmbeddings, Embeddings
from mock_server import MockServer, texts

TEXTS = texts(300)


@pytest.fixture
def embeddings(client: PerformanceClient) -> Embeddings:
    return client.embeddings


@pytest.fixture
def theirs(server: MockServer) -> Any:
    return openai.OpenAI(base_url=f"{server.url}/v1", api_key="none").embeddings


@pytest.mark.filterwarnings("ignore:Pydantic serializer warnings")
@pytest.mark.parametrize(
    "options",
    [
        {"input": "one"},
        {"input": ["one", "two"]},
        {"input": ["one"], "dimensions": 3, "user": "me"},
        {"input": ["one", "two"], "encoding_format": "base64"},
        {"input": ["one"], "dimensions": openai.NOT_GIVEN, "timeout": openai.NOT_GIVEN},
    ],
)
def test_the_answer_is_openais(
    embeddings: Embeddings, theirs: Any, options: dict[str, Any]
) -> None:
    ours = embeddings.create(model="m", **options)
    assert ours.model_dump() == theirs.create(model="m", **options).model_dump()


def test_floats_are_of_single_precision(embeddings: Embeddings, theirs: Any) -> None:
    options: dict[str, Any] = {"model": "m", "input": "one", "encoding_format": "float"}
    ours, answer = embeddings.create(**options), theirs.create(**options)
    assert ours.data[0].embedding == pytest.approx(answer.data[0].embedding, rel=1e-6)


def test_the_answer_parses_as_openais_type(embeddings: Embeddings) -> None:
    ours = embeddings.create(model="m", input=TEXTS)
    parsed = CreateEmbeddingResponse.model_validate_json(ours.model_dump_json())
    assert parsed.model_dump() == ours.model_dump() == json.loads(ours.model_dump_json(indent=1))
    assert [item.index for item in ours.data] == list(range(len(TEXTS)))


def test_the_attributes_are_openais(embeddings: Embeddings) -> None:
    ours = embeddings.create(model="m", input="one")
    assert (ours.object, ours.model, ours.data[0].object) == ("list", "m", "embedding")
    assert ours.usage.total_tokens == ours.usage.prompt_tokens > 0
    assert ours.data[0].embedding is ours.data[0].embedding
    assert repr(ours) == "CreateEmbeddingResponse(1 embeddings, model='m')"
    assert repr(ours.data[0]) == "Embedding(index=0, embedding=...)"


def test_the_async_twins_give_the_same(embeddings: Embeddings, client: PerformanceClient) -> None:
    async def check() -> None:
        ours = embeddings.create(model="m", input=TEXTS).model_dump()
        twin = AsyncEmbeddings(client)
        assert (await embeddings.acreate(model="m", input=TEXTS)).model_dump() == ours
        assert (await twin.create(model="m", input=TEXTS)).model_dump() == ours

    asyncio.run(check())


def test_headers_are_sent(embeddings: Embeddings) -> None:
    with pytest.raises(Exception, match="403 Forbidden"):
        embeddings.create(model="m", input="one", extra_headers={"x-mock-fault": "status=403"})


def test_the_timeout_holds(embeddings: Embeddings) -> None:
    with pytest.raises(Exception, match=r"0\.2"):
        embeddings.create(
            model="m", input="one", timeout=0.2, extra_headers={"x-mock-fault": "hang"}
        )


def test_tokens_are_refused(embeddings: Embeddings) -> None:
    with pytest.raises(TypeError):
        embeddings.create(model="m", input=[[1, 2, 3]])  # type: ignore[list-item]
