# The native half of hedgerow. Kept by hand; `tests/test_typing.py` checks it against the module.

import asyncio
import builtins
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Generic, Literal, SupportsFloat, SupportsIndex, TypeVar, final, overload

import numpy as np
import numpy.typing as npt
from typing_extensions import disjoint_base

from hedgerow.exceptions import HedgerowError

__all__ = [
    "BatchPostResponse",
    "Bridge",
    "Call",
    "CancellationToken",
    "ClassificationResponse",
    "ClassificationResult",
    "Client",
    "EmbedBatch",
    "EmbedStream",
    "FailedRequest",
    "Failure",
    "HttpClientWrapper",
    "OpenAIEmbeddingData",
    "OpenAIEmbeddingsResponse",
    "OpenAIUsage",
    "Payloads",
    "Progress",
    "RequestProcessingPreference",
    "RerankResponse",
    "RerankResult",
    "ResponseData",
    "ResponseIterator",
    "Texts",
    "__version__",
    "default_wrapper",
    "run_benchmark",
]
__version__: str

_T_co = TypeVar("_T_co", covariant=True)
_Seconds = float | SupportsFloat | SupportsIndex

def default_wrapper() -> HttpClientWrapper:
    """The wrapper that clients share which are given none."""

def run_benchmark(config: Mapping[str, Any]) -> dict[str, Any]:
    """Carries out a run, and gives its report. `hedgerow.run_benchmark` documents it."""

@final
class HttpClientWrapper:
    """A connection pool that several clients share.

    Clients that are given none share one of the process's own. A wrapper starts nothing until a
    call is made with it, and after `os.fork()` the child has connections of its own. Pickling it
    leaves the proxy's user and password out, unless `pickle_password` was set to True.

    Args:
        http_version: 1 or 2. With 2, many requests share a connection: over TLS where the server
            agrees (else HTTP/1.1), in clear text by prior knowledge.
        proxy: "http://[user:password@]host:port", or https where the proxy itself speaks TLS.
            Default: that of HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and NO_PROXY.
        max_response_bytes: the largest answer that is accepted, unpacked. Default: 1 GiB.
        max_buffered_bytes: what all answers under way hold together while they are read and
            unpacked; more of them wait. Default: 2 GiB.

    Raises:
        ValueError: for any other value.
    """

    def __new__(
        cls,
        http_version: int = 1,
        proxy: str | None = None,
        max_response_bytes: int | None = None,
        max_buffered_bytes: int | None = None,
    ) -> HttpClientWrapper: ...
    @property
    def pickle_password(self) -> bool:
        """Whether pickling includes the user and the password of the proxy. Default False."""

    @pickle_password.setter
    def pickle_password(self, value: bool, /) -> None: ...
    def __copy__(self) -> HttpClientWrapper: ...
    def __deepcopy__(self, _memo: Any, /) -> HttpClientWrapper: ...
    def __reduce__(self) -> tuple[Any, ...]: ...
    def __setstate__(self, pickle_password: bool) -> None: ...

@final
class CancellationToken:
    """Cancels every call whose preference has it, from any thread.

    Only `cancel()` changes it. A child after `os.fork()` has a token of the same state, which
    cancels the child's calls.
    """

    def __new__(cls) -> CancellationToken: ...
    def cancel(self) -> None:
        """Ends all calls that have the token, within milliseconds: their sockets are closed and
        they raise. So do calls that are started with it later."""

    def is_cancelled(self) -> bool:
        """Whether `cancel()` was called."""

    def __reduce__(self) -> tuple[Any, ...]: ...

@final
class Progress:
    """How far a call is, as it is given to a `progress` function."""

    def __new__(
        cls, done: int, total: int | None, elapsed: float, held_back: str | None = None
    ) -> Progress: ...
    @property
    def done(self) -> int:
        """Inputs whose requests have ended."""

    @property
    def total(self) -> int | None:
        """Inputs of the call; None where a stream's are not known."""

    @property
    def elapsed(self) -> float:
        """Seconds since the call began."""

    @property
    def held_back(self) -> str | None:
        """What holds the call back at its endpoint, in words, as "window 64 of 256, 2 % refused";
        None where nothing does."""

    @property
    def rate(self) -> float:
        """Inputs a second, from the beginning to now."""

