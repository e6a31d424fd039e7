"""A session gets the same continuations wherever the network cuts the bytes: the handshake's end included."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import trio
import trio.testing
from hypothesis import given, settings
from hypothesis import strategies as st

from perfectws import HTTPRequest, OpcodeType, WebSocket
from perfectws.websocket.frame_reader import FrameReader

from ..conftest import PATIENCE, memory_streams
from ..peer import CLOSE, PING, PONG, close_payload
from .streams import Message, Role, chunks, conversations, encode

LARGE = 1 << 30
INVALID = (None, OpcodeType.INVALID, True)
server_roles = st.builds(
    Role, is_client=st.just(False), mask=st.binary(min_size=4, max_size=4), with_deflate=st.booleans()
)


@dataclass
class Heard:
    """What both ends got: the session's continuations or messages, and the payloads of the pongs."""

    session: list[Any] = field(default_factory=list)
    pongs: list[bytes] = field(default_factory=list)


async def converse(session: Any, heard: Heard, role: Role, pieces: list[bytes]) -> None:
    with trio.fail_after(PATIENCE):
        async with memory_streams() as connect:
            offer = [("Sec-WebSocket-Extensions", "permessage-deflate")] if role.with_deflate else []
            options: dict[str, Any] = {"compression": {"window_bits": 15}} if role.with_deflate else {}
            peer = await connect(session, headers=offer, more=pieces[0], **options)
            for piece in pieces[1:]:
                await peer.stream.send_all(piece)
                await trio.testing.wait_all_tasks_blocked()
            while (frame := await peer.receive()).opcode != CLOSE:
                assert frame.opcode == PONG
                heard.pongs.append(frame.payload)
            assert frame.close_code == 4001
            await peer.receive_eof()
            await peer.stream.aclose()


def run(session: Any, heard: Heard, role: Role, messages: list[Message], data: st.DataObject) -> bytes:
    """Send messages to a session, cut anywhere, and return what was sent before the close frame."""
    stream = encode(role, messages)
    pieces = data.draw(chunks(stream + role.frame(CLOSE, close_payload(4001, "bye"))))
    trio.run(converse, session, heard, role, pieces)
    return stream


def expected_frames(role: Role, stream: bytes) -> tuple[list[Any], list[bytes]]:
    """Return what the reads of strings give, and the payloads of the pings."""
    reader = FrameReader(False, LARGE, LARGE, LARGE, role.new_deflate())
    reader.feed(stream)
    reads: list[Any] = []
    pings: list[bytes] = []
    while (frame := reader.next_frame()) is not None:
        opcode, payload, is_final = frame
        if opcode == PING:
            assert isinstance(payload, bytes)
            pings.append(payload)
        elif opcode < CLOSE:
            reads.append((payload if isinstance(payload, str) else text_or_none(payload), opcode, is_final))
    return reads, pings


def text_or_none(data: bytes) -> str | None:
    try:
        return data.decode()
    except UnicodeDecodeError:
        return None


@settings(max_examples=max(1, settings().max_examples // 3))
@given(st.data(), server_roles)
def test_reads_get_every_frame_and_then_the_end(data: st.DataObject, role: Role) -> None:
    heard = Heard()

    def session(request: HTTPRequest, socket: WebSocket) -> None:
        def received(string: str | None, op: OpcodeType, fin: bool) -> None:
            heard.session.append((string, op, fin))
            if op is not OpcodeType.INVALID:
                session(request, socket)

        socket.read_string_message(received)

    stream = run(session, heard, role, data.draw(conversations(role)), data)
    reads, pings = expected_frames(role, stream)
    assert heard.session == [*reads, INVALID]
    assert heard.pongs == pings


@settings(max_examples=max(1, settings().max_examples // 3))
@given(st.data(), server_roles)
def test_handlers_get_every_message_and_then_the_close(data: st.DataObject, role: Role) -> None:
    heard = Heard()

    def session(request: HTTPRequest, socket: WebSocket) -> None:
        socket.on_text(lambda socket, text: heard.session.append(text))
        socket.on_binary(lambda socket, payload: heard.session.append(payload))
        socket.on_close.when_complete(lambda result: heard.session.append((socket.close_code, socket.close_reason)))

    messages = data.draw(conversations(role))
    stream = run(session, heard, role, messages, data)
    assert heard.session == [*(message.payload for message in messages), (4001, "bye")]
    assert heard.pongs == expected_frames(role, stream)[1]
