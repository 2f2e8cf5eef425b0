"""`PerformanceClient`: the calls, for threads and for asyncio."""

from __future__ import annotations

import os
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator
from typing import TYPE_CHECKING, Any

from hedgerow import _loops, _streams
from hedgerow._arguments import (
    Headers,
    HeadersOrPreference,
    PreferenceOrMethod,
    sort_out,
    take_all,
    take_all_async,
)
from hedgerow._hedgerow import (
    BatchPostResponse,
    Call,
    ClassificationResponse,
    Client,
    EmbedBatch,
    HttpClientWrapper,
    OpenAIEmbeddingsResponse,
    Payloads,
    RequestProcessingPreference,
    RerankResponse,
    Texts,
    default_wrapper,
)
from hedgerow._progress import ProgressArgument, listening

if TYPE_CHECKING:
    from hedgerow.openai_shape import Embeddings

def _wrapper_for(http_version: int, proxy: str | None) -> HttpClientWrapper:
    if http_version == 1 and proxy is None:
        return default_wrapper()
    return HttpClientWrapper(http_version, proxy)


class PerformanceClient:
    """A client of one inference service. Any number of threads and event loops can share one.

    It starts nothing before its first call, and works in children after `os.fork()`. Pickling it
    leaves its key out, and the copy looks for one in its own environment, unless `pickle_api_key`
    was set to True.

    Args:
        base_url: where the service is, such as "https://inference.example.com".
        api_key: the bearer token. Default: BASETEN_API_KEY, else OPENAI_API_KEY of the
            environment, else none.
        http_version: 1, or 2 for HTTP/2.
        client_wrapper: a connection pool to share with other clients; its HTTP version and proxy
            are the pool's. Default: the process's own, which all clients share that are given
            neither a pool nor an HTTP version or proxy of their own.
        proxy: "http://[user:password@]host:port". Default: that of HTTP_PROXY, HTTPS_PROXY,
            ALL_PROXY and NO_PROXY.
        endpoint_pool: None. Endpoint pools come with a later release.

    Raises:
        ValueError: when a value is not allowed.

    Example:
        >>> client = PerformanceClient("https://inference.example.com", api_key="...")
        >>> response = client.embed(["one text", "another"], model="my-model")
    """

    def __init__(
        self,
        base_url: str,
        api_key: str | None = None,
        http_version: int = 1,
        client_wrapper: HttpClientWrapper | None = None,
        proxy: str | None = None,
        endpoint_pool: None = None,
    ) -> None:
        if endpoint_pool is not None:
            raise ValueError("endpoint_pool must be None: endpoint pools come with a later release")
        if api_key is None:
            environment = os.environ
            api_key = environment.get("BASETEN_API_KEY") or environment.get("OPENAI_API_KEY")
        self._base_url = base_url
        self._wrapper = client_wrapper or _wrapper_for(http_version, proxy)
        self._native = Client(base_url, api_key, self._wrapper)
        self.pickle_api_key = False

    @property
    def base_url(self) -> str:
        """Where the service is, as it was given."""
        return self._base_url

    @property
    def api_key(self) -> str | None:
        """The bearer token, or None."""
        return self._native.api_key

    def get_client_wrapper(self) -> HttpClientWrapper:
        """The connection pool, to share with other clients."""
        return self._wrapper

    @property
    def embeddings(self) -> Embeddings:
        """The embeddings in the shape of OpenAI's client: `client.embeddings.create(...)`."""
        from hedgerow.openai_shape import Embeddings

        return Embeddings(self)

    def __repr__(self) -> str:
        key = "None" if self.api_key is None else "'***'"
        return f"PerformanceClient({self._base_url!r}, api_key={key})"

    def __getstate__(self) -> dict[str, Any]:
        return {
            "base_url": self._base_url,
            "api_key": self.api_key if self.pickle_api_key else None,
            "client_wrapper": self._wrapper,
            "pickle_api_key": self.pickle_api_key,
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        pickle_api_key = state.pop("pickle_api_key")
        PerformanceClient.__init__(self, **state)
        self.pickle_api_key = pickle_api_key

    def __copy__(self) -> PerformanceClient:
        copy = PerformanceClient(self._base_url, self.api_key, client_wrapper=self._wrapper)
        copy.pickle_api_key = self.pickle_api_key
        return copy

    def __deepcopy__(self, memo: dict[int, Any]) -> PerformanceClient:
        return self.__copy__()

    def embed(
        self,
        input: Iterable[str],
        model: str,
        encoding_format: str | None = None,
        dimensions: int | None = None,
        user: str | None = None,
        preference: RequestProcessingPreference | None = None,
        *,
        progress: ProgressArgument = None,
    ) -> OpenAIEmbeddingsResponse:
        """Asks for embeddings: `POST {base_url}/v1/embeddings`, in batches.

        Args:
            input: the texts; a list, or anything else that can be iterated.
            model: the model's name.
            encoding_format: how the embeddings travel, "float" or "base64"; the result is the
                same. Default: base64 where the server can.
            dimensions: the length of each embedding, for models that offer a choice.
            user: the end user on whose behalf this is.
            preference: how the requests are sent.
            progress: True shows a bar; a function is called with a Progress about ten times a
                second and at the end, on this thread.

        Returns:
            An OpenAIEmbeddingsResponse, in input order; `numpy()` is float32 of shape (inputs,
            dimensions).

        Raises:
            ValueError: when there is no input, or a setting is out of range.
            TypeError: when an input is no str.
            hedgerow.HTTPError: for a status that is no success; also requests' HTTPError.
            hedgerow.Timeout: for a request or a call that took too long; also requests' Timeout.
            hedgerow.ConnectError: without a connection; a ValueError and a ConnectionError.
            hedgerow.Cancelled: cancelled by its token; a ValueError.
        """
        texts = take_all(Texts("input", input))
        call = Call.embed(texts, model, encoding_format, dimensions, user)
        return self._wait(call, preference, progress)

    async def async_embed(
        self,
        input: Iterable[str],
        model: str,
        encoding_format: str | None = None,
        dimensions: int | None = None,
        user: str | None = None,
        preference: RequestProcessingPreference | None = None,
        *,
        progress: ProgressArgument = None,
    ) -> OpenAIEmbeddingsResponse:
        """As `embed`, for asyncio. Cancelling the task aborts the requests."""
        texts = await take_all_async(Texts("input", input))
        call = Call.embed(texts, model, encoding_format, dimensions, user)
        return await self._answer(call, preference, progress)

    def embed_iter(
        self,
        inputs: Iterable[str],
        model: str,
        encoding_format: str | None = None,
        dimensions: int | None = None,
        user: str | None = None,
        preference: RequestProcessingPreference | None = None,
        *,
        in_order: bool = True,
        progress: ProgressArgument = None,
    ) -> Iterator[EmbedBatch]:
        """Embeds any number of inputs, and yields them batch by batch.

        Inputs are taken only as fast as batches are taken out: no more than
        `max_concurrent_requests * batch_size` of them are in memory. What the iterable raises is
        raised here, after the batches of what it gave before. The first request that fails for
        good raises, unless the preference has `on_error="return"`: then it is in the `errors` of
        its batch. `total_timeout_s` and the token are those of the whole job. Leaving the loop
        aborts what is in flight.

        Args:
            inputs: any iterable of str, generators included.
            in_order: whether batches come in input order, or as they finish.
            progress: True shows a bar; a function is called with a Progress for each batch.

        Others are as in `embed`.

        Yields:
            EmbedBatch: a response with the `start` and `end` of its inputs within the job.
        """
        _streams.check_inputs(inputs)
        call = Call.embed(None, model, encoding_format, dimensions, user)
        stream = self._native.stream(call, preference, iter(inputs), in_order)
        return _streams.batches(stream, _streams.size_of(inputs), progress)

    def async_embed_iter(
        self,
        inputs: Iterable[str] | AsyncIterable[str],
        model: str,
        encoding_format: str | None = None,
        dimensions: int | None = None,
        user: str | None = None,
        preference: RequestProcessingPreference | None = None,
        *,
        in_order: bool = True,
        progress: ProgressArgument = None,
    ) -> AsyncIterator[EmbedBatch]:
        """As `embed_iter`, for `async for`. Takes async iterables as well."""
        _streams.check_inputs(inputs)
        call = Call.embed(None, model, encoding_format, dimensions, user)
        fed = inputs if isinstance(inputs, AsyncIterable) else None
        pulled = None if isinstance(inputs, AsyncIterable) else iter(inputs)
        stream = self._native.stream(call, preference, pulled, in_order)
        return _streams.async_batches(stream, fed, _streams.size_of(inputs), progress)

    def rerank(
        self,
        query: str,
        texts: Iterable[str],
        raw_scores: bool = False,
        model: str | None = None,
        return_text: bool = False,
        truncate: bool = False,
        truncation_direction: str = "Right",
        preference: RequestProcessingPreference | None = None,
        *,
        progress: ProgressArgument = None,
    ) -> RerankResponse:
        """Scores texts by how well they answer a query: `POST {base_url}/rerank`, in batches.

        Args:
            query: the query.
            texts: the texts; a list, or anything else that can be iterated.
            raw_scores: whether scores are the model's own, and not brought between 0 and 1.
            model: the model's name, for servers that have several.
            return_text: whether the server sends each text back beside its score.
            truncate: whether a text that is too long is cut, and not refused.
            truncation_direction: which end is cut off, "Left" or "Right".
            preference: how the requests are sent.
            progress: as in `embed`.

        Returns:
            A RerankResponse, in input order; `sorted()` gives the best first.

        Raises:
            As `embed`.
        """
        taken = take_all(Texts("texts", texts))
        call = Call.rerank(
            query, taken, raw_scores, model, return_text, truncate, truncation_direction
        )
        return self._wait(call, preference, progress)

    async def async_rerank(
        self,
        query: str,
        texts: Iterable[str],
        raw_scores: bool = False,
        model: str | None = None,
        return_text: bool = False,
        truncate: bool = False,
        truncation_direction: str = "Right",
        preference: RequestProcessingPreference | None = None,
        *,
        progress: ProgressArgument = None,
    ) -> RerankResponse:
        """As `rerank`, for asyncio. Cancelling the task aborts the requests."""
        taken = await take_all_async(Texts("texts", texts))
        call = Call.rerank(
            query, taken, raw_scores, model, return_text, truncate, truncation_direction
        )
        return await self._answer(call, preference, progress)

    def classify(
        self,
        inputs: Iterable[str],
        model: str | None = None,
        raw_scores: bool = False,
        truncate: bool = False,
        truncation_direction: str = "Right",
        preference: RequestProcessingPreference | None = None,
        *,
        progress: ProgressArgument = None,
    ) -> ClassificationResponse:
        """Classifies texts: `POST {base_url}/predict`, in batches.

        Args:
            inputs: the texts; a list, or anything else that can be iterated.

        Others are as in `rerank`.

        Returns:
            A ClassificationResponse: a list of ClassificationResult an input, in input order.

        Raises:
            As `embed`.
        """
        texts = take_all(Texts("inputs", inputs))
        call = Call.classify(texts, model, raw_scores, truncate, truncation_direction)
        return self._wait(call, preference, progress)

    async def async_classify(
        self,
        inputs: Iterable[str],
        model: str | None = None,
        raw_scores: bool = False,
        truncate: bool = False,
        truncation_direction: str = "Right",
        preference: RequestProcessingPreference | None = None,
        *,
        progress: ProgressArgument = None,
    ) -> ClassificationResponse:
        """As `classify`, for asyncio. Cancelling the task aborts the requests."""
        texts = await take_all_async(Texts("inputs", inputs))
        call = Call.classify(texts, model, raw_scores, truncate, truncation_direction)
        return await self._answer(call, preference, progress)

    def batch_post(
        self,
        url_path: str,
        payloads: Iterable[Any],
        custom_headers: HeadersOrPreference = None,
        preference: PreferenceOrMethod = None,
        method: str | None = None,
        *,
        progress: ProgressArgument = None,
    ) -> BatchPostResponse:
        """Sends each payload in a request of its own, to `{base_url}{url_path}`.

        A payload is anything that JSON can hold, `bytes` (taken as already serialised), a
        dataclass, a pydantic model, or a scalar or array of NumPy.

        Args:
            url_path: appended to the base URL; may have a query.
            payloads: a list, or anything else that can be iterated.
            custom_headers: headers that join each request, or replace one of the same name. A
                preference may stand here as well, and then the method may come next.
            preference: how the requests are sent; `batch_size` plays no part.
            method: GET, POST, PUT, PATCH, DELETE, HEAD or OPTIONS. Default POST. POST, PUT and
                PATCH carry the payload; DELETE, HEAD and OPTIONS give {}.
            progress: as in `embed`.

        Returns:
            A BatchPostResponse: an object a payload, in their order; None where a request failed
            and the preference has `on_error="return"`.

        Raises:
            hedgerow.PayloadError: when a payload holds what JSON cannot hold; a TypeError and a
                ValueError.

            Others are as in `embed`.
        """
        headers, preference, method = sort_out(custom_headers, preference, method)
        taken = take_all(Payloads(payloads))
        call = Call.post(url_path, taken, headers, method)
        return self._wait(call, preference, progress)

    async def async_batch_post(
        self,
        url_path: str,
        payloads: Iterable[Any],
        custom_headers: HeadersOrPreference = None,
        preference: PreferenceOrMethod = None,
        method: str | None = None,
        *,
        progress: ProgressArgument = None,
    ) -> BatchPostResponse:
        """As `batch_post`, for asyncio. Cancelling the task aborts the requests."""
        headers, preference, method = sort_out(custom_headers, preference, method)
        taken = await take_all_async(Payloads(payloads))
        call = Call.post(url_path, taken, headers, method)
        return await self._answer(call, preference, progress)

    def _wait(
        self,
        call: Call,
        preference: RequestProcessingPreference | None,
        progress: ProgressArgument,
    ) -> Any:
        if progress is None:
            return self._native.wait(call, preference, None)
        with listening(progress, "inputs") as tell:
            return self._native.wait(call, preference, tell)

    async def _answer(
        self,
        call: Call,
        preference: RequestProcessingPreference | None,
        progress: ProgressArgument,
    ) -> Any:
        with listening(progress, "inputs") as tell:
            return await _loops.answer(
                lambda bridge, future: self._native.start(call, preference, tell, bridge, future)
            )
