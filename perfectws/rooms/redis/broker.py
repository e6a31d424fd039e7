"""`RedisBroker`: rooms of one name are one room, in however many processes, on however many machines."""

from __future__ import annotations

import ssl as tls
from collections.abc import Callable

from ...callbacks import CallbackLoop, running_loop
from ...checks.quantities import COUNT, LEASE
from ...log_limit import LogLimit
from ..broker import Broker, Channel, Log, LogMessage, Person, Subscriber
from ..figures import BrokerFigures
from .counts import Counts
from .keys import Keys
from .link import Duties, Link
from .listening import Listening
from .presence import Presence
from .publishing import Publishing
from .reading import Reading
from .room import RedisRoom
from .url import RedisURL
from .wire import load_parser


class RedisBroker(Broker):
    """Carries the messages of rooms between processes and machines, by Redis 7 or later; the extra ``redis``.

    To be made once in a program, and given to each room: ``Room("lobby", broker=broker)``. One that is made before the
    server forks its workers serves them all. It connects when a room gets its first member or message, or is asked for
    its last ones; in an event loop of this process: that of the member, or of who sends or asks, else any that runs.
    While none runs, messages wait for the next, and nothing is known of what was said before.

    Local delivery never waits for Redis. While Redis cannot be reached, what is sent waits in a queue. What finds no
    room there reaches only this process, as does a single one of more than 8 MiB; it is counted, and the log says so.

    A room's history is kept as its ``history`` and ``history_seconds`` say. A process that was not there when something
    was said, since nobody was in the room there, reads it when somebody asks: the last 4 MiB. What is older it cannot
    tell from what was trimmed: who comes back with such a position is told of a gap, and the log says so.

    Args:
        url: Where Redis is: ``redis://user:password@host:6379/0``, ``rediss://…`` for TLS,
            ``unix:///path/of/socket?db=0``, or ``redis+sentinel://host:26379,host:26379/0?service=name``.
        prefix: What the names of all keys and channels begin with: two programs on one Redis have different ones.
        max_queue: How much may wait for Redis, in bytes.
        lease: After how many seconds the people of a process that says nothing any more are taken for gone.
        ssl_context: What to trust where the URL says TLS; ``None`` for what the system trusts.

    Raises:
        ImportError: hiredis is not installed.
        TypeError: ``ssl_context`` is none.
        ValueError: The URL is none of Redis, or a number is out of its range.
    """

    def __init__(
        self,
        url: str,
        *,
        prefix: str = "pws",
        max_queue: int = 1 << 20,
        lease: float = 4.0,
        ssl_context: tls.SSLContext | None = None,
    ) -> None:
        where = RedisURL.parse(url)
        COUNT.check("max_queue", max_queue)
        LEASE.check("lease", lease)
        if not isinstance(prefix, str) or not prefix:
            raise ValueError(f'prefix is a str that is not empty, "chat" say, not {prefix!r}')
        if ssl_context is not None and not isinstance(ssl_context, tls.SSLContext):
            raise TypeError(f"ssl_context is an ssl.SSLContext, not {type(ssl_context).__name__}")
        load_parser()
        if where.is_secure and ssl_context is None:
            ssl_context = tls.create_default_context()
        self._where = where
        log = LogLimit()
        self._counts = Counts()
        self._keys = Keys(prefix, where.db)
        self._publishing = Publishing(max_queue, self._counts, log)
        self._presence = Presence(lease, self._keys, log)
        self._listening = Listening(self._counts, log, self._presence, self._publishing)
        self._reading = Reading(log)
        duties = Duties(self._publishing, self._listening, self._presence, self._reading)
        self._link = Link(where, ssl_context, duties, self._counts, log)
        super().__init__()  # last: servers ask every broker for its figures, which one that cannot be made has not

    def __repr__(self) -> str:
        return f"<RedisBroker at {self._where.text}>"

    def channel(self, subscriber: Subscriber) -> Channel:
        """Make a room's channel; perfectws's own."""
        room = RedisRoom(subscriber, self._keys)
        return RedisChannel(room, self._publishing, self._listening, self._presence, self._reading, self._link)

    @property
    def figures(self) -> BrokerFigures:
        """What the broker has done so far, in this process."""
        counts = self._counts
        return BrokerFigures(
            published=counts.published,
            queued=self._publishing.queue.messages,
            lost=counts.lost,
            refused=counts.refused,
            resent=counts.resent,
            duplicates=counts.duplicates,
            gaps=counts.gaps,
            reconnects=counts.reconnects,
            is_connected=self._link.is_connected,
        )

    def close(self) -> None:
        """Send what is queued, as far as that is possible at once, and let go of the connection. From any thread."""
        self._link.close()


class RedisChannel(Channel):
    """What the broker does for one room."""

    __slots__ = ("_link", "_listening", "_presence", "_publishing", "_reading", "_room")

    def __init__(
        self,
        room: RedisRoom,
        publishing: Publishing,
        listening: Listening,
        presence: Presence,
        reading: Reading,
        link: Link,
    ) -> None:
        self._room = room
        self._publishing = publishing
        self._listening = listening
        self._presence = presence
        self._reading = reading
        self._link = link

    def publish(self, message: LogMessage, loop: CallbackLoop | None) -> None:
        """Let a message wait for the next flight to Redis."""
        self._publishing.publish(self._room, message)
        self._link.need(loop)
        self._publishing.signal.set()

    def open(self, loop: CallbackLoop) -> None:
        """Subscribe to the room."""
        self._listening.open(self._room)
        self._link.need(loop)

    def close(self) -> None:
        """Give the subscription back."""
        self._listening.close(self._room)
        self._presence.forget(self._room)

    def read_log(self, done: Callable[[Log | None], object]) -> None:
        """Read the log in Redis."""
        self._reading.read(self._room, done)
        if not self._link.ask(running_loop()):
            self._reading.give_up()

    def enter(self, member: int, person: Person, unique: bool, done: Callable[[bool], object]) -> None:
        """Write who is here, and let the others hear it."""
        self._presence.enter(self._room, member, person, unique, done)
        if not self._link.ask(running_loop()):
            self._presence.give_up()

    def exit(self, member: int) -> None:
        """Remove who has left, and let the others hear it."""
        self._presence.exit(self._room, member)
