"""The contenders: each does a work in the way that its documentation shows."""

from __future__ import annotations

import asyncio
import base64
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from importlib import import_module
from typing import Any, ClassVar

import numpy as np

from works import Work

KEY = "none"
MODEL = "m"


class Contender(ABC):
    """A client library. It is imported when its contender is made."""

    package: str
    scaled = False
    """Whether it does a share of the requests."""
    notes: ClassVar[dict[str, str]] = {}
    """What is to be known of a work, by its name."""

    @abstractmethod
    def __init__(self, url: str) -> None: ...

    @abstractmethod
    def embed(self, work: Work, texts: list[str]) -> np.ndarray:
        """One float32 matrix, a row a text."""

    @abstractmethod
    def post(self, work: Work, payloads: list[dict[str, str]]) -> int:
        """The sum of the tokens that the answers name."""


class Hedgerow(Contender):
    """One blocking call for all."""

    package = "hedgerow"

    def __init__(self, url: str) -> None:
        self._library = import_module(self.package.replace("-", "_"))
        self._client = self._library.PerformanceClient(url, KEY)

    def embed(self, work: Work, texts: list[str]) -> np.ndarray:
        preference = self._preference(work)
        response = self._client.embed(
            texts, MODEL, work.encoding_format, preference=preference
        )
        return self._matrix(work, response)

    def post(self, work: Work, payloads: list[dict[str, str]]) -> int:
        preference = self._preference(work)
        response = self._client.batch_post(work.path, payloads, preference=preference)
        return sum(answer["tokens"] for answer in response.data)

    def _preference(self, work: Work) -> Any:
        return self._library.RequestProcessingPreference(
            max_concurrent_requests=work.window, batch_size=work.batch
        )

    def _matrix(self, work: Work, response: Any) -> np.ndarray:
        return response.numpy()


class Baseten(Hedgerow):
    """The same calls."""

    package = "baseten-performance-client"
    notes: ClassVar = {
        "base64": "its numpy() refuses base64: decoded a row at a time, in Python"
    }

    def _matrix(self, work: Work, response: Any) -> np.ndarray:
        if work.encoding_format == "float":
            return response.numpy()
        data = response.data
        matrix = np.empty((len(data), work.dimensions), np.float32)
        for row, item in zip(matrix, data, strict=True):
            row[:] = np.frombuffer(base64.b64decode(item.embedding), "<f4")
        return matrix


class OpenAI(Contender):
    """`AsyncOpenAI`: a coroutine a request, and a semaphore for the window."""

    package = "openai"
    scaled = True
    notes: ClassVar = {"base64": "its default: decoded by the library itself"}

    def __init__(self, url: str) -> None:
        library = import_module("openai")
        self._client = library.AsyncOpenAI(base_url=f"{url}/v1", api_key=KEY)
        self._loop = asyncio.new_event_loop()

    def embed(self, work: Work, texts: list[str]) -> np.ndarray:
        matrix = np.empty((len(texts), work.dimensions), np.float32)
        options = (
            {"encoding_format": "float"} if work.encoding_format == "float" else {}
        )

        async def request(start: int) -> None:
            batch = texts[start : start + work.batch]
            answer = await self._client.embeddings.create(
                input=batch, model=MODEL, **options
            )
            for item in answer.data:
                matrix[start + item.index] = item.embedding

        self._run(work, request, range(0, len(texts), work.batch))
        return matrix

    def post(self, work: Work, payloads: list[dict[str, str]]) -> int:
        path = work.path.removeprefix("/v1")

        async def request(payload: dict[str, str]) -> int:
            answer = await self._client.post(path, body=payload, cast_to=object)
            return answer["tokens"]

        return sum(self._run(work, request, payloads))

    def _run(
        self, work: Work, request: Callable[[Any], Awaitable[Any]], items: Any
    ) -> list[Any]:
        window = asyncio.Semaphore(work.window)

        async def within_the_window(item: Any) -> Any:
            async with window:
                return await request(item)

        async def all_of_them() -> list[Any]:
            return await asyncio.gather(*map(within_the_window, items))

        return self._loop.run_until_complete(all_of_them())


ALL: dict[str, type[Contender]] = {
    "hedgerow": Hedgerow,
    "baseten": Baseten,
    "openai": OpenAI,
}
