"""The works: what is asked, and the canned answer, the same for every contender."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from typing import Any

import numpy as np

SEED = 0x6865_6467
POST_TOKENS = 7
"""What is looked at in the answer to a post."""


@dataclass(frozen=True)
class Work:
    """Requests of one kind. All get the same answer."""

    name: str
    title: str
    requests: int
    scaled_requests: int
    """What AsyncOpenAI does, so that a round does not wait for it alone."""
    window: int
    """Requests in flight at once."""
    path: str = "/v1/embeddings"
    batch: int = 1
    """Inputs a request, and rows an answer."""
    dimensions: int = 0
    """Floats a row; 0 where the answer is no embedding."""
    encoding_format: str = "float"
    http2: bool = False
    tls: bool = False

    def inputs(self, requests: int) -> list[Any]:
        """The texts to embed, or the payloads to post, of `requests` requests."""
        texts = [f"text {number}" for number in range(requests * self.batch)]
        if self.dimensions:
            return texts
        return [{"model": "m", "input": text} for text in texts]

    def matrix_bytes(self, requests: int) -> int:
        """What the floats of so many answers take."""
        return requests * self.batch * self.dimensions * 4

    def rows(self) -> np.ndarray:
        """What every contender must have read from an answer: rows of length 1."""
        random = np.random.default_rng(SEED)
        rows = random.standard_normal((self.batch, self.dimensions))
        return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype("<f4")

    def answer(self) -> str:
        """The canned answer; floats in the shortest form that reads back the same."""
        if self.dimensions == 0:
            return json.dumps({"flagged": False, "score": 0.25, "tokens": POST_TOKENS})
        encode = _base64 if self.encoding_format == "base64" else _floats
        data = ",".join(
            f'{{"object":"embedding","index":{index},"embedding":{encode(row)}}}'
            for index, row in enumerate(self.rows())
        )
        tokens = 3 * self.batch
        usage = f'{{"prompt_tokens":{tokens},"total_tokens":{tokens}}}'
        return f'{{"object":"list","data":[{data}],"model":"m","usage":{usage}}}'


ALL = [
    Work(
        name="floats",
        title="131,072 texts, 128 a request, 1,024 floats each",
        requests=1024,
        scaled_requests=64,
        window=128,
        batch=128,
        dimensions=1024,
    ),
    Work(
        name="base64",
        title="the same, in base64",
        requests=1024,
        scaled_requests=256,
        window=128,
        batch=128,
        dimensions=1024,
        encoding_format="base64",
    ),
    Work(
        name="single",
        title="50,000 texts, 1 a request, 8 floats each",
        requests=50_000,
        scaled_requests=5_000,
        window=256,
        dimensions=8,
    ),
    Work(
        name="http2",
        title="the same over HTTP/2, in clear text",
        requests=50_000,
        scaled_requests=5_000,
        window=256,
        dimensions=8,
        http2=True,
    ),
    Work(
        name="http2-tls",
        title="the same over HTTP/2 and TLS",
        requests=50_000,
        scaled_requests=5_000,
        window=256,
        dimensions=8,
        http2=True,
        tls=True,
    ),
    Work(
        name="post",
        title="50,000 small posts, each answer looked at",
        requests=50_000,
        scaled_requests=5_000,
        window=256,
        path="/v1/post",
    ),
]


def named(name: str) -> Work:
    """The work of that name."""
    return next(work for work in ALL if work.name == name)


def _floats(row: np.ndarray) -> str:
    return f"[{','.join(map(str, row))}]"


def _base64(row: np.ndarray) -> str:
    return f'"{base64.b64encode(row.tobytes()).decode()}"'
