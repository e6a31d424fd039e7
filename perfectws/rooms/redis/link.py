"""The connection to Redis, kept up in a loop of this process as long as there is something to do.

::

    none ──► connecting ──► connected ──► none     nothing is left to do, or the loop ends and no other runs
                 ▲  │            │
                 │  └─► waiting ◄┘                 it failed, whatever the reason
                 └─────────┘

All that is to be said and heard waits outside of it, so a connection that fails takes nothing with it. Where no loop
runs, it waits for the next that does.
"""

from __future__ import annotations

import logging
import ssl
from collections.abc import Iterator
from inspect import CORO_CLOSED, getcoroutinestate
from random import uniform
from threading import Lock
from typing import NamedTuple
from weakref import WeakSet

from ...callbacks import CallbackLoop, CallbackOwner, LoopWatcher, context_in, loops_here
from ...log_limit import LogLimit
from .connection import RedisConnection, open_connection
from .counts import Counts
from .listening import Listening
from .presence import Presence
from .publishing import Publishing
from .reading import PATIENCE, Reading
from .url import RedisURL

logger = logging.getLogger("perfectws")

#: The first pause before the connection is made anew, the longest, and after how long without a failure the next is
#: the first again; in seconds.
FIRST_PAUSE, MAX_PAUSE, CALM = 0.05, 1.0, 5.0
#: How often is looked whether anything is left to do, in seconds.
LOOK_INTERVAL = 0.25
#: How often Redis is told that the rooms are still there, so that it keeps what it knows of them, in seconds.
REFRESH_INTERVAL = 900.0
#: How long is tried to reach Redis for what waits, where no room has members, in seconds.
MAX_TRYING = 10.0
#: How long the last that is said may take, in seconds.
FAREWELL_SECONDS = 1.0


class Duties(NamedTuple):
    """What is done over the connection."""

    publishing: Publishing
    listening: Listening
    presence: Presence
    reading: Reading

    @property
    def is_idle(self) -> bool:
        """Whether there is nothing to do."""
        return not (self.is_waiting or self.listening)

    @property
    def is_waiting(self) -> bool:
        """Whether anything is to be said or asked, which any loop will do for."""
        return bool(self.publishing.queue or self.presence or self.reading)

    @property
    def done(self) -> int:
        """How much was done so far of what comes and goes while no room listens."""
        return self.publishing.flights + self.reading.reads


