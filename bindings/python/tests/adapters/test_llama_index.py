"""`hedgerow.llama_index` with the real llama-index-core."""

from __future__ import annotations

import asyncio
import pickle
import sys
from typing import Literal

import pytest
from llama_index.core import VectorStoreIndex
from llama_index.core.schema import TextNode
from pydantic import SecretStr

from hedgerow import PerformanceClient, RequestProcessingPreference
from hedgerow.llama_index import HedgerowEmbedding
from mock_server import MockServer, texts

TEXTS = texts(300)


@pytest.fixture
def embed_model(server: MockServer) -> HedgerowEmbedding:
    return HedgerowEmbedding(base_url=server.url, model_name="m", api_key=SecretStr("a-secret"))


def test_texts_have_a_vector_each_in_order(
    embed_model: HedgerowEmbedding, client: PerformanceClient
) -> None:
    vectors = embed_model.get_text_embedding_batch(TEXTS)
    assert vectors == client.embed(TEXTS, "m").numpy().tolist()
    assert embed_model.get_text_embedding(TEXTS[200]) == vectors[200]
    assert embed_model.get_query_embedding(TEXTS[200]) == vectors[200]


def test_the_async_methods_give_the_same(embed_model: HedgerowEmbedding) -> None:
    async def check() -> None:
        vectors = await embed_model.aget_text_embedding_batch(TEXTS)
        assert vectors == embed_model.get_text_embedding_batch(TEXTS)
        assert await embed_model.aget_text_embedding(TEXTS[7]) == vectors[7]
        assert await embed_model.aget_query_embedding(TEXTS[7]) == vectors[7]

    asyncio.run(check())


def test_a_small_embed_batch_size_gives_the_same(
    embed_model: HedgerowEmbedding, server: MockServer
) -> None:
    small = HedgerowEmbedding(base_url=server.url, model_name="m", embed_batch_size=7)
    assert small.get_text_embedding_batch(TEXTS) == embed_model.get_text_embedding_batch(TEXTS)


def test_an_index_finds_what_it_holds(embed_model: HedgerowEmbedding) -> None:
    nodes = [TextNode(text=text) for text in TEXTS]
    index = VectorStoreIndex(nodes, embed_model=embed_model)
    found = index.as_retriever(similarity_top_k=1).retrieve(TEXTS[7])
    assert found[0].text == TEXTS[7]


def test_dimensions_are_passed_on(server: MockServer) -> None:
    embed_model = HedgerowEmbedding(base_url=server.url, model_name="m", dimensions=3)
    assert len(embed_model.get_query_embedding("one")) == 3


def test_the_key_is_never_shown(embed_model: HedgerowEmbedding) -> None:
    shown = f"{embed_model!r} {embed_model} {embed_model.to_json()} {embed_model.to_payload()}"
    assert "a-secret" not in shown


def test_a_client_can_be_shared(client: PerformanceClient) -> None:
    embed_model = HedgerowEmbedding(model_name="m", client=client)
    assert len(embed_model.get_query_embedding("one")) == 8


def test_a_service_must_be_named() -> None:
    with pytest.raises(ValueError, match="base_url or a client"):
        HedgerowEmbedding(model_name="m")


def test_a_pickled_copy_works_and_keeps_its_key(embed_model: HedgerowEmbedding) -> None:
    copy = pickle.loads(pickle.dumps(embed_model))
    assert copy.get_query_embedding("one") == embed_model.get_query_embedding("one")
    assert copy._client.api_key == "a-secret"


@pytest.mark.parametrize("on_error", ["raise", "return"])
def test_a_failed_request_raises_even_where_errors_are_returned(
    server: MockServer, on_error: Literal["raise", "return"]
) -> None:
    preference = RequestProcessingPreference(
        extra_headers={"x-mock-fault": "status=403"}, on_error=on_error
    )
    embed_model = HedgerowEmbedding(base_url=server.url, model_name="m", preference=preference)
    with pytest.raises(Exception, match="403 Forbidden"):
        embed_model.get_text_embedding_batch(TEXTS)


def test_without_llama_index_the_import_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "llama_index.core.base.embeddings.base", None)
    monkeypatch.delitem(sys.modules, "hedgerow.llama_index")
    with pytest.raises(ImportError, match="pip install llama-index-core"):
        import hedgerow.llama_index  # noqa: F401
