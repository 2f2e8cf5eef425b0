"""Payloads of `batch_post`, and what becomes of answers."""

from __future__ import annotations

import collections
import dataclasses
import datetime
import decimal
import enum
import json
import types
from typing import Any

import msgpack
import numpy as np
import pydantic
import pytest

import hedgerow
from hedgerow import PerformanceClient
from mock_server import MockServer


def sent(client: PerformanceClient, *payloads: Any) -> list[Any]:
    """What the server was sent, as it understood it."""
    return [answer["body"] for answer in client.batch_post("/echo", list(payloads)).data]


class Color(enum.IntEnum):
    RED = 3


class Name(str, enum.Enum):
    HEDGE = "hedge"


Point = collections.namedtuple("Point", "x y")


@pytest.mark.parametrize(
    "value",
    [
        {"a": [1, -2.5, "three", None, True, False, {}], "b": {"c": []}},
        [],
        "text",
        0,
        -(2**63),
        2**64,
        10**400,
        0.1,
        1e300,
        5e-324,
        -0.0,
        None,
        True,
        {1: "a", True: "b", None: "c", 1.5: "d"},
        ("a", ("b",)),
        Point(1, 2),
        Color.RED,
        Name.HEDGE,
        collections.OrderedDict(b=1, a=2),
        "\U0001f600 \u2028 \x00 \" \\ \n",
    ],
    ids=repr,
)
def test_what_json_can_hold_is_sent_as_the_json_module_would(
    client: PerformanceClient, value: Any
) -> None:
    assert sent(client, value) == [json.loads(json.dumps(value))]


def test_bytes_are_sent_as_they_are(client: PerformanceClient) -> None:
    assert sent(client, b'{"a": [1]}', bytearray(b"[2]"), memoryview(b"3")) == [{"a": [1]}, [2], 3]
    assert sent(client, b"no json") == ["no json"]


def test_dataclasses_and_pydantic_models_are_dumped(client: PerformanceClient) -> None:
    @dataclasses.dataclass
    class Inner:
        names: list[str]

    @dataclasses.dataclass
    class Outer:
        number: int
        inner: Inner
        kind: str = "outer"

    class Model(pydantic.BaseModel):
        when: datetime.date
        price: decimal.Decimal
        children: list["Model"] = []

    model = Model(when=datetime.date(2026, 1, 2), price=decimal.Decimal("1.50"))
    model.children.append(model.model_copy())
    model.children[0].children = []
    assert sent(client, Outer(1, Inner(["a"])), {"models": [model]}) == [
        {"number": 1, "inner": {"names": ["a"]}, "kind": "outer"},
        {"models": [model.model_dump(mode="json")]},
    ]


def test_scalars_and_arrays_of_numpy(client: PerformanceClient) -> None:
    scalars = [np.float32(0.5), np.float64(0.1), np.int64(-3), np.uint8(255), np.bool_(True)]
    assert sent(client, {"scalars": scalars}, np.arange(6).reshape(2, 3), np.str_("a")) == [
        {"scalars": [0.5, 0.1, -3, 255, True]},
        [[0, 1, 2], [3, 4, 5]],
        "a",
    ]


def test_mappings_of_any_kind(client: PerformanceClient) -> None:
    assert sent(client, types.MappingProxyType({"a": 1})) == [{"a": 1}]


@dataclasses.dataclass
class Holder:
    value: Any


