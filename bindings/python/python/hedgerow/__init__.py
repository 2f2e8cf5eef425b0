"""Sends very many HTTP requests to inference services: embeddings, reranking, classification, and
posts to any other endpoint, from threads and from asyncio.

    >>> from hedgerow import PerformanceClient
    >>> client = PerformanceClient("https://inference.example.com", api_key="...")
    >>> response = client.embed(["one text", "another"], model="my-model")
    >>> response.numpy().shape
    (2, 1024)
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from hedgerow._bench import run_benchmark
from hedgerow._client import PerformanceClient
from hedgerow._hedgerow import (
    BatchPostResponse,
    CancellationToken,
    ClassificationResponse,
    ClassificationResult,
    EmbedBatch,
    FailedRequest,
    HttpClientWrapper,
    OpenAIEmbeddingData,
    OpenAIEmbeddingsResponse,
    OpenAIUsage,
    Progress,
    RequestProcessingPreference,
    RerankResponse,
    RerankResult,
    ResponseData,
    __version__,
)

if TYPE_CHECKING:
    from hedgerow.exceptions import (
        AnswerError,
        Cancelled,
        ConnectError,
        HedgerowError,
        HTTPError,
        InternalError,
        NetworkError,
        PayloadError,
        Timeout,
    )

__all__ = [
    "AnswerError",
    "BatchPostResponse",
    "CancellationToken",
    "Cancelled",
    "ClassificationResponse",
    "ClassificationResult",
    "ConnectError",
    "EmbedBatch",
    "FailedRequest",
    "HTTPError",
    "HedgerowError",
    "HttpClientWrapper",
    "InternalError",
    "NetworkError",
    "OpenAIEmbeddingData",
    "OpenAIEmbeddingsResponse",
    "OpenAIUsage",
    "PayloadError",
    "PerformanceClient",
    "Progress",
    "RequestProcessingPreference",
    "RerankResponse",
    "RerankResult",
    "ResponseData",
    "Timeout",
    "__version__",
    "run_benchmark",
]

_EXCEPTIONS = {
    "AnswerError",
    "Cancelled",
    "ConnectError",
    "HTTPError",
    "HedgerowError",
    "InternalError",
    "NetworkError",
    "PayloadError",
    "Timeout",
}

Sequence.register(ResponseData)  # pyright: ignore[reportAttributeAccessIssue]


def __getattr__(name: str) -> Any:
    # They derive from those of requests, which takes long to import.
    if name in _EXCEPTIONS:
        from hedgerow import exceptions

        return getattr(exceptions, name)
    raise AttributeError(f"module 'hedgerow' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*__all__, *(name for name in globals() if name.startswith("__"))})
