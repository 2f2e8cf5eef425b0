"""A bridge for each event loop, and waiting on it."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
import weakref
from collections.abc import Callable
from typing import Any

from hedgerow._hedgerow import Bridge, Failure

_bridges: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, Bridge]
_lock: threading.Lock


def _forget() -> None:
    """In a child, what its parent has is forgotten; a thread may have held the lock."""
    global _bridges, _lock
    _bridges = weakref.WeakKeyDictionary()
    _lock = threading.Lock()


_forget()
os.register_at_fork(after_in_child=_forget)


def _bridge_of(loop: asyncio.AbstractEventLoop) -> Bridge:
    bridge = _bridges.get(loop)
    if bridge is not None:
        return bridge
    with _lock:
        # Loops that were closed with calls under way: these futures keep their loops alive.
        for other, closed in list(_bridges.items()):
            if other.is_closed():
                closed.close()
        bridge = Bridge()
        loop.add_reader(bridge.fileno(), bridge.drain)
        _bridges[loop] = bridge
    return bridge


async def answer(start: Callable[[Bridge, asyncio.Future[Any]], int]) -> Any:
    """Starts a call on the running loop and waits for its answer. Cancelling aborts the call."""
    loop = asyncio.get_running_loop()
    bridge = _bridge_of(loop)
    future = loop.create_future()
    call = start(bridge, future)
    try:
        outcome = await future
    except BaseException:
        bridge.forget(call)
        raise
    if type(outcome) is Failure:
        if "hedgerow.exceptions" not in sys.modules:
            # It may import requests, for which the loop would stand still.
            await loop.run_in_executor(None, __import__, "hedgerow.exceptions")
        raise outcome.exception()
    return outcome
