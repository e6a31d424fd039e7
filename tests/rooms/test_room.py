"""`Room`: one message to many sockets."""

from __future__ import annotations

import threading
import zlib
from collections.abc import Callable
from typing import Any, Literal

import pytest
import trio
import trio.testing

from perfectws import LocalBroker, Promise, Room, WebSocket
from perfectws.websocket.outbox import Outbox

from ..calls import quiet
from ..conftest import Connect
from ..peer import BINARY, CONTINUATION, TEXT, Peer


async def members(connect: Connect, room: Room, count: int, **options: object) -> list[tuple[Peer, WebSocket]]:
    """Open ``count`` sockets and let them join."""
    pairs = [await connect.socket(**options) for _ in range(count)]
    for _, socket in pairs:
        room.join(socket)
    return pairs


async def in_callback(socket: WebSocket, function: Callable[[], object]) -> None:
    """Call ``function()`` from the loop's queue, so that all it does falls into one turn."""
    promise: Promise[None] = Promise(socket.outbox.loop)

    def call() -> None:
        function()
        promise.succeed()

    socket.outbox.loop.call(socket.outbox.loop.owner, call)
    await promise.future_result


async def test_a_message_reaches_every_member_but_the_one_excluded(connect: Connect) -> None:
    room = Room()
    (alice, a), (bob, _), (carol, _) = await members(connect, room, 3)
    room.send_string_message("hello", exclude=a)
    room.send_binary_message(b"\x00\x01")
    assert await bob.receive_text() == "hello"
    assert await carol.receive_text() == "hello"
    for peer in (alice, bob, carol):
        assert await peer.receive() == (BINARY, b"\x00\x01", True, False)
    assert room.figures == (3, 2, 5, 0)


async def test_members_can_be_counted_found_and_iterated(connect: Connect) -> None:
    room = Room("tea")
    (_, a), (_, b) = await members(connect, room, 2)
    room.join(a)
    assert len(room) == 2
    assert set(room) == {a, b}
    room.leave(a)
    room.leave(a)
    assert a not in room
    assert list(room) == [b]


async def test_a_socket_leaves_when_it_closes(connect: Connect) -> None:
    room = Room()
    (alice, a), (bob, b), (carol, _) = await members(connect, room, 3)
    await alice.close_handshake()
    assert len(room) == 2
    await bob.vanish()
    await b.on_close
    assert len(room) == 1
    a.close()
    room.join(a)
    assert a not in room
    room.send_string_message("alone")
    assert await carol.receive_text() == "alone"


async def test_a_room_message_and_a_message_of_ones_own_keep_their_order(connect: Connect) -> None:
    room = Room()
    (alice, a), (bob, _) = await members(connect, room, 2)

    def talk() -> None:
        room.send_string_message("1")
        a.send_string_message("2")
        room.send_string_message("3")
        a.send_ping(data=b"4")
        room.send_string_message("5")

    await in_callback(a, talk)
    assert [(await alice.receive()).payload for _ in range(5)] == [b"1", b"2", b"3", b"4", b"5"]
    assert [await bob.receive_text() for _ in range(3)] == ["1", "3", "5"]


async def test_who_joins_or_leaves_within_a_turn_gets_what_was_sent_while_it_was_in(connect: Connect) -> None:
    room = Room()
    (alice, a), (bob, b) = await members(connect, room, 2)
    room.leave(b)

    def come_and_go() -> None:
        room.send_string_message("before")
        room.join(b)
        room.send_string_message("both")
        room.leave(a)
        room.send_string_message("after")
        room.join(a)

    await in_callback(a, come_and_go)
    room.send_string_message("end")
    assert [await alice.receive_text() for _ in range(3)] == ["before", "both", "end"]
    assert [await bob.receive_text() for _ in range(3)] == ["both", "after", "end"]


async def test_a_close_comes_behind_the_rooms_messages(connect: Connect) -> None:
    room = Room()
    ((alice, a),) = await members(connect, room, 1)

    def leave() -> None:
        room.send_string_message("last")
        a.close(4000, "bye")

    await in_callback(a, leave)
    assert await alice.receive_text() == "last"
    assert (await alice.receive_close()).close_code == 4000


