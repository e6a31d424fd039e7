"""Rooms as a broker sees them, which only write down what they are told; in a loop of the test's own."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence

import trio

from perfectws import OpcodeType
from perfectws.callbacks import CallbackLoop
from perfectws.rooms.broker import Broker, Channel, Log, LogLimits, LogMessage, Person, Subscriber
from perfectws.rooms.position import Position

#: No test waits longer for anything, in seconds.
PATIENCE = 60.0
#: What a room wants of its log that says nothing of it.
LIMITS = LogLimits(256, 3600.0)


class Listener(Subscriber):
    """A room of one process.

    Args:
        name: The room's name.
        broker: What carries it.
        loop: The loop of its members.
        instance: The process, as far as messages tell.
    """

    def __init__(
        self, name: str, broker: Broker, loop: CallbackLoop, instance: bytes, limits: LogLimits = LIMITS
    ) -> None:
        self.name = name
        self.limits = limits
        self.loop = loop
        self.instance = instance
        self.next = 1
        self.said: dict[int, str] = {}
        self.texts: list[str] = []
        self.heard: dict[bytes, int] = {}
        self.position: Position | None = None
        self.openings = 0
        self.gaps: list[Position] = []
        self.tears: list[Position | None] = []
        self.confirmations: list[tuple[int, int, Position]] = []
        self.losses: list[tuple[int, int]] = []
        self.people: dict[str, Person] = {}
        self.vanished = 0
        self.changed = trio.Event()
        self.channel: Channel = broker.subscribe(self)

    def say(self, *texts: str) -> None:
        """Say something, one message for each text."""
        for text in texts:
            message = LogMessage(self.instance, self.next, OpcodeType.TEXT, text.encode())
            self.said[self.next] = text
            self.next += 1
            self.channel.publish(message, self.loop)

    def open(self) -> None:
        self.channel.open(self.loop)

    def opened(self, position: Position) -> None:
        self.openings += 1
        self.position = position
        self._change()

    def take(self, messages: Sequence[LogMessage], position: Position) -> int:
        duplicates = 0
        for message in messages:
            if message.sequence > self.heard.get(message.instance, 0):
                self.heard[message.instance] = message.sequence
                self.texts.append(message.data.decode())
            else:
                duplicates += message.instance != self.instance
        assert self.position is not None
        assert position >= self.position
        self.position = position
        self._change()
        return duplicates

    def take_own(self, first: int, count: int, position: Position) -> bool:
        own = range(first, first + count)
        if self.heard.get(self.instance, 0) >= first or not self.said.keys() >= set(own):
            return False
        self.heard[self.instance] = own[-1]
        self.texts += [self.said[sequence] for sequence in own]
        self.position = position
        self._change()
        return True

    def gap(self, position: Position) -> None:
        self.gaps.append(position)
        self.position = position
        self._change()

    def torn(self) -> None:
        self.tears.append(self.position)
        self._change()

    def confirmed(self, first: int, count: int, position: Position) -> None:
        self.confirmations.append((first, count, position))
        self._change()

    def lost(self, first: int, count: int) -> None:
        self.losses.append((first, count))
        self._change()

    def people_changed(self, arrived: Mapping[str, Person], gone: Collection[str]) -> None:
        self.people.update(arrived)
        for key in gone:
            self.vanished += self.people.pop(key, None) is not None
        self._change()

    def loops(self) -> list[CallbackLoop]:
        return [self.loop]

    def _change(self) -> None:
        self.changed.set()
        self.changed = trio.Event()

    async def until(self, condition: Callable[[], object]) -> None:
        """Wait until something holds that depends on what the room is told."""
        with trio.fail_after(PATIENCE):
            while not condition():
                await self.changed.wait()

    async def until_open(self) -> None:
        await self.until(lambda: self.openings)

    async def until_heard(self, count: int) -> list[str]:
        """Wait until so many messages were heard, its own too, and return them all."""
        await self.until(lambda: len(self.texts) >= count)
        return self.texts

    async def log(self) -> Log | None:
        """Read the log."""
        found: list[Log | None] = []

        def done(log: Log | None) -> None:
            found.append(log)
            self._change()

        self.channel.read_log(done)
        await self.until(lambda: found)
        return found[0]

    async def enter(self, member: int, who: str, info: str = "null", *, unique: bool = False) -> bool:
        """Let somebody in, and wait until that is decided."""
        found: list[bool] = []

        def done(entered: bool) -> None:
            found.append(entered)
            self._change()

        self.channel.enter(member, Person(who, info), unique, done)
        await self.until(lambda: found)
        return found[0]
