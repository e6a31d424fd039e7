"""``reconnect=`` with control: how often, whether, with what, and what the application is told."""

from __future__ import annotations

import logging
import time
from itertools import islice
from typing import Any

import pytest
import trio

from perfectws import Backoff, ConnectionClosed, ConnectionRejected, HandshakeError, LocalProtocolError, WebSocket
from perfectws.client.retrying import Waits, may_pass, retry_after
from perfectws.http.dates import http_date

from ..calls import Calls
from .raw_server import RawConnection, RawServer

FAST = Backoff(first=0.001, longest=0.01)


def nothing(ws: WebSocket) -> None:
    """Take no messages."""


async def refuse(connection: RawConnection, status: int, *headers: str) -> None:
    await connection.read_request()
    lines = [f"HTTP/1.1 {status} No", "Content-Length: 0", *headers]
    await connection.stream.send_all(("\r\n".join(lines) + "\r\n\r\n").encode())
    await connection.receive_eof()


# How long, and how often


@pytest.mark.parametrize(("jitter", "least"), [(0, 4.0), (0.25, 3.0), (1, 0.0)])
def test_jitter_is_the_largest_part_by_which_a_wait_is_shortened(jitter: float, least: float) -> None:
    waits = list(islice(Backoff(first=4, factor=1, longest=4, jitter=jitter).delays(), 200))
    assert all(least <= wait <= 4 for wait in waits)
    assert (len(set(waits)) == 1) == (jitter == 0)
    assert min(waits) < least + 1
    assert max(waits) > 3.5 if jitter < 1 else 3


async def test_it_is_given_up_after_so_many_attempts_in_a_row(transport: str, raw_server: RawServer) -> None:
    gave_up = Calls()
    async with trio.open_nursery() as nursery:
        future = WebSocket.connect(
            to=raw_server.url,
            on=nursery,
            reconnect=Backoff(0.001, 1, 0.001, attempts=3),
            on_upgrade=nothing,
            on_give_up=gave_up,
        )
        for _ in range(3):
            await refuse(await raw_server.accept(), 503)
        with pytest.raises(ConnectionRejected, match="503"):
            await future
        ((error,),) = await gave_up.until(1)
    assert error.status == 503


async def test_the_attempts_are_counted_anew_after_each_connection(
    transport: str, raw_server: RawServer, caplog: pytest.LogCaptureFixture
) -> None:
    retries, gave_up = Calls(), Calls()
    async with trio.open_nursery() as nursery:
        WebSocket.connect(
            to=raw_server.url,
            on=nursery,
            reconnect=Backoff(0.001, 1, 0.001, attempts=2),
            on_upgrade=nothing,
            on_retry=retries,
            on_give_up=gave_up,
        )
        for _ in range(3):
            await refuse(await raw_server.accept(), 503)
            connection = await raw_server.accept()
            await connection.upgrade()
            await connection.stream.aclose()
        await refuse(await raw_server.accept(), 503)
        await refuse(await raw_server.accept(), 500)
        ((error,),) = await gave_up.until(1)
    assert error.status == 500
    assert [attempt for attempt, _, _ in retries.got] == [1, 1, 2, 1, 2, 1, 2]
    assert "500 Internal Server Error instead of 101; not connecting again" in caplog.text


# What the server says


def rejection(status: int, **headers: str) -> ConnectionRejected:
    return ConnectionRejected("no", status, [(name.replace("_", "-"), value) for name, value in headers.items()])


@pytest.mark.parametrize(
    ("text", "least", "most"),
    [
        ("0", 0, 0),
        ("120", 120, 120),
        (" 7 ", 7, 7),
        ("in 100,000 seconds", 90_000, 100_000),
        ("Sun, 06 Nov 1994 08:49:37 GMT", 0, 0),
    ],
)
def test_retry_after_is_a_number_of_seconds_or_a_date(text: str, least: float, most: float) -> None:
    date = http_date(time.time() + 100_000)
    seconds = retry_after(rejection(503, Retry_After=date if text.startswith("in") else text))
    assert seconds is not None
    assert least <= seconds <= most


@pytest.mark.parametrize("text", ["-1", "soon", "1.5", "", "\N{SUPERSCRIPT TWO}", "Sun, 99 Nov 1994 08:49:37 GMT"])
def test_what_is_neither_says_nothing(text: str) -> None:
    assert retry_after(rejection(503, Retry_After=text)) is None


