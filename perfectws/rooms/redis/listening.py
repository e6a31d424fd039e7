"""What other processes say, heard on the channels of the rooms that have members, and repaired from their logs.

Entries are numbered without holes, so one that is announced behind the next is known to follow something that was not
heard: a connection was lost, say. Then what the log holds is read, while what is announced meanwhile waits. The same is
done whenever a channel is subscribed to::

    open ──► subscribe, then read how far the log has got ──► catch up ──► live
                       ▲                                         ▲          │
                       └────────── the connection is lost ───────┴── a hole ┘

An announcement is a hint, the log is the truth: what anybody else announces is looked up there and not found.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Iterable
from itertools import islice
from threading import Lock

from ...log_limit import LogLimit
from ..position import NOWHERE, Position
from .connection import RedisConnection
from .counts import Counts
from .entry import Entry, sent_by
from .presence import Presence
from .publishing import Publishing
from .room import RedisRoom, numbered, position_of
from .scripts import HEADS, READ
from .signal import Signal
from .wire import Answer

logger = logging.getLogger("perfectws")

#: How many rooms are subscribed to at once.
BATCH = 100
#: How much of a log is read at once, in bytes.
PAGE_BYTES = 256 * 1024
#: How many announcements wait while a room catches up: more are read from its log.
MAX_EARLY = 1000


class Subscription:
    """One room that listens.

    Attributes:
        room: The room.
        position: How far it has heard everything; ``None`` until the log's end is known.
        early: What was announced while it catches up; ``None`` when it hears live.
    """

    __slots__ = ("early", "position", "room")

    def __init__(self, room: RedisRoom) -> None:
        self.room = room
        self.position: Position | None = None
        self.early: deque[bytes] | None = None

    def wait(self) -> None:
        """Let what is announced wait from now on."""
        if self.early is None:
            self.early = deque(maxlen=MAX_EARLY)


class Listening:
    """Hears what is said to the rooms that have members.

    Args:
        counts: The broker's figures.
        log: Where to say what goes wrong.
        presence: Told what is said of who is there.
        publishing: Told when a room has begun to listen, and so may speak.

    Attributes:
        signal: Set when there is something to do.
    """

    def __init__(self, counts: Counts, log: LogLimit, presence: Presence, publishing: Publishing) -> None:
        self.signal = Signal()
        self._counts = counts
        self._log = log
        self._presence = presence
        self._publishing = publishing
        self._lock = Lock()
        #: By channel.
        self._subscriptions: dict[bytes, Subscription] = {}
        #: Those that are to be subscribed to, or to catch up; and the channels that nobody listens to any more.
        self._behind: dict[Subscription, None] = {}
        self._closed: list[bytes] = []

    def __bool__(self) -> bool:
        """Tell whether any room listens."""
        return bool(self._subscriptions)

    def rooms(self) -> list[RedisRoom]:
        """Return the rooms that listen."""
        with self._lock:
            return [subscription.room for subscription in self._subscriptions.values()]

    def open(self, room: RedisRoom) -> None:
        """Listen to a room. From any thread, as `close`."""
        room.hold()
        room.is_open = room.is_opening = True
        subscription = Subscription(room)
        with self._lock:
            self._subscriptions[room.channel] = subscription
            self._behind[subscription] = None
        self.signal.set()

    def close(self, room: RedisRoom) -> None:
        """Listen to it no longer."""
        room.is_open = room.is_opening = False
        with self._lock:
            subscription = self._subscriptions.pop(room.channel)
            self._behind.pop(subscription, None)
            self._closed.append(room.channel)
        room.release()
        self.signal.set()
        self._publishing.signal.set()  # what it said as it opened waits no longer

    def hear(self, channel: bytes, said: bytes) -> bool:
        """Take what a channel says; tell whether it is that of a room. What nobody here would say is ignored."""
        subscription = self._subscriptions.get(channel)
        if subscription is None:
            return False
        kind = said[:1]
        if kind in (b"p", b"x"):
            self._presence.hear(subscription.room, said)
        elif subscription.early is not None:
            subscription.early.append(said)
        elif kind == b"e":
            self._hear_entry(subscription, said)
        elif kind == b"u":
            self._hear_unlogged(subscription, said[1:])
        return True

    def _hear_entry(self, subscription: Subscription, said: bytes) -> None:
        end = said.find(b" ", 1, 64)
        position, here = position_of(said[1:end]), subscription.position
        if position is None or here is None or position <= here:
            return
        if position == here.next:
            self._take(subscription, [(position, said[end + 1 :])])
            return
        with self._lock:
            if self._is_open(subscription):
                subscription.wait()
                self._behind[subscription] = None
        self.signal.set()

    def _hear_unlogged(self, subscription: Subscription, data: bytes) -> None:
        """Take what Redis has announced, but did not keep: its memory is full."""
        entry = Entry.decode(data)
        # One's own are known to be lost.
        if entry is not None and entry.instance != subscription.room.instance and subscription.position is not None:
            self._give(subscription, entry, subscription.position)

    def _is_open(self, subscription: Subscription) -> bool:
        return self._subscriptions.get(subscription.room.channel) is subscription

    # Catching up

    async def run(self, connection: RedisConnection) -> None:
        """Subscribe to all that listen, over a new connection, and then to each that comes, until it is lost."""
        self.refresh()
        self._closed.clear()
        while True:
            closed, behind = self._due()
            if closed:
                connection.tell(b"UNSUBSCRIBE", *closed)
            if behind:
                await self._catch_up(behind, connection)
            elif not closed:
                await self.signal.wait()

    def refresh(self) -> None:
        """Subscribe to all rooms that listen, and find out how far their logs have got."""
        with self._lock:
            self._behind.update(dict.fromkeys(self._subscriptions.values()))
        self.signal.set()

    def _due(self) -> tuple[list[bytes], list[Subscription]]:
        with self._lock:
            closed, self._closed = self._closed, []
            behind = list(islice(self._behind, BATCH))
            for subscription in behind:
                del self._behind[subscription]
        return closed, behind

    async def _catch_up(self, behind: list[Subscription], connection: RedisConnection) -> None:
        """Subscribe to several rooms, and let them hear what they have missed."""
        rooms = [subscription.room for subscription in behind]
        for subscription in behind:
            subscription.wait()
        connection.tell(b"SUBSCRIBE", *(room.channel for room in rooms))
        # What is announced from here on is heard, so nothing is missed behind the log's end as it is read now.
        found = await connection.run_script(
            HEADS, [room.log for room in rooms], connection.run, *(room.lifetime for room in rooms)
        )
        reading = []
        for subscription, number, people in zip(behind, found[::2], found[1::2], strict=True):
            if self._is_open(subscription):
                self._presence.count(subscription.room, people)
                if not self._begin(subscription, position_of(number)):
                    reading.append((subscription, self._page(subscription, connection)))
        self._publishing.signal.set()
        for subscription, page in reading:
            await self._read_on(subscription, page, connection)
        for subscription in behind:
            if self._is_open(subscription):
                self._go_live(subscription)

    def _begin(self, subscription: Subscription, end: Position | None) -> bool:
        """Take note of where the log ends; tell whether the room has heard everything."""
        if subscription.position is None:
            subscription.position = end or NOWHERE
            subscription.room.is_opening = False
            subscriber = subscription.room.subscriber
            if subscriber is not None:
                subscriber.opened(subscription.position)
        return end is None or end <= subscription.position

    def _page(self, subscription: Subscription, connection: RedisConnection) -> Answer:
        """Ask for what the log holds that the room has not heard."""
        start = str(subscription.position).encode()
        return connection.run_script(READ, [subscription.room.log], start, PAGE_BYTES)

    async def _read_on(self, subscription: Subscription, page: Answer, connection: RedisConnection) -> None:
        """Let a room hear what its log holds, a page after the other."""
        while True:
            end, is_more, *found = await page
            if not self._is_open(subscription):
                return
            self._take(subscription, numbered(found))
            if not is_more:
                break
            page = self._page(subscription, connection)
        last, here = position_of(end), subscription.position
        if last is not None and here is not None and last > here:
            self._skip_to(subscription, last)

    def _go_live(self, subscription: Subscription) -> None:
        """Let a room hear what was announced while it caught up, and then what comes."""
        early, subscription.early = subscription.early, None
        while early and subscription.early is None:
            self.hear(subscription.room.channel, early.popleft())
        if subscription.early is not None and early:
            subscription.early.extend(early)  # there is a hole

    # What was heard

    def _take(self, subscription: Subscription, found: Iterable[tuple[Position, bytes]]) -> None:
        """Give entries of its log to a room, and tell it what is missing between them."""
        for position, data in found:
            here = subscription.position
            assert here is not None
            is_next = position == here.next or (here == NOWHERE and position.number == 1)
            if not is_next:
                self._skip_to(subscription, Position(position.epoch, max(position.number - 1, 0)))
            if not self._take_own(subscription.room, data, position):
                entry = Entry.decode(data)
                if entry is None:
                    self._log.log("malformed", "The log of room %r holds what is no entry", subscription.room.name)
                self._give(subscription, entry, position)
            subscription.position = position

    def _take_own(self, room: RedisRoom, data: bytes, position: Position) -> bool:
        """Let a room take what this process said, if it is as it was sent: then it need not be read."""
        subscriber, sent = room.subscriber, sent_by(room.instance, data)
        return subscriber is not None and sent is not None and subscriber.take_own(sent.start, len(sent), position)

    def _give(self, subscription: Subscription, entry: Entry | None, position: Position) -> None:
        subscriber, here = subscription.room.subscriber, subscription.position
        if subscriber is None or here is None:
            return
        if entry is not None and (entry.missing or position == here):
            subscriber.torn()  # who sent it has counted what is missing, before it or of it
        messages = [] if entry is None else entry.log_messages(position)
        try:
            self._counts.duplicates += subscriber.take(messages, position)
        except Exception:  # the next entries come all the same
            logger.exception("perfectws failed to take what was said in room %r", subscription.room.name)

    def _skip_to(self, subscription: Subscription, position: Position) -> None:
        """Go on from a position, though something before it is not to be had."""
        room = subscription.room
        self._counts.gaps += 1
        self._log.log("gap", "Something that was said in room %r is lost: its log was trimmed, or lost", room.name)
        subscription.position = position
        if room.subscriber is not None:
            room.subscriber.gap(position)
