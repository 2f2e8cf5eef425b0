"""The contenders: each makes a case's call in the way that its documentation shows."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from dataclasses import dataclass
from importlib import import_module
from typing import Any, ClassVar

from cases import Case

KEY = "none"
MODEL = "m"


@dataclass(frozen=True)
class Got:
    """What a call gave."""

    rows: int
    """Inputs that have their row in the caller's hands."""
    failure: str | None = None
    """The exception that ended it."""


class Client(ABC):
    """Its library is imported when it is made, and no request is sent: what is measured begins
    with a client that knows nothing of its server."""

    package = ""
    """As pip knows it."""
    notes: ClassVar[dict[str, str]] = {}
    """What is to be known of a case, by its name."""

    @classmethod
    def share(cls, case: Case) -> Case:
        """What of the case it does."""
        return case

    @abstractmethod
    def __init__(self, url: str, case: Case) -> None: ...

    @abstractmethod
    def embed(self, texts: list[str]) -> Got:
        """The one call."""


class Hedgerow(Client):
    """One blocking call for all."""

    package = "hedgerow"

    def __init__(self, url: str, case: Case) -> None:
        self._library = import_module(self.package.replace("-", "_"))
        self._client = self._library.PerformanceClient(url, KEY)
        settings = self._settings(case)
        settings = {
            name: value for name, value in settings.items() if value is not None
        }
        self._preference = self._library.RequestProcessingPreference(**settings)

    def embed(self, texts: list[str]) -> Got:
        try:
            answer = self._client.embed(texts, MODEL, preference=self._preference)
        except Exception as error:
            partial = getattr(error, "partial", None)
            return Got(len(partial.data) if partial is not None else 0, told(error))
        return Got(len(answer.data))

    def _settings(self, case: Case) -> dict[str, Any]:
        return {
            "max_concurrent_requests": case.window,
            "batch_size": case.batch,
            "max_retries": case.max_retries,
            "initial_backoff_ms": case.initial_backoff_ms,
            "on_error": "return" if case.keeps_going else None,
        }


class Baseten(Hedgerow):
    """The same call. It ends with its first failure, and gives none of the rows then."""

    package = "baseten-performance-client"
    notes: ClassVar = {
        "one-bad-input": 'it has no on_error="return"',
        "down-6s": 'it has no on_error="return"',
    }

    def _settings(self, case: Case) -> dict[str, Any]:
        settings = super()._settings(case)
        del settings["on_error"]
        settings["max_concurrent_requests"] = case.at_once
        settings["batch_size"] = case.bound
        return settings


class OpenAI(Client):
    """`AsyncOpenAI`: a coroutine a request, and a semaphore for the window."""

    package = "openai"
    notes: ClassVar = {
        "one-bad-input": "`asyncio.gather(..., return_exceptions=True)`",
        "down-6s": "`asyncio.gather(..., return_exceptions=True)`, a twentieth of the requests",
        "restart": "its backoff cannot be set",
    }

    @classmethod
    def share(cls, case: Case) -> Case:
        return case.scaled()

    def __init__(self, url: str, case: Case) -> None:
        library = import_module("openai")
        settings = {} if case.max_retries is None else {"max_retries": case.max_retries}
        self._client = library.AsyncOpenAI(
            base_url=f"{url}/v1", api_key=KEY, **settings
        )
        self._case = case

    def embed(self, texts: list[str]) -> Got:
        return asyncio.run(self._embed(texts))

    async def _embed(self, texts: list[str]) -> Got:
        case = self._case
        window = asyncio.Semaphore(case.at_once)
        rows: list[Any] = [None] * len(texts)

        async def request(start: int) -> None:
            async with window:
                batch = texts[start : start + case.bound]
                answer = await self._client.embeddings.create(
                    input=batch, model=MODEL, encoding_format="float"
                )
            for item in answer.data:
                rows[start + item.index] = item.embedding

        failure = None
        try:
            await asyncio.gather(
                *map(request, range(0, len(texts), case.bound)),
                return_exceptions=case.keeps_going,
            )
        except Exception as error:
            failure = told(error)
        return Got(sum(row is not None for row in rows), failure)


def told(error: Exception) -> str:
    """An exception as a line."""
    line = " ".join(f"{type(error).__name__}: {error}".split())
    return line if len(line) <= 160 else f"{line[:157]}..."


ALL: dict[str, type[Client]] = {
    "hedgerow": Hedgerow,
    "baseten": Baseten,
    "openai": OpenAI,
}