def test_only_what_a_server_says_can_say_it() -> None:
    assert retry_after(rejection(503)) is None
    assert retry_after(HandshakeError("no")) is None


@pytest.mark.parametrize(
    ("error", "passes"),
    [
        (rejection(500), True),
        (rejection(503), True),
        (rejection(408), True),
        (rejection(425), True),
        (rejection(429), True),
        (rejection(400), False),
        (rejection(401), False),
        (rejection(403), False),
        (rejection(404), False),
        (rejection(302), False),
        (rejection(200), False),
        (rejection(403, Retry_After="5"), True),
        (HandshakeError("refused"), True),
        (ConnectionClosed(1006), True),
        (ConnectionClosed(1008), True),
    ],
)
def test_a_no_is_final_and_all_else_may_pass(error: Exception, passes: bool) -> None:
    assert may_pass(error) == passes


@pytest.mark.parametrize(("text", "waits"), [("0", [1, 2, 4]), ("3", [3, 3, 4]), ("5", [5, 5, 5])])
def test_retry_after_makes_a_wait_longer_and_never_shorter(text: str, waits: list[float]) -> None:
    row, error = Waits(Backoff(1, 2, 30, jitter=0)), rejection(403, Retry_After=text)
    assert [row.next_wait(error) for _ in waits] == waits


async def test_retry_after_is_obeyed(raw_server: RawServer, caplog: pytest.LogCaptureFixture) -> None:
    retries = Calls()
    async with trio.open_nursery() as nursery:
        WebSocket.connect(to=raw_server.url, on=nursery, reconnect=FAST, on_upgrade=nothing, on_retry=retries)
        await refuse(await raw_server.accept(), 403, "Retry-After: 1000")
        ((attempt, seconds, error),) = await retries.until(1)
        nursery.cancel_scope.cancel()
    assert (attempt, seconds, error.status) == (1, 1000, 403)
    assert "connecting again in 1000.0 seconds" in caplog.text


# Whether


@pytest.mark.parametrize("is_async", [False, True])
async def test_a_predicate_decides_on_drops_and_on_failures(
    transport: str, raw_server: RawServer, is_async: bool, caplog: pytest.LogCaptureFixture
) -> None:
    asked: list[Exception] = []
    gave_up = Calls()

    def decide(error: Exception) -> bool:
        asked.append(error)
        return len(asked) < 3

    async def decide_later(error: Exception) -> bool:
        await trio.sleep(0)
        return decide(error)

    async with trio.open_nursery() as nursery:
        WebSocket.connect(
            to=raw_server.url,
            on=nursery,
            reconnect=FAST,
            on_upgrade=nothing,
            should_retry=decide_later if is_async else decide,
            on_give_up=gave_up,
        )
        await refuse(await raw_server.accept(), 401)  # which would be final
        for code in (1012, 4001):
            connection = await raw_server.accept()
            await connection.upgrade()
            await connection.close_handshake(code)
        ((last,),) = await gave_up.until(1)
    refusal, restart, _ = asked
    assert isinstance(refusal, ConnectionRejected)
    assert refusal.status == 401
    assert isinstance(restart, ConnectionClosed)
    assert (restart.code, last.code, last) == (1012, 4001, asked[2])


async def test_a_predicate_that_raises_ends_it(raw_server: RawServer, caplog: pytest.LogCaptureFixture) -> None:
    def decide(error: Exception) -> bool:
        raise RuntimeError("undecided")

    async with trio.open_nursery() as nursery:
        future = WebSocket.connect(
            to=raw_server.url, on=nursery, reconnect=FAST, on_upgrade=nothing, should_retry=decide
        )
        await refuse(await raw_server.accept(), 503)
        with pytest.raises(RuntimeError, match="undecided"):
            await future
    assert "A callback raised RuntimeError" in caplog.text


# What the application is told


