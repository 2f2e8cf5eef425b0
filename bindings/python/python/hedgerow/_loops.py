"""A bridge for each event loop, and waiting on it."""

from __future__ import annotations

import asyncio
import os
import threading
import weakref
from collections.abc import Callable
from typing import Any

from hedgerow._hedgerow import Bridge, Failure

#: The bridges belong to their loops, which watch them: one that is dropped as it is, with calls
#: under way, is garbage together with its bridge.
_bridges: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, weakref.ref[Bridge]]
_lock: threading.Lock


def _forget() -> None:
    """In a child, what its parent has is forgotten; a thread may have held the lock."""
    global _bridges, _lock
    _bridges = weakref.WeakKeyDictionary()
    _lock = threading.Lock()


_forget()
os.register_at_fork(after_in_child=_forget)


def _bridge_of(loop: asyncio.AbstractEventLoop) -> Bridge:
    known = _bridges.get(loop)
    bridge = None if known is None else known()
    if bridge is not None:
        return bridge
    with _lock:
        # Loops that were closed with calls under way: whoever waits for these keeps them.
        for other, closed in list(_bridges.items()):
            if other.is_closed() and (unused := closed()) is not None:
                unused.close()
        bridge = Bridge()
        loop.add_reader(bridge.fileno(), bridge.drain)
        _bridges[loop] = weakref.ref(bridge)
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
        raise outcome.exception()
    return outcome
