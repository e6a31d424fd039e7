"""A request's body: taken from the input and read by h11, a turn's worth at a time, until it ends.

A multipart form is read as it comes, and its large files go to the disk. They are written in threads, and meanwhile no
more of the body is read: so the peer is held back by a slow disk, and little of a form is ever in memory.
"""

from __future__ import annotations

import errno
from collections.abc import Callable
from http import HTTPStatus

import h11

from .input import Input
from .mime_reader import MAX_UNWRITTEN, MimeReader, TooLarge, boundary_of
from .request_head import Refused, RequestHead, body_limit_of, check_body_size, malformed
from .service import HTTPService

#: How many chunks of a body one turn takes, so that other connections have their turns too: a chunk costs h11 much,
#: however little is in it.
MAX_CHUNKS = 64
#: How many bytes may come around each byte of a body in chunks, besides those that a head may have: a chunk of one byte
#: is honest, and has 5 of them, or 16 with its size padded to twelve digits.
FRAMING = 16

#: The errors which say that there is no room on the disk, and those which say that there may be room later.
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_EXHAUSTED = frozenset({errno.EAGAIN, errno.EMFILE, errno.ENFILE, errno.ENOMEM})


class RequestBody:
    """The body of one request, as far as it has come.

    Args:
        head: The request's head.
        service: Its limits count.
        now: The time at which it begins, on the loop's clock.

    Attributes:
        has_more: Whether more is here than one turn takes: `read` is to be called again in the next turn, not before.
        store: What writes to the disk what is to go there, and blocks: to be called in a thread, and then `stored`, and
            only then `read` again. ``None`` if nothing is to go there.
        is_complete: Whether the body has ended.
    """

    __slots__ = (
        "_began",
        "_fed",
        "_form",
        "_has_ended",
        "_head",
        "_limit",
        "_received",
        "_service",
        "_size",
        "has_more",
        "store",
    )

    def __init__(self, head: RequestHead, service: HTTPService, now: float) -> None:
        self._head = head
        self._service = service
        self._began = now
        self._limit = body_limit_of(head.request, service)
        #: How many bytes h11 was given, and how many of them were the body's.
        self._fed = 0
        self._size = 0
        self._received = bytearray()
        content_type = head.request.header("Content-Type") or ""
        if boundary_of(content_type):
            head.form = MimeReader(content_type, max_held=service.max_body_size)
        self._form = head.form
        self._has_ended = False
        self.has_more = False
        self.store: Callable[[], None] | None = None

    @property
    def is_resting(self) -> bool:
        """Whether no more of it is to be read for now."""
        return self.has_more or self.store is not None

    @property
    def is_complete(self) -> bool:
        """Whether the body is here as a whole, and what goes to the disk is there."""
        return self._has_ended and self.store is None

    def read(self, data: Input) -> None:
        """Take what has come of the body from the front of the input, as much as one turn takes.

        Raises:
            Refused: It is malformed or too long, or has too much around it.
        """
        try:
            event = self._read_some(data)
        except h11.RemoteProtocolError as error:
            raise malformed(error, self._head.method) from None
        except TooLarge as error:
            raise Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, str(error), self._head.method) from None
        except MemoryError:
            raise self._refusal_for_memory() from None
        self.has_more = type(event) is h11.Data
        if type(event) is h11.EndOfMessage:
            rest = self._head.parsed().trailing_data[0]
            self._check_framing(self._fed - len(rest))
            self._end()
            data.put_back(rest)

    def _read_some(self, data: Input) -> object:
        """Return the event that h11 came to last."""
        parser = self._head.parsed()
        event: object = None
        for _ in range(MAX_CHUNKS):
            event = parser.next_event()
            if event is h11.NEED_DATA and data:
                self._check_framing(self._fed)
                more = data.take()
                self._fed += len(more)
                parser.receive_data(more)
                event = parser.next_event()
            if type(event) is not h11.Data:  # not `isinstance`, which is slow to tell classes with ABCMeta apart
                break
            self._take(event.data)
            if self.store is not None:
                break
        return event

    def _check_framing(self, read: int) -> None:
        """Refuse a body that is mostly none: of what was read, all that h11 has not given us is around it.

        RFC 9112 §7.1.1: "A server ought to limit the total length of chunk extensions [...] and generate an appropriate
        4xx (Client Error) response if that amount is exceeded." Sizes and trailers are counted with them: whoever is to
        be kept busy for nothing is kept so by either.
        """
        if read - self._size > self._service.max_header_size + FRAMING * self._size:
            text = "the chunks of the body have too much around them: extensions, sizes or trailers"
            raise Refused(HTTPStatus.BAD_REQUEST, text, self._head.method)

    def _take(self, data: bytes) -> None:
        self._size += len(data)
        check_body_size(self._size, self._limit, self._head.method)
        form = self._form
        if form is None:
            self._received += data
            return
        form.feed(data)
        if form.unwritten >= MAX_UNWRITTEN:
            self.store = form.store

    def _end(self) -> None:
        request, form = self._head.request, self._form
        self._has_ended = True
        if form is None:
            request.post_body_bytes = bytes(self._received)
            return
        form.end()
        request.form_received(form)
        if form.needs_store:
            self.store = form.store

    def stored(self, error: BaseException | None) -> None:
        """Take what came of `store`. Raises `Refused` if that is an error of the system; another is raised as it is."""
        self.store = None
        self.has_more = False
        if isinstance(error, OSError):
            self._service.log_limit.log("upload", "An upload cannot be stored: %s", error)
            raise self._refusal(error)
        if error is not None:
            raise error

    def _refusal(self, error: OSError) -> Refused:
        if error.errno in _FULL:
            # RFC 4918 §11.5: "unable to store the representation needed to successfully complete the request".
            status = HTTPStatus.INSUFFICIENT_STORAGE
        elif error.errno in _EXHAUSTED:
            status = HTTPStatus.SERVICE_UNAVAILABLE
        else:
            status = HTTPStatus.INTERNAL_SERVER_ERROR
        return Refused(status, "the server cannot store what is uploaded", self._head.method)

    def _refusal_for_memory(self) -> Refused:
        self._received = bytearray()  # it is not to cost the others what there is left
        self._service.log_limit.log("memory", "There is no memory for the body of a request: it is answered by 503")
        return Refused(HTTPStatus.SERVICE_UNAVAILABLE, "the server has no memory for it", self._head.method)

    def late(self) -> Refused:
        """Return the refusal of a request of which too little has come for too long."""
        if self.store is not None:
            text = "the server takes too long to store what is uploaded"
            return Refused(HTTPStatus.SERVICE_UNAVAILABLE, text, self._head.method)
        return Refused(HTTPStatus.REQUEST_TIMEOUT, "the request took too long to arrive", self._head.method)

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