async def test_each_drop_is_told_with_its_code_and_each_wait_with_its_reason(
    transport: str, raw_server: RawServer
) -> None:
    drops: list[tuple[int, str]] = []
    retries = Calls()

    async def dropped(code: int, reason: str) -> None:
        drops.append((code, reason))

    sockets = Calls()
    async with trio.open_nursery() as nursery:
        WebSocket.connect(
            to=raw_server.url,
            on=nursery,
            reconnect=Backoff(0.002, 1, 0.002, jitter=0),
            on_upgrade=sockets,
            on_drop=dropped,
            on_retry=retries,
        )
        connection = await raw_server.accept()
        await connection.upgrade()
        await connection.close_handshake(1012, "restart")
        connection = await raw_server.accept()
        await connection.upgrade()
        await connection.stream.aclose()
        await refuse(await raw_server.accept(), 503)
        connection = await raw_server.accept()
        await connection.upgrade()
        *_, (last,) = await sockets.until(3)
        last.close()  # which is no drop
        frame = await connection.receive_close()
        await connection.send(frame.opcode, frame.payload)
        await connection.stream.aclose()
    restarted, (lost, _) = drops
    assert (restarted, lost) == ((1012, "restart"), 1006)
    first, second, third = retries.got
    assert first[:2] == (1, 0.002)
    assert str(first[2]) == "the WebSocket is closed: 1012 (restart)"
    assert second[:2] == (1, 0.002)
    assert third[:2] == (2, 0.002)
    assert isinstance(third[2], ConnectionRejected)


async def test_what_these_callbacks_raise_costs_nothing(
    raw_server: RawServer, caplog: pytest.LogCaptureFixture
) -> None:
    def wrong(*args: object) -> None:
        raise RuntimeError("wrong")

    sockets = Calls()
    async with trio.open_nursery() as nursery:
        WebSocket.connect(
            to=raw_server.url, on=nursery, reconnect=FAST, on_upgrade=sockets, on_drop=wrong, on_retry=wrong
        )
        for _ in range(2):
            connection = await raw_server.accept()
            await connection.upgrade()
            await connection.stream.aclose()
        await sockets.until(2)
        nursery.cancel_scope.cancel()
    assert caplog.text.count("A callback raised RuntimeError") >= 2


# With what


@pytest.mark.parametrize("is_async", [False, True])
async def test_the_url_the_headers_and_the_subprotocols_are_asked_anew_before_each_attempt(
    transport: str, raw_server: RawServer, is_async: bool
) -> None:
    count = 0

    def url() -> str:
        nonlocal count
        count += 1
        return f"{raw_server.url}{count}"

    def headers() -> dict[str, str]:
        return {"Authorization": f"Bearer {count}"}

    def subprotocols() -> list[str]:
        return [f"chat.v{count}"]

    def asynchronous(function: Any) -> Any:
        async def ask() -> Any:
            await trio.sleep(0)
            return function()

        return ask

    given: list[Any] = [asynchronous(each) if is_async else each for each in (url, headers, subprotocols)]
    sockets = Calls()
    async with trio.open_nursery() as nursery:
        future = WebSocket.connect(
            to=given[0], headers=given[1], subprotocols=given[2], on=nursery, reconnect=FAST, on_upgrade=sockets
        )
        assert count == 0  # nothing is called before this returns
        for number in (1, 2):
            connection = await raw_server.accept()
            await connection.upgrade(f"Sec-WebSocket-Protocol: chat.v{number}")
            assert connection.request_line == f"GET /{number} HTTP/1.1"
            assert connection.headers["authorization"] == f"Bearer {number}"
            assert connection.headers["sec-websocket-protocol"] == f"chat.v{number}"
            await connection.stream.aclose()
        (first,), (second,) = await sockets.until(2)
        assert await future is first
        assert second.subprotocol == "chat.v2"
        nursery.cancel_scope.cancel()


async def test_they_may_be_functions_of_a_connect_that_is_made_once(raw_server: RawServer) -> None:
    async with trio.open_nursery() as nursery:
        future = WebSocket.connect(to=lambda: raw_server.url, on=nursery, headers=lambda: [("X-A", "1")])
        connection = await raw_server.accept()
        await connection.upgrade()
        assert connection.headers["x-a"] == "1"
        assert (await future).is_connected
        nursery.cancel_scope.cancel()


