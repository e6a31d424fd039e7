"""No secret of a client's is logged above DEBUG, or stands in an error, however its connecting fails."""

from __future__ import annotations

import base64
import hashlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any

import pytest

from perfectws import (
    Backoff,
    EventLoop,
    HandshakeError,
    InvalidURL,
    LocalProtocolError,
    RedisBroker,
    WebSocket,
)
from tests.client.raw_server import GUID
from tests.leaks import Records, assert_tells_nothing, secret, told_by, watched

from .conftest import PATIENCE

#: All that a client may carry.
CARRIED: dict[str, Any] = {
    "headers": {"Authorization": f"Bearer {secret('bearer')}", "X-Api-Key": secret("api-key")},
    "cookies": {"session": secret("cookie")},
    "subprotocols": ["chat", f"token.{secret('subprotocol')}"],
}
QUERY = f"?token={secret('query')}&{secret('name')}"


@pytest.fixture
def records() -> Iterator[Records]:
    """Listen to everything, and fail at the end if a secret was told."""
    with watched() as records:
        yield records


def accept(request: bytes) -> bytes:
    """Return the value that accepts a handshake."""
    key = next(line for line in request.split(b"\r\n") if line.lower().startswith(b"sec-websocket-key:"))
    return base64.b64encode(hashlib.sha1(key.partition(b":")[2].strip() + GUID).digest())


def switch(request: bytes, *lines: bytes) -> bytes:
    """Return a 101, with more lines."""
    fixed = (b"HTTP/1.1 101 Switching Protocols", b"Upgrade: websocket", b"Connection: Upgrade")
    return b"\r\n".join([*fixed, b"Sec-WebSocket-Accept: " + accept(request), *lines, b"", b""])


def offered(request: bytes) -> bytes:
    """Return all that was offered, as some servers answer it."""
    lines = request.split(b"\r\n")
    return next(line for line in lines if line.lower().startswith(b"sec-websocket-protocol:"))


@contextmanager
def answering(answer: Callable[[bytes], bytes] | None) -> Iterator[int]:
    """Answer each request so, and end the connection; with ``None`` never. Gives the port."""
    with socket.create_server(("127.0.0.1", 0)) as listener, ExitStack() as kept:

        def serve() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                kept.callback(connection.close)  # one that is not answered stays open
                request = connection.recv(65536)
                if answer is not None and request:
                    connection.sendall(answer(request))
                    connection.close()

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(PATIENCE)


