"""What a client's socket keeps of the answer that opened it."""

from __future__ import annotations

from ..http.headers import Headers


class HandshakeResponse:
    """What the server answered to the opening handshake: its 101.

    The raw head is kept, and parsed when its fields are asked for: of a thousand sockets few are.

    Args:
        status: The HTTP status.
        head: The head, as it arrived: a start line, then the fields.

    Attributes:
        status: The HTTP status: 101.
    """

    __slots__ = ("_head", "status")

    def __init__(self, status: int, head: bytes) -> None:
        self.status = status
        self._head = head

    @property
    def headers(self) -> Headers:
        """The header fields: iterate over them for the (name, value) pairs."""
        return Headers.parse(self._head)

    def header(self, name: str) -> str | None:
        """Return the value of a header, ``None`` if there is none; several of one name are joined by commas."""
        return self.headers.get(name)

    def __repr__(self) -> str:
        return f"<HandshakeResponse {self.status}>"