@disjoint_base
class RequestProcessingPreference:
    """How the requests of a call are sent. Every setting can be read and set; each is checked when
    it is given, and all together when a call begins.

    Args:
        max_concurrent_requests: requests in flight at once, 1 to 1024, and at most 512 where
            `batch_size` is below 16. Default 128.
        batch_size: inputs a request, 1 to 1024. Default 128.
        max_chars_per_request: characters (not bytes) a request, 50 to 256,000; an input longer
            than that goes alone. Default None: no limit.
        pin_initial_endpoint_once: plays no part yet. Default False.
        timeout_s: seconds that one attempt may take, 0.1 to 3600. Default 3600.
        hedge_delay: seconds after which a request that has not ended gets a second attempt, 0.045
            to 3600 and below `timeout_s` - 0.045; or a quantile of the call's own requests, such
            as "p95". Default None: no second attempts.
        total_timeout_s: seconds that the whole call may take, at least `timeout_s` where that is
            given. Default None: no limit.
        hedge_budget_pct: second attempts as a share of the requests, 0 to 3. Default 0.10.
        retry_budget_pct: retries after timeouts and network failures as a share of the requests,
            0 to 3. Default 0.05.
        max_retries: retries that one request may make, 0 to 6. Default 5.
        initial_backoff_ms: milliseconds before the first retry, 50 to 45,000; four times longer
            each retry, with jitter. Default 125.
        cancel_token: a CancellationToken that ends the call. Default None.
        primary_api_key_override: the key of this call in place of the client's. Default None.
        extra_headers: headers that join each request, or replace one of the same name. Default
            None.
        non_retryable_status_codes: statuses that are final although they would be retried
            otherwise. Default none.
        max_retry_after_s: the longest pause that is made because a server asks for it, 0 to 3600
            seconds; a call whose server asks for a longer one ends at once. Default 120.
        max_tokens_per_request: tokens a request, 1 to 10,000,000, as they are estimated: never fewer
            than there are. An input that has more goes alone. Default None: no limit.
        max_bytes_per_request: bytes a request, 1,024 to 1,000,000,000: its body as it is sent. An
            input that has more goes alone. Default None: no limit.
        split_refused: whether a batch that is refused for one of its inputs is sent again in parts,
            until that input is found and fails alone. Default True.
        requests_per_minute: the most requests a minute that calls with this setting send to one
            server with one key, all together, 1 to 10**12. Default None: what the server says of
            itself in headers.
        tokens_per_minute: the same for tokens of input.
        count_tokens: a function that counts the tokens of a text, where a rate of them is known;
            called on a thread of the client's, with the GIL, once a text. Where it raises, that is
            printed and the text's bytes count. Default None: an estimate, rather too high than too
            low.
        on_error: "raise" (default): the first request that fails for good ends the call.
            "return": the others go on, and the response's `errors` says what failed.
        pickle_api_key: whether pickling includes `primary_api_key_override`, and the headers that
            may hold a key: by their name, as `authorization` or `x-client-secret`, or by a value of
            16 characters and more. Default False.

    Raises:
        ValueError: when a value is out of range.
    """

    def __new__(
        cls,
        max_concurrent_requests: SupportsIndex | None = None,
        batch_size: SupportsIndex | None = None,
        max_chars_per_request: SupportsIndex | None = None,
        pin_initial_endpoint_once: bool | None = None,
        timeout_s: _Seconds | None = None,
        hedge_delay: _Seconds | str | None = None,
        total_timeout_s: _Seconds | None = None,
        hedge_budget_pct: _Seconds | None = None,
        retry_budget_pct: _Seconds | None = None,
        max_retries: SupportsIndex | None = None,
        initial_backoff_ms: SupportsIndex | None = None,
        cancel_token: CancellationToken | None = None,
        primary_api_key_override: str | None = None,
        extra_headers: dict[str, str] | None = None,
        non_retryable_status_codes: Iterable[int] | None = None,
        *,
        max_retry_after_s: _Seconds | None = None,
        max_tokens_per_request: SupportsIndex | None = None,
        max_bytes_per_request: SupportsIndex | None = None,
        split_refused: bool | None = None,
        requests_per_minute: SupportsIndex | None = None,
        tokens_per_minute: SupportsIndex | None = None,
        count_tokens: Callable[[str], int] | None = None,
        on_error: Literal["raise", "return"] | None = None,
        pickle_api_key: bool | None = None,
    ) -> RequestProcessingPreference: ...
    @classmethod
    def default(cls) -> RequestProcessingPreference:
        """A preference whose every setting has its default."""

    max_concurrent_requests: int
    batch_size: int
    max_chars_per_request: int | None
    pin_initial_endpoint_once: bool
    timeout_s: float
    hedge_delay: float | str | None
    total_timeout_s: float | None
    hedge_budget_pct: float
    retry_budget_pct: float
    max_retries: int
    initial_backoff_ms: int
    cancel_token: CancellationToken | None
    primary_api_key_override: str | None
    extra_headers: dict[str, str] | None
    non_retryable_status_codes: set[int]
    max_retry_after_s: float
    max_tokens_per_request: int | None
    max_bytes_per_request: int | None
    split_refused: bool
    requests_per_minute: int | None
    tokens_per_minute: int | None
    count_tokens: Callable[[str], int] | None
    on_error: Literal["raise", "return"]
    pickle_api_key: bool
    def __eq__(self, other: builtins.object, /) -> bool: ...
    __hash__: None  # type: ignore[assignment]
    def __copy__(self) -> RequestProcessingPreference: ...
    def __deepcopy__(self, _memo: Any) -> RequestProcessingPreference: ...
    def __getnewargs_ex__(self) -> tuple[tuple[Any, ...], dict[str, Any]]: ...

