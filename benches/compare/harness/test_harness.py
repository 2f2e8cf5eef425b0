"""What the comparison must get right; `pytest benches/compare/harness`."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import urllib.request

import pytest

import nginx
import tools
import turns
from tables import Lap, Report, Setting, counted_per_s, cpu_us

SETTING = Setting("", 2, 10, 64, [], "", "", 0)


def lap(tool: str, round: int, requests: int, cpu_s: float = 1) -> Lap:
    return Lap(tool, round, requests, requests, span_s=2, wall_s=3, cpu_s=cpu_s)


def test_a_ratio_is_taken_within_its_round() -> None:
    laps = [
        lap("batchbench", 0, 1000),
        lap("oha", 0, 500),
        lap("batchbench", 1, 100),
        lap("oha", 1, 75),
    ]
    report = Report(SETTING, laps)
    ratio = report.ratio("oha", counted_per_s)
    assert ratio is not None
    assert (ratio.least, ratio.median, ratio.most) == (0.5, 0.625, 0.75)
    assert "0.62 (0.50-0.75)" in report.text()
    cpu = report.spread("batchbench", cpu_us)
    assert cpu is not None and cpu.least == 1000


def test_a_failure_is_told_with_its_reason_and_counts_for_nothing() -> None:
    laps = [lap("batchbench", 0, 1000), Lap("oha", 0, failure="ended with 2: no")]
    report = Report(SETTING, laps)
    assert report.ratio("oha", counted_per_s) is None
    assert "- oha: ended with 2: no" in report.text()


def test_tools_take_turns() -> None:
    args = argparse.Namespace(rounds=2, only=["batchbench", "oha"])
    order = [name for _, name in turns.plan(args)]
    assert order == ["batchbench", "oha", "oha", "batchbench"]


def test_the_server_answers_and_counts() -> None:
    with nginx.running() as server:
        before = server.requests()
        for _ in range(3):
            url, body = server.url + nginx.PATH, nginx.BODY.encode()
            with urllib.request.urlopen(url, data=body) as answer:
                assert json.load(answer)["usage"]["completion_tokens"] == 4
        assert server.requests() - before - 1 == 3


def test_a_child_is_measured() -> None:
    source = "held = bytearray(60 << 20)\nfor _ in range(3_000_000): pass"
    child = subprocess.Popen([sys.executable, "-c", source])
    status, usage, peak = turns.watch(child)
    assert status == 0 and peak > 60 << 20
    assert usage.ru_utime > 0.01
    failed = subprocess.Popen([sys.executable, "-c", "raise SystemExit(3)"])
    assert turns.watch(failed)[0] == 3


@pytest.mark.parametrize(
    ("name", "printed", "rate"),
    [
        ("batchbench", "VALID\nrate      44,574 requests/s\n", 44574),
        ("oha", '{"summary": {"requestsPerSec": 12.5}}', 12.5),
        ("wrk", "Requests/sec:  84999.33\n", 84999.33),
        ("pypi", "completion 1.0 tok/s, requests 7943.25 req/s", 7943.25),
    ],
)
def test_a_tool_s_own_rate_is_read(name: str, printed: str, rate: float) -> None:
    tool = tools.ALL[name](argparse.Namespace(users=64))
    assert tool.rate(printed) == rate


def test_what_tells_no_rate_is_an_error() -> None:
    tool = tools.ALL["wrk"](argparse.Namespace(users=64))
    with pytest.raises(ValueError, match="no rate"):
        tool.rate("unable to connect")
