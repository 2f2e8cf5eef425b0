"""What is optional: requests, NumPy, pydantic; and what the environment sets."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable

import pytest

from conftest import finish
from mock_server import MockServer

Python = Callable[..., "subprocess.Popen[str]"]


def test_importing_hedgerow_imports_nothing_heavy(python: Python) -> None:
    child = python(
        """
        import hedgerow
        client = hedgerow.PerformanceClient(url)
        response = client.embed(["a"], "m")
        response.data[0].embedding
        heavy = {"numpy", "tqdm", "pydantic"}
        print(sorted(heavy & set(sys.modules)))
        """
    )
    assert finish(child) == "[]\n"


def test_without_requests_the_exceptions_have_the_same_shape(
    server: MockServer, python: Python
) -> None:
    server.inject('status=403;body={"a": 1}')
    server.inject("hang", "/rerank")
    child = python(
        """
        sys.modules["requests"] = None
        import hedgerow, pickle
        client = hedgerow.PerformanceClient(url)
        try:
            client.embed(["a"], "m")
        except OSError as error:
            assert type(error) is hedgerow.HTTPError
            assert error.args[0] == error.response.status_code == 403
            assert "403 Forbidden" in str(error) and error.response.json() == {"a": 1}
            assert error.response.reason == "Forbidden" and not error.response
            assert error.response.text == error.response.content.decode() == '{"a": 1}'
            assert error.response.headers["content-length"] == "8"
            assert str(pickle.loads(pickle.dumps(error))) == str(error)
        preference = hedgerow.RequestProcessingPreference(timeout_s=0.1, max_retries=0)
        try:
            client.rerank("q", ["a"], preference=preference)
        except TimeoutError as error:
            assert type(error) is hedgerow.Timeout
        try:
            hedgerow.PerformanceClient("http://127.0.0.1:1").embed(["a"], "m")
        except ValueError as error:
            assert isinstance(error, ConnectionError) and "(Connect)" in str(error)
            print("all three")
        """
    )
    assert finish(child) == "all three\n"


def test_without_numpy_numpy_says_how_to_get_it_and_the_rest_works(python: Python) -> None:
    child = python(
        """
        sys.modules["numpy"] = None
        import hedgerow
        response = hedgerow.PerformanceClient(url).embed(["a", "b"], "m")
        for call in (response.numpy, response.data[0].numpy):
            try:
                call()
            except ImportError as error:
                print(error)
        print(len(response.data[1].embedding))
        """
    )
    assert finish(child) == "numpy() needs NumPy: pip install numpy\n" * 2 + "8\n"


def test_unknown_names_are_attribute_errors() -> None:
    import hedgerow

    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        hedgerow.Nothing  # noqa: B018
    assert set(hedgerow.__all__) <= set(dir(hedgerow))
    for name in hedgerow.__all__:
        assert getattr(hedgerow, name) is not None
    contract = (
        "PerformanceClient HttpClientWrapper RequestProcessingPreference CancellationToken "
        "OpenAIEmbeddingsResponse OpenAIEmbeddingData OpenAIUsage RerankResult RerankResponse "
        "ClassificationResult ClassificationResponse BatchPostResponse __version__"
    )
    assert set(contract.split()) <= set(hedgerow.__all__)


@pytest.mark.parametrize(
    ("variables", "logs"),
    [
        ({}, False),
        ({"PERFORMANCE_CLIENT_LOG_LEVEL": "trace"}, True),
        ({"RUST_LOG": "trace"}, True),
        ({"PERFORMANCE_CLIENT_LOG_LEVEL": "error", "RUST_LOG": "trace"}, False),
    ],
)
def test_the_environment_sets_the_log_level_and_no_key_is_logged(
    server: MockServer, variables: dict[str, str], logs: bool
) -> None:
    source = f"""
import hedgerow
hedgerow.PerformanceClient({server.url!r}, "sk-secret").embed(["a"], "m")
"""
    kept = {name: value for name, value in os.environ.items() if name != "RUST_LOG"}
    child = subprocess.run(
        [sys.executable, "-c", source],
        env={**kept, **variables},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert child.returncode == 0
    assert (child.stderr != "") == logs
    assert "sk-secret" not in child.stderr


def test_the_environment_sets_the_prefix_of_request_ids(
    server: MockServer, python: Python, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PERFORMANCE_CLIENT_REQUEST_ID_PREFIX", "nightly")
    child = python(
        """
        import hedgerow
        answer = hedgerow.PerformanceClient(url).batch_post("/echo", [1]).data[0]
        print(answer["headers"]["x-baseten-customer-request-id"])
        """
    )
    assert finish(child).startswith("nightly-")
