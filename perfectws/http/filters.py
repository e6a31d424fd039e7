"""Filters: what every request passes before its handlers, and every response before it is sent.

::

    request ──▶ request filters ──CONTINUE, EXECUTE──▶ handlers ──push, completed──▶ response filters ──▶ the wire
                       └──HALT──▶ completed()                                               └──HALT──▶ closed

Filters go in groups: each time that some are given they make three, by priority, behind those that were given before;
inside a group they go in the order in which they were given. Each is called from the loop's queue, like any other
callback, and calls back when it is done: at once, later, or from another thread.

Source: Perfect's ``HTTPFilter.swift`` and its guide on filters.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import Enum
from operator import itemgetter
from typing import Any, Protocol, TypeAlias, TypeVar

from ..callbacks import CallbackLoop, CallbackOwner, logger
from ..checks.signatures import check_callable
from .request import HTTPRequest
from .response import HTTPResponse


class FilterPriority(Enum):
    """Which filters come first. Source: Perfect's ``HTTPFilterPriority``."""

    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


class RequestFilterResult(Enum):
    """What a request filter has decided.

    ``callback(RequestFilterResult.CONTINUE(request, response))``, as a port of ``.continue(request, response)`` has it,
    is the same as ``callback(RequestFilterResult.CONTINUE)``.

    Source: Perfect's ``HTTPRequestFilterResult``.
    """

    #: The next filter goes on.
    CONTINUE = "continue"
    #: The response is completed as it is; no handler runs.
    HALT = "halt"
    #: The other filters of this group are left out.
    EXECUTE = "execute"

    def __call__(self, request: HTTPRequest, response: HTTPResponse) -> RequestFilterResult:
        """Return this result: the request and the response of a filter are always those that it was given."""
        return self


class ResponseFilterResult(Enum):
    """What a response filter has decided. Source: Perfect's ``HTTPResponseFilterResult``."""

    #: The next filter goes on.
    CONTINUE = "continue"
    #: The other filters of this group are left out, until the next push.
    DONE = "done"
    #: The connection is closed.
    HALT = "halt"


#: What a filter calls back with its result.
RequestFilterCallback: TypeAlias = Callable[[RequestFilterResult], None]
ResponseFilterCallback: TypeAlias = Callable[[ResponseFilterResult], None]


class HTTPRequestFilter(Protocol):
    """What every request passes. Derive from it, or write any object with this member.

    Source: Perfect's protocol of this name.
    """

    def filter(self, request: HTTPRequest, response: HTTPResponse, callback: RequestFilterCallback, /) -> object:
        """Look at a request before a handler is sought for it; may be ``async def``.

        Args:
            request: The request; its method, path and headers may be changed.
            response: Its response: headers set here stay.
            callback: To be called once, now or later, from any thread.
        """
        callback(RequestFilterResult.CONTINUE)
        return None


class HTTPResponseFilter(Protocol):
    """What every response passes. Derive from it, or write any object with these two members.

    The response that a filter is given is the same object for the headers and for every piece of the body. Its
    ``body_bytes`` are the piece that is about to be sent, and ``is_final`` tells whether that is the last one.

    Source: Perfect's protocol of this name.
    """

    # Perfect differs: it gives the filter the handler's own object, in whose body the next piece may be growing;
    # only request.scratchPad["_flushing_"] tells whether a piece is the last one; that is set here too.

    def filter_headers(self, response: HTTPResponse, callback: ResponseFilterCallback, /) -> object:
        """Look at a response before its head is sent; may be ``async def``.

        Args:
            response: Its status, headers and the first piece of its body may be changed.
            callback: To be called once, now or later, from any thread.
        """
        callback(ResponseFilterResult.CONTINUE)
        return None

    def filter_body(self, response: HTTPResponse, callback: ResponseFilterCallback, /) -> object:
        """Look at a piece of the body before it is sent; may be ``async def``.

        Args:
            response: ``body_bytes`` may be replaced. Not called for an empty piece, unless it is the last one.
            callback: To be called once, now or later, from any thread.
        """
        callback(ResponseFilterResult.CONTINUE)
        return None


#: Their names in Swift.
HTTPRequestFilterResult = RequestFilterResult
HTTPResponseFilterResult = ResponseFilterResult
HTTPFilterPriority = FilterPriority

RequestFilters: TypeAlias = Iterable[tuple[HTTPRequestFilter, FilterPriority]]
ResponseFilters: TypeAlias = Iterable[tuple[HTTPResponseFilter, FilterPriority]]
FilterT = TypeVar("FilterT")
FilterMembers: TypeAlias = Mapping[str, Sequence[str]]
#: Filters as a server keeps them: in the order of their turns, each with the number of its group.
FilterGroups: TypeAlias = tuple[tuple[FilterT, int], ...]

