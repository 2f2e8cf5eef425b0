"""Compares clients at servers that say no: `python3 benches/compare/limits/limits.py`.

This file makes the virtual environment, builds what takes part, and goes on there.
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
    if Path(sys.prefix) != args.venv:
        if not args.installed:
            prepare(args)
        python = args.venv / "bin/python"
        os.execv(python, [python, __file__, *sys.argv[1:]])
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
        default=ROOT / "target/compare-limits",
        metavar="DIR",
        help="made where it is missing",
    )
    parser.add_argument(
        "--installed",
        action="store_true",
        help="use the venv and the build as they are",
    )
    args = parser.parse_args()
    args.cases = [name for name in CASES if name in args.only] or CASES
    args.contenders = [name for name in CONTENDERS if name in args.only] or CONTENDERS
    args.output = args.output or (None if args.only else HERE)
    args.venv = args.venv.absolute()
    target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    args.batchbench = target.absolute() / "release/batchbench"
    return args


def prepare(args: argparse.Namespace) -> None:
    """Makes the virtual environment, and builds what is missing or old."""
    if not args.venv.exists():
        venv.create(args.venv, with_pip=True)
    print(f"installing the contenders into {args.venv}", file=sys.stderr)
    build = ["cargo", "build", "--quiet", "--release", "--features", "cli"]
    subprocess.run([*build, "--bin", "batchbench"], cwd=ROOT, check=True)
    python = args.venv / "bin/python"
    pip: list[str | Path] = [python, "-m", "pip", "install", "--quiet"]
    packages: list[str | Path] = [
        "--requirement",
        HERE.parent / "python/requirements.txt",
        ROOT / "bindings/python",
    ]
    subprocess.run([*pip, *packages], check=True)


if __name__ == "__main__":
    main()
