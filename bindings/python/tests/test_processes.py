"""Fork, multiprocessing, pickles."""

from __future__ import annotations

import copy
import multiprocessing
import os
import pickle
import subprocess
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor

import pytest

import hedgerow
from conftest import finish
from hedgerow import CancellationToken, HttpClientWrapper, PerformanceClient
from mock_server import MockServer, texts

Python = Callable[..., "subprocess.Popen[str]"]


def embed_in_child(client: PerformanceClient, count: int) -> list[list[float]]:
    return [item.embedding for item in client.embed(texts(count), "m").data]


def fail_in_child(client: PerformanceClient) -> None:
    client.batch_post("/nowhere", [1])


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_multiprocessing(server: MockServer, client: PerformanceClient, method: str) -> None:
    expected = embed_in_child(client, 3)
    context = multiprocessing.get_context(method)
    with ProcessPoolExecutor(2, mp_context=context) as pool:
        calls = [pool.submit(embed_in_child, client, 3) for _ in range(6)]
        assert [call.result(timeout=60) for call in calls] == [expected] * 6
        with pytest.raises(hedgerow.HTTPError, match="404 Not Found"):
            pool.submit(fail_in_child, client).result(timeout=60)
    assert embed_in_child(client, 3) == expected


def test_a_child_that_is_forked_amid_calls_works_and_ends(
    server: MockServer, python: Python
) -> None:
    child = python(
        """
        import asyncio, os, hedgerow, threading, time
        client = hedgerow.PerformanceClient(url, client_wrapper=hedgerow.HttpClientWrapper())
        token = hedgerow.CancellationToken()
        preference = hedgerow.RequestProcessingPreference(cancel_token=token, batch_size=1)
        stop = False
        def busy():
            while not stop:
                client.embed(["a"] * 50, "m", preference=preference)
        threads = [threading.Thread(target=busy) for _ in range(4)]
        for thread in threads:
            thread.start()
        asyncio.run(client.async_embed(["a"], "m"))
        stream = client.embed_iter(["a"] * 5000, "m", preference=preference)
        next(stream)
        for turn in range(20):
            child = os.fork()
            if child == 0:
                # Everything that the parent had is here, and none of its threads.
                assert not token.is_cancelled()
                assert len(client.embed(["b"], "m", preference=preference)) == 1
                assert len(asyncio.run(client.async_embed(["b"], "m"))) == 1
                assert len(list(client.embed_iter(["b"], "m"))) == 1
                try:
                    next(stream)
                    os._exit(1)
                except RuntimeError as error:
                    assert "forked from" in str(error)
                token.cancel()
                try:
                    client.embed(["b"], "m", preference=preference)
                    os._exit(2)
                except ValueError:
                    pass
                del stream
                if turn % 2:
                    os._exit(0)
                sys.exit(0)
            assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0, turn
        assert not token.is_cancelled()
        stop = True
        for thread in threads:
            thread.join()
        assert sum(len(batch) for batch in stream) == 4999
        """,
        "-Wignore",
    )
    finish(child, 100)


def test_a_master_that_made_its_client_starts_no_thread_before_it_forks(
    server: MockServer, python: Python
) -> None:
    child = python(
        """
        import os, hedgerow
        client = hedgerow.PerformanceClient(url)
        wrapper = client.get_client_wrapper()
        assert len(os.listdir("/proc/self/task")) == 1
        workers = []
        for _ in range(4):
            worker = os.fork()
            if worker == 0:
                os._exit(len(client.embed(["a"] * 3, "m")))
            workers.append(worker)
        print([os.waitstatus_to_exitcode(os.waitpid(worker, 0)[1]) for worker in workers])
        """
    )
    if not os.path.exists("/proc/self/task"):
        child.kill()
        pytest.skip("there is no /proc here")
    assert finish(child) == "[3, 3, 3, 3]\n"
    assert server.requests == 4


def test_a_token_keeps_its_state_over_a_fork() -> None:
    token = CancellationToken()
    token.cancel()
    child = os.fork()
    if child == 0:
        os._exit(0 if token.is_cancelled() else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_a_client_is_pickled_without_its_key_unless_asked(
    server: MockServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = PerformanceClient(server.url, "sk-secret")
    bare = pickle.dumps(client)
    assert b"sk-secret" not in bare
    assert pickle.loads(bare).api_key is None
    monkeypatch.setenv("BASETEN_API_KEY", "sk-of-the-other-process")
    assert pickle.loads(bare).api_key == "sk-of-the-other-process"
    client.pickle_api_key = True
    asked = pickle.loads(pickle.dumps(client))
    assert (asked.base_url, asked.api_key) == (client.base_url, "sk-secret")
    assert asked.pickle_api_key
    asked.embed(["a"], "m")
    assert server.stats["per_key"] == {"sk-secret": 1}


def test_a_wrapper_is_pickled_without_its_password_unless_asked() -> None:
    wrapper = HttpClientWrapper(2, "http://user:pass-secret@proxy.test:3128")
    client = PerformanceClient("http://h", "k", client_wrapper=wrapper)
    client.pickle_api_key = True
    for held in (wrapper, client):
        bare = pickle.dumps(held)
        assert b"secret" not in bare and b"user" not in bare
    copied = pickle.loads(pickle.dumps(wrapper))
    assert repr(copied) == repr(wrapper) and not copied.pickle_password
    assert copy.copy(wrapper) is wrapper and copy.deepcopy(wrapper) is wrapper
    wrapper.pickle_password = True
    asked = pickle.dumps(client)
    assert b"user:pass-secret@" in asked
    assert pickle.loads(asked).get_client_wrapper().pickle_password


def test_copies_of_a_client_keep_key_and_wrapper(server: MockServer) -> None:
    client = PerformanceClient(server.url, "sk-secret", client_wrapper=HttpClientWrapper())
    for made in (copy.copy(client), copy.deepcopy(client)):
        assert made.api_key == "sk-secret"
        assert made.get_client_wrapper() is client.get_client_wrapper()


def test_clients_that_share_a_wrapper_share_it_in_their_pickle(server: MockServer) -> None:
    wrapper = HttpClientWrapper()
    clients = [PerformanceClient(server.url, client_wrapper=wrapper) for _ in range(2)]
    one, other = pickle.loads(pickle.dumps(clients))
    assert one.get_client_wrapper() is other.get_client_wrapper()
    default = PerformanceClient(server.url)
    made = pickle.loads(pickle.dumps(default))
    assert repr(made.get_client_wrapper()) == repr(default.get_client_wrapper())
    assert repr(made.get_client_wrapper()) != repr(wrapper)