#: The methods of each kind of filter, and what they are called with.
REQUEST_FILTER: FilterMembers = {"filter": ("request", "response", "callback")}
RESPONSE_FILTER: FilterMembers = {
    "filter_headers": ("response", "callback"),
    "filter_body": ("response", "callback"),
}

_PRIORITIES = list(FilterPriority)


def with_filters(
    before: FilterGroups[FilterT], filters: Iterable[tuple[FilterT, FilterPriority]], members: FilterMembers
) -> FilterGroups[FilterT]:
    """Return filters in the order of their turns: ``filters``, by priority, behind those that were given before.

    Args:
        before: Those.
        filters: Pairs of a filter and its priority.
        members: The methods that each must have, with what they are called with.

    Raises:
        TypeError: They are no such pairs.
    """
    if not isinstance(filters, Iterable):
        raise TypeError(f"filters is a list of pairs such as (my_filter, FilterPriority.HIGH), not {filters!r}")
    pairs = [_check_pair(pair, members) for pair in filters]
    first = before[-1][1] + 1 if before else 0
    groups = [(each, first + _PRIORITIES.index(priority)) for each, priority in pairs]
    return (*before, *sorted(groups, key=itemgetter(1)))


def _behind_group(filters: FilterGroups[Any], position: int) -> int:
    """Return the position of the first filter behind the group of the one at ``position``."""
    group = filters[position][1]
    while position < len(filters) and filters[position][1] == group:
        position += 1
    return position


def _check_pair(pair: tuple[FilterT, FilterPriority], members: FilterMembers) -> tuple[FilterT, FilterPriority]:
    if not isinstance(pair, tuple) or len(pair) != 2 or not isinstance(pair[1], FilterPriority):
        raise TypeError(f"filters are given as pairs such as (my_filter, FilterPriority.HIGH), not {pair!r}")
    if isinstance(pair[0], type):
        raise TypeError(f"{pair[0].__qualname__} is a class: give a filter, {pair[0].__qualname__}()")
    for member, parameters in members.items():
        method = getattr(pair[0], member, None)
        if not callable(method):
            raise TypeError(f"{pair[0]!r} is no such filter: it has no method {member}")
        check_callable(method, f"a filter's {member}", *parameters)
    return pair


class _Question:
    """One call of a filter, which answers once, from whatever thread."""

    __slots__ = ("_answered", "_loop", "_owner", "_take")

    def __init__(self, loop: CallbackLoop, owner: CallbackOwner, take: Callable[[Any], object]) -> None:
        self._loop = loop
        self._owner = owner
        self._take = take
        self._answered = False

    def __call__(self, result: Enum) -> None:
        if self._loop.is_here():
            self._answer(result)
        else:
            self._loop.ask(self._owner, self._answer, result)

    def _answer(self, result: Enum) -> None:
        if self._answered:
            logger.warning("a filter has called back twice; the second result, %s, is ignored", result)
            return
        self._answered = True
        self._take(result)


class RequestFiltering:
    """One request on its way through the request filters.

    Args:
        filters: The filters, in order.
        response: The response to the request.
        passed: ``passed(response)`` finds the handlers and begins.
    """

    __slots__ = ("_filters", "_passed", "_position", "_response")

    def __init__(
        self,
        filters: FilterGroups[HTTPRequestFilter],
        response: HTTPResponse,
        passed: Callable[[HTTPResponse], object],
    ) -> None:
        self._filters = filters
        self._response = response
        self._passed = passed
        self._position = 0

    def advance(self) -> None:
        """Let the next filter look, or pass on."""
        response = self._response
        if self._position == len(self._filters):
            self._passed(response)
            return
        question = _Question(response.loop, response, self._take)
        each = self._filters[self._position][0]
        response.loop.call(response, each.filter, response.request, response, question)

    def _take(self, result: RequestFilterResult) -> None:
        match result:
            case RequestFilterResult.CONTINUE:
                self._position += 1
            case RequestFilterResult.EXECUTE:
                self._position = _behind_group(self._filters, self._position)
            case RequestFilterResult.HALT:
                if not self._response.is_over:
                    self._response.completed()
                return
            case _:
                raise TypeError(f"a request filter calls back with a RequestFilterResult, not {result!r}")
        self.advance()


class FilteredChannel(Protocol):
    """What carries a response that has passed its filters."""

    loop: CallbackLoop

    def send_now(self, view: HTTPResponse, body: bytes, last: bool) -> None:
        """Send a piece; the first brings the head along."""

    def call_when_room(self, response: HTTPResponse, callback: Callable[[bool], object]) -> None:
        """Queue ``callback(True)`` once the output stands below its high water, ``callback(False)`` if never."""

    def close(self) -> None:
        """Close the connection."""

    def filter_failed(self, view: HTTPResponse, error: Exception) -> None:
        """Answer 500 if the head is not sent, else end the connection."""