async def test_a_fragmented_message_under_way_is_not_torn(connect: Connect) -> None:
    room = Room()
    ((alice, a),) = await members(connect, room, 1)
    a.send_string_message("be", final=False)
    room.send_string_message("room")
    room.send_string_message("more")
    await trio.testing.wait_all_tasks_blocked()
    a.send_string_message("gin")
    assert await alice.receive() == (TEXT, b"be", False, False)
    assert await alice.receive() == (CONTINUATION, b"gin", True, False)
    assert [await alice.receive_text() for _ in range(2)] == ["room", "more"]


class CountedText(str):
    """A text that counts how often it is encoded."""

    encoded = 0

    def encode(self, *args: str) -> bytes:
        self.encoded += 1
        return super().encode(*args)


@pytest.mark.parametrize("repeats", [1, 30, 3000], ids=lambda repeats: f"{10 * repeats} bytes")
async def test_a_frame_is_built_once_for_all(connect: Connect, repeats: int) -> None:
    room = Room()
    pairs = await members(connect, room, 5)
    to_all, one_by_one = CountedText("to all of " * repeats), CountedText("one by one" * repeats)
    room.send_string_message(to_all)
    for _, socket in pairs:
        socket.send_string_message(one_by_one)
    for peer, _ in pairs:
        assert [await peer.receive_text() for _ in range(2)] == [to_all, one_by_one]
    assert to_all.encoded == one_by_one.encoded == 1


async def test_a_member_that_compresses_gets_its_own_frame(connect: Connect) -> None:
    room = Room()
    ((plain, _),) = await members(connect, room, 1)
    ((squeezed, _),) = await members(
        connect, room, 1, compression=True, headers=[("Sec-WebSocket-Extensions", "permessage-deflate")]
    )
    room.send_string_message("x" * 1000)
    assert len((await plain.receive()).payload) == 1000
    frame = await squeezed.receive()
    assert frame.rsv1
    assert len(frame.payload) < 100


async def test_a_slow_member_is_closed_with_1013_and_the_others_get_all(network_connect: Connect) -> None:
    room = Room()
    ((slow, s),) = await members(network_connect, room, 1, max_write_buffer=200_000)
    ((quick, _),) = await members(network_connect, room, 1)
    text = "x" * 50_000
    count = 0
    while s.is_connected:
        room.send_string_message(text)
        count += 1
        assert len(await quick.receive_text()) == 50_000
    assert s.close_code == 1013
    assert s not in room
    close = await slow.receive_close()
    assert close.close_code == 1013


async def test_a_slow_member_may_miss_messages_and_is_told_how_many(network_connect: Connect) -> None:
    told: list[tuple[WebSocket, int]] = []
    room = Room(slow="drop", on_drop=lambda socket, missed: told.append((socket, missed)))
    ((slow, s),) = await members(network_connect, room, 1, max_write_buffer=200_000)
    text = "x" * 50_000
    sent = 0
    while room.figures.drops < 3:
        room.send_string_message(text)
        sent += 1
        await trio.testing.wait_all_tasks_blocked(0.001)
    got = 0
    while not told:
        assert len(await slow.receive_text()) == 50_000
        got += 1
    assert told == [(s, 3)]
    while got < sent - 3:
        await slow.receive_text()
        got += 1
    room.send_string_message("again")
    assert await slow.receive_text() == "again"


async def test_a_room_may_be_used_from_another_thread(connect: Connect) -> None:
    room = Room()
    (alice, a), (bob, b) = await members(connect, room, 2)

    def talk() -> None:
        room.send_string_message("from afar")
        room.leave(b)
        room.send_string_message("and again")

    thread = threading.Thread(target=talk)
    thread.start()
    assert [await alice.receive_text() for _ in range(2)] == ["from afar", "and again"]
    assert await bob.receive_text() == "from afar"
    assert list(room) == [a]
    await trio.to_thread.run_sync(thread.join)


async def test_the_first_message_behind_a_join_from_the_same_thread_reaches_who_joined(connect: Connect) -> None:
    peer, socket = await connect.socket()
    room = Room()

    def talk() -> None:
        room.join(socket)
        room.send_string_message("welcome")

    await trio.to_thread.run_sync(talk)
    assert await peer.receive_text() == "welcome"


