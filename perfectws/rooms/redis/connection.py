"""One connection to Redis, for both directions; the border to coredis, which nothing else here imports.

Redis 7 is needed: RESP 3, in which what channels say comes between the answers to commands, and ``EPOCH-*`` as the
number of an entry.
"""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Awaitable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any
from zlib import crc32

from .scripts import RUN_DIGITS, SCRIPTS, Script
from .url import RedisURL

if TYPE_CHECKING:
    from coredis.connection import BaseConnection

#: How long Redis may take to accept a connection and to know us, in seconds.
CONNECT_SECONDS = 2.0

Argument = bytes | int


class RedisFailure(Exception):
    """Redis does not do as it must. The connection is made anew then."""


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


def load_client() -> None:
    """Load coredis, which takes a while: outside of loops. Raises `ImportError`, with what to install."""
    try:
        import coredis.connection  # noqa: F401
    except ImportError as error:
        raise ImportError("RedisBroker needs coredis: pip install 'perfectws[redis]'") from error


class RedisConnection:
    """A connection that is open, with the scripts loaded.

    Args:
        connection: What coredis has opened.

    Attributes:
        run: Digits that stand for this run of the server: others after a restart, and on a replica that took over.
    """

    __slots__ = ("_connection", "run")

    def __init__(self, connection: BaseConnection) -> None:
        self._connection = connection
        self.run = b""

    async def prepare(self, channels: tuple[bytes, ...]) -> None:
        """Load the scripts, learn which run of the server this is, and listen to the first channels."""
        loading = [self._connection.create_request(b"SCRIPT LOAD", script.source) for script in SCRIPTS]
        about = await self._connection.create_request(b"INFO", b"server")
        for script, request in zip(SCRIPTS, loading, strict=True):
            if await request != script.sha:
                raise RedisFailure("it calls a script by another name than we do")
        self.run = run_of(about if isinstance(about, bytes) else b"")
        self.tell(b"SUBSCRIBE", *channels)
        # Where that is not allowed, the refusal comes as the answer to this.
        await self._connection.create_request(b"PING")

    def tell(self, command: bytes, *arguments: Argument) -> None:
        """Send a command that is answered by what a channel says: to subscribe, and no longer to."""
        self._connection.send_command(command, *arguments)

    def run_script(self, script: Script, keys: list[bytes], *arguments: Argument) -> Awaitable[Any]:
        """Send a script to be run, behind all that was sent before; its answer may be awaited, or not."""
        return self._connection.create_request(b"EVALSHA", script.sha, len(keys), *keys, *arguments)

    async def heard(self) -> AsyncIterator[tuple[bytes, bytes]]:
        """Yield what channels say: the channel, and what it said. Ends with an exception, as the connection does."""
        async for push in self._connection.push_messages:
            match push:
                case [b"message", bytes() as channel, bytes() as said]:
                    yield channel, said


@asynccontextmanager
async def open_connection(
    url: RedisURL, ssl_context: ssl.SSLContext | None, channels: tuple[bytes, ...]
) -> AsyncIterator[RedisConnection]:
    """Keep a connection open around a block. Whatever is wrong raises an `Exception`, coredis's or another.

    Args:
        url: Where Redis is.
        ssl_context: What to trust, where the connection is encrypted.
        channels: What is listened to from the beginning.
    """
    async with _running(await _located(url, ssl_context)) as raw:
        connection = RedisConnection(raw)
        with _in_time():
            await connection.prepare(channels)
        yield connection


@asynccontextmanager
async def _running(raw: BaseConnection) -> AsyncIterator[BaseConnection]:
    """Run what coredis has to do for a connection around a block."""
    import trio

    scope = trio.CancelScope()

    async def run(task_status: trio.TaskStatus[None]) -> None:
        with scope:
            await raw.run(task_status=task_status)

    try:
        async with trio.open_nursery() as nursery:
            with _in_time():
                await nursery.start(run)
            scope.shield = True  # at the end of the loop, the block may have something left to say
            try:
                yield raw
            finally:
                scope.cancel()
    finally:
        _close(raw)


@contextmanager
def _in_time() -> Iterator[None]:
    """Raise `RedisFailure` where a block takes too long."""
    import trio

    with trio.move_on_after(CONNECT_SECONDS) as scope:
        yield
    if scope.cancelled_caught:
        raise RedisFailure(f"it did not answer within {CONNECT_SECONDS:g} seconds")


def _close(raw: BaseConnection) -> None:
    """Close what coredis leaves open where it could not connect."""
    from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream

    for part in vars(raw).values():
        if isinstance(part, MemoryObjectReceiveStream | MemoryObjectSendStream):
            part.close()


async def _located(url: RedisURL, ssl_context: ssl.SSLContext | None) -> BaseConnection:
    """Return the connection that is to be run: to the address in the URL, or the one that a sentinel names."""
    from coredis.connection import TCPConnection, TCPLocation, UnixDomainSocketConnection, UnixDomainSocketLocation

    if url.path:
        return UnixDomainSocketConnection(
            UnixDomainSocketLocation(url.path), username=url.username, password=url.password, db=url.db
        )
    host, port = await _primary(url, ssl_context) if url.service else url.addresses[0]
    return TCPConnection(
        TCPLocation(host, port),
        username=url.username,
        password=url.password,
        db=url.db,
        ssl_context=ssl_context if url.is_secure else None,
    )


async def _primary(url: RedisURL, ssl_context: ssl.SSLContext | None) -> tuple[str, int]:
    """Ask the sentinels, one after the other, where Redis is."""
    from coredis.connection import TCPConnection, TCPLocation

    reason: Exception | None = None
    for host, port in url.addresses:
        raw = TCPConnection(TCPLocation(host, port), ssl_context=ssl_context if url.is_secure else None)
        try:
            async with _running(raw):
                with _in_time():
                    answer = await raw.create_request(b"SENTINEL GET-MASTER-ADDR-BY-NAME", url.service)
        except Exception as error:
            reason = error
            continue
        match answer:
            case [bytes() as found, bytes() as number]:
                return found.decode(), int(number)
    raise RedisFailure(f"no sentinel knows a Redis that is called {url.service!r}") from reason
