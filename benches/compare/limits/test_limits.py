"""What the comparison must get right; `pytest benches/compare/limits`."""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np
import pytest

import cases
import clients
import limits
import mock_server
import runs
from graph import goodput, median_lap
from outcome import Lap, Report, Setting, refused_share, times_ideal

SETTING = Setting("", 2, {}, "", "", 0)
STEADY = cases.named("in-flight-64")


def lap(contender: str, round: int, wall_s: float, **known: Any) -> Lap:
    facts: dict[str, Any] = {
        "rows": 8_000,
        "attempts": 8_000,
        "looks": [(0.0, 0), (wall_s, 8_000)],
    }
    return Lap("in-flight-64", contender, round, wall_s, **(facts | known))


def test_every_name_of_the_command_line_is_there() -> None:
    assert [case.name for case in cases.ALL] == limits.CASES
    assert list(clients.ALL) == limits.CONTENDERS


@pytest.mark.parametrize(
    ("name", "seconds"),
    [
        ("in-flight-64", 6.25),
        ("in-flight-16", 10),
        ("in-flight-64-retry-after", 6.25),
        # A second's worth at once, and an answer's time in the end.
        ("requests-500", 4500 / 500 + 0.05),
        ("tokens-20000", (200_000 - 20_000) / 20_000 + 0.05),
        # 400 requests, 128 at once.
        ("batch-32", 4 * 0.05),
        # 128, 64, 32, 16, 8, 4, 2, 1.
        ("one-bad-input", 8 * 0.05),
        ("down-6s", 1563 * 0.01 + 6),
        # 79 requests.
        ("in-flight-10", 8 * 0.05),
        ("restart", 4 + 2.5 + 5),
    ],
)
def test_the_ideal_is_what_the_limits_allow(name: str, seconds: float) -> None:
    assert cases.named(name).ideal_s(0) == pytest.approx(seconds)


def test_an_outage_differs_from_round_to_round() -> None:
    restart = cases.named("restart")
    assert [restart.ideal_s(round) for round in range(4)] == [11.5, 10, 13, 11.5]


def test_texts_are_distinct_and_weigh_the_same() -> None:
    for case in cases.ALL:
        texts = case.texts()
        assert len(texts) == case.inputs
        assert len(set(texts)) == case.inputs
        assert {len(text) for text in texts} == {
            cases.TOKENS_A_TEXT * cases.BYTES_A_TOKEN
        }
        assert sum(text.startswith(cases.BAD) for text in texts) == case.bad


def test_contenders_take_turns() -> None:
    names = ["hedgerow", "baseten"]
    args = argparse.Namespace(rounds=2, cases=["batch-32"], contenders=names)
    order = [name for _, _, name in runs.plan(args)]
    assert order == ["hedgerow", "baseten", "baseten", "hedgerow"]


def test_what_is_lost_scores_nothing() -> None:
    whole = lap("hedgerow", 0, 12.5)
    lost = lap("hedgerow", 1, 1.0, rows=100)
    failed = lap("baseten", 0, 1.0, rows=0, failure="HTTPError: 429")
    stopped = lap("openai", 0, 45.0, rows=None)
    ends = [it.ended() for it in (whole, lost, failed, stopped)]
    assert ends == ["well", "rows lost", "failed", "stopped"]
    text = Report(SETTING, [whole, lost, failed, stopped]).text()
    rows = {
        row.split("|")[1].strip(): row.split("|")[2:]
        for row in text.splitlines()
        if "| " in row
    }
    cells = {name: [cell.strip() for cell in row] for name, row in rows.items()}
    # Rows, wall, times ideal.
    assert cells["hedgerow"][:3] == ["100-8,000 of 8,000", "6.75 (1.00-12.50)", "2.00"]
    assert cells["hedgerow"][6] == "1 well, 1 rows lost"
    assert cells["baseten"][:3] == ["0 of 8,000", "1.00", "n/a"]
    assert cells["openai"][:3] == ["? of 8,000", "45.00", "n/a"]
    assert "- baseten: HTTPError: 429" in text


def test_the_bad_input_itself_is_not_missed() -> None:
    case = cases.named("one-bad-input")
    facts: dict[str, Any] = {"rows": 12_799, "attempts": 115, "refused": 8}
    assert Lap(case.name, "hedgerow", 0, 1.0, **facts).ended() == "well"
    assert (
        Lap(case.name, "hedgerow", 0, 1.0, **facts | {"rows": 12_672}).ended()
        == "rows lost"
    )


def test_asyncopenai_is_measured_by_what_it_was_asked() -> None:
    done = Lap("down-6s", "openai", 0, 2 * (79 * 0.01 + 6), rows=5_000)
    assert done.is_whole()
    assert times_ideal(done) == pytest.approx(2)


def test_refusals_are_a_share_of_all_attempts() -> None:
    assert refused_share(lap("hedgerow", 0, 1.0, attempts=100, refused=25)) == 25
    assert refused_share(lap("hedgerow", 0, 1.0, attempts=0, refused=0)) == 0


def test_goodput_is_a_share_of_the_capacity() -> None:
    # 1,280 answers a second for 2 s, none for 1 s, and 640 a second for 1 s.
    looks = [(0.0, 0), (1.0, 1280), (2.0, 2560), (3.0, 2560), (4.0, 3200), (4.1, 3200)]
    times, shares = goodput(lap("hedgerow", 0, 4.0, looks=looks))
    at = dict(zip(times.round(2), shares.round(6), strict=True))
    assert (times[0], times[-1]) == (0, 4)
    assert (at[0.0], at[1.0], at[2.5], at[3.5], at[4.0]) == (1, 1, 0, 0.5, 0.5)
    assert np.trapezoid(shares, times) == pytest.approx(2.5, abs=0.1)


def test_the_curve_is_that_of_the_median() -> None:
    laps = [
        lap("hedgerow", round, wall) for round, wall in enumerate([3.0, 1.0, 9.0, 2.0])
    ]
    median = median_lap(laps)
    assert median is not None and median.wall_s == 2.0
    assert median_lap([]) is None


def test_counts_outlive_a_server() -> None:
    tally = mock_server.Tally()
    tally.note({"requests": 9, "per_status": {"200": 7, "429": 2}})
    # Two were in flight when it died.
    tally.note({"requests": 16, "per_status": {"200": 10, "429": 3, "503": 1}})
    tally.died()
    assert (tally.attempts(), tally.good(), tally.refused()) == (16, 10, 4)
    tally.note({"requests": 5, "per_status": {"200": 5}})
    assert (tally.attempts(), tally.good(), tally.refused()) == (21, 15, 4)


def test_the_kernel_s_counters_are_read_by_name() -> None:
    text = "Ip: A B\nIp: 1 2\nTcp: Opens AttemptFails Resets\nTcp: -1 14048 3\n"
    assert mock_server.counter(text, "Tcp:", "AttemptFails") == 14048
    assert mock_server.failed_connects() >= 0
