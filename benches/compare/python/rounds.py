"""The parent's side: runs the contenders by turns, each in a process of its own."""

from __future__ import annotations

import argparse
import json
import os
import platform
import signal
import subprocess
import sys
from datetime import date
from importlib.metadata import version

import contenders
import picture
import server
import works
from report import Lap, Report, Setting
from server import Server
from span import Cost
from works import Work

QUICK_SHARE = 8
"""`--quick` does one request in so many."""
NO_SPINNING = {"OPENBLAS_NUM_THREADS": "1"}
"""NumPy's BLAS would start a thread, which spins for some 50 ms when it has nothing to do: a quarter
of what the shorter works take, and no client's doing."""


def compare(args: argparse.Namespace) -> None:
    """Runs what the command line asks for, and reports it."""
    # A polite kill unwinds as Ctrl-C does, and what was started ends.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    setting = current_setting(args)
    turns = plan(args)
    laps = []
    with server.running() as nginx:
        for number, (round, work, name) in enumerate(turns, 1):
            lap = run(nginx, round, work, name, args.quick)
            laps.append(lap)
            print(f"[{number}/{len(turns)}] {lap.summary()}", file=sys.stderr)
    report = Report(setting, laps)
    print(report.text())
    if args.json:
        args.json.write_text(json.dumps(report.as_dict(), indent=1))
    if args.output:
        (args.output / "results.md").write_text(report.text())
        picture.draw(report, args.output)


def plan(args: argparse.Namespace) -> list[tuple[int, Work, str]]:
    """Every turn, in order: works within rounds, and another contender first in each round."""
    turns = []
    for round in range(args.rounds):
        first = round % len(args.only)
        names = args.only[first:] + args.only[:first]
        turns += [
            (round, work, name)
            for work in map(works.named, args.work)
            for name in names
            if contenders.ALL[name].does(work)
        ]
    return turns


def run(nginx: Server, round: int, work: Work, name: str, quick: bool) -> Lap:
    """One contender at one work, in a process of its own."""
    contender = contenders.ALL[name]
    requests = work.scaled_requests if contender.scaled else work.requests
    requests //= QUICK_SHARE if quick else 1
    command = contender.command(work, nginx.url(work), requests, nginx.pid)
    environment = os.environ | NO_SPINNING | nginx.trust(work)
    child = subprocess.run(
        command, check=False, capture_output=True, text=True, env=environment
    )
    if child.returncode != 0:
        reason = (child.stderr.splitlines() or [f"ended with {child.returncode}"])[-1]
        return Lap(work.name, name, round, failure=reason)
    return Lap(work.name, name, round, cost=Cost(**json.loads(child.stdout)))


def current_setting(args: argparse.Namespace) -> Setting:
    """What a reader must know to judge the figures."""
    packages = filter(None, (contenders.ALL[name].package for name in args.only))
    return Setting(
        date=date.today().isoformat(),
        rounds=args.rounds,
        quick=args.quick,
        versions={package: version(package) for package in packages},
        python=platform.python_version(),
        server=server.version(),
        system=f"{platform.system()} {platform.release()}, {os.cpu_count()} cores",
        load=os.getloadavg()[0],
        seed=works.SEED,
    )
