"""One connection to Redis, for both directions: how it begins, and what is asked over it.

Redis 7 is needed: RESP 3, in which what channels say comes between the answers to commands, and ``EPOCH-*`` as the
number of an entry.
"""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any
from zlib import crc32

from .pipes import Pipe, open_tcp_pipe, open_unix_pipe
from .scripts import RUN_DIGITS, SCRIPTS, Script
from .url import RedisURL
from .wire import Answer, RedisFailure, Wire

if TYPE_CHECKING:
    import trio

#: How long Redis may take to accept a connection and to know us, in seconds.
CONNECT_SECONDS = 2.0
#: What ``CLIENT LIST`` says of us.
CLIENT_NAME = b"perfectws"

#: Called with a channel, and with what it says.
Hear = Callable[[bytes, bytes], object]


def run_of(about: bytes) -> bytes:
    """Return the digits that stand for a run of the server, by what ``INFO server`` says.

    Raises:
        RedisFailure: The server is too old.
    """
    found = dict(line.split(b":", 1) for line in about.splitlines() if b":" in line)
    version = found.get(b"redis_version", b"")
    if version and int(version.partition(b".")[0]) < 7:
        raise RedisFailure(f"it is Redis {version.decode()}, and 7 is needed")
    return b"%0*d" % (RUN_DIGITS, crc32(found.get(b"run_id", b"")) % 10**RUN_DIGITS)


def refusal(answer: object) -> str:
    """Return why a script was refused what it wanted to write, by what it has answered instead.

    Raises:
        RedisFailure: Another Redis is to be asked: this one is a replica now.
    """
    match answer:
        case [bytes() as reason]:
            text = reason.decode("utf-8", "replace")
        case _:
            text = f"it answered {answer!r:.100}"
    if text.startswith("READONLY"):
        raise RedisFailure(text)
    return text


class RedisConnection:
    """A connection that is open, with the scripts loaded.

    Args:
        wire: What carries it.

    Attributes:
        run: Digits that stand for this run of the server: others after a restart, and on a replica that took over.
    """

    __slots__ = ("_wire", "run")

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self.run = b""

    async def prepare(self, url: RedisURL, channels: tuple[bytes, ...]) -> None:
        """Say who we are, load the scripts, learn which run of the server this is, and listen to the first channels."""
        await self.greet(url.username, url.password)
        if url.db:
            await self._ask(b"SELECT", url.db)
        loading = [self._wire.ask((b"SCRIPT", b"LOAD", script.source)) for script in SCRIPTS]
        about = await self._ask(b"INFO", b"server")
        for script, answer in zip(SCRIPTS, loading, strict=True):
            if await answer != script.sha:
                raise RedisFailure("it calls a script by another name than we do")
        self.run = run_of(about if isinstance(about, bytes) else b"")
        self.tell(b"SUBSCRIBE", *channels)
        # Where that is not allowed, the refusal comes as the answer to this.
        await self._ask(b"PING")

    async def greet(self, username: str | None, password: str | None) -> None:
        """Say who we are, and which protocol we speak."""
        command: list[bytes] = [b"HELLO", b"3"]
        if password is not None:
            command += [b"AUTH", (username or "default").encode(), password.encode()]
        if not isinstance(await self._ask(*command, b"SETNAME", CLIENT_NAME), dict):
            raise RedisFailure("it does not speak RESP 3")

    def _ask(self, *command: bytes | int) -> Answer:
        answer = self._wire.ask(command)
        self._wire.send_soon()
        return answer

    def tell(self, *command: bytes) -> None:
        """Send a command that is answered by what a channel says: to subscribe, and no longer to."""
        self._wire.tell(command)
        self._wire.send_soon()

    def run_script(self, script: Script, keys: list[bytes], *arguments: bytes | int) -> Answer:
        """Send a script to be run, behind all that was sent before; its answer may be awaited, or not."""
        answer = self.queue_script(script, keys, *arguments)
        self._wire.send_soon()
        return answer

    def queue_script(self, script: Script, keys: list[bytes], *arguments: bytes | int) -> Answer:
        """Let a script wait to be sent, until `send`."""
        rest = (len(keys), *keys, *arguments)
        # The server forgets scripts if it is told to.
        return self._wire.ask((b"EVALSHA", script.sha, *rest), instead=(b"EVAL", script.source, *rest))

    def send(self) -> None:
        """Send what waits, here and now."""
        self._wire.send()

    def rest(self, seconds: float) -> None:
        """Wake nobody for what comes within so short a time: it may wait for `receive`. 0 ends that."""
        self._wire.rest(seconds)

    def receive(self) -> None:
        """Take what has come."""
        self._wire.receive()

    async def sentinels_word(self, service: str) -> tuple[str, int]:
        """Ask a sentinel where Redis is."""
        match await self._ask(b"SENTINEL", b"GET-MASTER-ADDR-BY-NAME", service.encode()):
            case [bytes() as host, bytes() as port]:
                return host.decode(), int(port)
        raise RedisFailure(f"the sentinel knows no Redis that is called {service!r}")

    async def until_lost(self) -> None:
        """Wait until the connection is lost, which raises `RedisFailure`."""
        await self._wire.until_lost()


