"""The second half of Perfect 3's guide, its "WebSocket Class": each member and each sentence, in the guide's order.

The first half, the echo server, is `test_perfect_guide_echo`.
"""

from __future__ import annotations

import pytest

from perfectws import NO_TIMEOUT, HTTPRequest, NetEvent, OpcodeType, WebSocket

from .. import peer as wire
from ..calls import Calls, quiet
from ..conftest import Connect


def test_enum_opcode_type() -> None:
    # "WebSocket messages can be various types: continuation, text, binary, close, ping or pong, or invalid types."
    assert [each.name for each in OpcodeType] == ["CONTINUATION", "TEXT", "BINARY", "CLOSE", "PING", "PONG", "INVALID"]


async def test_var_read_timeout_seconds(connect: Connect) -> None:
    peer, socket = await connect.socket()
    # "If this property has been set to NetEvent.noTimeout (-1), it will wait infinitely." It is by default.
    assert socket.read_timeout_seconds == NetEvent.NO_TIMEOUT == NO_TIMEOUT == -1
    got = Calls()
    socket.read_timeout_seconds = 0.01  # socket.readTimeoutSeconds = 0.01
    socket.read_string_message(got)  # "this property helps the socket to read a message before timeout"
    assert await got.until(1) == [(None, OpcodeType.INVALID, True)]
    assert socket.is_connected
    socket.read_timeout_seconds = NetEvent.NO_TIMEOUT
    socket.read_string_message(got)
    await quiet()
    await peer.send_text("at last")
    assert (await got.until(2))[1] == ("at last", OpcodeType.TEXT, True)


async def test_read_text_message(connect: Connect) -> None:
    peer, socket = await connect.socket()
    got = Calls()

    @socket.read_string_message  # socket.readStringMessage { string, opcode, final in
    def _(string: str | None, opcode: OpcodeType, final: bool) -> None:
        got(string, opcode, final)

    await peer.send_text("text")
    assert await got.until(1) == [("text", OpcodeType.TEXT, True)]


async def test_read_binary_message(connect: Connect) -> None:
    peer, socket = await connect.socket()
    got = Calls()

    @socket.read_bytes_message  # socket.readBytesMessage { bytes, opcode, final in
    def _(data: bytes | None, opcode: OpcodeType, final: bool) -> None:
        got(data, opcode, final)

    await peer.send(wire.BINARY, b"\x01\x02")
    assert await got.until(1) == [(b"\x01\x02", OpcodeType.BINARY, True)]
    # "Call `WebSocket.readStringMessage` or `WebSocket.readBinaryMessage` to read data from the client."
    socket.read_binary_message(got)
    await peer.send(wire.BINARY, b"\x03")
    assert (await got.until(2))[1] == (b"\x03", OpcodeType.BINARY, True)


async def test_final_indicates_whether_the_message_is_completed_or_fragmented(connect: Connect) -> None:
    got = Calls()

    def handle_session(request: HTTPRequest, socket: WebSocket) -> None:
        @socket.read_string_message
        def _(string: str | None, opcode: OpcodeType, final: bool) -> None:
            got(string, opcode, final)
            if string is not None:
                handle_session(request, socket)

    peer = await connect(handle_session)
    await peer.send(wire.TEXT, "in ", fin=False)
    await peer.send(wire.CONTINUATION, "parts", fin=True)
    assert await got.until(2) == [("in ", OpcodeType.TEXT, False), ("parts", OpcodeType.CONTINUATION, True)]


async def test_send_text_message(connect: Connect) -> None:
    peer, socket = await connect.socket()
    sent = Calls()
    # socket.sendStringMessage(string: "…", final: true) { }
    socket.send_string_message(string="whole", final=True, completion=lambda: sent())
    assert await peer.receive_text() == "whole"
    socket.send_string_message("one would pass false for final", False, lambda: sent())
    socket.send_string_message(" and true only on the last bit", final=True, completion=lambda: sent())
    first, last = await peer.receive(), await peer.receive()
    assert (first.opcode, first.fin, last.opcode, last.fin) == (wire.TEXT, False, wire.CONTINUATION, True)
    assert await sent.until(3) == [()] * 3


@pytest.mark.parametrize("data", [b"\x01\x02\x03", [1, 2, 3]], ids=["bytes", "a list, as [UInt8] is written"])
async def test_send_binary_message(connect: Connect, data: bytes | list[int]) -> None:
    peer, socket = await connect.socket()
    sent = Calls()
    # socket.sendBinaryMessage(bytes: [1, 2, 3], final: true) { }
    socket.send_binary_message(data, final=True, completion=lambda: sent())
    assert (await peer.receive()).payload == b"\x01\x02\x03"
    assert await sent.until(1) == [()]


async def test_ping_and_pong(connect: Connect) -> None:
    peer, socket = await connect.socket()
    sent, got = Calls(), Calls()
    socket.send_pong(lambda: sent())  # socket.sendPong { }
    assert (await peer.receive()).opcode == wire.PONG
    socket.send_ping(lambda: sent())  # socket.sendPing { }
    ping = await peer.receive()
    assert ping.opcode == wire.PING
    assert await sent.until(2) == [(), ()]
    # "Expect a "pong" message to follow."
    socket.read_string_message(got)
    await peer.send(wire.PONG, ping.payload)
    assert await got.until(1) == [(ping.payload.decode(), OpcodeType.PONG, True)]


async def test_func_close(connect: Connect) -> None:
    peer, socket = await connect.socket()
    got = Calls()
    socket.read_string_message(got)
    # "To close the WebSocket connection"
    socket.close()
    await peer.receive_close()
    await peer.send_close()
    await peer.receive_eof()
    assert await got.until(1) == [(None, OpcodeType.INVALID, True)]
    assert not socket.is_connected


async def test_a_session_gets_the_request_that_instigated_it(connect: Connect) -> None:
    # "The initial HTTPRequest object which instigated the session is provided for reference."
    requests = Calls()
    await connect(lambda request, socket: requests(request, socket))
    ((request, socket),) = await requests.until(1)
    assert isinstance(request, HTTPRequest)
    assert request.method == "GET"
    assert socket.request is request


async def test_the_data_may_be_none_if_the_client_disconnects(connect: Connect) -> None:
    peer, socket = await connect.socket()
    got = Calls()
    socket.read_string_message(got)
    await peer.vanish()
    assert await got.until(1) == [(None, OpcodeType.INVALID, True)]