@final
class ResponseData(Sequence[_T_co], Generic[_T_co]):
    """The data of a response, or its errors: a sequence whose items are made as they are looked at.

    It can be indexed, sliced, iterated and compared as a list can; `list(data)` makes one.
    """

    def __len__(self) -> int: ...
    @overload
    def __getitem__(self, key: SupportsIndex, /) -> _T_co: ...
    @overload
    def __getitem__(self, key: slice, /) -> list[_T_co]: ...
    def __iter__(self) -> Iterator[_T_co]: ...
    def __reversed__(self) -> Iterator[_T_co]: ...
    def __contains__(self, item: builtins.object, /) -> bool: ...
    def index(self, item: Any, /) -> int:  # type: ignore[override]
        """The first place of an equal item."""

    def count(self, item: Any, /) -> int:
        """How many items are equal to this one."""

    def __eq__(self, other: builtins.object, /) -> bool: ...
    __hash__: None  # type: ignore[assignment]

class _Response:
    @property
    def total_time(self) -> float:
        """Seconds from the call to its answer."""

    @property
    def individual_request_times(self) -> list[float]:
        """Seconds from each request's first attempt to its success, a number a request; NaN where
        it failed."""

    @property
    def individual_batch_request_times(self) -> list[float]:
        """The same as `individual_request_times`, under its older name."""

    @property
    def response_headers(self) -> list[dict[str, str]]:
        """The headers of each request's answer, names in lower case; {} where it failed."""

    @property
    def errors(self) -> ResponseData[FailedRequest]:
        """The requests that failed, in input order, made as they are looked at; empty unless the preference has
        `on_error="return"`, or this is an exception's `partial`."""

    def __len__(self) -> int: ...

@disjoint_base
class OpenAIEmbeddingsResponse(_Response):
    """The answer to `embed`.

    `numpy()` is the matrix, a row an input. `data` has an item for each input that succeeded, made
    when it is looked at. `len(response)` and iteration are those of `data`.
    """

    @property
    def object(self) -> str:
        """"list"."""

    @property
    def model(self) -> str:
        """The model, as the server named it."""

    @property
    def usage(self) -> OpenAIUsage:
        """The tokens that the server counted, over all requests."""

    @property
    def data(self) -> ResponseData[OpenAIEmbeddingData]:
        """In input order, without those that failed."""

    def numpy(self) -> npt.NDArray[np.float32]:
        """The matrix as a NumPy array: float32, shape (inputs, dimensions), in input order, NaN
        where a request failed.

        It is the response's own memory, and no copy: what is written into it shows in `data` too.

        Raises:
            ImportError: without NumPy.
        """

    def __iter__(self) -> Iterator[OpenAIEmbeddingData]: ...

@final
class EmbedBatch(OpenAIEmbeddingsResponse):
    """A batch of a stream: the answer to its inputs, and which of the job's inputs they are.

    The indices in `data` and `errors` are those of the whole job.
    """

    @property
    def start(self) -> int:
        """The number of its first input, counted over the whole job."""

    @property
    def end(self) -> int:
        """The number after that of its last input."""

@final
class OpenAIEmbeddingData:
    """One input's embedding."""

    @property
    def object(self) -> str:
        """"embedding"."""

    @property
    def index(self) -> int:
        """The place of the input in the call, or in the whole job where it was a stream."""

    @property
    def embedding(self) -> list[float]:
        """The embedding, a new list at each access."""

    def numpy(self) -> npt.NDArray[np.float32]:
        """The embedding as a NumPy array: float32, shape (dimensions,), a view of the matrix."""

    def __eq__(self, other: builtins.object, /) -> bool: ...
    __hash__: None  # type: ignore[assignment]

@final
class OpenAIUsage:
    """The tokens that a server counted."""

    @property
    def prompt_tokens(self) -> int:
        """Tokens of the inputs."""

    @property
    def total_tokens(self) -> int:
        """Tokens of inputs and outputs together."""

    def __eq__(self, other: builtins.object, /) -> bool: ...
    __hash__: None  # type: ignore[assignment]

@final
class RerankResponse(_Response):
    """The answer to `rerank`: a score a text, in input order. Texts whose request failed are
    absent."""

    @property
    def object(self) -> str:
        """"list"."""

    @property
    def data(self) -> ResponseData[RerankResult]:
        """In input order."""

    def sorted(self) -> list[RerankResult]:
        """Best first. Equals stay in input order, and NaN comes last."""

    def __iter__(self) -> Iterator[RerankResult]: ...