class Link(LoopWatcher):
    """Keeps the connection up.

    Args:
        url: Where Redis is.
        ssl_context: What to trust, where the connection is encrypted.
        duties: What is done over it.
        counts: The broker's figures.
        log: Where to say what goes wrong.

    Attributes:
        is_connected: Whether there is a connection.
    """

    def __init__(
        self, url: RedisURL, ssl_context: ssl.SSLContext | None, duties: Duties, counts: Counts, log: LogLimit
    ) -> None:
        self._url = url
        self._ssl_context = ssl_context
        self._duties = duties
        self._counts = counts
        self._log = log
        #: Guards which loop is taken. Who adds something to do then reads `_loop`; who takes no loop any more looks
        #: then whether there is something to do: so one of them sees it.
        self._lock = Lock()
        self._loop: CallbackLoop | None = None
        #: Loops that were asked too late, or are about to end.
        self._ended: WeakSet[CallbackLoop] = WeakSet()
        self._connections = 0
        self._failures = 0
        self._is_closed = False
        self._is_asking = False
        self.is_connected = False
        super().__init__()

    def need(self, loop: CallbackLoop | None) -> None:
        """See to it that there will be a connection, unless there is. From any thread.

        Args:
            loop: Where, if it runs. Else it is in another that does; if none does, in the next.
        """
        if self._loop is not None or self._is_closed:
            return
        with self._lock:
            taken = self._take(loop) if self._loop is None else None
        self._begin(taken)

    def ask(self, loop: CallbackLoop | None) -> bool:
        """As `need`; tell whether Redis can be asked, as far as is known: it is connected, or is tried first."""
        self.need(loop)
        with self._lock:
            return self._is_asking

    def close(self) -> None:
        """Say what is still to be said, and connect no more. From any thread."""
        self._is_closed = True

    def loop_began(self, loop: CallbackLoop) -> None:
        """Do what has waited for a loop."""
        if self._duties.is_waiting:
            self.need(loop)

    def forget_loops(self) -> None:
        """Begin anew, in a process that was forked."""
        self._lock = Lock()
        self._loop = None
        self._is_asking = self.is_connected = False

    # Which loop

    def _take(self, loop: CallbackLoop | None) -> CallbackLoop | None:
        """Take a loop, if there is one. Under the lock."""
        self._loop = self._choose(loop)
        self._is_asking = self._loop is not None
        return self._loop

    def _choose(self, loop: CallbackLoop | None, besides: CallbackLoop | None = None) -> CallbackLoop | None:
        """Return a loop that runs: ``loop``, else one in which a room has members, else any that will do."""
        running = dict.fromkeys(each for each in loops_here() if each is not besides and each not in self._ended)
        if loop in running:
            return loop
        with_members = next((each for each in self._loops_with_members() if each in running), None)
        return with_members or (next(iter(running), None) if self._duties.is_waiting else None)

    def _loops_with_members(self) -> Iterator[CallbackLoop]:
        for room in self._duties.listening.rooms():
            subscriber = room.subscriber
            if subscriber is not None:
                yield from subscriber.loops()

    def _is_in_the_way(self) -> bool:
        """Tell whether this keeps a loop from its end that could end, only for members of rooms in another."""
        loop = self._loop
        if loop is None or not loop.ends_when_idle or self._duties.is_waiting:
            return False
        return all(each is not loop for each in self._loops_with_members()) and self._choose(None, loop) is not None

    def _begin(self, loop: CallbackLoop | None) -> None:
        if loop is not None:
            loop.ask(loop.owner, self._start, loop)

    def _start(self, loop: CallbackLoop) -> None:
        running = self._run(loop)
        loop.start_task(CallbackOwner(context_in(loop)), running)
        if getcoroutinestate(running) == CORO_CLOSED:  # the loop has ended, and ran nothing
            self._ended.add(loop)
            self._end(goes_on=True)

    async def _run(self, loop: CallbackLoop) -> None:
        is_ending, goes_on = True, True
        try:
            goes_on = await self._keep_up()
            is_ending = False
        finally:
            if is_ending:
                self._ended.add(loop)
            self._end(goes_on)

    def _end(self, goes_on: bool) -> None:
        """Do nothing more here.

        Args:
            goes_on: Whether what is left to do, or has come meanwhile, is done in a loop that runs. If not it waits for
                the next message.
        """
        with self._lock:
            self._loop = None
            self._is_asking = False
            taken = self._take(None) if goes_on and not (self._is_closed or self._duties.is_idle) else None
        if taken is None:
            self._give_up()
        self._begin(taken)

    def _give_up(self) -> None:
        """Answer those who wait for an answer: there will be none soon."""
        self._duties.presence.give_up()
        self._duties.reading.give_up()

    async def _keep_up(self) -> bool:
        """Connect again and again, until nothing is left to do; tell whether that is so, or Redis was away for long."""
        from trio import current_time, sleep

        self._failures, last_seen = 0, current_time()
        while not self._is_closed:
            connections, began = self._connections, current_time()
            try:
                await self._serve()
                return True
            except* Exception as errors:  # beside them there may be the cancellation of the loop's end, which goes on
                self._complain(errors)
            now = current_time()
            if self._connections == connections:
                self._is_asking = False
                self._give_up()
                self._duties.publishing.tell_lost()
            else:
                self._duties.reading.give_up(PATIENCE)  # over the next connection it may be no better
                last_seen = now
            if self._duties.is_idle:
                return True
            if not self._duties.listening and now - last_seen > MAX_TRYING:
                return False
            await sleep(self._pause(now - began))
        return True

    def _complain(self, error: BaseException) -> None:
        """Say what is wrong, in the words of what is behind it all: trio wraps one error in another."""
        while (inner := error.exceptions[0] if isinstance(error, BaseExceptionGroup) else error.__cause__) is not None:
            error = inner
        system_says = error.strerror if isinstance(error, ConnectionError) else None
        self._log.log(
            "down",
            "There is no connection to Redis at %s (%s). Until there is, messages reach only this process",
            self._url.text,
            system_says or f"{type(error).__name__}: {error}",
        )

    def _pause(self, lasted: float) -> float:
        self._failures = 1 if lasted > CALM else self._failures + 1
        return uniform(0.5, 1) * min(FIRST_PAUSE * 2.0 ** min(self._failures - 1, 10), MAX_PAUSE)

    async def _serve(self) -> None:
        """Do what there is to do over one connection, until nothing is left; raise when it is lost."""
        channels = self._duties.presence.lease.channels
        async with open_connection(self._url, self._ssl_context, channels, self._hear) as connection:
            self._connected()
            has_failed = False
            try:
                await self._work(connection)
            except Exception:
                has_failed = True
                raise
            finally:
                self.is_connected = False
                if not has_failed:
                    await self._say_last(connection)

    def _connected(self) -> None:
        self._counts.reconnects += self._connections > 0
        self._connections += 1
        if self._failures:
            logger.info("There is a connection to Redis at %s again", self._url.text)
        self.is_connected = self._is_asking = True

    async def _work(self, connection: RedisConnection) -> None:
        from trio import current_time, open_nursery, sleep

        duties = self._duties
        async with open_nursery() as nursery:
            for run in (
                duties.listening.run,
                duties.publishing.run,
                duties.reading.run,
                duties.presence.run,
                duties.presence.lease.run,
            ):
                nursery.start_soon(run, connection)
            nursery.start_soon(connection.until_lost)
            refreshed, done = current_time(), -1
            # Who says or asks something again and again keeps the connection, though all is answered when this looks.
            while not (self._is_closed or self._is_in_the_way()) and (not duties.is_idle or duties.done != done):
                done = duties.done
                await sleep(LOOK_INTERVAL)
                if current_time() - refreshed > REFRESH_INTERVAL:
                    refreshed = current_time()
                    duties.listening.refresh()
            self._failures = 0
            nursery.cancel_scope.cancel()

    def _hear(self, channel: bytes, said: bytes) -> None:
        duties = self._duties
        try:
            _ = duties.listening.hear(channel, said) or duties.presence.lease.hear(channel, said)
        except Exception:
            logger.exception("perfectws failed to take what Redis says")

    async def _say_last(self, connection: RedisConnection) -> None:
        """Say what is left to be said, as far as that is possible in short."""
        from trio import move_on_after

        duties = self._duties
        with move_on_after(FAREWELL_SECONDS, shield=True):
            try:
                while duties.publishing.send(connection):
                    await duties.publishing.settle()
                while await duties.presence.say(connection):
                    pass
                if self._is_closed or duties.is_idle or self._choose(None, besides=self._loop) is None:
                    await duties.presence.lease.leave(connection)
            except Exception as error:
                self._log.log("last", "Redis did not hear the last of this process: %s", error)
