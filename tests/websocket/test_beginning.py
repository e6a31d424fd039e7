"""Laws 9 and 10: no message is lost at the start, and what becomes of a session that returns."""

from __future__ import annotations

import pytest
import trio

from perfectws import HTTPRequest, WebSocket

from .. import peer as wire
from ..calls import NOTHING, TEXT, Calls, Reads, quiet
from ..conftest import Connect


async def test_bytes_behind_the_handshake_in_the_same_segment_belong_to_the_session(connect: Connect) -> None:
    reads = Reads()
    more = b"".join(wire.frame_bytes(wire.TEXT, str(number)) for number in range(100))
    await connect(reads.session, more=more)
    assert [data for data, _, _ in await reads.until(100)] == [str(number) for number in range(100)]


async def test_a_ping_behind_the_handshake_is_told_to_the_session_too(connect: Connect) -> None:
    pings: Calls = Calls()

    def session(request: HTTPRequest, socket: WebSocket) -> None:
        socket.on_ping(pings)

    peer = await connect(session, more=wire.frame_bytes(wire.PING, "early"))
    assert (await peer.receive()).payload == b"early"
    assert [data for _, data in await pings.until(1)] == [b"early"]


async def test_half_a_frame_behind_the_handshake_is_completed_later(connect: Connect) -> None:
    reads = Reads()
    frame = wire.frame_bytes(wire.TEXT, "in two halves")
    peer = await connect(reads.session, more=frame[:7])
    await peer.stream.send_all(frame[7:])
    assert await reads.until(1) == [("in two halves", TEXT, True)]


async def test_a_broken_rule_behind_the_handshake_is_told_to_the_session(connect: Connect) -> None:
    reads = Reads()
    peer = await connect(reads.session, more=wire.frame_bytes(0x3))
    assert (await peer.receive_close()).close_code == 1002
    assert await reads.until_end() == [NOTHING]


async def test_a_close_behind_the_handshake_is_told_to_the_session_behind_its_frames(connect: Connect) -> None:
    reads = Reads()
    more = wire.frame_bytes(wire.TEXT, "x") + wire.frame_bytes(wire.CLOSE, wire.close_payload(4001))
    peer = await connect(reads.session, more=more)
    assert (await peer.receive_close()).close_code == 4001
    assert await reads.until_end() == [("x", TEXT, True), NOTHING]
    assert reads.socket.close_code == 4001


async def test_nothing_is_delivered_before_a_sync_session_has_returned(connect: Connect) -> None:
    log: list[str] = []
    texts = Calls()

    def session(request: HTTPRequest, socket: WebSocket) -> None:
        socket.on_text(lambda socket, text: log.append("text") or texts())  # type: ignore[func-returns-value]
        socket.on_ping(lambda socket, data: log.append("ping"))
        log.append("returns")

    more = wire.frame_bytes(wire.TEXT, "x") + wire.frame_bytes(wire.PING)
    await connect(session, more=more)
    await texts.until(1)
    assert log[0] == "returns"


async def test_nothing_is_delivered_before_an_async_session_waits_and_nothing_is_lost_while_it_does(
    connect: Connect,
) -> None:
    go_on, waits = trio.Event(), trio.Event()
    texts = Calls()

    async def session(request: HTTPRequest, socket: WebSocket) -> None:
        waits.set()
        await go_on.wait()  # asks a database who this is, say
        socket.on_text(texts)
        assert not texts.got

    peer = await connect(session, more=wire.frame_bytes(wire.TEXT, "early"))
    await waits.wait()
    await peer.send_text("later")
    await quiet()
    assert not texts.got
    go_on.set()
    assert [text for _, text in await texts.until(2)] == ["early", "later"]


async def test_an_async_session_that_sets_its_handlers_first_gets_messages_while_it_waits(connect: Connect) -> None:
    texts = Calls()
    go_on = trio.Event()

    async def session(request: HTTPRequest, socket: WebSocket) -> None:
        socket.on_text(texts)
        assert not texts.got
        await go_on.wait()

    await connect(session, more=wire.frame_bytes(wire.TEXT, "x"))
    await texts.until(1)
    go_on.set()


async def test_an_async_session_that_returns_with_nothing_to_wait_for_is_closed_with_1000(connect: Connect) -> None:
    async def session(request: HTTPRequest, socket: WebSocket) -> None:
        string, _, _ = await socket.read_string_message()
        await socket.send_string_message(f"{string}")

    peer = await connect(session)
    await peer.send_text("x")
    assert await peer.receive_text() == "x"
    close = await peer.receive()
    assert (close.opcode, close.close_code, close.close_reason) == (wire.CLOSE, 1000, "")


async def test_so_is_one_that_returns_without_having_waited(connect: Connect) -> None:
    async def session(request: HTTPRequest, socket: WebSocket) -> None:
        socket.send_string_message("bye")

    peer = await connect(session)
    assert await peer.receive_text() == "bye"
    assert (await peer.receive()).close_code == 1000


@pytest.mark.parametrize("what", ["read_string_message", "on_text", "on_binary", "on_ping", "on_pong"])
async def test_an_async_session_that_returns_with_something_set_lives_on(connect: Connect, what: str) -> None:
    sockets: list[WebSocket] = []

    async def session(request: HTTPRequest, socket: WebSocket) -> None:
        getattr(socket, what)(Calls())
        sockets.append(socket)

    await connect(session)
    await quiet()
    assert sockets[0].is_connected


async def test_a_sync_session_that_returns_with_nothing_lives_on(connect: Connect) -> None:
    peer, socket = await connect.socket()
    await quiet()
    assert socket.is_connected
    socket.send_string_message("much later")
    assert await peer.receive_text() == "much later"


async def test_a_session_whose_peer_is_gone_already_begins_and_learns_of_it(connect: Connect) -> None:
    order = Calls()

    def session(request: HTTPRequest, socket: WebSocket) -> None:
        socket.on_close.when_success(lambda _: order("closed"))
        socket.read_string_message(lambda *args: order(args))

    peer = await connect(session)
    await peer.vanish()
    assert await order.until(2) == [(NOTHING,), ("closed",)]


async def test_the_session_knows_its_request_subprotocol_and_peer(connect: Connect) -> None:
    known: list[tuple[object, ...]] = []

    def session(request: HTTPRequest, socket: WebSocket) -> None:
        known.append((socket.request is request, socket.subprotocol, socket.remote_address == request.remote_address))
        socket.scratch_pad["name"] = "Ada"
        assert socket.scratch_pad == {"name": "Ada"}
        assert {socket: 1}[socket] == 1
        assert socket.is_connected
        assert not socket.is_closed
        assert (socket.close_code, socket.close_reason) == (None, "")

    await connect(session, socket_protocol="echo", headers=[("Sec-WebSocket-Protocol", "chat, echo")])
    await quiet()
    assert known == [(True, "echo", True)]
