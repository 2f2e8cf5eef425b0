"""The server: an nginx that answers every post with the same completion, and counts requests."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

sys.path.append(str(Path(__file__).resolve().parents[1] / "python"))

import server

PATH = "/v1/chat/completions"
PROMPT = "Name a hedge."
BODY = json.dumps(
    {"messages": [{"content": PROMPT, "role": "user"}], "model": "m"},
    separators=(",", ":"),
)
"""What every tool posts."""

ANSWER = json.dumps(
    {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1750000000,
        "model": "m",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "Hawthorn."},
                "finish_reason": "stop",
            }
        ],
        "usage": {"prompt_tokens": 11, "completion_tokens": 4, "total_tokens": 15},
    }
)

LOCATIONS = f"""
        location = {PATH} {{ return 200 '{ANSWER}'; }}
        location = /status {{ stub_status; }}
"""


@dataclass(frozen=True)
class Nginx:
    """A running server."""

    port: int
    pid: int

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}"

    def requests(self) -> int:
        """Requests that it received before this call, by its own count."""
        with urllib.request.urlopen(f"{self.url}/status") as answer:
            text = answer.read().decode()
        found = re.search(r"^ *\d+ +\d+ +(\d+)", text, re.MULTILINE)
        assert found, text
        return int(found[1]) - 1

    def cpu_s(self) -> float:
        """CPU time that it has used."""
        schedstat = Path(f"/proc/{self.pid}/schedstat").read_text()
        return int(schedstat.split()[0]) / 1e9


@contextmanager
def running() -> Iterator[Nginx]:
    """An nginx that ends, with its directory, when the context does."""
    with TemporaryDirectory(prefix="hedgerow-compare-") as directory:
        port = server._free_port()
        text = server.CONFIGURATION.format(port=port, locations=LOCATIONS)
        Path(directory, "nginx.conf").write_text(text)
        command = [server._nginx(), "-p", directory, "-c", "nginx.conf"]
        process = subprocess.Popen(
            [*command, "-e", "error.log"], stderr=subprocess.DEVNULL
        )
        try:
            server._wait_until_it_listens(process, port, Path(directory))
            yield Nginx(port, process.pid)
        finally:
            process.kill()
            process.wait()
