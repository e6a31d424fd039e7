"""A request's body: taken from the input and read by h11, a turn's worth at a time, until it ends."""

from __future__ import annotations

import h11

from .input import Input
from .request_head import RequestHead, check_body_size, malformed
from .service import HTTPService

#: How many chunks of a body one turn takes, so that other connections have their turns too: a chunk costs h11 much,
#: however little is in it.
MAX_CHUNKS = 64


class RequestBody:
    """The body of one request, as far as it has come.

    Args:
        head: The request's head.
        service: Its limits count.
        now: The time at which it begins, on the loop's clock.

    Attributes:
        has_more: Whether more is here than one turn takes: `read` is to be called again in the next turn, not before.
        is_complete: Whether the body has ended.
    """

    __slots__ = ("_began", "_head", "_received", "_service", "has_more", "is_complete")

    def __init__(self, head: RequestHead, service: HTTPService, now: float) -> None:
        self._head = head
        self._service = service
        self._began = now
        self._received = bytearray()
        self.has_more = False
        self.is_complete = False

    def read(self, data: Input) -> None:
        """Take what has come of the body from the front of the input, as much as one turn takes.

        Raises:
            Refused: It is malformed or too long.
        """
        try:
            event = self._read_some(data)
        except h11.RemoteProtocolError as error:
            raise malformed(error, self._head.method) from None
        self.has_more = type(event) is h11.Data
        self.is_complete = type(event) is h11.EndOfMessage
        if self.is_complete:
            self._head.request.post_body_bytes = bytes(self._received)
            data.put_back(self._head.parsed().trailing_data[0])

    def _read_some(self, data: Input) -> object:
        """Return the event that h11 came to last."""
        parser = self._head.parsed()
        event: object = None
        for _ in range(MAX_CHUNKS):
            event = parser.next_event()
            if event is h11.NEED_DATA and data:
                parser.receive_data(data.take())
                event = parser.next_event()
            if type(event) is not h11.Data:  # not `isinstance`, which is slow to tell classes with ABCMeta apart
                break
            self._received += event.data
            check_body_size(len(self._received), self._head.method, self._service)
        return event

    def seconds_left(self, now: float) -> float | None:
        """Return how long the rest of it may take, however it drips; ``None`` if that is not limited."""
        limit = self._service.body_timeout
        return None if limit is None else max(0.0, self._began + limit - now)

    def go_ahead(self) -> bytes:
        """Return what tells a client that waits for it to send the body; nothing if it does not wait."""
        parser = self._head.parsed()
        if not parser.they_are_waiting_for_100_continue:
            return b""
        self._head.is_continued = True
        return parser.send(h11.InformationalResponse(status_code=100, headers=[], reason=b"Continue")) or b""
