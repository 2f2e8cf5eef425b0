"""The parent's side: runs the contenders by turns, each in a process of its own."""

from __future__ import annotations

import argparse
import json
import os
import platform
import signal
import subprocess
import sys
import time
from datetime import date
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

import call
import cases
import clients
import graph
import mock_server
from cases import Case
from mock_server import Mock, Watch
from outcome import Lap, Report, Setting


def compare(args: argparse.Namespace) -> None:
    """Runs what the command line asks for, and reports it."""
    # A polite kill unwinds as Ctrl-C does, and what was started ends.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    setting = current_setting(args)
    turns = plan(args)
    laps = []
    for number, (round, case, name) in enumerate(turns, 1):
        lap = run(args.batchbench, round, case, name)
        laps.append(lap)
        print(f"[{number}/{len(turns)}] {lap.summary()}", file=sys.stderr)
        if args.json:
            # After each run: what takes so long may be interrupted.
            report = Report(setting, laps)
            args.json.write_text(json.dumps(report.as_dict(), indent=1))
    report = Report(setting, laps)
    print(report.text())
    if args.output:
        (args.output / "results.md").write_text(report.text())
        graph.draw(report, args.output)


def plan(args: argparse.Namespace) -> list[tuple[int, Case, str]]:
    """Every turn, in order: cases within rounds, and another contender first in each round."""
    turns = []
    for round in range(args.rounds):
        first = round % len(args.contenders)
        names = args.contenders[first:] + args.contenders[:first]
        turns += [
            (round, cases.named(case), name) for case in args.cases for name in names
        ]
    return turns


def run(program: Path, round: int, case: Case, name: str) -> Lap:
    """One contender at one case, in a process of its own, at a server of its own."""
    case = clients.ALL[name].share(case)
    with mock_server.running(program, case) as server, TemporaryFile() as complaints:
        command = [sys.executable, call.__file__, name, case.name, server.url]
        # A file, since a pipe could fill up.
        child = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=complaints,
            text=True,
        )
        try:
            return measure(child, server, round, case, name)
        except ValueError as error:
            complaints.seek(0)
            said = complaints.read().decode(errors="replace")[-2000:]
            raise SystemExit(f"{case.name}, {name}: {error}\n{said}") from error
        finally:
            child.kill()
            child.wait()


def measure(
    child: subprocess.Popen[str], server: Mock, round: int, case: Case, name: str
) -> Lap:
    """Lets a child go, and watches the server until it ends, or for as long as it may take."""
    assert child.stdin is not None and child.stdout is not None, "they are pipes"
    if child.stdout.readline().strip() != call.READY:
        raise ValueError("it does not begin")
    watch = Watch(server)
    began = time.monotonic()
    child.stdin.write("go\n")
    child.stdin.flush()
    if case.outage and not ends_until(child, began + case.outage.after_s):
        watch.take_away(case.outage.span_s(round))
    longest = case.longest_s(round)
    in_time = ends_until(child, began + longest)
    watch.stop()
    got: dict[str, Any] = {"wall_s": longest, "rows": None}
    if in_time:
        got = json.loads(child.stdout.read())
    return Lap(
        case.name,
        name,
        round,
        **got,
        attempts=watch.tally.attempts(),
        good=watch.tally.good(),
        refused=watch.tally.refused(),
        connects_while_down=watch.connects_while_down,
        looks=[(look.at_s - began, look.good) for look in watch.looks],
    )


def ends_until(child: subprocess.Popen[str], deadline: float) -> bool:
    """Whether the child has ended by then; does not wait longer."""
    try:
        child.wait(max(0, deadline - time.monotonic()))
    except subprocess.TimeoutExpired:
        return False
    return True


def current_setting(args: argparse.Namespace) -> Setting:
    """What a reader must know to judge the figures."""
    packages = [clients.ALL[name].package for name in args.contenders]
    return Setting(
        date=date.today().isoformat(),
        rounds=args.rounds,
        versions={package: version(package) for package in packages},
        python=platform.python_version(),
        system=f"{platform.system()} {platform.release()}, {os.cpu_count()} cores",
        load=os.getloadavg()[0],
    )
