"""Compares clients at servers that say no: `python3 benches/compare/limits/limits.py`.

This file makes the virtual environment, builds what takes part, and goes on there.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.append(str(HERE.parent / "python"))

import begin
from begin import ROOT

CASES = [
    "in-flight-64",
    "in-flight-16",
    "in-flight-64-retry-after",
    "requests-500",
    "tokens-20000",
    "batch-32",
    "one-bad-input",
    "down-6s",
    "in-flight-10",
    "restart",
]
CONTENDERS = ["hedgerow", "baseten", "openai"]


def main() -> None:
    """Does what the command line says."""
    args = arguments()
    if not begin.is_inside(args.venv):
        if not args.installed:
            prepare(args)
        begin.go_inside(args.venv, __file__)
    import runs  # Its imports are there only now.

    runs.compare(args)


def arguments() -> argparse.Namespace:
    """The command line, with its defaults filled in."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--only",
        nargs="+",
        default=[],
        choices=CASES + CONTENDERS,
        metavar="NAME",
        help="only these cases, or these contenders, or of both: "
        + ", ".join(CASES + CONTENDERS),
    )
    parser.add_argument("--rounds", type=int, default=5, help="5 if not given")
    begin.add_options(parser, "compare-limits")
    parser.add_argument(
        "--installed",
        action="store_true",
        help="use the venv and the build as they are",
    )
    args = parser.parse_args()
    args.cases = [name for name in CASES if name in args.only] or CASES
    args.contenders = [name for name in CONTENDERS if name in args.only] or CONTENDERS
    begin.fill_in(args, bool(args.only), HERE)
    target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    args.batchbench = target.absolute() / "release/batchbench"
    return args


def prepare(args: argparse.Namespace) -> None:
    """Makes the virtual environment, and builds what is missing or old."""
    pip = begin.pip_install(args.venv)
    print(f"installing the contenders into {args.venv}", file=sys.stderr)
    build = ["cargo", "build", "--quiet", "--release", "--features", "cli"]
    subprocess.run([*build, "--bin", "batchbench"], cwd=ROOT, check=True)
    packages: list[str | Path] = [
        "--requirement",
        HERE.parent / "python/requirements.txt",
        ROOT / "bindings/python",
    ]
    subprocess.run([*pip, *packages], check=True)


if __name__ == "__main__":
    main()
