"""The runs: tools by turns, each run a process of its own, measured from outside."""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import signal
import subprocess
import sys
import time
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory

import nginx
import server
from nginx import Nginx
from tables import Lap, Report, Setting
from tools import ALL, Tool

LOOK_EVERY_S = 0.02
"""How often a child's memory is looked at."""


def compare(args: argparse.Namespace) -> None:
    """Runs what the command line asks for, and reports it."""
    # A polite kill unwinds as Ctrl-C does, and what was started ends.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    tools = {name: ALL[name](args) for name in args.only}
    setting = current_setting(args, tools)
    turns = plan(args)
    laps = []
    with nginx.running() as running:
        for tool in tools.values():
            with TemporaryDirectory(prefix="hedgerow-compare-") as folder:
                tool.pilot(running, Path(folder))
        for number, (round, name) in enumerate(turns, 1):
            lap = run(running, round, name, tools[name])
            laps.append(lap)
            print(f"[{number}/{len(turns)}] {lap.summary()}", file=sys.stderr)
    report = Report(setting, laps)
    print(report.text())
    if args.json:
        args.json.write_text(json.dumps(report.as_dict(), indent=1))
    if args.output:
        import chart

        (args.output / "results.md").write_text(report.text())
        chart.draw(report, args.output)


def plan(args: argparse.Namespace) -> list[tuple[int, str]]:
    """Every turn, in order: another tool first in each round."""
    turns = []
    for round in range(args.rounds):
        first = round % len(args.only)
        names = args.only[first:] + args.only[:first]
        turns += [(round, name) for name in names]
    return turns


def run(running: Nginx, round: int, name: str, tool: Tool) -> Lap:
    """One run of one tool."""
    with TemporaryDirectory(prefix="hedgerow-compare-") as folder:
        command = tool.command(running, Path(folder))
        requests, server_cpu = running.requests(), running.cpu_s()
        began = time.monotonic()
        # Files, since a pipe could fill up.
        with (
            Path(folder, "printed").open("w+") as printed,
            Path(folder, "errors").open("w+") as errors,
        ):
            child = subprocess.Popen(command, cwd=folder, stdout=printed, stderr=errors)
            status, usage, peak = watch(child)
            wall = time.monotonic() - began
            server_cpu = running.cpu_s() - server_cpu
            # The first of the two looks is in the count.
            requests = running.requests() - requests - 1
            printed.seek(0)
            errors.seek(0)
            text, complaint = printed.read(), errors.read()
    if status != 0:
        return Lap(name, round, failure=f"ended with {status}: {complaint[-300:]}")
    return Lap(
        name,
        round,
        told_per_s=tool.rate(text),
        requests=requests,
        span_s=tool.span_s(text),
        wall_s=wall,
        cpu_s=usage.ru_utime + usage.ru_stime,
        peak_bytes=peak,
        server_cpu_s=server_cpu,
    )


def watch(child: subprocess.Popen[bytes]) -> tuple[int, resource.struct_rusage, int]:
    """Waits for a child: its status, what it used, and the most memory that it had."""
    peak = 0
    try:
        while True:
            # Not `ru_maxrss`: it begins with what the process that forked had.
            peak = max(peak, _memory(child.pid))
            pid, status, usage = os.wait4(child.pid, os.WNOHANG)
            if pid != 0:
                child.returncode = os.waitstatus_to_exitcode(status)
                return child.returncode, usage, peak
            time.sleep(LOOK_EVERY_S)
    finally:
        if child.returncode is None:
            child.kill()
            child.wait()


def _memory(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    # A process that has ended has none.
    line = next((line for line in lines if line.startswith("VmHWM:")), "VmHWM: 0")
    return int(line.split()[1]) * 1024


def current_setting(args: argparse.Namespace, tools: dict[str, Tool]) -> Setting:
    """What a reader must know to judge the figures."""
    return Setting(
        date=date.today().isoformat(),
        rounds=args.rounds,
        seconds=args.seconds,
        users=args.users,
        versions=sorted({tool.version() for tool in tools.values()}),
        server=server.version(),
        system=f"{platform.system()} {platform.release()}, {os.cpu_count()} cores",
        load=os.getloadavg()[0],
    )