@asynccontextmanager
async def open_connection(
    url: RedisURL, ssl_context: ssl.SSLContext | None, channels: tuple[bytes, ...], hear: Hear
) -> AsyncIterator[RedisConnection]:
    """Keep a connection open around a block. Whatever is wrong raises an `Exception`.

    Args:
        url: Where Redis is.
        ssl_context: What to trust, where the connection is encrypted.
        channels: What is listened to from the beginning.
        hear: Called with each channel that says something, and with what it said.
    """

    def take(pushed: list[Any]) -> None:
        if len(pushed) == 3 and pushed[0] == b"message":
            hear(pushed[1], pushed[2])

    with _in_time():
        pipe = await _open_pipe(url, ssl_context)
    async with _running(pipe, Wire(pipe, take)) as connection:
        with _in_time():
            await connection.prepare(url, channels)
        yield connection


@asynccontextmanager
async def _running(pipe: Pipe, wire: Wire) -> AsyncIterator[RedisConnection]:
    """Run a wire around a block, and close it."""
    import trio

    try:
        async with trio.open_nursery() as nursery:
            # At the end of the loop, the block may have something left to say.
            scope = trio.CancelScope(shield=True)
            nursery.start_soon(_run_in, scope, wire)
            try:
                yield RedisConnection(wire)
            finally:
                scope.cancel()
    finally:
        await pipe.close()


async def _run_in(scope: trio.CancelScope, wire: Wire) -> None:
    with scope:
        await wire.run()


@contextmanager
def _in_time() -> Iterator[None]:
    """Raise `RedisFailure` where a block takes too long."""
    import trio

    with trio.move_on_after(CONNECT_SECONDS) as scope:
        yield
    if scope.cancelled_caught:
        raise RedisFailure(f"it did not answer within {CONNECT_SECONDS:g} seconds")


async def _open_pipe(url: RedisURL, ssl_context: ssl.SSLContext | None) -> Pipe:
    """Connect to the address in the URL, or the one that a sentinel names."""
    if url.path:
        return await open_unix_pipe(url.path)
    host, port = await _primary(url, ssl_context) if url.service else url.addresses[0]
    return await open_tcp_pipe(host, port, ssl_context if url.is_secure else None)


async def _primary(url: RedisURL, ssl_context: ssl.SSLContext | None) -> tuple[str, int]:
    """Ask the sentinels, one after the other, where Redis is."""
    reason: Exception | None = None
    for host, port in url.addresses:
        try:
            with _in_time():
                pipe = await open_tcp_pipe(host, port, ssl_context if url.is_secure else None)
                async with _running(pipe, Wire(pipe, len)) as connection:
                    await connection.greet(None, None)
                    return await connection.sentinels_word(url.service)
        except Exception as error:
            reason = error
    raise RedisFailure(f"no sentinel knows a Redis that is called {url.service!r}") from reason