async def test_a_token_that_cannot_be_had_is_an_attempt_that_failed(
    raw_server: RawServer, caplog: pytest.LogCaptureFixture
) -> None:
    tokens = iter(["", "t1"])

    def headers() -> dict[str, str]:
        token = next(tokens)
        if not token:
            raise OSError("no network")
        return {"Authorization": token}

    async with trio.open_nursery() as nursery:
        with pytest.raises(HandshakeError, match=r"headers\(\) raised RuntimeError: none") as caught:
            await WebSocket.connect(to=raw_server.url, on=nursery, headers=raise_none)
        assert isinstance(caught.value.__cause__, RuntimeError)
        future = WebSocket.connect(to=raw_server.url, on=nursery, headers=headers, reconnect=FAST, on_upgrade=nothing)
        await (await raw_server.accept()).upgrade()
        await future
        nursery.cancel_scope.cancel()
    assert "headers() raised OSError: no network; connecting again in" in caplog.text


def raise_none() -> dict[str, str]:
    raise RuntimeError("none")


async def test_a_token_that_never_comes_is_bounded_by_open_timeout_and_nothing_is_left_of_it(
    raw_server: RawServer,
) -> None:
    ended = trio.Event()

    async def headers() -> dict[str, str]:
        try:
            await trio.sleep_forever()
        finally:
            ended.set()
        return {}

    async with trio.open_nursery() as nursery:
        with pytest.raises(HandshakeError, match=r"not open after 0.05 seconds: headers\(\) did not return"):
            await WebSocket.connect(to=raw_server.url, on=nursery, headers=headers, open_timeout=0.05)
        await ended.wait()


@pytest.mark.parametrize(
    ("wrong", "error", "text"),
    [
        ({"to": lambda: 5}, HandshakeError, "a URL is a str, not int"),
        ({"to": lambda: "http://h"}, HandshakeError, "begins with ws://"),
        ({"headers": lambda: {"Upgrade": "x"}}, LocalProtocolError, "sets Upgrade itself"),
        ({"subprotocols": lambda: "chat"}, TypeError, "subprotocols is a list"),
    ],
)
async def test_what_they_return_is_checked_and_a_wrong_answer_is_final(
    raw_server: RawServer, wrong: dict[str, Any], error: type[Exception], text: str
) -> None:
    async with trio.open_nursery() as nursery:
        keywords = {"to": raw_server.url, "reconnect": FAST, "on_upgrade": nothing, **wrong}
        with pytest.raises(error, match=text):
            await WebSocket.connect(on=nursery, **keywords)


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ({"to": lambda url: "ws://h"}, TypeError),
        ({"headers": lambda url: {}}, TypeError),
        ({"subprotocols": lambda url: []}, TypeError),
        ({"should_retry": lambda error: True}, LocalProtocolError),
        ({"on_drop": lambda code, reason: None}, LocalProtocolError),
        ({"queue": 10}, LocalProtocolError),
        ({"reconnect": True, "on_upgrade": nothing, "should_retry": lambda: True}, TypeError),
        ({"reconnect": True, "on_upgrade": nothing, "on_drop": lambda code: True}, TypeError),
        ({"reconnect": True, "on_upgrade": nothing, "on_retry": lambda error: True}, TypeError),
        ({"reconnect": True, "on_upgrade": nothing, "on_give_up": lambda: True}, TypeError),
        ({"reconnect": True, "on_upgrade": nothing, "queue": -1}, ValueError),
    ],
)
async def test_what_is_given_wrongly_raises_at_once(wrong: dict[str, Any], error: type[Exception]) -> None:
    async with trio.open_nursery() as nursery:
        with pytest.raises(error):
            WebSocket.connect(on=nursery, **{"to": "ws://h", **wrong})


async def test_the_log_names_what_is_given_up(raw_server: RawServer, caplog: pytest.LogCaptureFixture) -> None:
    gave_up = Calls()
    async with trio.open_nursery() as nursery:
        WebSocket.connect(
            to=raw_server.url,
            on=nursery,
            reconnect=FAST,
            on_upgrade=nothing,
            should_retry=lambda error: False,
            on_give_up=gave_up,
        )
        connection = await raw_server.accept()
        await connection.upgrade()
        await connection.close_handshake(4000, "enough")
        await gave_up.until(1)
    assert caplog.records[-1].levelno == logging.ERROR
    assert f"{raw_server.url}: the WebSocket is closed: 4000 (enough); not connecting again" in caplog.text
