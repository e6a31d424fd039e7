"""RFC 6455 §5.4: fragmentation, in both roles."""

from __future__ import annotations

import pytest

from perfectws import LocalProtocolError, OpcodeType

from ..peer import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, close_payload
from .conftest import Link, assert_failed


@pytest.mark.parametrize("opcode", [CLOSE, PING, PONG])
async def test_5_4_a_control_frame_in_fragments_fails(link: Link, opcode: int) -> None:
    """ "Control frames themselves MUST NOT be fragmented"."""
    other, _ = await link()
    await other.send(opcode, close_payload(1000), fin=False)
    await assert_failed(other, 1002)


async def test_5_4_a_control_frame_in_fragments_cannot_be_sent(link: Link) -> None:
    """ "Control frames themselves MUST NOT be fragmented"."""
    other, socket = await link()
    for opcode in (OpcodeType.PING, OpcodeType.PONG):
        with pytest.raises(LocalProtocolError, match="fragmented"):
            socket.send_raw(b"x", opcode, fin=False)
    socket.send("behind")
    assert (await other.receive()).payload == b"behind"


async def test_5_4_fragments_are_delivered_in_the_order_in_which_they_were_sent(link: Link) -> None:
    """ "Message fragments MUST be delivered to the recipient in the order sent by the sender"."""
    other, socket = await link()
    parts = [str(number) for number in range(20)]
    await other.send(TEXT, parts[0], fin=False)
    for part in parts[1:-1]:
        await other.send(CONTINUATION, part, fin=False)
    await other.send(CONTINUATION, parts[-1])
    assert await socket.receive() == "".join(parts)
    for part in parts:
        socket.send_string_message(part, part is parts[-1])
    assert [(await other.receive()).payload.decode() for _ in parts] == parts


@pytest.mark.parametrize("opcode", [TEXT, BINARY])
async def test_5_4_a_message_inside_of_another_fails(link: Link, opcode: int) -> None:
    """ "The fragments of one message MUST NOT be interleaved between the fragments of another message"."""
    other, _ = await link()
    await other.send(TEXT, "one", fin=False)
    await other.send(opcode, "other")
    await assert_failed(other, 1002)


async def test_5_4_a_message_inside_of_another_cannot_be_sent(link: Link) -> None:
    """ "The fragments of one message MUST NOT be interleaved between the fragments of another message".
    A message that is whole waits for the end of the one in fragments.
    """
    other, socket = await link()
    socket.send_string_message("one ", False)
    with pytest.raises(LocalProtocolError):
        socket.send_binary_message(b"other", False)
    socket.send("other")
    socket.send_string_message("end")
    got = [await other.receive() for _ in range(2)]
    first, rest = got[0], got[1:]
    assert (first.opcode, first.fin, first.payload) == (TEXT, False, b"one ")
    assert rest[0].opcode == CONTINUATION


async def test_5_4_control_frames_in_the_middle_of_a_message_are_handled(link: Link) -> None:
    """ "An endpoint MUST be capable of handling control frames in the middle of a fragmented message"."""
    other, socket = await link()
    pongs: list[bytes] = []
    socket.on_pong(lambda _, data: pongs.append(data))
    socket.send_ping(data=b"ours")
    assert (await other.receive()).payload == b"ours"
    await other.send(TEXT, "one ", fin=False)
    await other.send(PING, b"theirs")
    await other.send(PONG, b"ours")
    pong = await other.receive()  # before the message ends
    assert (pong.opcode, pong.payload) == (PONG, b"theirs")
    await other.send(CONTINUATION, "message")
    assert await socket.receive() == "one message"
    assert pongs == [b"ours"]


async def test_5_4_a_close_in_the_middle_of_a_message_is_answered(link: Link) -> None:
    """ "An endpoint MUST be capable of handling control frames in the middle of a fragmented message"."""
    other, _ = await link()
    await other.send(TEXT, "one ", fin=False)
    await other.send(CLOSE, close_payload(4001))
    assert (await other.receive_close()).close_code == 4001


@pytest.mark.parametrize("count", [1, 2, 3, 50])
@pytest.mark.parametrize("opcode", [TEXT, BINARY])
async def test_5_4_messages_are_received_in_any_number_of_fragments(link: Link, opcode: int, count: int) -> None:
    """ "Clients and servers MUST support receiving both fragmented and unfragmented messages"."""
    other, socket = await link()
    for at in range(count):
        await other.send(CONTINUATION if at else opcode, "ü", fin=at == count - 1)
    message = "ü" * count
    assert await socket.receive() == (message if opcode == TEXT else message.encode())


async def test_5_4_a_continuation_that_continues_nothing_fails(link: Link) -> None:
    """ "the type for all fragments in a message MUST be either text, binary, or one of the reserved opcodes"."""
    other, _ = await link()
    await other.send(TEXT, "whole")
    await other.send(CONTINUATION, "more")
    await assert_failed(other, 1002)


async def test_5_4_all_fragments_have_the_type_of_the_first(link: Link) -> None:
    """ "the type for all fragments in a message MUST be either text, binary, or one of the reserved opcodes"."""
    other, socket = await link()
    for opcode in (TEXT, BINARY):
        await other.send(opcode, "a", fin=False)
        await other.send(CONTINUATION, "", fin=False)
        await other.send(CONTINUATION, "b")
    assert [await socket.receive(), await socket.receive()] == ["ab", b"ab"]
    for send in (socket.send_string_message, lambda data, fin: socket.send_binary_message(data.encode(), fin)):
        send("a", False)
        send("b", True)
    assert [(await other.receive()).opcode for _ in range(4)] == [TEXT, CONTINUATION, BINARY, CONTINUATION]
