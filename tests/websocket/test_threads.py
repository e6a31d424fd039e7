"""Any thread may call, and its call has its place when it returns: ahead of all that is asked of the loop later."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
import trio

from perfectws import HTTPRequest, LocalProtocolError, OpcodeType, Room, WebSocket

from ..calls import Calls, quiet
from ..conftest import Connect
from ..peer import CLOSE, CONTINUATION, TEXT

Send = Callable[[WebSocket, str], object]

#: How often each order is tried.
TRIES = 50


def in_thread(function: Callable[[], object]) -> None:
    """Call ``function`` in a thread of its own, and return when that has: no event loop has had a turn meanwhile."""
    thread = threading.Thread(target=function)
    thread.start()
    thread.join()


def send_vapor(socket: WebSocket, text: str) -> None:
    socket.send(text)


def send_perfect(socket: WebSocket, text: str) -> None:
    socket.send_string_message(text)


def send_with_completion(socket: WebSocket, text: str) -> None:
    socket.send_string_message(text, completion=lambda: None)


def send_bytes(socket: WebSocket, text: str) -> None:
    socket.send_binary_message(text.encode())


SENDS = [send_vapor, send_perfect, send_with_completion, send_bytes]


@pytest.mark.parametrize("second", SENDS)
@pytest.mark.parametrize("first", SENDS)
async def test_what_a_thread_has_sent_comes_before_what_the_loop_sends_then(
    connect: Connect, first: Send, second: Send
) -> None:
    peer, socket = await connect.socket()
    for number in range(TRIES):
        in_thread(lambda number=number: first(socket, f"{number} thread"))  # type: ignore[misc]  # its default
        second(socket, f"{number} loop")
        received = [(await peer.receive()).payload.decode() for _ in range(2)]
        assert received == [f"{number} thread", f"{number} loop"]


async def test_so_it_is_where_only_a_flag_tells_a_callback_of_it(connect: Connect) -> None:
    sent = threading.Event()

    def session(request: HTTPRequest, socket: WebSocket) -> None:
        def look() -> None:
            if sent.is_set():
                socket.send("loop")
            else:
                connect.loop.call_next_turn(connect.loop.owner, look)

        def send() -> None:
            socket.send("thread")
            sent.set()

        threading.Thread(target=send).start()
        look()

    peer = await connect(session)
    assert [await peer.receive_text(), await peer.receive_text()] == ["thread", "loop"]


async def test_a_close_that_follows_loses_nothing_of_it(connect: Connect) -> None:
    for _ in range(10):
        peer, socket = await connect.socket()
        in_thread(lambda socket=socket: socket.send("the last"))  # type: ignore[misc]  # its default
        socket.close()
        assert await peer.receive_text() == "the last"
        assert (await peer.receive()).opcode == CLOSE


async def test_parts_of_a_message_keep_their_order_across_threads(connect: Connect) -> None:
    peer, socket = await connect.socket()
    in_thread(lambda: socket.send_string_message("a", final=False))
    socket.send_string_message("b", final=False)
    in_thread(lambda: socket.send_string_message("c"))
    await quiet()
    frames = [await peer.receive() for _ in range(3)]
    assert [(frame.opcode, frame.payload, frame.fin) for frame in frames] == [
        (TEXT, b"a", False),
        (CONTINUATION, b"b", False),
        (CONTINUATION, b"c", True),
    ]


async def test_a_room_and_its_members_keep_it_too(connect: Connect) -> None:
    peer, socket = await connect.socket()
    room = Room()
    in_thread(lambda: room.join(socket))
    room.send_string_message("1")
    in_thread(lambda: socket.send("2"))
    room.send_string_message("3")
    in_thread(lambda: room.send_string_message("4"))
    socket.send("5")
    in_thread(lambda: room.leave(socket))
    room.send_string_message("nobody hears")
    in_thread(lambda: socket.send("6"))
    assert [await peer.receive_text() for _ in range(6)] == ["1", "2", "3", "4", "5", "6"]


async def test_a_read_that_a_thread_asked_for_is_there_when_the_loop_asks_again(connect: Connect) -> None:
    peer, socket = await connect.socket()
    first, second = Calls(), Calls()
    in_thread(lambda: socket.read_string_message(first))
    with pytest.raises(LocalProtocolError, match="pending"):
        await socket.read_string_message()
    socket.read_string_message(second)
    await peer.send_text("x")
    assert await second.until(1) == [("x", OpcodeType.TEXT, True)]
    assert not first.got


async def test_many_threads_and_the_loop_lose_nothing_and_keep_each_ones_order(connect: Connect) -> None:
    peer, socket = await connect.socket()
    received: dict[str, list[int]] = {name: [] for name in "abcl"}

    def talk(name: str) -> None:
        for number in range(200):
            socket.send(f"{name}{number}")

    async def listen() -> None:
        for _ in range(200 * len(received)):
            text = await peer.receive_text()
            received[text[0]].append(int(text[1:]))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(listen)
        threads = [threading.Thread(target=talk, args=(name,)) for name in "abc"]
        for thread in threads:
            thread.start()
        for number in range(200):
            socket.send(f"l{number}")
            await trio.lowlevel.checkpoint()
    assert all(numbers == list(range(200)) for numbers in received.values())
