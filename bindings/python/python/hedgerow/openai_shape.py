"""`client.embeddings.create(...)`, shaped as in the openai package, which need not be installed.

A call may hold any number of inputs: it is cut into requests, and they run side by side. Vectors
become Python lists when they are looked at, so a large answer costs little more than its matrix.
Errors are hedgerow's.
"""

from __future__ import annotations

import base64
import json
import struct
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, Literal, cast

from hedgerow import (
    OpenAIEmbeddingData,
    OpenAIEmbeddingsResponse,
    PerformanceClient,
    RequestProcessingPreference,
)

__all__ = ["AsyncEmbeddings", "CreateEmbeddingResponse", "Embedding", "Embeddings", "Usage"]

EncodingFormat = Literal["float", "base64"]


@dataclass(frozen=True)
class Usage:
    """Tokens, summed over all requests of the call."""

    prompt_tokens: int
    total_tokens: int


class Embedding:
    """One vector, with the index of its input."""

    object: Literal["embedding"] = "embedding"

    def __init__(self, item: OpenAIEmbeddingData, encoding_format: EncodingFormat | None) -> None:
        self.index = item.index
        self._item = item
        self._encoding_format = encoding_format

    @cached_property
    def embedding(self) -> list[float]:
        """The vector; a string where base64 was asked for, though openai's types do not say so."""
        vector = self._item.embedding
        if self._encoding_format == "base64":
            return cast("list[float]", _base64(vector))
        return vector

    def model_dump(self) -> dict[str, Any]:
        """As a dictionary."""
        return {"object": self.object, "index": self.index, "embedding": self.embedding}

    def __repr__(self) -> str:
        return f"Embedding(index={self.index}, embedding=...)"


class CreateEmbeddingResponse:
    """All vectors of a call, in input order."""

    object: Literal["list"] = "list"

    def __init__(
        self, response: OpenAIEmbeddingsResponse, encoding_format: EncodingFormat | None
    ) -> None:
        usage = response.usage
        self.data = [Embedding(item, encoding_format) for item in response.data]
        self.model = response.model
        self.usage = Usage(usage.prompt_tokens, usage.total_tokens)

    def model_dump(self) -> dict[str, Any]:
        """As a dictionary, which holds what a server would have sent."""
        return {
            "object": self.object,
            "data": [item.model_dump() for item in self.data],
            "model": self.model,
            "usage": asdict(self.usage),
        }

    def model_dump_json(self, indent: int | None = None) -> str:
        """As JSON."""
        return json.dumps(self.model_dump(), indent=indent)

    def __repr__(self) -> str:
        return f"CreateEmbeddingResponse({len(self.data)} embeddings, model={self.model!r})"


class Embeddings:
    """What `client.embeddings` is."""

    def __init__(self, client: PerformanceClient) -> None:
        self._client = client

    def create(
        self,
        *,
        input: str | Iterable[str],
        model: str,
        dimensions: int | None = None,
        encoding_format: EncodingFormat | None = None,
        user: str | None = None,
        extra_headers: Mapping[str, str] | None = None,
        timeout: float | None = None,
    ) -> CreateEmbeddingResponse:
        """Embeds one text or many; `timeout` is in seconds, and for each attempt of a request."""
        response = self._client.embed(
            _texts(input),
            model,
            encoding_format or None,
            dimensions or None,
            user or None,
            _preference(extra_headers, timeout),
        )
        return CreateEmbeddingResponse(response, encoding_format)

    async def acreate(
        self,
        *,
        input: str | Iterable[str],
        model: str,
        dimensions: int | None = None,
        encoding_format: EncodingFormat | None = None,
        user: str | None = None,
        extra_headers: Mapping[str, str] | None = None,
        timeout: float | None = None,
    ) -> CreateEmbeddingResponse:
        """As `create`, to be awaited."""
        response = await self._client.async_embed(
            _texts(input),
            model,
            encoding_format or None,
            dimensions or None,
            user or None,
            _preference(extra_headers, timeout),
        )
        return CreateEmbeddingResponse(response, encoding_format)


class AsyncEmbeddings:
    """For code that awaits `client.embeddings.create(...)`, as with `AsyncOpenAI`."""

    def __init__(self, client: PerformanceClient) -> None:
        self.create = Embeddings(client).acreate


def _texts(input: str | Iterable[str]) -> list[str]:
    return [input] if isinstance(input, str) else list(input)


def _preference(
    extra_headers: Mapping[str, str] | None, timeout: float | None
) -> RequestProcessingPreference:
    # openai's `NOT_GIVEN` and `omit` are false, here and above, and mean the same as None.
    headers = dict(extra_headers) if extra_headers else None
    return RequestProcessingPreference(timeout_s=timeout or None, extra_headers=headers)


def _base64(vector: list[float]) -> str:
    return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()
