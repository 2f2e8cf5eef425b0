"""The exceptions. Each derives from the one of requests that means the same, where requests is
installed, and from the builtin one that a reader would expect.

Nothing is imported when one is needed: by then the process may have no file descriptor left.
"""

from __future__ import annotations

import http.client
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from requests import Response as _Response
    from requests import exceptions as _base

    from hedgerow._hedgerow import (
        BatchPostResponse,
        ClassificationResponse,
        FailedRequest,
        OpenAIEmbeddingsResponse,
        RerankResponse,
    )
else:
    try:
        from requests import Response as _Response
        from requests import exceptions as _base
    except ImportError:
        from hedgerow import _without_requests as _base

        _Response = _base.Response

__all__ = [
    "AnswerError",
    "Cancelled",
    "ConnectError",
    "HTTPError",
    "HedgerowError",
    "InternalError",
    "NetworkError",
    "PayloadError",
    "Timeout",
]


class HedgerowError(Exception):
    """What a call raises when it fails after it began.

    Attributes:
        kind: what happened, in a word: "status", "timeout", "connect", "network", "answer" or
            "cancelled", of which each has a class; "overloaded" (too many calls are under way),
            "closed", "inside_runtime" or "internal".
        partial: a response of what had finished, of the type that the call would have given; an
            empty one where nothing had. None where there was no call to finish: in the error of a
            single request (`FailedRequest.error`), of `run_benchmark`, and in a pickled copy.
        request_id: the `x-baseten-customer-request-id` of the attempt that failed, for the
            server's logs, or None.
    """

    partial: (
        OpenAIEmbeddingsResponse
        | RerankResponse
        | ClassificationResponse
        | BatchPostResponse
        | None
    ) = None
    kind: str = "internal"
    request_id: str | None = None

    @property
    def errors(self) -> Sequence[FailedRequest]:
        """The requests that had failed by then, as `partial.errors`."""
        return [] if self.partial is None else self.partial.errors

    def __str__(self) -> str:
        return str(self.args[-1]) if self.args else ""

    def __reduce__(self) -> tuple[Any, ...]:
        # Without what had finished: an exception goes from process to process as a message.
        kept = {
            "kind": self.kind,
            "request_id": self.request_id,
            "response": getattr(self, "response", None),
        }
        return _rebuild, (type(self), self.args, kept)


class HTTPError(HedgerowError, _base.HTTPError):
    """The server's answer was a status that is not a success.

    `args[0]` is the status. `response` has `status_code`, `reason`, `headers`, `text`, `content`
    and `json()`; the body is that of the answer, at most its first 64 KiB.
    """


class Timeout(HedgerowError, _base.Timeout, TimeoutError):
    """A request, or the whole call, took too long."""


class ConnectError(HedgerowError, ValueError, _base.ConnectionError, ConnectionError):
    """No connection could be made: no such host, refused, or a failed TLS handshake."""


class NetworkError(HedgerowError, ValueError, _base.ConnectionError, ConnectionError):
    """The connection broke while a request was under way, or the answer ended early."""


class AnswerError(HedgerowError, ValueError):
    """The server's answer was whole, but not what was asked for."""


class Cancelled(HedgerowError, ValueError):
    """The call was cancelled by its token."""


class InternalError(HedgerowError, RuntimeError):
    """The call could not be carried out for a reason of hedgerow's own, which `kind` names."""


class PayloadError(TypeError, ValueError):
    """A payload holds what JSON cannot hold; the text says where."""


#: The class of each kind of failure that the core knows, but for "config": a plain ValueError.
_CLASSES: dict[str, type[HedgerowError]] = {
    "status": HTTPError,
    "timeout": Timeout,
    "connect": ConnectError,
    "network": NetworkError,
    "answer": AnswerError,
    "cancelled": Cancelled,
    "closed": InternalError,
    "overloaded": InternalError,
    "inside_runtime": InternalError,
    "internal": InternalError,
}


def make(
    *,
    kind: str,
    text: str,
    status: int | None,
    body: str | None,
    headers: dict[str, str] | None,
    request_id: str | None,
    partial: Any,
) -> HedgerowError:
    """The exception for an error of the core."""
    error: HedgerowError
    if status is not None:
        response = _response(status, headers or {}, body or "")
        error = HTTPError(status, text, response=response)
    else:
        error = _CLASSES[kind](text)
    error.kind = kind
    error.request_id = request_id
    error.partial = partial
    return error


def _rebuild(
    kind: type[HedgerowError], args: tuple[Any, ...], kept: dict[str, Any]
) -> HedgerowError:
    error = kind(*args)
    for name, value in kept.items():
        if value is not None:
            setattr(error, name, value)
    return error


def _response(status: int, headers: dict[str, str], body: str) -> Any:
    """The server's answer, as requests would give it."""
    response = _Response()
    response.status_code = status
    response.reason = http.client.responses.get(status, "")
    response.headers.update(headers)
    response.encoding = "utf-8"
    # Response has no public way to be given its body.
    response._content = body.encode()
    return response
