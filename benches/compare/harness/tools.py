"""The tools: the command of each, and where it tells its rate."""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
from abc import ABC, abstractmethod
from importlib.metadata import version
from pathlib import Path

import nginx
from nginx import Nginx


class Tool(ABC):
    """A harness: `users` connections, each with one request at a time, for so many seconds."""

    title: str

    def __init__(self, args: argparse.Namespace) -> None:
        self.args = args
        self.users = str(args.users)

    @abstractmethod
    def version(self) -> str:
        """Name and version."""

    @abstractmethod
    def command(self, server: Nginx, folder: Path) -> list[str]:
        """The command of a run whose files are in `folder`, which it can write to."""

    @abstractmethod
    def rate(self, printed: str) -> float:
        """Requests a second, as it says itself."""

    def span_s(self, printed: str) -> float:
        """How long it put load on the server, without its start and end."""
        return self.args.seconds

    def pilot(self, server: Nginx, folder: Path) -> None:
        """What it must know before its first run."""


class Batchbench(Tool):
    """This repository's, with neither display nor file."""

    title = "batchbench"

    def version(self) -> str:
        return _output([self.args.built, "--version"])

    def command(self, server: Nginx, folder: Path) -> list[str]:
        records = folder / "records.jsonl"
        records.write_text(json.dumps({"text": nginx.PROMPT}) + "\n")
        # Its look at itself before a run would count as the run's CPU time.
        return [
            *(str(self.args.built), "--no-calibration", *self.outputs(folder)),
            *("--host", server.url, "--endpoint", nginx.PATH),
            *("--jsonl", str(records), "--model", "m"),
            *("--users", self.users, "--duration", f"{self.args.seconds}s"),
        ]

    def outputs(self, folder: Path) -> list[str]:
        """What comes out."""
        return ["--quiet"]

    def rate(self, printed: str) -> float:
        return _number(r"([\d,.]+) requests/s", printed)


class BatchbenchWithExports(Batchbench):
    """The same with its display and all its files."""

    title = "batchbench, every export"

    def outputs(self, folder: Path) -> list[str]:
        flags = ["--report-json", "--report-csv", "--report-html", "--hdr-log"]
        return [part for flag in flags for part in (flag, str(folder / flag[2:]))]


class Oha(Tool):
    """A load generator in Rust."""

    title = "oha"

    def version(self) -> str:
        return _output([self.args.oha, "--version"])

    def command(self, server: Nginx, folder: Path) -> list[str]:
        return [
            *(str(self.args.oha), "--no-tui", "--output-format", "json"),
            *("-z", f"{self.args.seconds}s", "-c", self.users, "-m", "POST"),
            *("-T", "application/json", "-d", nginx.BODY, server.url + nginx.PATH),
        ]

    def rate(self, printed: str) -> float:
        return float(json.loads(printed)["summary"]["requestsPerSec"])


class Wrk(Tool):
    """A load generator in C, which looks at next to nothing of an answer."""

    title = "wrk"

    def version(self) -> str:
        # It asks for an address, and fails: its first line has the version.
        told = subprocess.run(
            ["wrk", "-v"], check=False, capture_output=True, text=True
        )
        return " ".join((told.stdout + told.stderr).split()[:2])

    def command(self, server: Nginx, folder: Path) -> list[str]:
        script = folder / "post.lua"
        script.write_text(
            'wrk.method = "POST"\n'
            'wrk.headers["content-type"] = "application/json"\n'
            f"wrk.body = '{nginx.BODY}'\n"
        )
        threads = str(os.cpu_count() or 1)
        return [
            *("wrk", "-t", threads, "-c", self.users, "-s", str(script)),
            *("-d", f"{self.args.seconds}s", server.url + nginx.PATH),
        ]

    def rate(self, printed: str) -> float:
        return _number(r"Requests/sec: +([\d.]+)", printed)


class PyPI(Tool):
    """The `batchbench` of PyPI. It has no duration: a pilot says how many requests it makes in
    one. It writes a file an answer, and makes up prompts with a tokenizer, which is a path here."""

    title = "PyPI's batchbench"
    requests_per_user = 100

    def version(self) -> str:
        return f"PyPI's batchbench {version('batchbench')}"

    def command(self, server: Nginx, folder: Path) -> list[str]:
        (folder / "tokenizer.json").write_text(json.dumps(TOKENIZER))
        return [
            *(str(Path(sys.executable).with_name("batchbench")), "--users", self.users),
            *("--requests-per-user", str(self.requests_per_user)),
            *("--host", server.url, "--endpoint", nginx.PATH),
            *("--model", str(folder), "--input-tokens", "4"),
        ]

    def rate(self, printed: str) -> float:
        return _number(r"requests ([\d.]+) req/s", printed)

    def span_s(self, printed: str) -> float:
        return _number(r"Total duration: ([\d.]+)s", printed)

    def pilot(self, server: Nginx, folder: Path) -> None:
        told = _output(self.command(server, folder), cwd=folder)
        requests = self.rate(told) * self.args.seconds
        self.requests_per_user = max(1, round(requests / self.args.users))


TOKENIZER = {
    "version": "1.0",
    "added_tokens": [],
    "pre_tokenizer": {"type": "Whitespace"},
    "model": {
        "type": "WordLevel",
        "vocab": {"[UNK]": 0, "Name": 1, "a": 2, "hedge": 3},
        "unk_token": "[UNK]",
    },
}

ALL: dict[str, type[Tool]] = {
    "batchbench": Batchbench,
    "batchbench-exports": BatchbenchWithExports,
    "oha": Oha,
    "wrk": Wrk,
    "pypi": PyPI,
}


def _output(command: list[str | Path] | list[str], cwd: Path | None = None) -> str:
    done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=cwd)
    return done.stdout.strip()


def _number(pattern: str, printed: str) -> float:
    found = re.search(pattern, printed)
    if found is None:
        raise ValueError(f"no rate in what was printed: {printed[-300:]}")
    return float(found[1].replace(",", ""))
