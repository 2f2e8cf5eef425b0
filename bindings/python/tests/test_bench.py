"""`run_benchmark`: what it reports is what the server saw."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import hedgerow
from conftest import finish
from mock_server import MockServer, eventually, program

CHAT = "/v1/chat/completions"
RECORDS = [{"text": f"prompt {number}"} for number in range(4)]
#: What a test of something else does without.
SHORT = {"no_calibration": True, "workers": 1}


def run(server: MockServer, **config: Any) -> dict[str, Any]:
    return hedgerow.run_benchmark({"host": server.url, "records": RECORDS, **SHORT, **config})


def test_a_closed_loop_counts_what_the_server_counts(server: MockServer) -> None:
    report = run(server, users=8, requests_per_user=5, model="my-model", no_calibration=False)
    requests = report["requests"]
    assert requests["total"] == requests["succeeded"] == requests["attempts"] == 40
    assert server.requests == 40
    assert report["load_model"] == "closed loop, 8 users"
    assert report["client"]["ceiling_per_s"] > 0
    assert report["config"]["model"] == "my-model"
    assert report["tokens"]["completion"] > 0


def test_retries_that_are_reported_are_those_that_the_server_saw(server: MockServer) -> None:
    server.inject("status=500", CHAT, times=3)
    report = run(server, users=2, requests_per_user=10, max_retries=5, retry_delay_ms=1)
    assert report["requests"]["succeeded"] == 20
    assert report["requests"]["attempts"] == server.requests == 23


def test_failures_are_reported_and_raise_nothing(server: MockServer) -> None:
    server.inject("status=418", CHAT)
    report = run(server, slo="error_rate<1%")
    assert report["requests"]["failed"] == server.requests == 4
    assert report["errors"] == {"http_418": 4} and len(report["failures"]) == 4
    assert [slo["met"] for slo in report["slo"]] == [False]


def test_the_keys_are_those_of_the_command(server: MockServer, tmp_path: Path) -> None:
    report = run(server)
    file, records = tmp_path / "report.json", tmp_path / "records.jsonl"
    records.write_text("\n".join(map(json.dumps, RECORDS)))
    subprocess.run(
        [program(), "--jsonl", records, "--host", server.url, "--report-json", file, "--quiet"],
        check=True,
        capture_output=True,
    )
    theirs = json.loads(file.read_text())
    assert report.keys() == theirs.keys()
    for part in ("requests", "latency_ms", "tokens", "rates", "config", "client", "timeline"):
        assert report[part].keys() == theirs[part].keys(), part
    assert report["data_set"] == theirs["data_set"]
    # It is the very report: the command reads it.
    file.write_text(json.dumps(report))
    subprocess.run([program(), "merge", file, file], check=True, capture_output=True)


def test_a_file_and_a_list_of_the_same_records_send_the_same(
    server: MockServer, tmp_path: Path
) -> None:
    records = [
        {"text": "a"},
        {"messages": [{"role": "user", "content": "b"}]},
        {"body": {"model": "m", "messages": [], "n": 1.5}},
    ]
    path = tmp_path / "records.jsonl"
    path.write_text("\n".join(map(json.dumps, records)))
    of_file = run(server, records=None, jsonl=path)
    of_list = run(server, records=records)
    assert of_file["data_set"] == of_list["data_set"] is not None
    assert of_list["requests"]["total"] == 3


def test_every_kind_is_sent_where_it_belongs(server: MockServer) -> None:
    for kind, path in (("embeddings", "/v1/embeddings"), ("rerank", "/rerank")):
        report = run(server, kind=kind, batch_size=2, users=1, requests_per_user=2)
        assert report["requests"]["succeeded"] == 2, report["failures"]
        assert report["config"]["endpoint"] == server.url + path
    assert server.requests == 4


def test_http2_and_proxies(server: MockServer, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    failed = run(server, max_retries=0)
    assert failed["errors"] == {"connect": 4}
    assert run(server, proxy="none")["requests"]["succeeded"] == server.requests == 4
    # As a proxy the mock gets the whole address, and knows no such path: it was asked.
    asked = run(server, host="http://127.0.0.1:1", proxy=server.url, max_retries=0)
    assert asked["requests"]["attempts"] == 4 and server.requests > 4
    # The mock speaks no HTTP/2.
    assert run(server, proxy="none", http2=True, max_retries=0)["requests"]["failed"] == 4


def test_an_open_loop_keeps_its_schedule(server: MockServer) -> None:
    report = run(
        server, rate=100, duration="500ms", arrival="constant", max_in_flight=50, warmup=0.1
    )
    requests = report["requests"]
    assert requests["planned"] == requests["sent"] + requests["dropped"] == 60
    assert server.requests == requests["sent"]
    assert report["load_model"] == "open loop, constant arrivals, 100 requests/s"
    staged = run(server, stages=["100:100ms", "0-100:0.2s"], arrival="constant")
    assert staged["requests"]["planned"] == 20


def test_sessions_think_and_none_of_their_requests_is_lost(server: MockServer) -> None:
    report = run(
        server, rate=50, duration=0.2, arrival="constant", session_requests=3, think_time="50ms"
    )
    requests = report["requests"]
    assert requests["planned"] == requests["sent"] == server.requests == 30
    assert report["load_model"] == (
        "partly open, constant arrivals, 50 sessions/s of 3 requests, think time 0.05 s"
    )
    users = run(server, users=2, requests_per_user=2, think_time=0.2)
    assert users["load_model"] == "closed loop, 2 users, think time 0.2 s"
    assert users["duration_s"] >= 0.2


def test_a_pause_of_nothing_and_a_percentile_are_taken(server: MockServer) -> None:
    server.inject("status=500", CHAT, times=6)
    report = run(server, users=1, max_retries=10, retry_delay_ms=0, hedge_delay="p95")
    # With the default pause it would be a minute, more or less.
    assert report["requests"]["succeeded"] == 1 and report["duration_s"] < 10
    assert report["config"]["hedge_quantile"] == 0.95


def test_the_limit_of_open_files_is_raised_as_far_as_the_load_needs(
    server: MockServer, python: Callable[..., subprocess.Popen[str]]
) -> None:
    child = python(
        """
        import hedgerow, resource
        limit, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (256, most))
        few = {"host": url, "records": [{"text": "a"}], "no_calibration": True}
        hedgerow.run_benchmark(few)
        print(resource.getrlimit(resource.RLIMIT_NOFILE)[0])
        hedgerow.run_benchmark({**few, "users": 300})
        print(resource.getrlimit(resource.RLIMIT_NOFILE)[0] >= 300)
        """
    )
    assert finish(child) == "256\nTrue\n"


def test_streams_prompts_and_headers(server: MockServer) -> None:
    report = hedgerow.run_benchmark(
        {
            "endpoint": server.url + CHAT,
            "api_key": "sk-secret",
            "headers": {"x-team": "hidden-value"},
            "input_tokens": 20,
            "input_vary": 5,
            "prompts": 10,
            "output_tokens": 3,
            "stream": True,
            "users": 2,
            "requests_per_user": 5,
            "seed": 7,
            **SHORT,
        }
    )
    assert report["requests"]["succeeded"] == server.requests == 10
    assert report["tokens"]["completion"] == 30
    assert report["ttft_ms"]["mean"] > 0 and report["seed"] == 7
    told = json.dumps(report)
    assert "x-team" in told and "hidden-value" not in told and "sk-secret" not in told


def test_progress_is_told_on_the_thread_that_waits(server: MockServer) -> None:
    server.inject("delay=50", CHAT)
    told: list[dict[str, Any]] = []
    threads: set[int] = set()

    def tell(progress: dict[str, Any]) -> None:
        told.append(progress)
        threads.add(threading.get_ident())

    report = run(server, users=4, duration=1, progress=tell)
    assert threads == {threading.get_ident()} and len(told) >= 3
    assert told[-1]["ended"] == report["requests"]["total"] == server.requests
    assert told[-1]["span_s"] == 1.0 and told[-1]["latency_p50_ms"] >= 50


def test_what_progress_raises_ends_the_run_and_carries_its_report(server: MockServer) -> None:
    def refuse(progress: dict[str, Any]) -> None:
        if progress["succeeded"] > 0:
            raise LookupError("enough")

    began = time.monotonic()
    with pytest.raises(LookupError, match="enough") as raised:
        run(server, users=2, duration=60, progress=refuse)
    assert time.monotonic() - began < 50
    partial = getattr(raised.value, "partial")  # noqa: B009
    assert partial["interrupted"] and partial["requests"]["succeeded"] > 0


def test_other_threads_and_event_loops_run_meanwhile(server: MockServer) -> None:
    async def main() -> tuple[int, dict[str, Any]]:
        ticks = 0
        config = {"host": server.url, "records": RECORDS, "duration": 1, "users": 2, **SHORT}
        task = asyncio.create_task(asyncio.to_thread(hedgerow.run_benchmark, config))
        while not task.done():
            ticks += 1
            await asyncio.sleep(0.005)
        return ticks, await task

    ticks, report = asyncio.run(main())
    assert ticks > 5 and report["requests"]["total"] == server.requests


def test_ctrl_c_ends_the_run_with_its_report_and_the_next_works(
    server: MockServer, python: Callable[..., subprocess.Popen[str]]
) -> None:
    child = python(
        """
        import hedgerow
        config = {"host": url, "records": [{"text": "a"}], "users": 3, "no_calibration": True}
        try:
            hedgerow.run_benchmark({**config, "duration": "1h"})
        except KeyboardInterrupt as error:
            print(error.partial["interrupted"], error.partial["requests"]["succeeded"] > 0)
        print(hedgerow.run_benchmark(config)["requests"]["succeeded"])
        """
    )
    eventually("the run is under way", lambda: server.requests > 3)
    began = time.monotonic()
    child.send_signal(signal.SIGINT)
    assert finish(child) == "True True\n3\n"
    assert time.monotonic() - began < 50


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"user": 3}, ["no key 'user'", "users"]),
        ({7: 3}, ["no key 7"]),
        ({"users": 0}, ["users", "between 1 and 1000000", "got 0"]),
        ({"users": True}, ["users", "got True"]),
        ({"users": 1.5}, ["users", "whole number", "got 1.5"]),
        ({"max_retries": 101}, ["max_retries", "between 0 and 100", "got 101"]),
        ({"retry_delay_ms": -1}, ["retry_delay_ms", "between 0 and 45000", "got -1"]),
        ({"request_timeout_secs": 0}, ["request_timeout_secs", "0.1 and 3600", "got 0"]),
        ({"request_timeout_secs": float("nan")}, ["request_timeout_secs", "got nan"]),
        ({"batch_size": 10_001}, ["batch_size", "between 1 and 10000", "got 10001"]),
        ({"rate": "fast"}, ["rate", "number between", "got 'fast'"]),
        ({"duration": 0}, ["duration", "above 0", "got 0"]),
        ({"duration": "soon"}, ["duration", "number of seconds", "got 'soon'"]),
        ({"duration": -1}, ["duration", "got -1"]),
        ({"duration": float("inf")}, ["duration", "got inf"]),
        ({"warmup": 40 * 86400}, ["warmup", "at most 30 days"]),
        ({"warmup": 5, "duration": 5, "rate": 1, "workers": 2000}, ["workers", "1024", "2000"]),
        ({"hedge_delay": 0.01}, ["hedge_delay", "between 45ms and 1h", "0.01"]),
        ({"hedge_delay": "p100"}, ["hedge_delay", "below p100", "p100"]),
        ({"hedge_delay": []}, ["hedge_delay", "got []"]),
        ({"session_requests": 3}, ["session_requests", "rate or stages"]),
        ({"rate": 1, "session_requests": 0}, ["session_requests", "1000000", "got 0"]),
        ({"rate": 1, "think_time": 1}, ["think_time", "session_requests"]),
        ({"arrival": "constant"}, ["arrival", "rate or stages"]),
        ({"max_in_flight": 3}, ["max_in_flight", "rate or stages"]),
        ({"seed": 2**64}, ["seed", "got 18446744073709551616"]),
        ({"stream": 1}, ["stream", "True or False", "got 1"]),
        ({"kind": "talk"}, ["kind", "chat, completions", "talk"]),
        ({"rate": 1, "arrival": "gamma:0"}, ["arrival", "0.01 and 1000", "0"]),
        ({"stages": ["10"]}, ["stages", "LEVEL:SPAN", "10"]),
        ({"stages": []}, ["stages", "at least one", "got []"]),
        ({"slo": ["fast"]}, ["slo", "fast"]),
        ({"slo": 7}, ["slo", "list of str", "got 7"]),
        ({"headers": {"a b": "secret"}}, ["headers", "a b"]),
        ({"headers": {"a": "sec\nret"}}, ["headers", "value"]),
        ({"headers": ["a: secret"]}, ["headers", "dict"]),
        ({"api_key": 12345}, ["api_key", "str"]),
        ({"proxy": "ftp://user:secret@h"}, ["proxy"]),
        ({"proxy": 12345}, ["proxy", "str"]),
        ({"http2": "yes"}, ["http2", "True or False"]),
        ({"host": 7}, ["host", "got 7"]),
        ({"host": "http://["}, ["endpoint", "URL"]),
        ({"progress": True}, ["progress", "function", "got True"]),
        ({"records": []}, ["records", "list of dicts", "got []"]),
        ({"records": ["a"]}, ["records[0]", "text", "got 'a'"]),
        ({"records": [{"text": "a"}, {"txt": "a"}]}, ["records[1]", "got {'txt': 'a'}"]),
        ({"records": [{"body": {1, 2}}]}, ["records[0]", "set"]),
        ({"records": None}, ["records, jsonl and input_tokens"]),
        ({"jsonl": "/x.jsonl"}, ["jsonl and records cannot both"]),
        ({"records": None, "jsonl": "/nowhere.jsonl"}, ["jsonl", "/nowhere.jsonl"]),
        ({"records": None, "input_tokens": 0}, ["input_tokens", "2000000", "got 0"]),
        ({"rate": 1, "users": 1}, ["rate and users cannot both"]),
        ({"output_vary": 3}, ["output_vary needs output_tokens"]),
        ({"ready_path": "/up"}, ["ready_path needs wait_ready"]),
        ({"wait_ready": 0}, ["wait_ready", "above 0", "got 0"]),
        ({"wait_ready": 1, "ready_path": "up"}, ["ready_path", "begin with /", "up"]),
        ({"requests": 3}, ["requests", "rate or stages"]),
        ({"warmup": "2s", "duration": 1, "rate": 1, "drain": "x"}, ["drain", "got 'x'"]),
    ],
)
def test_a_bad_value_is_refused_with_key_value_and_range(
    config: dict[Any, Any], words: list[str]
) -> None:
    base = {"host": "http://127.0.0.1:1", "records": RECORDS, **SHORT}
    with pytest.raises(ValueError) as raised:
        hedgerow.run_benchmark({**base, **config})
    text = str(raised.value)
    assert all(word in text for word in words), text
    assert "secret" not in text and "sec\n" not in text and "12345" not in text


def test_what_is_no_dict_is_refused() -> None:
    with pytest.raises(TypeError, match="config must be a dict"):
        hedgerow.run_benchmark("http://127.0.0.1:1")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
