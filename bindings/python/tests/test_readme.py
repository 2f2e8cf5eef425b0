"""Every example of the README runs, with a server in place of the one that it names."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from mock_server import MockServer

README = Path(__file__).resolve().parents[1] / "README.md"
EXAMPLES = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)


def test_there_are_examples() -> None:
    assert len(EXAMPLES) >= 7


@pytest.mark.parametrize("number", range(len(EXAMPLES)))
def test_an_example_runs_and_prints_what_it_says(server: MockServer, number: int) -> None:
    source = EXAMPLES[number]
    assert "http://127.0.0.1:8000" in source
    run = subprocess.run(
        [sys.executable, "-Werror", "-c", source.replace("http://127.0.0.1:8000", server.url)],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert run.returncode == 0, run.stderr
    # What a comment behind a print promises literally.
    for promised in (
        "OpenAIEmbeddingsResponse(10000 x 8, model='my-model')",
        "{'text': 'a pond'}",
        "404 Not Found",
    ):
        if promised in source:
            assert promised in run.stdout
