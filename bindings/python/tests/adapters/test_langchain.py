"""`hedgerow.langchain` with the real langchain-core."""

from __future__ import annotations

import asyncio
import pickle
import sys
from typing import Literal

import pytest
from langchain_core.vectorstores import InMemoryVectorStore
from pydantic import SecretStr

from hedgerow import PerformanceClient, RequestProcessingPreference
from hedgerow.langchain import HedgerowEmbeddings
from mock_server import MockServer, texts

TEXTS = texts(300)


@pytest.fixture
def embeddings(server: MockServer) -> HedgerowEmbeddings:
    return HedgerowEmbeddings(base_url=server.url, model="m", api_key=SecretStr("a-secret"))


def test_documents_have_a_vector_each_in_order(
    embeddings: HedgerowEmbeddings, client: PerformanceClient
) -> None:
    vectors = embeddings.embed_documents(TEXTS)
    assert vectors == client.embed(TEXTS, "m").numpy().tolist()
    assert embeddings.embed_query(TEXTS[200]) == vectors[200]


def test_the_async_methods_give_the_same(embeddings: HedgerowEmbeddings) -> None:
    assert asyncio.run(embeddings.aembed_documents(TEXTS)) == embeddings.embed_documents(TEXTS)
    assert asyncio.run(embeddings.aembed_query("one")) == embeddings.embed_query("one")


def test_no_documents_are_no_vectors(embeddings: HedgerowEmbeddings) -> None:
    assert embeddings.embed_documents([]) == []
    assert asyncio.run(embeddings.aembed_documents([])) == []


def test_a_vector_store_finds_what_it_holds(embeddings: HedgerowEmbeddings) -> None:
    store = InMemoryVectorStore.from_texts(TEXTS, embeddings)
    assert store.similarity_search(TEXTS[7], k=1)[0].page_content == TEXTS[7]


def test_dimensions_are_passed_on(server: MockServer) -> None:
    embeddings = HedgerowEmbeddings(base_url=server.url, model="m", dimensions=3)
    assert len(embeddings.embed_query("one")) == 3


def test_the_key_is_never_shown(embeddings: HedgerowEmbeddings) -> None:
    assert "a-secret" not in f"{embeddings!r} {embeddings} {embeddings.model_dump_json()}"


def test_a_client_can_be_shared(client: PerformanceClient) -> None:
    embeddings = HedgerowEmbeddings(model="m", client=client)
    assert len(embeddings.embed_query("one")) == 8


def test_a_service_must_be_named() -> None:
    with pytest.raises(ValueError, match="base_url or a client"):
        HedgerowEmbeddings(model="m")


def test_a_pickled_copy_works_and_keeps_its_key(embeddings: HedgerowEmbeddings) -> None:
    copy = pickle.loads(pickle.dumps(embeddings))
    assert copy.embed_query("one") == embeddings.embed_query("one")
    assert copy._client.api_key == "a-secret"


@pytest.mark.parametrize("on_error", ["raise", "return"])
def test_a_failed_request_raises_even_where_errors_are_returned(
    server: MockServer, on_error: Literal["raise", "return"]
) -> None:
    preference = RequestProcessingPreference(
        extra_headers={"x-mock-fault": "status=403"}, on_error=on_error
    )
    embeddings = HedgerowEmbeddings(base_url=server.url, model="m", preference=preference)
    with pytest.raises(Exception, match="403 Forbidden"):
        embeddings.embed_documents(TEXTS)


def test_without_langchain_the_import_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "langchain_core.embeddings", None)
    monkeypatch.delitem(sys.modules, "hedgerow.langchain")
    with pytest.raises(ImportError, match="pip install langchain-core"):
        import hedgerow.langchain  # noqa: F401