@final
class RerankResult:
    """The score of one text."""

    @property
    def index(self) -> int:
        """The place of the text in the call."""

    @property
    def score(self) -> float:
        """How well it answers the query; NaN where the server has no score."""

    @property
    def text(self) -> str | None:
        """The text, if `return_text` was set."""

    def __eq__(self, other: builtins.object, /) -> bool: ...
    __hash__: None  # type: ignore[assignment]

@final
class ClassificationResponse(_Response):
    """The answer to `classify`: for each input its classes, in input order; none where its request
    failed."""

    @property
    def object(self) -> str:
        """"list"."""

    @property
    def data(self) -> ResponseData[list[ClassificationResult]]:
        """A list of classes an input."""

    def __iter__(self) -> Iterator[list[ClassificationResult]]: ...

@final
class ClassificationResult:
    """A class of an input."""

    @property
    def label(self) -> str:
        """Its name."""

    @property
    def score(self) -> float:
        """How well it fits; NaN where the server has no score."""

    def __eq__(self, other: builtins.object, /) -> bool: ...
    __hash__: None  # type: ignore[assignment]

@final
class BatchPostResponse(_Response):
    """The answer to `batch_post`: an object a payload, in their order; None where its request
    failed."""

    @property
    def data(self) -> ResponseData[Any]:
        """Objects, read from JSON or MessagePack when they are first looked at; text that is
        neither is a str, and anything else bytes."""

    def content(self, index: int) -> bytes | None:
        """The body of one answer, decompressed and otherwise as it came; None where it failed."""

    def __iter__(self) -> Iterator[Any]: ...

@final
class FailedRequest:
    """A request that failed for good."""

    @property
    def start(self) -> int:
        """The first of the inputs that it carried."""

    @property
    def end(self) -> int:
        """The number after the last of them."""

    @property
    def error(self) -> Exception:
        """Why it failed."""

# What follows is between the two halves of the package, and not for programs.

@final
class Texts:
    def __new__(cls, name: str, source: Iterable[str]) -> Texts: ...
    def pull(self) -> bool: ...

@final
class Payloads:
    def __new__(cls, source: Iterable[Any]) -> Payloads: ...
    def pull(self) -> bool: ...

@final
class Call:
    @staticmethod
    def embed(
        texts: Texts | None,
        model: str,
        encoding_format: str | None,
        dimensions: int | None,
        user: str | None,
    ) -> Call: ...
    @staticmethod
    def rerank(
        query: str,
        texts: Texts,
        raw_scores: bool,
        model: str | None,
        return_text: bool,
        truncate: bool,
        truncation_direction: str,
    ) -> Call: ...
    @staticmethod
    def classify(
        texts: Texts,
        model: str | None,
        raw_scores: bool,
        truncate: bool,
        truncation_direction: str,
    ) -> Call: ...
    @staticmethod
    def post(
        path: str,
        payloads: Payloads,
        custom_headers: dict[str, str] | None,
        method: str | None,
    ) -> Call: ...

@final
class Client:
    def __new__(cls, base_url: str, api_key: str | None, wrapper: HttpClientWrapper) -> Client: ...
    @property
    def api_key(self) -> str | None: ...
    def wait(
        self,
        call: Call,
        preference: RequestProcessingPreference | None,
        progress: Callable[[Progress], object] | None,
    ) -> Any: ...
    def start(
        self,
        call: Call,
        preference: RequestProcessingPreference | None,
        progress: Callable[[Progress], object] | None,
        bridge: Bridge,
        future: asyncio.Future[Any],
    ) -> int: ...
    def stream(
        self,
        call: Call,
        preference: RequestProcessingPreference | None,
        inputs: Iterator[str] | None,
        in_order: bool,
    ) -> EmbedStream: ...

@final
class Bridge:
    def __new__(cls) -> Bridge: ...
    def fileno(self) -> int: ...
    def drain(self) -> None: ...
    def forget(self, call: int) -> None: ...
    def close(self) -> None: ...
    def __len__(self) -> int: ...

@final
class EmbedStream:
    def next(self) -> EmbedBatch | None: ...
    def start_next(self, bridge: Bridge, future: asyncio.Future[Any]) -> int: ...
    def feed(self, item: str) -> int: ...
    def when_taken(self, future: asyncio.Future[None]) -> None: ...
    def end(self, error: BaseException | None) -> None: ...
    def close(self) -> None: ...

@final
class Failure:
    def exception(self) -> HedgerowError: ...

@final
class ResponseIterator:
    def __iter__(self) -> ResponseIterator: ...
    def __next__(self) -> Any: ...
    def __length_hint__(self) -> int: ...
