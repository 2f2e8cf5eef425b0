"""Sends very many HTTP requests to inference services: embeddings, reranking, classification, and
posts to any other endpoint, from threads and from asyncio.

    >>> from hedgerow import PerformanceClient
    >>> client = PerformanceClient("https://inference.example.com", api_key="...")
    >>> response = client.embed(["one text", "another"], model="my-model")
    >>> response.numpy().shape
    (2, 1024)
"""

from collections.abc import Sequence

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

Sequence.register(ResponseData)  # pyright: ignore[reportAttributeAccessIssue]
