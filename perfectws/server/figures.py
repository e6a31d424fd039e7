"""`ServerFigures`: what a server has done so far, in one process or in several together."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from struct import Struct
from typing import NamedTuple

from ..net.loop import Connections, Loop
from ..rooms.figures import BrokerFigures

#: What is not counted from the start on, but is so at this moment: it goes with the process.
_OF_THE_MOMENT = ("workers", "uptime", "connections", "web_sockets", "rooms", "members", "loop_delay", "max_loop_delay")
#: Seconds, which travel between processes as whole microseconds.
_SECONDS = ("uptime", "loop_delay", "max_loop_delay")


class ServerFigures(NamedTuple):
    """What a server has done so far, and what it is doing now.

    Connections are the server's own. All behind them is counted by its event loop: for all servers that were launched
    together, and for the connections that their callbacks have opened as clients. With workers it is the sum over all
    of them, of which those of other workers are up to a second old.

    Attributes:
        workers: Processes that serve: 1 without workers, 0 before it has started.
        uptime: For how long it has been serving, in seconds.
        connections: Connections that are open, of HTTP and of WebSockets.
        accepted: Connections that were accepted, refused ones among them.
        refused: Connections that were only told that there is no room, for ``max_connections``, or closed at once, for
            ``max_connections_per_address``; and requests that a proxy passed on, for that.
        requests: HTTP requests, opening handshakes among them.
        web_sockets: WebSockets that are open, those among them that were opened as a client on the server's event loop.
        messages_received: Messages that have arrived whole.
        messages_sent: Messages that were given to sockets to be sent, those of rooms once for each member.
        bytes_received: Bytes that the kernel has given: frames, headers, what TLS adds (but where streams serve).
        bytes_sent: Bytes that the kernel has taken, likewise.
        rooms: Rooms that have members. One with members in several workers counts in each.
        members: Members of rooms; who is in two of them counts twice.
        deliveries: Messages of rooms times the members they were given to.
        drops: Messages of rooms that slow members missed.
        sheds: Connections that were closed for ``max_buffered``.
        callback_errors: Exceptions that callbacks have raised.
        loop_delay: By how much the loop was late on average within the last minute or half of one, in seconds.
        max_loop_delay: By how much it was late at worst, in seconds.
        broker: The figures of all brokers together; ``None`` if there is none.
    """

    workers: int
    uptime: float
    connections: int
    accepted: int
    refused: int
    requests: int
    web_sockets: int
    messages_received: int
    messages_sent: int
    bytes_received: int
    bytes_sent: int
    rooms: int
    members: int
    deliveries: int
    drops: int
    sheds: int
    callback_errors: int
    loop_delay: float
    max_loop_delay: float
    broker: BrokerFigures | None

    def packed(self) -> bytes:
        """Return the figures as `FIGURES_SIZE` bytes, for other processes; perfectws's own."""
        numbers = self._replace(**{name: round(getattr(self, name) * 1e6) for name in _SECONDS})[:-1]
        return _LAYOUT.pack(*numbers, self.broker is not None, *(self.broker or _NO_BROKER))

    @classmethod
    def unpacked(cls, data: bytes | memoryview) -> ServerFigures:
        """Return what `packed` has made bytes of; perfectws's own."""
        numbers = dict(zip(_NUMBERS, _LAYOUT.unpack(data), strict=False))
        has_broker, *broker = _LAYOUT.unpack(data)[len(numbers) :]
        numbers |= {name: numbers[name] / 1e6 for name in _SECONDS}
        return cls(**numbers, broker=_broker_figures(broker) if has_broker else None)

    def retired(self) -> ServerFigures:
        """Return what is left of a process that has ended: what it has counted; perfectws's own."""
        broker = None if self.broker is None else self.broker._replace(queued=0, is_connected=True)
        return self._replace(**dict.fromkeys(_OF_THE_MOMENT, 0), broker=broker)

    @classmethod
    def total(cls, figures: Iterable[ServerFigures]) -> ServerFigures:
        """Return the figures of several processes as those of one; perfectws's own."""
        each, *others = all_figures = list(figures)
        if not others:
            return each
        numbers = {name: sum(getattr(each, name) for each in all_figures) for name in _NUMBERS}
        numbers |= {name: max(getattr(each, name) for each in all_figures) for name in ("uptime", "max_loop_delay")}
        numbers["loop_delay"] /= max(numbers["workers"], 1)
        return cls(**numbers, broker=total_of_brokers(each.broker for each in all_figures if each.broker is not None))


#: The fields that are numbers, in order; behind them come those of the brokers.
_NUMBERS = ServerFigures._fields[:-1]
#: One integer for each number, whether there is a broker, and what that has done.
_LAYOUT = Struct(f"={len(_NUMBERS) + 1 + len(BrokerFigures._fields)}q")
#: How many bytes `ServerFigures.packed` returns.
FIGURES_SIZE = _LAYOUT.size


def _broker_figures(numbers: Sequence[int]) -> BrokerFigures:
    return BrokerFigures._make(numbers)._replace(is_connected=bool(numbers[-1]))


_NO_BROKER = _broker_figures([0] * len(BrokerFigures._fields))
#: What there is to be told of a server that has not run.
NO_FIGURES = ServerFigures(**dict.fromkeys(_NUMBERS, 0), broker=None)


def total_of_brokers(figures: Iterable[BrokerFigures]) -> BrokerFigures | None:
    """Return the figures of several brokers as those of one, which is connected if all are; ``None`` for none."""
    all_figures = list(figures)
    if not all_figures:
        return None
    sums = BrokerFigures._make(map(sum, zip(*all_figures, strict=True)))
    return sums._replace(is_connected=all(each.is_connected for each in all_figures))


#: Returns the figures of the other workers.
FiguresOfOthers = Callable[[], Sequence[ServerFigures]]


class Census:
    """What the figures of a server that runs are read from. From any thread.

    Args:
        loop: The loop that it runs on.
        connections: Its own connections.
    """

    def __init__(self, loop: Loop, connections: Connections) -> None:
        self._time = loop.time
        self._counts = loop.counts
        self._delay = loop.delay
        self._connections = connections
        self._began = loop.time()
        self._last: ServerFigures | None = None

    @property
    def figures(self) -> ServerFigures:
        """The figures of this moment; once the server has stopped, what it has done."""
        return self._last or self._take()

    @property
    def connections_everywhere(self) -> int:
        """How many connections the server has in all of its processes."""
        return self._connections.count_everywhere

    def end(self) -> None:
        """Keep what was counted: the server has stopped."""
        self._last = self._take().retired()

    def _take(self) -> ServerFigures:
        from ..rooms.broker import brokers  # which a server loads before it serves

        counts, connections, delay = self._counts, self._connections, self._delay
        return ServerFigures(
            workers=1,
            uptime=self._time() - self._began,
            connections=len(connections),
            accepted=connections.added,
            refused=connections.refusals,
            requests=counts.requests,
            web_sockets=counts.web_sockets,
            messages_received=counts.messages_received,
            messages_sent=counts.messages_sent,
            bytes_received=counts.bytes_received,
            bytes_sent=counts.bytes_sent,
            rooms=counts.rooms,
            members=counts.members,
            deliveries=counts.deliveries,
            drops=counts.drops,
            sheds=counts.sheds,
            callback_errors=counts.callback_errors,
            loop_delay=delay.mean,
            max_loop_delay=delay.worst,
            broker=total_of_brokers(broker.figures for broker in brokers()),
        )
