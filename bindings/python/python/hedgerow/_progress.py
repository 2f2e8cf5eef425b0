"""Bars for long calls: tqdm's where it is installed, a plain line where it is not."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Union

from hedgerow._hedgerow import Progress

ProgressArgument = Union[bool, Callable[[Progress], object], None]


@contextmanager
def listening(progress: ProgressArgument, unit: str) -> Iterator[Callable[[Progress], object] | None]:
    """What a call is to tell its progress to, for as long as it lasts."""
    if progress is None or progress is False:
        yield None
    elif progress is True:
        bar = _Bar(unit)
        try:
            yield bar
        finally:
            bar.close()
    elif callable(progress):
        yield progress
    else:
        kind = type(progress).__name__
        raise TypeError(f"progress must be True, False, None or a function, not {kind}")


class _Bar:
    def __init__(self, unit: str) -> None:
        self._unit = unit
        self._bar: Any = None

    def __call__(self, progress: Progress) -> None:
        if self._bar is None:
            self._bar = _open(progress.total, self._unit)
        self._bar.set_postfix_str(progress.held_back or "", refresh=False)
        self._bar.update(progress.done - self._bar.n)

    def close(self) -> None:
        if self._bar is not None:
            self._bar.close()


def _open(total: int | None, unit: str) -> Any:
    try:
        with warnings.catch_warnings():
            # A notebook without widgets gets the plain bar, and no warning.
            warnings.simplefilter("ignore")
            from tqdm.auto import tqdm
    except ImportError:
        return _Line(total, unit)
    return tqdm(total=total, unit=f" {unit}", unit_scale=False)


class _Line:
    """A line on stderr that is written over."""

    def __init__(self, total: int | None, unit: str) -> None:
        self.n = 0
        self._total = total
        self._unit = unit
        self._postfix = ""
        self._width = 0

    def set_postfix_str(self, words: str, refresh: bool) -> None:
        self._postfix = f", {words}" if words else ""

    def update(self, more: int) -> None:
        self.n += more
        of = "" if self._total is None else f" of {self._total:,} ({self.n / self._total:.0%})"
        line = f"{self.n:,}{of} {self._unit}{self._postfix}"
        # The end of a longer line before it is wiped out.
        sys.stderr.write(f"\r{line.ljust(self._width)}")
        self._width = len(line)
        sys.stderr.flush()

    def close(self) -> None:
        sys.stderr.write("\n")
