"""What the exceptions derive from where requests is not installed: the same shapes."""

from __future__ import annotations

import json
from typing import Any


class RequestException(OSError):
    def __init__(self, *args: object, response: Any = None, request: Any = None) -> None:
        super().__init__(*args)
        self.response = response
        self.request = request


class HTTPError(RequestException):
    pass


class Timeout(RequestException):
    pass


class ConnectionError(RequestException):
    pass


class Response:
    """A server's answer, with what is used most of requests' class."""

    def __init__(self) -> None:
        self.status_code = 0
        self.reason = ""
        self.headers: dict[str, str] = {}
        self.encoding = "utf-8"
        self._content = b""

    @property
    def ok(self) -> bool:
        return self.status_code < 400

    @property
    def content(self) -> bytes:
        return self._content

    @property
    def text(self) -> str:
        return self._content.decode(self.encoding, errors="replace")

    def json(self) -> Any:
        return json.loads(self._content)

    def __bool__(self) -> bool:
        return self.ok

    def __repr__(self) -> str:
        return f"<Response [{self.status_code}]>"
