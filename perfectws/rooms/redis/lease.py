"""Which processes live: each says so again and again, on Redis's clock, and finds out by that whether it hears at all.

What a process says holds for a lease. Who says nothing for so long is dead, or stopped; one that goes on later says so
at once. But the dead are told from the living only while all can speak: where Redis refuses what this process says
(its memory is full), was away, or was cut off from here, nobody is taken for dead until a whole lease has passed in
order.

A process is here what one broker is in it: two brokers in one process are as two processes.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import Any

from ...log_limit import LogLimit
from ..instance import INSTANCE_SIZE, Instance
from .connection import RedisConnection, refusal
from .keys import Keys
from .scripts import BEAT, LEAVE
from .wire import Answer, RedisFailure

#: The longest time between two beats, and the shortest, in seconds.
MAX_INTERVAL, MIN_INTERVAL = 1.0, 0.02
#: The longest lease that is written, in seconds: what is longer is for ever.
_MAX_SECONDS = 1e9
#: How long a process may not hear itself before it connects anew, in seconds.
SILENCE = 3.0


class Neighbours(ABC):
    """What is told who lives."""

    @abstractmethod
    def arrived(self, instances: Iterable[bytes]) -> None:
        """Take it that other processes live, by their names in hexadecimal digits."""

    @abstractmethod
    def gone(self, instances: Iterable[bytes], *, for_good: bool) -> None:
        """Take it that other processes do not live, or have left in order: ``for_good``."""

    @abstractmethod
    def forgotten(self) -> None:
        """Take it that this process was taken for dead, or that Redis knows nothing of it any more."""

    @abstractmethod
    def sound(self) -> None:
        """Take it that what Redis says of who is there can be believed again."""


class Lease:
    """This process's word that it lives, and what is known of the others.

    Args:
        seconds: How long the word holds.
        keys: What the keys are called.
        neighbours: What is told.
        log: Where to say what goes wrong.

    Attributes:
        living: The other processes that live, as far as is known.
        is_sound: Whether those that are not among them are dead.
    """

    def __init__(self, seconds: float, keys: Keys, neighbours: Neighbours, log: LogLimit) -> None:
        self._seconds = seconds
        self._interval = min(MAX_INTERVAL, seconds / 4)
        self._keys = keys
        self._neighbours = neighbours
        self._log = log
        self._instance = Instance()
        self._frozen_until = 0.0
        self._unheard = 0
        self.living: set[bytes] = set()
        self.is_sound = False

    async def run(self, connection: RedisConnection) -> None:
        """Say that this process lives, over one connection, until it is lost, or nothing is heard over it any more."""
        from trio import current_time, move_on_after, sleep

        self._freeze(current_time())
        self._unheard = 0
        answer: Answer | None = None
        while True:
            if self._unheard * self._interval >= SILENCE:
                raise RedisFailure(f"nothing was heard from Redis for {SILENCE:g} seconds")
            self._unheard += 1
            answer = answer or self._beat(connection)
            with move_on_after(self._interval):
                found, answer = await answer, None
                pause = self._take(found, current_time())
                await sleep(pause)

    def own_name(self) -> bytes:
        """Return this process's name, in hexadecimal digits."""
        return self._instance.name.hex().encode()

    @property
    def channels(self) -> tuple[bytes, bytes]:
        """The channels that are to be listened to: this process's own, and the one of all."""
        return self._own_channel, self._keys.instances_channel

    @property
    def _own_channel(self) -> bytes:
        return self._keys.instance_channel(self.own_name())

    def _beat(self, connection: RedisConnection) -> Answer:
        return connection.run_script(
            BEAT,
            [self._keys.instances],
            self.own_name(),
            round(min(self._seconds, _MAX_SECONDS) * 1000),
            self._own_channel,
            b"",
            self._keys.instances_channel,
        )

    def _take(self, found: list[Any], now: float) -> float:
        """Take the answer to a beat; return after how many seconds the next is due."""
        if not found or not isinstance(found[0], int):
            self._log.log("lease", "Redis does not take that this process lives: %s", refusal(found))
            self._freeze(now)
            return self._interval
        self._judge(found[1::2], now)
        if not found[0]:
            self._neighbours.forgotten()
        # Who says nothing more is found out as soon as its lease has passed.
        ends = min(found[2::2], default=1000 * self._interval) / 1000 + MIN_INTERVAL
        return min(self._interval, ends)

    def _judge(self, living: list[bytes], now: float) -> None:
        arrived, gone = set(living) - self.living, self.living - set(living)
        self._arrive(arrived)
        if now < self._frozen_until:
            return
        was_sound, self.is_sound = self.is_sound, True
        self._go(gone, for_good=False)
        if not was_sound:
            self._neighbours.sound()

    def _freeze(self, now: float) -> None:
        """Take nobody for dead until a lease has passed."""
        self._frozen_until = now + self._seconds
        self.is_sound = False

    def _arrive(self, instances: set[bytes]) -> None:
        if instances:
            self.living |= instances
            self._neighbours.arrived(instances)

    def _go(self, instances: set[bytes], *, for_good: bool) -> None:
        if instances:
            self.living -= instances
            self._neighbours.gone(instances, for_good=for_good)

    def hear(self, channel: bytes, said: bytes) -> bool:
        """Take what a channel says, if it is one of these."""
        if channel == self._own_channel:
            self._unheard = 0
        elif channel == self._keys.instances_channel:
            self._hear_another(said[:1], said[1:])
        else:
            return False
        return True

    def _hear_another(self, sign: bytes, name: bytes) -> None:
        if len(name) != 2 * INSTANCE_SIZE or name == self.own_name():
            return
        if sign == b"+":
            self.meet(name)
        elif sign == b"-":
            self._go({name}, for_good=True)

    def meet(self, name: bytes) -> None:
        """Take it that another process lives, since it has said something."""
        self._arrive({name} - self.living)

    async def leave(self, connection: RedisConnection) -> None:
        """Say that this process is gone."""
        await connection.run_script(LEAVE, [self._keys.instances], self.own_name(), self._keys.instances_channel)
