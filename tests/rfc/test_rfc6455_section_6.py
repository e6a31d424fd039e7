"""RFC 6455 §6: sending and receiving messages, in both roles."""

from __future__ import annotations

import pytest
import trio

from perfectws import OpcodeType

from ..calls import Calls
from ..conftest import Connect
from ..peer import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, close_payload, frame_bytes
from .conftest import Dial, Link, Other


async def test_6_1_a_message_is_sent_as_frames_of_its_type_the_last_of_which_is_final(link: Link) -> None:
    """ "To _Send a WebSocket Message_ [...], an endpoint MUST perform the following steps".
    "An endpoint MUST encapsulate the /data/ in a WebSocket frame as defined in Section 5.2".
    "The opcode (frame-opcode) of the first frame containing the data MUST be set to the appropriate value".
    "The FIN bit (frame-fin) of the last frame containing the data MUST be set to 1".
    "The frame(s) that have been formed MUST be transmitted over the underlying network connection".
    """
    other, socket = await link()
    socket.send("text")
    socket.send(b"data")
    socket.send_binary_message(b"da", False)
    socket.send_binary_message(b"t", False)
    socket.send_binary_message(b"a")
    got = [await other.receive() for _ in range(5)]
    assert [(frame.opcode, frame.payload, frame.fin) for frame in got] == [
        (TEXT, b"text", True),
        (BINARY, b"data", True),
        (BINARY, b"da", False),
        (CONTINUATION, b"t", False),
        (CONTINUATION, b"a", True),
    ]


async def test_6_1_nothing_is_sent_where_the_connection_is_not_open(link: Link) -> None:
    """ "The endpoint MUST ensure the WebSocket connection is in the OPEN state"."""
    other, socket = await link()
    socket.close()
    socket.send("late")
    socket.send(b"late")
    await assert_only_a_close_comes(other)


async def test_6_1_behind_the_peers_close_only_what_answers_what_came_before_is_sent(link: Link) -> None:
    """ "The endpoint MUST ensure the WebSocket connection is in the OPEN state".
    Not obeyed to the letter, on purpose (law 12): what the session answers at once to the messages before the
    peer's close still goes out, as §5.5.1 allows for a message under way ("An endpoint MAY delay sending a Close
    frame until its current message is sent"). Else the last request of a client that asks and closes would be
    lost. Behind our own close frame nothing goes out.
    """
    other, socket = await link()
    socket.on_text(lambda socket, text: socket.send(text.upper()))
    await other.stream.send_all(link.wire(TEXT, "question") + link.wire(CLOSE, close_payload(1000)))
    assert (await other.receive()).payload == b"QUESTION"
    assert (await other.receive()).opcode == CLOSE
    socket.send("late")
    await assert_nothing_comes(other)


async def assert_only_a_close_comes(other: Other) -> None:
    assert (await other.receive()).opcode == CLOSE
    await assert_nothing_comes(other)


async def assert_nothing_comes(other: Other) -> None:
    """Look for a while whether something comes, and find nothing."""
    with trio.move_on_after(0.02):
        await other.receive_eof()
    assert not other.buffer


async def test_6_1_the_rest_of_a_message_is_not_sent_once_the_connection_is_closing(link: Link) -> None:
    """ "If at any point the state of the WebSocket connection changes, the endpoint MUST abort the following steps"."""
    other, socket = await link()
    socket.send_string_message("begun ", False)
    socket.close()
    socket.send_string_message("never sent")
    assert (await other.receive()).opcode == TEXT
    await assert_only_a_close_comes(other)


async def test_6_1_what_a_client_sends_is_masked(dial: Dial) -> None:
    """ "If the data is being sent by the client, the frame(s) MUST be masked"."""
    other, socket = await dial()
    socket.send("text")
    socket.send_binary_message(b"a", False)
    socket.send_binary_message(b"b")
    got = [await other.receive() for _ in range(3)]  # which asserts that they are masked
    assert [frame.payload for frame in got] == [b"text", b"a", b"b"]
    assert all(len(frame.mask) == 4 for frame in got)


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
async def test_6_2_what_comes_is_read_as_frames_however_it_is_cut(link: Link, size: int) -> None:
    """ "Incoming data MUST be parsed as WebSocket frames as defined in Section 5.2"."""
    other, socket = await link()
    data = b"".join((link.wire(TEXT, "one"), link.wire(BINARY, bytes(200)), link.wire(TEXT, "", fin=False)))
    data += link.wire(CONTINUATION, "two")
    for at in range(0, len(data), size):
        await other.stream.send_all(data[at : at + size])
        await trio.sleep(0)
    assert [await socket.receive() for _ in range(3)] == ["one", bytes(200), "two"]


async def test_6_2_control_frames_are_handled_and_are_no_messages(link: Link) -> None:
    """ "If a control frame (Section 5.5) is received, the frame MUST be handled as defined by Section 5.5"."""
    other, socket = await link()
    await other.send(PING, b"1")
    await other.send(PONG, b"unasked")
    await other.send(TEXT, "message")
    assert await socket.receive() == "message"
    assert (await other.receive()).payload == b"1"
    await other.send(CLOSE, close_payload(4000))
    assert (await other.receive_close()).close_code == 4000
    assert socket.close_code == 4000


async def test_6_2_the_type_of_a_message_is_that_of_its_first_frame(link: Link) -> None:
    """ "the endpoint MUST note the /type/ of the data as defined by the opcode (frame-opcode)"."""
    other, socket = await link()
    got = Calls()
    socket.read_string_message(got)
    await other.send(BINARY, "text?", fin=False)
    await got.until(1)
    socket.read_string_message(got)
    await other.send(CONTINUATION, "!")
    assert await got.until(2) == [("text?", OpcodeType.BINARY, False), ("!", OpcodeType.CONTINUATION, True)]
    await other.send(TEXT, "text")
    await other.send(BINARY, "data")
    assert [await socket.receive() for _ in range(2)] == ["text", b"data"]


async def test_6_2_what_comes_behind_the_last_fragment_is_another_message(link: Link) -> None:
    """ "Subsequent data frames MUST be interpreted as belonging to a new WebSocket message"."""
    other, socket = await link()
    for opcode, payload, fin in [(TEXT, "a", False), (CONTINUATION, "b", True), (TEXT, "c", True), (BINARY, "d", True)]:
        await other.send(opcode, payload, fin)
    assert [await socket.receive() for _ in range(3)] == ["ab", "c", b"d"]


@pytest.mark.parametrize("mask", [b"\0\0\0\0", b"\xff\xff\xff\xff", b"\x37\xfa\x21\x3d"])
@pytest.mark.parametrize("size", [1, 5, 200, 70_000])
async def test_6_2_a_server_takes_the_mask_off(serve: Connect, mask: bytes, size: int) -> None:
    """ "A server MUST remove masking for data frames received from a client"."""
    peer, socket = await serve.socket()
    data = bytes(at % 251 for at in range(size))
    await peer.stream.send_all(frame_bytes(BINARY, data, mask=mask))
    assert await socket.receive() == data
