"""What rooms say, appended to their logs and announced, a flight after the other.

A flight that nobody answered is sent again as it was, ahead of everything newer; who listens knows by the sequence
numbers what it has heard already. What is refused is lost; that it is, is said until it is not refused any more.
"""

from __future__ import annotations

from collections import deque
from math import inf

from ...log_limit import LogLimit
from ..broker import LogMessage
from .connection import RedisConnection, refusal
from .counts import Counts
from .outgoing import Lost, Parcel, Queue
from .room import RedisRoom, position_of
from .scripts import APPEND
from .signal import Signal
from .wire import Answer

#: The least time between two flights in the long run, in seconds, since each costs as much as dozens of messages; and
#: how far several may run ahead of that together. A task's sleep ends up to a millisecond late, so it is for when many
#: would follow each other.
PACE, AHEAD = 0.0008, 0.0032
#: How long the answer to a flight may wait to be read with the next, in seconds.
LULL = 0.0015
#: After how long is said again that something is missing, where that was refused, in seconds.
RETRY_SECONDS = 1.0


class Publishing:
    """Appends what rooms say to their logs.

    Args:
        max_queue: How much may wait, in bytes.
        counts: The broker's figures.
        log: Where to say what goes wrong.

    Attributes:
        queue: What waits.
        signal: Set when there is something to do.
        flights: How many went out.
    """

    def __init__(self, max_queue: int, counts: Counts, log: LogLimit) -> None:
        self.queue = Queue(max_queue)
        self.signal = Signal()
        self.flights = 0
        self._counts = counts
        self._log = log
        #: What is on its way, or was when the connection was lost.
        self._flight: deque[Parcel] = deque()
        #: The answers to it, and the connection over which they come.
        self._answers: deque[Answer] = deque()
        self._over: RedisConnection | None = None
        #: Whether answers are looked for by who will send the next.
        self._looks = False
        self._lost = Lost()
        #: The rooms of which something was refused, and the number behind that: their logs do not say that it is
        #: missing. And when they are to, on the clock of this run of trio.
        self._torn: dict[RedisRoom, int] = {}
        self._tears_at = inf

    def publish(self, room: RedisRoom, message: LogMessage) -> None:
        """Let a message wait. From any thread, but for one room from one at a time."""
        if room.instance != message.instance:  # it is the first, of this process: this may be a fork of another
            room.instance, room.logged = message.instance, message.sequence
        if self.queue.add(room, message):
            return
        self._counts.lose(1)
        self._lost.add(room, message.sequence)
        self.queue.tear(room, message.sequence + 1)
        self._log.log(
            "full", "The queue for Redis is full: what room %r says now does not reach other processes", room.name
        )

    def tell_lost(self) -> None:
        """Tell the rooms what found no room. In the broker's loop."""
        for room, ranges in self._lost.take().items():
            subscriber = room.subscriber
            for each in ranges:
                if subscriber is not None:
                    subscriber.lost(each.start, len(each))

    async def run(self, connection: RedisConnection) -> None:
        """Append, over one connection, until it is lost, which raises."""
        from trio import current_time, sleep_until

        self._counts.resent += sum(parcel.messages for parcel in self._flight)
        self._tear()
        due = -inf  # by the clock of this run of trio's: that of the next one is another
        while True:
            if self.queue.is_waiting and current_time() < due:
                await sleep_until(due)
                self.signal.clear()
            self.tell_lost()
            if self._is_under_way(connection):
                self._looks = True
                connection.receive()  # it may be answered by now, without a task that was woken for it
                self._looks = False
            if not self._is_under_way(connection):
                now = current_time()
                if self.send(connection):
                    due = max(due, now - AHEAD) + PACE
            elif self.queue.is_waiting:
                connection.rest(0)
            if self._torn:
                await self._wait_to_tear()
            else:
                await self.signal.wait()

    async def _wait_to_tear(self) -> None:
        """Wait for something to do, which is to say what is missing, sooner or later."""
        from trio import move_on_at

        with move_on_at(self._tears_at) as waiting:
            await self.signal.wait()
        if waiting.cancelled_caught:
            self._tear()

    def _tear(self) -> None:
        """Let the logs of rooms say that what was refused is missing."""
        torn, self._torn, self._tears_at = self._torn, {}, inf
        for room, end in torn.items():
            if room.subscriber is not None:
                self.queue.tear(room, end)

    def _is_under_way(self, connection: RedisConnection) -> bool:
        return bool(self._flight) and self._over is connection

    def send(self, connection: RedisConnection) -> bool:
        """Send a flight, the one that was not answered or the next; tell whether there is one."""
        if not self._flight:
            self._flight = self.queue.load()
            self._over = None
        if self._over is not connection:
            self._over = connection
            self._answers = deque([_sent(parcel, connection) for parcel in self._flight])
            for answer in self._answers:
                answer.then = self._answered
            if self._answers:
                self.flights += 1
                connection.send()
                connection.rest(LULL)
        return bool(self._flight)

    async def settle(self) -> None:
        """Wait until the flight is answered."""
        while self._flight:
            await self._answers[0]

    def _answered(self) -> None:
        """Take the answers to the flight that are here."""
        while self._answers and self._answers[0].is_here:
            self._settle(self._flight[0], self._answers[0].take())
            self.queue.forget(self._flight.popleft())
            self._answers.popleft()
        if not (self._flight or self._looks) and self.queue.is_waiting:
            self.signal.set()

    def _settle(self, parcel: Parcel, answer: object) -> None:
        if self._lost:
            self.tell_lost()  # the entry may say that it is missing
        room, subscriber = parcel.room, parcel.room.subscriber
        position = position_of(answer)
        if position is not None:
            room.epoch = b"%d" % position.epoch
            if parcel.entry.startswith(room.instance):
                room.logged = parcel.sequence + parcel.messages
            self._counts.published += parcel.messages
            if subscriber is not None:
                subscriber.confirmed(parcel.sequence, parcel.messages, position)
            return
        reason = refusal(answer)
        self._log.log("refused", "Redis keeps no log of room %r: %s", room.name, reason)
        self._lose(parcel)
        if subscriber is not None and parcel.messages:
            subscriber.lost(parcel.sequence, parcel.messages)

    def _lose(self, parcel: Parcel) -> None:
        """Take it that an entry was refused: that it is missing, its room's log is to say in a while."""
        from trio import current_time

        self._counts.refused += parcel.messages
        self._counts.lose(parcel.messages)
        self._torn[parcel.room] = parcel.sequence + parcel.messages
        self._tears_at = min(self._tears_at, current_time() + RETRY_SECONDS)
        self.signal.set()  # so that it waits no longer than until then


def _sent(parcel: Parcel, connection: RedisConnection) -> Answer:
    room, run = parcel.room, connection.run
    epoch = room.epoch if room.epoch.endswith(run) else b""
    return connection.queue_script(
        APPEND, [room.log], room.channel, parcel.entry, room.entries, room.lifetime, epoch, run
    )
