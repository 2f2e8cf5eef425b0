"""The type stubs agree with the module, and the package and its tests with the stubs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import hedgerow

PACKAGE = Path(__file__).resolve().parents[1]


def run(*command: str, cwd: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", *command], capture_output=True, text=True, cwd=cwd, timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr


def pyright(*paths: str, cwd: Path) -> None:
    run("pyright", "--pythonpath", sys.executable, "--pythonversion", "3.10", *paths, cwd=cwd)


@pytest.mark.timeout(300)
def test_the_stubs_say_what_the_module_has(tmp_path: Path) -> None:
    run("mypy.stubtest", "hedgerow._hedgerow", cwd=tmp_path)


@pytest.mark.timeout(300)
def test_pyright_finds_nothing(tmp_path: Path) -> None:
    installed = Path(hedgerow.__file__).parent
    modules = [str(path) for path in installed.glob("*.py*") if path.suffix in (".py", ".pyi")]
    pyright(*sorted(modules), cwd=tmp_path)


@pytest.mark.timeout(300)
def test_a_user_s_program_is_understood(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(
        """
import hedgerow
import numpy as np
import numpy.typing as npt
from typing_extensions import assert_type

client = hedgerow.PerformanceClient("http://h", api_key="k")
preference = hedgerow.RequestProcessingPreference(batch_size=np.int64(3), hedge_delay="p95")
assert_type(preference.max_retries, int)
response = client.embed(["a"], "m", preference=preference)
assert_type(response.numpy(), npt.NDArray[np.float32])
assert_type(response.data[0].embedding, list[float])
assert_type(response.data[1:], list[hedgerow.OpenAIEmbeddingData])
assert_type(client.rerank("q", ("a", "b")).sorted()[0].text, str | None)
assert_type(client.classify(iter(["a"])).data[0][0].score, float)
for batch in client.embed_iter((str(n) for n in range(3)), "m"):
    assert_type(batch.start, int)

async def ask() -> None:
    answer = await client.async_batch_post("/x", [1], preference, "PUT")
    assert_type(answer.response_headers, list[dict[str, str]])
    async for batch in client.async_embed_iter(["a"], "m"):
        assert_type(batch, hedgerow.EmbedBatch)

def handle(error: hedgerow.HTTPError) -> int:
    return error.response.status_code if error.response is not None else 0

client.embed(["a"])  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
"""
    )
    pyright(str(program), cwd=tmp_path)
    run("mypy", "--strict", "--python-version", "3.10", str(program), cwd=tmp_path)
    assert (Path(hedgerow.__file__).parent / "py.typed").exists()