async def test_what_a_member_sends_in_parts_is_not_torn_by_what_the_room_was_sent_between_them(
    connect: Connect,
) -> None:
    room = Room()
    ((alice, a),) = await members(connect, room, 1)

    def talk() -> None:
        room.send_string_message("before")
        a.send_string_message("1", final=False)
        room.send_string_message("between")
        a.send_string_message("2")
        room.send_string_message("after")

    await in_callback(a, talk)
    got = [await alice.receive() for _ in range(5)]
    assert [frame.payload for frame in got] == [b"before", b"1", b"2", b"between", b"after"]
    assert [frame.opcode for frame in got] == [TEXT, TEXT, CONTINUATION, TEXT, TEXT]


async def test_what_two_rooms_hold_for_a_member_comes_before_what_it_sends_itself(connect: Connect) -> None:
    first, second = Room(), Room()
    ((alice, a),) = await members(connect, first, 1)
    second.join(a)

    def talk() -> None:
        second.send_string_message("1")
        first.send_string_message("2")
        a.send_string_message("3")

    await in_callback(a, talk)
    assert {await alice.receive_text(), await alice.receive_text()} == {"1", "2"}
    assert await alice.receive_text() == "3"


async def test_a_member_that_compresses_is_sent_in_the_order_in_which_it_is_compressed(connect: Connect) -> None:
    room = Room()
    offer = [("Sec-WebSocket-Extensions", "permessage-deflate")]
    ((alice, a),) = await members(connect, room, 1, compression=True, headers=offer)
    texts = ["the quick brown fox jumps over the lazy dog " * 3, "the quick brown fox sleeps under the lazy dog " * 3]

    def talk() -> None:
        room.send_string_message(texts[0])
        a.send_string_message(texts[1])

    await in_callback(a, talk)
    inflate = zlib.decompressobj(-15)
    got = [inflate.decompress((await alice.receive()).payload + b"\x00\x00\xff\xff").decode() for _ in texts]
    assert got == texts


async def test_a_burst_larger_than_the_buffer_costs_a_member_that_burst_and_no_more(connect: Connect) -> None:
    told: list[int] = []
    room = Room(slow="drop", on_drop=lambda socket, missed: told.append(missed))
    ((alice, a),) = await members(connect, room, 1, max_write_buffer=30_000)
    done = trio.Event()

    def burst() -> None:
        for _ in range(4):
            room.send_string_message("x" * 10_000)

    await in_callback(a, burst)
    a.send_string_message("mine", completion=done.set)
    room.send_string_message("ours")
    assert {await alice.receive_text(), await alice.receive_text()} == {"mine", "ours"}
    await done.wait()
    assert told == [4]
    assert room.figures == (1, 5, 1, 4)


@pytest.mark.parametrize("slow", ["close", "drop"])
async def test_what_waits_behind_a_message_in_parts_counts_as_buffered(
    connect: Connect, slow: Literal["close", "drop"]
) -> None:
    room = Room(slow=slow)
    ((alice, a),) = await members(connect, room, 1, max_write_buffer=100_000)

    def talk() -> None:
        a.send_string_message("part", final=False)
        for _ in range(5):
            room.send_string_message("x" * 30_000)
        a.send_string_message("whole")  # behind what the room was sent until now

    await in_callback(a, talk)
    if slow == "close":
        assert (await alice.receive_close()).close_code == 1013
        return
    assert [(await alice.receive()).payload for _ in range(2)] == [b"part", b"whole"]
    assert [len(await alice.receive_text()) for _ in range(3)] == [30_000] * 3
    assert room.figures == (1, 5, 3, 2)


def test_what_a_room_is_given_is_checked_at_once() -> None:
    with pytest.raises(ValueError, match="slow"):
        Room(slow="never")  # type: ignore[arg-type]
    for name in (5, b"tea"):
        with pytest.raises(TypeError, match="name is a str"):
            Room(name)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"not the class LocalBroker$"):
        Room("tea", broker=LocalBroker)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="str"):
        Room().send_string_message(b"bytes")  # type: ignore[arg-type]
    for room in (Room(), Room(history=1)):
        with pytest.raises(UnicodeEncodeError, match="surrogates not allowed: replace them"):
            room.send_string_message("\ud800")
    with pytest.raises(TypeError, match="bytes"):
        Room().send_binary_message("text")  # type: ignore[arg-type]


