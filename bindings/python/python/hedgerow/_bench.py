"""`run_benchmark`: the harness."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hedgerow import _hedgerow


def run_benchmark(config: Mapping[str, Any]) -> dict[str, Any]:
    """Puts load on an inference service, and reports what it measured: what the command
    `batchbench` does, without its files.

    The keys of `config` are the command's flags. `None` stands for the default. Spans of time are
    numbers of seconds, or texts such as "500ms", "30s" or "5m".

    The service:
        host: its address; without a scheme, https. Default "https://api.openai.com".
        endpoint: a path there, or a whole URL. Default: what is usual for `kind`.
        api_key: the bearer token. It is in no log and no report.
        api_key_env: the environment variable that has the token where `api_key` is not given.
            Default "OPENAI_API_KEY"; none is fine.
        headers: a dict of headers that join each request.
        request_timeout_secs: the longest that one attempt may take, 0.1 to 3600. Default 60.
        max_retries: retries that one request may make, 0 to 100. Default 2.
        retry_delay_ms: the longest pause before the first retry, 0 (at once) to 45,000; each is up
            to four times longer than the last. Default 250.
        hedge_delay: a second attempt of a request that has not ended after so long, 45 ms to an
            hour, or for longer than this percentile of the run's latest requests took, such as
            "p95".
        http2: whether HTTP/2 is spoken: over TLS where the server agrees, in clear text by prior
            knowledge. Default False.
        proxy: "http://[user:password@]host:port", or "none" for none. Default: that of HTTP_PROXY,
            HTTPS_PROXY, ALL_PROXY and NO_PROXY.
        wait_ready: before anything is sent, waits so long at most for the service to be ready: until
            `ready_path`, a path at the address where requests go (default "/health"), answers 2xx.
            Then a `hedgerow.exceptions.Timeout`. Default: nothing is waited for.

    What is sent, of which one of the first three must be given:
        records: a list of dicts, each with `text`, `messages`, `body`, or `query` and `texts`.
        jsonl: the path of a file of such objects, one a line.
        input_tokens: makes up prompts of so many tokens (of four bytes). With it: `input_vary`
            (more or fewer by up to so many, evenly) or `input_sigma` (log-normal: the standard
            deviation of the logarithm, 0 to 5), `prefix_overlap` (the share that all have in
            common, 0 to 1), and `prompts` (how many different ones; default 1000).
        kind: "chat" (default), "completions", "embeddings", "rerank", "classify" or "raw".
        model: what requests name. Default "gpt-4o-mini".
        batch_size: texts in a request of embeddings, rerank or classify, 1 to 10,000. Default 1.
        stream: whether streams of tokens are asked for, and measured. Default False.
        output_tokens: asks for exactly so many tokens an answer; `output_vary`: more or fewer by
            up to so many, evenly.
        seed: what prompts, numbers of tokens and arrivals are drawn from. Default 0.

    Load, a closed loop unless `rate` or `stages` is given, and a partly open one where
    `session_requests` is given as well:
        users: so many users, each with one request at a time, 1 to 1,000,000. Default: one a
            record.
        requests_per_user: requests that each user sends. Default 1.
        duration: how long the load lasts.
        user_stages: a number of users that changes, as `stages`.
        rate: an open loop: so many requests a second, whatever became of those before.
        stages: an open loop whose rate changes: a list of "RATE:SPAN" or "FROM-TO:SPAN".
        session_requests: what arrives is a session of so many requests, 1 to 1,000,000, each of
            which follows the answer to the one before. Those begun by the end go on.
        think_time: how long a user or a session pauses between an answer and the next request.
            Default 0.
        arrival: how arrivals are spaced: "poisson" (default), "constant" or "gamma:SHAPE".
        requests: an open loop ends after so many. Default with `rate` alone: each once.
        max_in_flight: an open loop has at most so many at once; 0 is as
            many as can be, 1,000,000. Default 16,384.
        warmup: leaves requests of the first so long out of the figures. Default 0.
        drain: how long what is under way is waited for at the end. Default: the request timeout.
        workers: threads that send, 1 to 1024. Default: one a core.

    What comes out:
        slo: thresholds, such as ["ttft_p99<500ms", "error_rate<1%"].
        no_calibration: does not measure the client itself before the run. Default False.
        progress: a function that is called about four times a second, on this thread, with a dict
            (`elapsed_s`, `span_s`, `ended`, `succeeded`, `failed`, `attempts`, `dropped`,
            `ended_per_s`, `completion_tokens_per_s`, `latency_p50_ms`, `latency_p99_ms`,
            `ttft_p50_ms`; and `waiting_for`, a text while the run waits for the service).

    Other threads run meanwhile: the run takes the interpreter for `progress` alone. From asyncio,
    call it with `asyncio.to_thread`.

    Returns:
        The report, with exactly the keys of the file that `batchbench --report-json` writes.
        Written with `json.dump`, it is a file that `batchbench compare` and `merge` read. A run
        whose requests failed has a report like any other: see `requests`, `valid` and `slo`.

    Raises:
        ValueError: for a key that there is not, and a bad value.
        KeyboardInterrupt: after Ctrl-C, once the run has ended; its `partial` is the report of
            what was done. What `progress` or the handler of another signal raises ends the run in
            the same way.
    """
    return _hedgerow.run_benchmark(config)
