"""How Redis is reached: with TLS and a password, on a port, on a Unix socket, and through sentinels."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import trio

from perfectws.net.loop import Loop
from perfectws.rooms.redis import link
from perfectws.rooms.redis.connection import run_of
from perfectws.rooms.redis.scripts import RUN_DIGITS
from perfectws.rooms.redis.wire import RedisFailure

from .conftest import Processes
from .listener import PATIENCE
from .server import RedisServer


@contextmanager
def serving(*options: str, **more: Any) -> Iterator[RedisServer]:
    """Run a Redis around a block."""
    server = RedisServer(*options, **more)
    try:
        server.start()
        yield server
    finally:
        server.remove()


async def can_talk(url: str, loop: Loop, **options: object) -> None:
    """Two processes hear each other."""
    first, second = await Processes(url, loop).two(**options)
    first.say("a")
    assert await second.until_heard(1) == ["a"]


async def test_on_a_port(loop: Loop) -> None:
    with serving(tcp=True) as server:
        await can_talk(server.url, loop)


async def test_with_tls_a_user_and_a_password(
    loop: Loop, certificate: tuple[Path, Path], trusting: ssl.SSLContext
) -> None:
    chain, key = certificate
    tls = ["--tls-cert-file", str(chain), "--tls-key-file", str(key), "--tls-ca-cert-file", str(chain)]
    user = ["--user", "ada", "on", ">s@cret", "~pws:*", "&pws:*", "+@all"]
    with serving(*tls, "--tls-auth-clients", "no", *user, tls=True) as server:
        await can_talk(f"rediss://ada:s%40cret@localhost:{server.tls_port}", loop, ssl_context=trusting)


async def test_a_certificate_that_is_not_trusted_is_refused(
    loop: Loop, certificate: tuple[Path, Path], caplog: pytest.LogCaptureFixture
) -> None:
    chain, key = certificate
    tls = ["--tls-cert-file", str(chain), "--tls-key-file", str(key), "--tls-ca-cert-file", str(chain)]
    with serving(*tls, "--tls-auth-clients", "no", tls=True) as server:
        processes = Processes(f"rediss://localhost:{server.tls_port}", loop)
        room = processes.room()
        room.open()
        assert await room.log() is None
        room.channel.close()
    assert "certificate" in caplog.text.lower()


async def test_a_user_who_may_not_subscribe_is_told_what_he_may_not(
    loop: Loop, caplog: pytest.LogCaptureFixture
) -> None:
    with serving("--user", "ada", "on", ">secret", "~pws:*", "resetchannels", "+@all") as server:
        room = Processes(f"unix://ada:secret@{server.path}", loop).room()
        room.open()
        assert await room.log() is None
        room.channel.close()
    assert "no permissions" in caplog.text.lower()


async def test_through_sentinels_to_whoever_is_the_primary_now(loop: Loop) -> None:
    with serving(tcp=True) as primary, serving(tcp=True, watched=primary) as sentinel:
        await can_talk(f"redis+sentinel://127.0.0.1:1,127.0.0.1:{sentinel.port}/0?service=chat", loop)


async def test_a_primary_that_became_a_replica_is_left(loop: Loop) -> None:
    with serving(tcp=True) as old, serving(tcp=True) as new, serving(tcp=True, watched=old) as sentinel:
        first, second = await Processes(f"redis+sentinel://127.0.0.1:{sentinel.port}?service=chat", loop).two()
        first.say("a")
        assert await second.until_heard(1) == ["a"]
        sentinel.ask("SENTINEL", "REMOVE", "chat")
        sentinel.ask("SENTINEL", "MONITOR", "chat", "127.0.0.1", str(new.port), "1")
        old.ask("REPLICAOF", "127.0.0.1", str(new.port))
        first.say("b")
        assert await second.until_heard(2) == ["a", "b"]


async def test_a_redis_that_forgets_the_scripts_is_told_them_over_the_same_connection(loop: Loop) -> None:
    with serving() as server:
        processes = Processes(server.url, loop)
        broker = processes.broker()
        first, second = processes.room(broker), processes.room()
        for room in (first, second):
            room.open()
            await room.until_open()
        server.ask("SCRIPT", "FLUSH")
        first.say("a")
        assert await second.until_heard(1) == ["a"]
        assert broker.figures.reconnects == 0


async def test_who_speaks_again_and_again_keeps_the_connection(loop: Loop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link, "LOOK_INTERVAL", 0.05)
    with serving() as server:
        processes = Processes(server.url, loop)
        broker = processes.broker()
        room = processes.room(broker)
        for _ in range(40):
            room.say("a")
            await trio.sleep(0.005)
        assert broker.figures.reconnects == 0
        with trio.fail_after(PATIENCE):
            while broker.figures.is_connected:
                await trio.sleep(0.01)


async def test_much_that_goes_out_at_once_arrives_whole(
    loop: Loop, certificate: tuple[Path, Path], trusting: ssl.SSLContext
) -> None:
    chain, key = certificate
    tls = ["--tls-cert-file", str(chain), "--tls-key-file", str(key), "--tls-ca-cert-file", str(chain)]
    with serving(*tls, "--tls-auth-clients", "no", tcp=True, tls=True) as server:
        encrypted = Processes(f"rediss://localhost:{server.tls_port}", loop)
        plain = encrypted.room(encrypted.broker(url=server.url, max_queue=1 << 24))
        hidden = encrypted.room(encrypted.broker(ssl_context=trusting, max_queue=1 << 24))
        for room in (plain, hidden):
            room.open()
            await room.until_open()
        texts = [letter * 4_000_000 for letter in "ab"]
        plain.say(texts[0])
        assert await hidden.until_heard(1) == texts[:1]
        hidden.say(texts[1])
        assert await plain.until_heard(2) == texts


def test_a_redis_that_is_too_old_is_refused_and_others_have_digits_for_each_run() -> None:
    assert run_of(b"redis_version:7.0.15\r\nrun_id:a\r\n") != run_of(b"redis_version:7.0.15\r\nrun_id:b\r\n")
    assert len(run_of(b"# Server\r\nvalkey_version:8.0.0\r\n")) == RUN_DIGITS
    with pytest.raises(RedisFailure, match=r"it is Redis 6\.2\.7, and 7 is needed"):
        run_of(b"redis_version:6.2.7\r\nrun_id:a\r\n")
