"""The contenders: each does a work in the way that its documentation shows."""

from __future__ import annotations

import asyncio
import base64
import json
import sys
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from importlib import import_module
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from works import Work

KEY = "none"
MODEL = "m"


class Contender:
    """Whoever makes the requests of a work, in a process of its own."""

    package = ""
    """As pip knows it, if it does."""
    scaled = False
    """Whether it does a share of the requests."""
    notes: ClassVar[dict[str, str]] = {}
    """What is to be known of a work, by its name."""

    @classmethod
    def does(cls, work: Work) -> bool:
        """Whether it takes part."""
        return True

    @classmethod
    def command(cls, work: Work, url: str, requests: int, server_pid: int) -> list[str]:
        """The process, which prints a `Cost`."""
        raise NotImplementedError


class Library(Contender, ABC):
    """A client library. It is imported when its contender is made."""

    @classmethod
    def command(cls, work: Work, url: str, requests: int, server_pid: int) -> list[str]:
        """`span.py`, which makes one of this class."""
        child = str(Path(__file__).with_name("span.py"))
        name = next(name for name, known in ALL.items() if known is cls)
        numbers = [str(requests), str(server_pid)]
        return [sys.executable, child, name, work.name, url, *numbers]

    @abstractmethod
    def __init__(self, url: str, http2: bool) -> None: ...

    @abstractmethod
    def embed(self, work: Work, texts: list[str]) -> np.ndarray:
        """One float32 matrix, a row a text."""

    @abstractmethod
    def post(self, work: Work, payloads: list[dict[str, str]]) -> int:
        """The sum of the tokens that the answers name."""


class Hedgerow(Library):
    """One blocking call for all."""

    package = "hedgerow"

    def __init__(self, url: str, http2: bool) -> None:
        self._library = import_module(self.package.replace("-", "_"))
        version = 2 if http2 else 1
        self._client = self._library.PerformanceClient(url, KEY, version)

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


class OpenAI(Library):
    """`AsyncOpenAI`: a coroutine a request, and a semaphore for the window."""

    package = "openai"
    scaled = True
    notes: ClassVar = {"base64": "its default: decoded by the library itself"}

    @classmethod
    def does(cls, work: Work) -> bool:
        """It speaks HTTP/1.1, unless it is given another client."""
        return not work.http2

    def __init__(self, url: str, http2: bool) -> None:
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


class Floor(Contender):
    """No client: bare sockets, which send one request again and again, count the answers' bytes,
    and write as much memory as the floats take. No client can do with much less."""

    @classmethod
    def does(cls, work: Work) -> bool:
        """They know no HTTP/2."""
        return not work.http2

    @classmethod
    def command(cls, work: Work, url: str, requests: int, server_pid: int) -> list[str]:
        """The program of the comparison in Rust, over as many connections as the window."""
        body = work.inputs(1)[0]
        if work.dimensions:
            body = {"model": MODEL, "input": work.inputs(1)}
            body["encoding_format"] = work.encoding_format
        text = json.dumps(body, separators=(",", ":"))
        numbers = [work.window, requests, server_pid]
        program = str(Path(sys.prefix, "bin/hedgerow-compare"))
        keep = f"--keep={work.matrix_bytes(1)}"
        return [program, "floor", url + work.path, text, *map(str, numbers), keep]


ALL: dict[str, type[Contender]] = {
    "hedgerow": Hedgerow,
    "baseten": Baseten,
    "openai": OpenAI,
    "floor": Floor,
}
