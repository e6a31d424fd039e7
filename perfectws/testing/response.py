"""`TestResponse`: what a server in memory has answered."""

from __future__ import annotations

import json
from typing import Any

from ..http.forms import parse_parameters
from ..http.headers import Headers
from .cookies import cookies_in


class TestResponse:
    """What a server has answered to a request of a test.

    Attributes:
        status: The HTTP status, an int.
        headers: The header fields: iterate over them for the (name, value) pairs.
        body: The body, as `bytes`.
    """

    __test__ = False  # for pytest, which takes a class of this name for tests

    def __init__(self, status: int, headers: Headers, body: bytes) -> None:
        self.status = status
        self.headers = headers
        self.body = body

    def header(self, name: str) -> str | None:
        """Return the value of a header, ``None`` if there is none; several of one ``name`` are joined by commas."""
        return self.headers.get(name)

    @property
    def text(self) -> str:
        """The body as a string, by the charset that the answer names, or else as UTF-8."""
        _, parameters = parse_parameters(self.headers.get("Content-Type") or "")
        return self.body.decode(parameters.get("charset") or "utf-8")

    def json(self) -> Any:
        """Return the body's value, which is JSON.

        Raises:
            AssertionError: It is none; the message shows the answer.
        """
        try:
            return json.loads(self.body)
        except ValueError as error:
            raise AssertionError(f"JSON was expected, but {self!r} came") from error

    @property
    def cookies(self) -> dict[str, str]:
        """The cookies that the answer sets, decoded, by their names; those that it takes away are left out."""
        return {name: value for name, value in cookies_in(self.headers).items() if value is not None}

    def __repr__(self) -> str:
        shown = self.body[:200]
        return f"<TestResponse {self.status} {shown!r}{'…' if len(self.body) > len(shown) else ''}>"
