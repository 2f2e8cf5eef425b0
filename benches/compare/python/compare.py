"""Compares hedgerow with other Python clients: `python3 benches/compare/python/compare.py`.

This file makes the virtual environment, installs the contenders into it, and goes on there.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import venv
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[2]
WORKS = ["floats", "base64", "single", "http2", "http2-tls", "post"]
CONTENDERS = ["hedgerow", "baseten", "openai", "floor"]


def main() -> None:
    """Does what the command line says."""
    args = arguments()
    if Path(sys.prefix) != args.venv:
        if not args.installed:
            install(args.venv)
        python = args.venv / "bin/python"
        os.execv(python, [python, __file__, *sys.argv[1:]])
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
    parser.add_argument(
        "--json", type=Path, metavar="FILE", help="the setting and every run"
    )
    parser.add_argument(
        "--output",
        type=Path,
        metavar="DIR",
        help="for results.md, .svg and .png; this folder after a full comparison, else none",
    )
    parser.add_argument(
        "--venv",
        type=Path,
        default=ROOT / "target/compare-python",
        metavar="DIR",
        help="made where it is missing",
    )
    parser.add_argument(
        "--installed", action="store_true", help="use the venv as it is"
    )
    args = parser.parse_args()
    partial = args.quick or args.work != WORKS or args.only != CONTENDERS
    args.rounds = args.rounds or (1 if args.quick else 5)
    args.output = args.output or (None if partial else HERE)
    args.venv = args.venv.absolute()
    return args


def install(directory: Path) -> None:
    """Makes the virtual environment, and brings it up to date."""
    if not directory.exists():
        venv.create(directory, with_pip=True)
    print(f"installing the contenders into {directory}", file=sys.stderr)
    pip: list[str | Path] = [
        directory / "bin/python",
        "-m",
        "pip",
        "install",
        "--quiet",
    ]
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
