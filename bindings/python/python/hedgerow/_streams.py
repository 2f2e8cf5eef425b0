"""Streams of batches, as generators."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator
from typing import Any

from hedgerow import _loops
from hedgerow._hedgerow import EmbedBatch, EmbedStream, Progress
from hedgerow._progress import ProgressArgument, listening

#: So many texts of an async iterable are taken ahead.
AHEAD = 1024


def check_inputs(inputs: Any) -> None:
    if isinstance(inputs, (str, bytes, bytearray)):
        raise TypeError(f"inputs must be an iterable of str, not {type(inputs).__name__}")
    if not isinstance(inputs, (Iterable, AsyncIterable)) and not hasattr(inputs, "__getitem__"):
        raise TypeError(f"inputs must be an iterable of str, not {type(inputs).__name__}")


def size_of(inputs: Any) -> int | None:
    try:
        return len(inputs)
    except TypeError:
        return None


def batches(
    stream: EmbedStream, total: int | None, progress: ProgressArgument
) -> Iterator[EmbedBatch]:
    began = time.monotonic()
    done = 0
    try:
        with listening(progress, "inputs") as tell:
            while (batch := stream.next()) is not None:
                done += batch.end - batch.start
                if tell is not None:
                    tell(Progress(done, total, time.monotonic() - began))
                yield batch
    finally:
        stream.close()


async def async_batches(
    stream: EmbedStream,
    inputs: AsyncIterable[str] | None,
    total: int | None,
    progress: ProgressArgument,
) -> AsyncIterator[EmbedBatch]:
    began = time.monotonic()
    done = 0
    feeder = None if inputs is None else asyncio.ensure_future(_feed(stream, inputs))
    try:
        with listening(progress, "inputs") as tell:
            while (batch := await _loops.answer(stream.start_next)) is not None:
                done += batch.end - batch.start
                if tell is not None:
                    tell(Progress(done, total, time.monotonic() - began))
                yield batch
    finally:
        if feeder is not None:
            feeder.cancel()
        stream.close()


async def _feed(stream: EmbedStream, inputs: AsyncIterable[str]) -> None:
    """Feeds a stream from an async iterable, as fast as it takes texts."""
    loop = asyncio.get_running_loop()
    try:
        async for text in inputs:
            if stream.feed(text) >= AHEAD:
                taken = loop.create_future()
                stream.when_taken(taken)
                await taken
    except GeneratorExit:
        # The loop is gone, and with it whoever could be told.
        raise
    except BaseException as error:
        stream.end(error)
        if not isinstance(error, Exception):
            raise
    else:
        stream.end(None)
