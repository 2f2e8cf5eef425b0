"""LlamaIndex's `BaseEmbedding` by hedgerow: `pip install llama-index-core`."""

from __future__ import annotations

from typing import Any

try:
    from llama_index.core.base.embeddings.base import BaseEmbedding, Embedding
    from llama_index.core.bridge.pydantic import Field, PrivateAttr, SecretStr
except ImportError as cause:
    message = "hedgerow.llama_index needs llama-index-core: pip install llama-index-core"
    raise ImportError(message) from cause

from hedgerow import OpenAIEmbeddingsResponse, PerformanceClient, RequestProcessingPreference

__all__ = ["HedgerowEmbedding"]


class HedgerowEmbedding(BaseEmbedding):
    """Embeds texts and queries, a call's requests side by side.

    ```python
    embed_model = HedgerowEmbedding(base_url="https://inference.example.com", model_name="my-model")
    vectors = embed_model.get_text_embedding_batch(["one", "two"])
    ```
    """

    embed_batch_size: int = Field(
        default=16_384,
        gt=0,
        description="Texts of one call of hedgerow, which cuts them into requests itself.",
    )
    base_url: str | None = Field(default=None, description="The service; not needed with a client.")
    api_key: SecretStr | None = Field(
        default=None,
        exclude=True,
        description="Without it BASETEN_API_KEY, then OPENAI_API_KEY, of the environment.",
    )
    dimensions: int | None = Field(
        default=None, description="The length of the vectors, where the model offers several."
    )
    user: str | None = Field(default=None, description="Sent to the service as it is.")
    preference: RequestProcessingPreference | None = Field(
        default=None,
        exclude=True,
        description="Batch size, concurrency, timeouts, retries and hedges.",
    )
    client: PerformanceClient | None = Field(
        default=None,
        exclude=True,
        repr=False,
        description="A client to share, in place of base_url and api_key.",
    )

    _client: PerformanceClient = PrivateAttr()

    @classmethod
    def class_name(cls) -> str:
        """The name in serialised pipelines."""
        return "HedgerowEmbedding"

    def model_post_init(self, context: Any) -> None:
        """Makes the client, where none is shared."""
        self._client = self.client or self._connect()

    def _connect(self) -> PerformanceClient:
        if self.base_url is None:
            raise ValueError("HedgerowEmbedding needs a base_url or a client")
        key = self.api_key.get_secret_value() if self.api_key else None
        return PerformanceClient(self.base_url, key)

    def _arguments(self, texts: list[str]) -> tuple[Any, ...]:
        return texts, self.model_name, None, self.dimensions, self.user, self.preference

    def _get_text_embeddings(self, texts: list[str]) -> list[Embedding]:
        return _vectors(self._client.embed(*self._arguments(texts)))

    async def _aget_text_embeddings(self, texts: list[str]) -> list[Embedding]:
        return _vectors(await self._client.async_embed(*self._arguments(texts)))

    def _get_text_embedding(self, text: str) -> Embedding:
        return self._get_text_embeddings([text])[0]

    async def _aget_text_embedding(self, text: str) -> Embedding:
        return (await self._aget_text_embeddings([text]))[0]

    def _get_query_embedding(self, query: str) -> Embedding:
        return self._get_text_embedding(query)

    async def _aget_query_embedding(self, query: str) -> Embedding:
        return await self._aget_text_embedding(query)


def _vectors(response: OpenAIEmbeddingsResponse) -> list[Embedding]:
    # With `on_error="return"` vectors may be missing, and callers pair texts and vectors by place.
    for failure in response.errors:
        raise failure.error
    return [item.embedding for item in response.data]