@contextmanager
def nobody() -> Iterator[int]:
    """Give a port on which nobody listens."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound.getsockname()[1]


def location(url: str) -> Callable[[bytes], bytes]:
    return lambda request: f"HTTP/1.1 302 Found\r\nLocation: {url}\r\nContent-Length: 0\r\n\r\n".encode()


#: What servers answer, each with a part of the error.
ANSWERS: dict[str, tuple[Callable[[bytes], bytes] | None, str]] = {
    "never": (None, "not open after"),
    "nothing": (lambda _: b"", "closed the connection"),
    "a refusal": (lambda _: b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno", "the server answered 403"),
    "no HTTP": (lambda _: b"SSH-2.0-x\r\n", "is not HTTP/1.1"),
    "a wrong key": (
        lambda request: switch(request).replace(accept(request), b"wrong"),
        "does not answer our key",
    ),
    "another subprotocol": (
        lambda request: switch(request, b"Sec-WebSocket-Protocol: other"),
        "it chose a subprotocol 'other' that is none of the 2 offered",
    ),
    "all subprotocols": (
        lambda request: switch(request, offered(request)),
        "it chose a subprotocol that is none of the 2 offered",
    ),
    "a malformed cookie": (
        lambda request: switch(request, f"Set-Cookie : session={secret('set-cookie')}".encode()),
        "the answer is not HTTP/1.1: ",
    ),
    "a redirect to a token": (location(f"ftp://h/{QUERY}"), "not followed"),
    "a redirect to a password": (location(f"ws://ann:{secret('redirect')}@h:x/"), "not followed"),
}


def failed(port: int, **options: Any) -> HandshakeError:
    """Return why a client with secrets could not connect."""
    url = f"ws://ann:{secret('password')}@127.0.0.1:{port}/chat{QUERY}"
    with EventLoop() as event_loop:
        with pytest.raises(HandshakeError) as caught:
            WebSocket.connect(to=url, on=event_loop, **{**CARRIED, **options}).wait(PATIENCE)
        return caught.value


@pytest.mark.parametrize("name", ANSWERS)
def test_an_answer_that_is_none(name: str, records: Records) -> None:
    answer, said = ANSWERS[name]
    with answering(answer) as port:
        patience = PATIENCE if answer is not None else 0.3
        error = failed(port, headers={"X-Api-Key": secret("api-key")}, open_timeout=patience)
    assert said in str(error)
    assert_tells_nothing(told_by(error))


def test_a_server_that_is_not_there(records: Records) -> None:
    with nobody() as port:
        error = failed(port, headers={})
    assert f"ws://ann:***@127.0.0.1:{port}/chat?***: cannot connect" in str(error)
    assert_tells_nothing(told_by(error))


@pytest.mark.parametrize("scheme", ["http", "https", "socks5", "socks4a"])
def test_a_proxy_that_is_not_there(scheme: str, records: Records) -> None:
    with nobody() as port:
        error = failed(port, headers={}, proxy=f"{scheme}://ann:{secret('proxy')}@127.0.0.1:{port}")
    assert f"the proxy {scheme}://ann:***@127.0.0.1:{port} cannot be reached" in str(error)
    assert_tells_nothing(told_by(error))


def test_a_proxy_that_refuses(records: Records) -> None:
    with answering(lambda _: b"HTTP/1.1 407 Who?\r\nContent-Length: 0\r\n\r\n") as port:
        error = failed(port, headers={}, proxy=f"http://ann:{secret('proxy')}@127.0.0.1:{port}")
    assert "answered 407" in str(error)
    assert_tells_nothing(told_by(error))


def test_a_proxy_that_has_no_room_for_the_password(records: Records) -> None:
    password = secret("proxy") * 30
    with answering(lambda _: b"\x05\x02") as port:
        error = failed(port, headers={}, proxy=f"socks5://ann:{password}@127.0.0.1:{port}")
    assert "does not connect to" in str(error)
    assert_tells_nothing(told_by(error))


def test_a_client_that_connects_again_and_gives_up(records: Records) -> None:
    dropped: list[tuple[int, str]] = []
    answers = [switch, lambda _: b"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n"]
    with answering(lambda request: answers.pop(0)(request) if len(answers) > 1 else answers[0](request)) as port:
        options: dict[str, Any] = {**CARRIED, "on_drop": lambda code, reason: dropped.append((code, reason))}
        ended = threading.Event()
        with EventLoop() as event_loop:
            connecting = WebSocket.connect(
                to=f"ws://127.0.0.1:{port}/chat{QUERY}",
                on=event_loop,
                on_upgrade=lambda socket: None,
                reconnect=Backoff(first=0.01, attempts=2),
                on_give_up=lambda error: ended.set(),
                **options,
            )
            connecting.send(secret("message"))
            assert ended.wait(PATIENCE)
    assert dropped
    for said in ("connecting again in", "not connecting again"):
        assert f"ws://127.0.0.1:{port}/chat?***" in next(text for text in records.texts if said in text)


def test_a_failure_that_nobody_asks_for(records: Records) -> None:
    with nobody() as port, EventLoop() as event_loop:
        future = WebSocket.connect(to=f"ws://127.0.0.1:{port}/{QUERY}", on=event_loop, on_upgrade=print, **CARRIED)
        while not future.is_done:
            time.sleep(0.01)
        del future
    assert "A future failed and nobody asked for its result" in records.text


#: What cannot be sent, or is no URL: a secret that was read from a file with its line break, or is of another type.
WRONG: dict[str, dict[str, Any]] = {
    "a line break in a header": {"headers": {"Authorization": f"Bearer {secret('bearer')}\n"}},
    "a lone surrogate in a header": {"headers": {"Authorization": f"Bearer {secret('bearer')}\ud800"}},
    "bytes in a header": {"headers": {"Authorization": secret("bearer").encode()}},
    "lines for headers": {"headers": [f"Authorization: Bearer {secret('bearer')}"]},
    "a cookie that would end": {"cookies": {"session": f"{secret('cookie')};"}},
    "a cookie of bytes": {"cookies": {"session": secret("cookie").encode()}},
    "a subprotocol that is none": {"subprotocols": ["chat", f"{secret('token')}=="]},
    "one subprotocol": {"subprotocols": secret("token")},
    "a subprotocol twice": {"subprotocols": [secret("token"), secret("token")]},
    "a proxy of bytes": {"proxy": f"http://ann:{secret('proxy')}@h".encode()},
    "a proxy that is none": {"proxy": f"ftp://ann:{secret('proxy')}@h"},
    "a proxy with a wrong port": {"proxy": f"http://ann:{secret('proxy')}@h:x"},
    "a URL of bytes": {"to": f"ws://h/{QUERY}".encode()},
    "a URL with a wrong port": {"to": f"ws://ann:{secret('password')}@h:x/{QUERY}"},
    "a URL with a fragment": {"to": f"ws://h/#{secret('fragment')}"},
    "a URL with a space": {"to": f"ws://h/ {QUERY}"},
    "a URL of a user": {"to": f"http://{secret('user')}@h/"},
}


@pytest.mark.parametrize("name", WRONG)
def test_what_cannot_be_asked_for(name: str, records: Records) -> None:
    keywords = {"to": "ws://127.0.0.1:1/", **WRONG[name]}
    with EventLoop() as event_loop:
        with pytest.raises((HandshakeError, LocalProtocolError, TypeError)) as caught:
            WebSocket.connect(on=event_loop, **keywords).wait(PATIENCE)
        assert_tells_nothing(told_by(caught.value))


def itself(value: object) -> object:
    return value


@pytest.mark.parametrize("name", [name for name in WRONG if {"to", "headers", "subprotocols"} & WRONG[name].keys()])
def test_what_a_function_should_not_have_returned(name: str, records: Records) -> None:
    given = {"to": "ws://127.0.0.1:1/", **WRONG[name]}
    keywords: dict[str, Any] = {key: partial(itself, value) for key, value in given.items()}
    with EventLoop() as event_loop:
        with pytest.raises((HandshakeError, LocalProtocolError, TypeError)) as caught:
            WebSocket.connect(
                on=event_loop, on_upgrade=print, reconnect=Backoff(first=0.01, attempts=2), **keywords
            ).wait(PATIENCE)
        assert_tells_nothing(told_by(caught.value))


@pytest.mark.parametrize(
    "url", ["redis://ann:{}@h:x", "redis://:a/{}@h", "redis://:a#{}@h", "http://ann:{}@h", "redis://ann:{} @h"]
)
def test_a_url_of_redis_that_is_none(url: str, records: Records) -> None:
    with pytest.raises(ValueError, match=r"\*\*\*") as caught:
        RedisBroker(url.format(secret("redis")))
    assert_tells_nothing(told_by(caught.value))


def test_an_invalid_url_is_told_as_far_as_it_may_be_shown() -> None:
    with pytest.raises(InvalidURL, match=r"'wss://h:x/\?\*\*\*' is no URL"), EventLoop() as event_loop:
        WebSocket.connect(to=f"wss://h:x/{QUERY}", on=event_loop).wait(PATIENCE)
