"""LangChain's `Embeddings` by hedgerow: `pip install langchain-core`."""

from __future__ import annotations

from typing import Any

try:
    from langchain_core.embeddings import Embeddings
    from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, SecretStr
except ImportError as cause:
    message = "hedgerow.langchain needs langchain-core: pip install langchain-core"
    raise ImportError(message) from cause

from hedgerow import OpenAIEmbeddingsResponse, PerformanceClient, RequestProcessingPreference

__all__ = ["HedgerowEmbeddings"]


class HedgerowEmbeddings(BaseModel, Embeddings):
    """Embeds documents and queries, a call's requests side by side.

    ```python
    embeddings = HedgerowEmbeddings(base_url="https://inference.example.com", model="my-model")
    vectors = embeddings.embed_documents(["one", "two"])
    ```
    """

    model_config = ConfigDict(arbitrary_types_allowed=True, extra="forbid")

    model: str
    """The name that the service knows the model by."""
    base_url: str | None = None
    """The service; not needed with a `client`."""
    api_key: SecretStr | None = None
    """Without it `BASETEN_API_KEY`, then `OPENAI_API_KEY`, of the environment."""
    dimensions: int | None = None
    """The length of the vectors, where the model offers several."""
    user: str | None = None
    """Sent to the service as it is."""
    preference: RequestProcessingPreference | None = Field(default=None, exclude=True)
    """Batch size, concurrency, timeouts, retries and hedges."""
    client: PerformanceClient | None = Field(default=None, exclude=True, repr=False)
    """A client to share, in place of `base_url` and `api_key`."""

    _client: PerformanceClient = PrivateAttr()

    def model_post_init(self, context: Any) -> None:
        """Makes the client, where none is shared."""
        self._client = self.client or self._connect()

    def __setstate__(self, state: dict[Any, Any]) -> None:
        # A pickled client has lost its key: the copy makes its own.
        super().__setstate__(state)
        self.model_post_init(None)

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """A vector for each text, in order."""
        return _vectors(self._client.embed(*self._arguments(texts))) if texts else []

    async def aembed_documents(self, texts: list[str]) -> list[list[float]]:
        """As `embed_documents`, to be awaited."""
        return _vectors(await self._client.async_embed(*self._arguments(texts))) if texts else []

    def embed_query(self, text: str) -> list[float]:
        """The vector of one text."""
        return self.embed_documents([text])[0]

    async def aembed_query(self, text: str) -> list[float]:
        """As `embed_query`, to be awaited."""
        return (await self.aembed_documents([text]))[0]

    def _connect(self) -> PerformanceClient:
        if self.base_url is None:
            raise ValueError("HedgerowEmbeddings needs a base_url or a client")
        key = self.api_key.get_secret_value() if self.api_key else None
        return PerformanceClient(self.base_url, key)

    def _arguments(self, texts: list[str]) -> tuple[Any, ...]:
        return texts, self.model, None, self.dimensions, self.user, self.preference


def _vectors(response: OpenAIEmbeddingsResponse) -> list[list[float]]:
    # With `on_error="return"` vectors may be missing, and callers pair texts and vectors by place.
    for failure in response.errors:
        raise failure.error
    return [item.embedding for item in response.data]