class Loud:
    def __getattr__(self, name: str) -> Any:
        raise AssertionError(name)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (float("nan"), r"payloads\[1\] is NaN, which JSON cannot hold"),
        ({"a": [0, float("inf")]}, r"payloads\[1\]\['a'\]\[1\] is inf"),
        ({"a": [{"b": object()}]}, r"payloads\[1\]\['a'\]\[0\]\['b'\] is of type object"),
        (Holder({"x": {1, 2}}), r"payloads\[1\].value\['x'\] is of type set"),
        ([datetime.datetime(2026, 1, 1)], r"payloads\[1\]\[0\] is of type datetime"),
        ({"a": b"bytes"}, r"payloads\[1\]\['a'\] is of type bytes"),
        ({(1, 2): 3}, r"payloads\[1\] has a key of type tuple"),
        ({"k": np.float32("nan")}, r"payloads\[1\]\['k'\] is NaN"),
        ([np.longdouble(1)], r"payloads\[1\]\[0\] is of type"),
        (["\ud800"], r"payloads\[1\]\[0\] holds a lone surrogate"),
        (Holder, r"payloads\[1\] is of type type"),
        (1j, r"payloads\[1\] is of type complex"),
        (Loud(), r"payloads\[1\] is of type Loud"),
    ],
    ids=str,
)
def test_what_json_cannot_hold_is_refused_with_its_place(
    server: MockServer, client: PerformanceClient, value: Any, text: str
) -> None:
    for kind in (TypeError, ValueError, hedgerow.PayloadError):
        with pytest.raises(kind, match=text):
            client.batch_post("/echo", [{}, value])
    assert server.requests == 0


def test_what_holds_itself_is_refused(client: PerformanceClient) -> None:
    circle: list[Any] = []
    circle.append({"again": circle})
    with pytest.raises(ValueError, match=r"payloads\[0\]\[0\]\['again'\].*nested deeper than"):
        client.batch_post("/echo", [circle])


def test_what_a_payload_raises_itself_is_raised(client: PerformanceClient) -> None:
    class Lazy:
        @property
        def value(self) -> int:
            raise LookupError("no value")

    broken = dataclasses.make_dataclass("Broken", ["value"], bases=(Lazy,), init=False)()
    with pytest.raises(LookupError, match="no value"):
        client.batch_post("/echo", [broken])


def test_a_dict_that_changes_while_it_is_read_is_noticed(client: PerformanceClient) -> None:
    class Meddler(pydantic.BaseModel):
        def model_dump_json(self, **_: Any) -> str:
            payload["more"] = 1
            return "1"

    payload: dict[str, Any] = {"a": Meddler(), "b": 2}
    with pytest.raises(RuntimeError, match="changed while it was read"):
        client.batch_post("/echo", [payload])


MSGPACK = {"accept": "application/msgpack"}


def test_message_pack_becomes_objects_and_a_bin_becomes_bytes(client: PerformanceClient) -> None:
    payloads = [{"a": [1, -2, 2.5, None, True, "text", 2**63]}, b"\xff\x00 no json"]
    response = client.batch_post("/echo", payloads, MSGPACK)
    assert response.response_headers[0]["content-type"] == "application/msgpack"
    assert [answer["body"] for answer in response.data] == payloads
    for index in range(2):
        content = response.content(index)
        assert content is not None
        assert msgpack.unpackb(content) == response.data[index]


def test_answers_are_read_once_when_they_are_looked_at(client: PerformanceClient) -> None:
    response = client.batch_post("/echo", [1, 2, 3])
    first = response.data[0]
    assert response.data[0] is first and list(response)[0] is first
    first["body"] = "changed"
    assert response.data[0]["body"] == "changed"
    content = response.content(1)
    assert content is not None and json.loads(content)["body"] == 2
    with pytest.raises(IndexError):
        response.content(3)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("[1%2C 2]", [1, 2]),
        ('{"n": 123456789012345678901234567890}', {"n": 123456789012345678901234567890}),
        ('"\\ud83d\\ude00"', "\U0001f600"),
        ("", {}),
    ],
)
def test_json_answers_of_every_kind(
    server: MockServer, client: PerformanceClient, body: str, expected: Any
) -> None:
    server.inject(f"status=200;body={body}", "/echo")
    assert list(client.batch_post("/echo", [1]).data) == [expected]


def test_compressed_answers(server: MockServer, client: PerformanceClient) -> None:
    for coding in ("zstd", "gzip", "br", "deflate"):
        server.clear()
        server.inject(f"encoding={coding}", "/echo")
        response = client.batch_post("/echo", ["a" * 1000])
        assert response.data[0]["body"] == "a" * 1000
        assert response.response_headers[0]["content-encoding"] == coding
