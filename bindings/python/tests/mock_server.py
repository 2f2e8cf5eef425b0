"""The mock inference server, as a child process, and its handle over HTTP."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[3]


def program() -> str:
    """The built `batchbench`: `make test-python` says where, and builds it."""
    named = os.environ.get("BATCHBENCH")
    built = [ROOT / "target" / profile / "batchbench" for profile in ("release", "debug")]
    found = [named] if named else [str(path) for path in built if path.exists()]
    path = shutil.which(found[0]) if found else None
    assert path, "batchbench is not built: cargo build --features cli --bin batchbench"
    return str(Path(path).resolve())


class MockServer:
    """A running server. What a test claims to have happened, it asks the server."""

    def __init__(self, *arguments: str) -> None:
        self._child = subprocess.Popen(
            [program(), "mock", "--port", "0", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert self._child.stdout is not None
        found = re.search(r"http://\S+", self._child.stdout.readline())
        assert found, "the mock server did not start"
        self.url = found.group()

    def stop(self) -> None:
        self._child.kill()
        self._child.wait()
        assert self._child.stdout is not None
        self._child.stdout.close()

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data=data, method=method)
        with urllib.request.urlopen(request, timeout=30) as answer:
            text = answer.read()
        return json.loads(text) if text else None

    def inject(self, faults: str, path: str = "/v1/embeddings", **rule: Any) -> None:
        """Adds a rule: these faults for requests to this path."""
        self.ask("POST", "/mock/rules", {"path": path, "faults": faults, **rule})

    def clear(self) -> None:
        self.ask("DELETE", "/mock/rules")

    def forget(self) -> None:
        self.ask("DELETE", "/stats")

    @property
    def stats(self) -> dict[str, Any]:
        found: dict[str, Any] = self.ask("GET", "/stats")
        return found

    @property
    def requests(self) -> int:
        """Requests that were received."""
        return int(self.stats["requests"])

    def vectors(self, texts: list[str], **more: Any) -> list[list[float]]:
        """What the server answers for these texts, asked without hedgerow. Counted as well."""
        answer = self.ask("POST", "/v1/embeddings", {"model": "m", "input": texts, **more})
        rows = sorted(answer["data"], key=lambda row: row["index"])
        return [row["embedding"] for row in rows]


def eventually(what: str, condition: Callable[[], bool], seconds: float = 20) -> float:
    """Waits until something holds, and says how long it took."""
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < seconds, f"never: {what}"
        time.sleep(0.005)
    return time.monotonic() - began


def texts(count: int) -> list[str]:
    """So many different texts."""
    return [f"text number {number}" for number in range(count)]
