"""The child's side: makes its client, waits until it is told to go, makes one call, and prints
what it gave."""

from __future__ import annotations

import json
import sys
import time
from dataclasses import asdict

import cases
import clients

READY = "ready"


def main() -> None:
    """Does what the command line says: a contender, a case, a URL."""
    contender, case_name, url = sys.argv[1:]
    kind = clients.ALL[contender]
    case = kind.share(cases.named(case_name))
    client = kind(url, case)
    texts = case.texts()
    print(READY, flush=True)
    sys.stdin.readline()
    began = time.monotonic()
    got = client.embed(texts)
    wall = time.monotonic() - began
    print(json.dumps(asdict(got) | {"wall_s": wall}), flush=True)


if __name__ == "__main__":
    main()
