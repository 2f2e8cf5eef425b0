"""What calls are given: inputs taken without holding up others, and arguments told apart."""

from __future__ import annotations

import asyncio
from typing import Any, Union

from hedgerow._hedgerow import RequestProcessingPreference

Headers = dict[str, str]
#: What stands third and fourth in a `batch_post` of old code and of new.
HeadersOrPreference = Union[Headers, RequestProcessingPreference, None]
PreferenceOrMethod = Union[RequestProcessingPreference, Headers, str, None]


def take_all(taken: Any) -> Any:
    """Takes all texts or payloads. Other threads get their turns between the steps."""
    while not taken.pull():
        pass
    return taken


async def take_all_async(taken: Any) -> Any:
    """Takes all texts or payloads. The event loop gets its turns between the steps."""
    while not taken.pull():
        await asyncio.sleep(0)
    return taken


def sort_out(
    *given: HeadersOrPreference | PreferenceOrMethod,
) -> tuple[Headers | None, RequestProcessingPreference | None, str | None]:
    """Headers, preference and method, told apart by their kind: old code gives them in one order,
    newer code in another."""
    found: dict[str, Any] = {}
    for value in given:
        if value is None:
            continue
        if isinstance(value, RequestProcessingPreference):
            name = "preference"
        elif isinstance(value, str):
            name = "method"
        elif isinstance(value, dict):
            name = "custom_headers"
        else:
            kind = type(value).__name__
            raise TypeError(
                "custom_headers must be a dict, preference a RequestProcessingPreference and "
                f"method a str (got a value of type {kind})"
            )
        if name in found:
            raise TypeError(f"{name} was given twice")
        found[name] = value
    return found.get("custom_headers"), found.get("preference"), found.get("method")