class _Piece:
    """A piece of a body that waits for the filters, and what is to be called once it is sent."""

    __slots__ = ("body", "callbacks", "last", "response")

    def __init__(self, response: HTTPResponse, body: bytes, last: bool) -> None:
        self.response = response
        self.body = body
        self.last = last
        self.callbacks: list[Callable[[bool], object]] = []


class ResponseFiltering(CallbackOwner):
    """One response on its way through the response filters, a piece at a time, each through all of them.

    Args:
        filters: The filters, in order.
        response: The response as its handlers have it.
        channel: What carries it.
    """

    __slots__ = ("_channel", "_filters", "_is_ended", "_methods", "_pieces", "_position", "_view")

    def __init__(
        self,
        filters: FilterGroups[HTTPResponseFilter],
        response: HTTPResponse,
        channel: FilteredChannel,
    ) -> None:
        super().__init__(response.context)
        self._filters = filters
        self._channel = channel
        self._view = response.view()
        self._pieces: deque[_Piece] = deque()
        self._methods = ["filter_headers", "filter_body"]
        self._position = 0
        self._is_ended = False

    @property
    def is_busy(self) -> bool:
        """Whether pieces are on their way."""
        return bool(self._pieces)

    def push(self, response: HTTPResponse, body: bytes, last: bool) -> None:
        """Take the next piece of the body."""
        self._pieces.append(_Piece(response, body, last))
        if len(self._pieces) == 1:
            self._begin_piece()

    def call_when_sent(self, callback: Callable[[bool], object]) -> None:
        """Call back as `FilteredChannel.call_when_room` does, once the latest piece is sent."""
        self._pieces[-1].callbacks.append(callback)

    def end(self) -> None:
        """Let go of the pieces that wait: nothing more can be sent."""
        self._is_ended = True
        pieces, self._pieces = self._pieces, deque()
        for piece in pieces:
            for callback in piece.callbacks:
                self._channel.loop.call(piece.response, callback, False)

    def callback_failed(self, error: Exception) -> None:
        """Take an exception of a filter."""
        request = self._view.request
        logger.error(
            "%s %s: a response filter raised %s", request.method, request.path, type(error).__name__, exc_info=error
        )
        self._fail(error)

    def _fail(self, error: Exception) -> None:
        if not self._is_ended:
            self.end()
            self._channel.filter_failed(self._view, error)

    def _begin_piece(self) -> None:
        if self._is_ended:
            return
        piece = self._pieces[0]
        self._view.body_bytes = piece.body
        self._view.is_final = piece.last
        if piece.last:
            self._view.request.scratch_pad["_flushing_"] = True
        self._position = 0
        self._ask()

    def _ask(self) -> None:
        """Let the next filter look, first all at the headers, then all at the body; then send the piece."""
        if self._position == len(self._filters) or not self._is_seen(self._methods[0]):
            self._end_round()
            return
        loop = self._channel.loop
        method = getattr(self._filters[self._position][0], self._methods[0])
        loop.call(self, method, self._view, _Question(loop, self, self._take))

    def _is_seen(self, method: str) -> bool:
        view = self._view
        return method == "filter_headers" or (view.is_body_filtered and bool(view.is_final or view.body_bytes))

    def _end_round(self) -> None:
        if len(self._methods) > 1:
            del self._methods[0]
            self._position = 0
            self._ask()
        else:
            self._send_piece()

    def _take(self, result: ResponseFilterResult) -> None:
        if self._is_ended:
            return
        match result:
            case ResponseFilterResult.CONTINUE:
                self._position += 1
                self._ask()
            case ResponseFilterResult.DONE:
                self._position = _behind_group(self._filters, self._position)
                self._ask()
            case ResponseFilterResult.HALT:
                self.end()
                self._channel.close()
            case _:
                raise TypeError(f"a response filter calls back with a ResponseFilterResult, not {result!r}")

    def _send_piece(self) -> None:
        piece = self._pieces.popleft()
        body, self._view.body_bytes = self._view.body_bytes, b""
        try:
            self._channel.send_now(self._view, body, piece.last)
        except Exception as error:
            self._pieces.appendleft(piece)
            self.callback_failed(error)
            return
        for callback in piece.callbacks:
            self._channel.call_when_room(piece.response, callback)
        if self._pieces:
            self._channel.loop.call(self, self._begin_piece)  # not from here: a thousand pieces would go as deep
