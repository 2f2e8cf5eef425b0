"""What the comparison must get right; `pytest benches/compare/python`."""

from __future__ import annotations

import argparse
import base64
import json
from dataclasses import replace

import numpy as np
import pytest

import contenders
import rounds
import works
from report import Lap, Report, Setting, cpu_us
from span import Cost, check

COST = Cost(
    1000,
    wall_s=1,
    cpu_s=1,
    peak_bytes=3 << 20,
    baseline_bytes=1 << 20,
    server_cpu_s=0.5,
)
SETTING = Setting("", 2, False, {}, "", "", "", 0, 0)
SINGLE = works.named("single")


def lap(contender: str, round: int, cpu_s: float, requests: int = 1000) -> Lap:
    cost = replace(COST, cpu_s=cpu_s, requests=requests)
    return Lap("single", contender, round, cost)


def test_a_ratio_is_taken_within_its_round() -> None:
    laps = [
        lap("hedgerow", 0, 1.0),
        lap("baseten", 0, 2.0),
        lap("hedgerow", 1, 10.0),
        lap("baseten", 1, 30.0),
    ]
    report = Report(SETTING, laps)
    ratio = report.ratio(SINGLE, "baseten", cpu_us)
    assert ratio is not None
    assert (ratio.least, ratio.median, ratio.most) == (2.0, 2.5, 3.0)
    assert "2.50 (2.00-3.00)" in report.text()


def test_without_the_reference_there_is_no_ratio() -> None:
    report = Report(SETTING, [lap("baseten", 0, 2.0)])
    assert report.ratio(SINGLE, "baseten", cpu_us) is None


def test_memory_is_compared_only_where_as_many_requests_were_made() -> None:
    laps = [
        lap("hedgerow", 0, 1.0),
        lap("baseten", 0, 1.0),
        lap("openai", 0, 1.0, requests=100),
    ]
    report = Report(SETTING, laps)
    assert report.memory_ratio(SINGLE, "baseten") is not None
    assert report.memory_ratio(SINGLE, "openai") is None


def test_a_failure_is_told_with_its_reason() -> None:
    laps = [
        lap("hedgerow", 0, 1.0),
        Lap("single", "baseten", 0, failure="ValueError: no"),
    ]
    text = Report(SETTING, laps).text()
    assert "| baseten   | failed" in text
    assert "- baseten: ValueError: no" in text


def test_contenders_take_turns() -> None:
    args = argparse.Namespace(rounds=2, work=["floats"], only=["hedgerow", "baseten"])
    order = [name for _, _, name in rounds.plan(args)]
    assert order == ["hedgerow", "baseten", "baseten", "hedgerow"]


def test_who_speaks_no_http2_takes_no_part_in_it() -> None:
    args = argparse.Namespace(rounds=1, work=["http2"], only=list(contenders.ALL))
    assert [name for _, _, name in rounds.plan(args)] == ["hedgerow", "baseten"]


def test_how_near_the_limit_each_is_stands_below_the_table() -> None:
    laps = [lap("hedgerow", 0, 3.0), lap("baseten", 0, 12.0), lap("floor", 0, 2.0)]
    text = Report(SETTING, laps).text()
    limit = "- {}: wall 1.00 (1.00-1.00), CPU {}"
    assert limit.format("hedgerow to the floor", "1.50 (1.50-1.50)") in text
    assert limit.format("baseten to the floor", "6.00 (6.00-6.00)") in text
    assert "floor to the floor" not in text


@pytest.mark.parametrize("name", ["floats", "base64", "single"])
def test_canned_embeddings_hold_the_rows_in_order(name: str) -> None:
    work = works.named(name)
    data = json.loads(work.answer())["data"]
    vectors = [item["embedding"] for item in data]
    if work.encoding_format == "base64":
        vectors = [np.frombuffer(base64.b64decode(vector), "<f4") for vector in vectors]
    assert [item["index"] for item in data] == list(range(work.batch))
    assert np.array_equal(np.array(vectors, np.float32), work.rows())


def test_a_wrong_result_is_an_error() -> None:
    rows = SINGLE.rows()
    check(SINGLE, 3, np.tile(rows, (3, 1)))
    with pytest.raises(ValueError, match="not what the server sent"):
        check(SINGLE, 3, np.concatenate([rows, rows, -rows]))
    with pytest.raises(ValueError, match="not what the server sent"):
        check(works.named("post"), 3, 3 * works.POST_TOKENS - 1)