async def test_on_empty_is_told_each_time_that_the_last_member_has_left(connect: Connect) -> None:
    rooms: list[tuple[Room, int]] = []
    room = Room("topic", on_empty=lambda room: rooms.append((room, len(room))))
    (peer, first), (_, second) = await connect.socket(), await connect.socket()
    room.join(first)
    room.join(second)
    room.leave(second)
    await quiet()
    assert rooms == []
    await peer.close_handshake()
    await quiet()
    assert rooms == [(room, 0)]
    room.join(second)
    await trio.to_thread.run_sync(room.leave, second)
    await quiet()
    assert rooms == [(room, 0)] * 2
    room.join(second)
    room.leave(second)
    room.join(second)  # before it is told
    await quiet()
    assert rooms == [(room, 0)] * 2


WRONG_SOCKETS = [5, "me", [], {1}, object(), WebSocket]


@pytest.mark.parametrize("in_thread", [False, True], ids=["in the loop", "in a thread"])
@pytest.mark.parametrize("options", [{}, {"history": 5}], ids=["alone", "with a history"])
async def test_a_wrong_exclude_is_refused_and_takes_nothing_else_along(
    connect: Connect, options: dict[str, Any], in_thread: bool
) -> None:
    room = Room("lobby", **options)
    pairs = await members(connect, room, 2)
    await quiet()

    def talk() -> None:
        room.send_string_message("before")
        for wrong in (*WRONG_SOCKETS, [pairs[0][1]], {pairs[0][1]}):
            with pytest.raises(TypeError, match="to leave out several, send to each of the others"):
                room.send_string_message("wrong", exclude=wrong)  # type: ignore[arg-type]
            with pytest.raises(TypeError, match="to leave out several, send to each of the others"):
                room.send_binary_message(b"wrong", exclude=wrong)  # type: ignore[arg-type]
        room.send_string_message("behind")

    if in_thread:
        await trio.to_thread.run_sync(talk)
    else:
        await in_callback(pairs[0][1], talk)
    for peer, _ in pairs:
        assert [await peer.receive_text() for _ in range(2)] == ["before", "behind"]
    assert room.figures.messages == 2


@pytest.mark.parametrize("wrong", [*WRONG_SOCKETS, None])
def test_what_joins_or_leaves_is_a_socket(wrong: Any) -> None:
    with pytest.raises(TypeError, match="join takes a WebSocket, not "):
        Room().join(wrong)
    with pytest.raises(TypeError, match="leave takes a WebSocket, not "):
        Room().leave(wrong)


async def test_an_error_at_one_member_costs_the_others_nothing(
    connect: Connect, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    room = Room()
    (alice, _), (bob, b), (carol, _) = await members(connect, room, 3)
    write_shared = Outbox.write_shared

    def fail_at_bob(outbox: Outbox, frames: bytes, count: int) -> int:
        if outbox is b.outbox:
            raise RuntimeError("at bob's")
        return write_shared(outbox, frames, count)

    monkeypatch.setattr(Outbox, "write_shared", fail_at_bob)

    def talk() -> None:
        room.send_string_message("one")
        room.send_string_message("two")

    await in_callback(b, talk)
    for peer in (alice, carol):
        assert [await peer.receive_text() for _ in range(2)] == ["one", "two"]
    assert (await bob.receive_close()).close_code == 1011
    assert room.figures == (2, 2, 4, 0)
    assert "at bob's" in caplog.text
    caplog.clear()


def test_on_drop_is_refused_where_nothing_is_dropped() -> None:
    with pytest.raises(ValueError, match='slow="drop"'):
        Room("lobby", on_drop=lambda socket, missed: None)


@pytest.mark.parametrize("keyword", ["on_drop", "on_empty"])
def test_a_callback_of_a_room_that_cannot_be_called_is_refused(keyword: str) -> None:
    with pytest.raises(TypeError, match=f"{keyword} is a callable that takes"):
        Room(**{keyword: lambda: None})  # type: ignore[arg-type]  # on purpose
