"""Compares harnesses that put load on a server: `python3 benches/compare/harness/harness.py`.

This file makes the virtual environment, builds what takes part, and goes on there.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.append(str(HERE.parent / "python"))

import begin
from begin import ROOT

TOOLS = ["batchbench", "batchbench-exports", "oha", "wrk", "pypi"]


def main() -> None:
    """Does what the command line says."""
    args = arguments()
    if not begin.is_inside(args.venv):
        prepare(args)
        begin.go_inside(args.venv, __file__)
    import turns  # Its imports are there only now.

    turns.compare(args)


def arguments() -> argparse.Namespace:
    """The command line, with its defaults filled in."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="+", choices=TOOLS, default=TOOLS)
    parser.add_argument("--rounds", type=int, help="5, or 1 with --quick")
    parser.add_argument("--seconds", type=int, help="of a run: 10, or 3 with --quick")
    parser.add_argument("--users", type=int, default=64, help="connections")
    parser.add_argument("--quick", action="store_true", help="1 round of 3 s")
    begin.add_options(
        parser,
        "compare-harness",
        "made where it is missing; oha is installed into it",
    )
    parser.add_argument(
        "--batchbench",
        type=Path,
        metavar="FILE",
        help="a release build; made where it is not given",
    )
    parser.add_argument("--oha", type=Path, metavar="FILE", help="likewise")
    args = parser.parse_args()
    partial = args.quick or args.only != TOOLS
    args.rounds = args.rounds or (1 if args.quick else 5)
    args.seconds = args.seconds or (3 if args.quick else 10)
    begin.fill_in(args, partial, HERE)
    target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    args.built = args.batchbench or target / "release/batchbench"
    args.oha = args.oha or args.venv / "bin/oha"
    return args


def prepare(args: argparse.Namespace) -> None:
    """Makes the virtual environment, and builds what is missing or old."""
    if "wrk" in args.only and shutil.which("wrk") is None:
        raise SystemExit("wrk is not installed: apt-get install wrk")
    pip = begin.pip_install(args.venv)
    requirements = ["--requirement", HERE / "requirements.txt"]
    subprocess.run([*pip, *requirements], check=True)
    if args.batchbench is None:
        build = ["cargo", "build", "--release", "--features", "cli"]
        subprocess.run([*build, "--bin", "batchbench"], cwd=ROOT, check=True)
    if "oha" in args.only and not args.oha.exists():
        install = ["cargo", "install", "oha", "--locked", "--root", args.venv]
        subprocess.run(install, check=True)


if __name__ == "__main__":
    main()
