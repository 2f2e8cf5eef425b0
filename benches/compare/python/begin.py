"""How the comparisons begin: the options that all of them have, and a virtual environment of their own.

Read before there is that environment, so that it imports nothing of it.
"""

from __future__ import annotations

import argparse
import os
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]


def add_options(
    parser: argparse.ArgumentParser, name: str, venv_help: str = "made where it is missing"
) -> None:
    """Where results and the environment go; `name` is that of the environment in `target`."""
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
        default=ROOT / "target" / name,
        metavar="DIR",
        help=venv_help,
    )


def fill_in(args: argparse.Namespace, partial: bool, folder: Path) -> None:
    """Says where results go: into `folder`, where the comparison is not a partial one."""
    args.output = args.output or (None if partial else folder)
    args.venv = args.venv.absolute()


def is_inside(directory: Path) -> bool:
    """Whether this process runs in the environment."""
    return Path(sys.prefix) == directory


def go_inside(directory: Path, script: str) -> None:
    """Starts the script again, in the environment."""
    python = directory / "bin/python"
    os.execv(python, [python, script, *sys.argv[1:]])


def pip_install(directory: Path) -> list[str | Path]:
    """The command that installs into the environment, which is made where it is missing."""
    if not directory.exists():
        venv.create(directory, with_pip=True)
    return [directory / "bin/python", "-m", "pip", "install", "--quiet"]
