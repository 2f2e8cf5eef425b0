"""The child's side: warms up, measures one span, checks the result, and prints what it cost."""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from resource import RUSAGE_SELF, getrusage
from typing import Any

import numpy as np

import contenders
import works
from contenders import Library
from works import Work

WARM_UP_REQUESTS = 8


@dataclass(frozen=True)
class Cost:
    """What the measured requests cost this process. `src/span.rs` has the same fields."""

    requests: int
    wall_s: float
    cpu_s: float
    """User and system time of all threads."""
    peak_bytes: int
    """The most memory that was resident at once, in the whole life of the process."""
    baseline_bytes: int
    """What was resident before the first request: the interpreter, the library, the texts."""
    server_cpu_s: float
    """Of nginx, which has one core at most."""
    instructions: int | None = None
    """Counted by the floor alone."""


def main() -> None:
    """Does what the command line says, and prints a `Cost` as JSON."""
    parser = argparse.ArgumentParser()
    parser.add_argument("contender")
    parser.add_argument("work")
    parser.add_argument("url")
    parser.add_argument("requests", type=int)
    parser.add_argument("server_pid", type=int)
    args = parser.parse_args()
    work = works.named(args.work)
    library = contenders.ALL[args.contender]
    assert issubclass(library, Library), "it has a process of another kind"
    client = library(args.url, work.http2)
    cost = measure(client, work, args.requests, args.server_pid)
    print(json.dumps(asdict(cost)))


def measure(client: Library, work: Work, requests: int, server_pid: int) -> Cost:
    """Runs `requests` requests of the work, after a few that do not count."""
    go = client.embed if work.dimensions else client.post
    inputs = work.inputs(requests)
    baseline = _memory("VmRSS")
    go(work, inputs[: WARM_UP_REQUESTS * work.batch])
    wall, cpu, server_cpu = time.monotonic(), _cpu_s(), _cpu_of(server_pid)
    result = go(work, inputs)
    cost = Cost(
        requests=requests,
        wall_s=time.monotonic() - wall,
        cpu_s=_cpu_s() - cpu,
        peak_bytes=_memory("VmHWM"),
        baseline_bytes=baseline,
        server_cpu_s=_cpu_of(server_pid) - server_cpu,
    )
    check(work, requests, result)
    return cost


def check(work: Work, requests: int, result: Any) -> None:
    """Raises where the result is not what the canned answers hold."""
    if work.dimensions == 0:
        right = result == requests * works.POST_TOKENS
    else:
        answers = result.reshape(requests, work.batch, work.dimensions)
        rows = work.rows()
        right = result.dtype == np.float32 and all(
            np.array_equal(rows, answer) for answer in answers
        )
    if not right:
        raise ValueError("the result is not what the server sent")


def _cpu_s() -> float:
    usage = getrusage(RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def _cpu_of(pid: int) -> float:
    # In nanoseconds; /proc/PID/stat counts ticks, and misses what is shorter.
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e9


def _memory(name: str) -> int:
    # `getrusage` would not do: its peak begins with that of the process that forked.
    lines = Path("/proc/self/status").read_text().splitlines()
    line = next(line for line in lines if line.startswith(f"{name}:"))
    return int(line.split()[1]) * 1024


if __name__ == "__main__":
    main()
