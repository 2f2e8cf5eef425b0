"""Compares hedgerow with other Python clients: `python3 benches/compare/python/compare.py`.

This file makes the virtual environment, installs the contenders into it, and goes on there.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

import begin
from begin import ROOT

HERE = Path(__file__).resolve().parent
WORKS = ["floats", "base64", "single", "http2", "http2-tls", "post"]
CONTENDERS = ["hedgerow", "baseten", "openai", "floor"]


def main() -> None:
    """Does what the command line says."""
    args = arguments()
    if not begin.is_inside(args.venv):
        if not args.installed:
            install(args.venv)
        begin.go_inside(args.venv, __file__)
    import rounds  # Its imports are there only now.

    rounds.compare(args)


def arguments() -> argparse.Namespace:
    """The command line, with its defaults filled in."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", nargs="+", choices=WORKS, default=WORKS)
    parser.add_argument("--only", nargs="+", choices=CONTENDERS, default=CONTENDERS)
    parser.add_argument("--rounds", type=int, help="5, or 1 with --quick")
    parser.add_argument(
        "--quick", action="store_true", help="1 round, an eighth of the requests"
    )
    begin.add_options(parser, "compare-python")
    parser.add_argument(
        "--installed", action="store_true", help="use the venv as it is"
    )
    args = parser.parse_args()
    partial = args.quick or args.work != WORKS or args.only != CONTENDERS
    args.rounds = args.rounds or (1 if args.quick else 5)
    begin.fill_in(args, partial, HERE)
    return args


def install(directory: Path) -> None:
    """Makes the virtual environment, and brings it up to date."""
    pip = begin.pip_install(directory)
    print(f"installing the contenders into {directory}", file=sys.stderr)
    packages: list[str | Path] = [
        "--requirement",
        HERE / "requirements.txt",
        ROOT / "bindings/python",
    ]
    subprocess.run([*pip, *packages], check=True)
    # The floor is a program.
    cargo: list[str | Path] = ["cargo", "install", "--quiet", "--locked"]
    subprocess.run(
        [*cargo, "--path", ROOT / "benches/compare", "--root", directory], check=True
    )


if __name__ == "__main__":
    main()
