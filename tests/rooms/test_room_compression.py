"""A room's messages to members that compress: each is compressed once for all, and what a peer inflates is right.

The peers inflate with zlib, with the window that was agreed on and no larger one.
"""

from __future__ import annotations

import gc
import random
import tracemalloc
import zlib
from base64 import b64encode
from collections.abc import Callable
from typing import Any, Literal

import pytest
import trio
import trio.testing
from hypothesis import given, settings
from hypothesis import strategies as st

from perfectws import Room, WebSocket
from perfectws.http.headers import list_elements
from perfectws.rooms.deflate import MAX_HISTORY
from perfectws.websocket.deflate import Compression, DeflateOptions, accept_answer, answer_offers, make_offer
from perfectws.websocket.frames import build_close_payload
from perfectws.websocket.opcodes import OpcodeType
from perfectws.websocket.outbox import Outbox

from ..conftest import Connect
from ..peer import CLOSE, CONTINUATION, Frame
from ..websocket.fakes import FakeConnection, FrameTransport, TaskLoop

TAIL = b"\x00\x00\xff\xff"
OFFER = [("Sec-WebSocket-Extensions", "permessage-deflate")]
KIB = 1024
MIB = 1024 * KIB


class Window:
    """A peer's half of ``permessage-deflate``."""

    def __init__(self, bits: int = 15, takes_over: bool = True) -> None:
        self._bits, self._takes_over = bits, takes_over
        self._inflate = zlib.decompressobj(-bits)

    def inflated(self, frames: list[Frame]) -> bytes:
        """Return the payload of a message."""
        payload = b"".join(frame.payload for frame in frames)
        if not frames[0].rsv1:
            return payload
        if not self._takes_over:
            self._inflate = zlib.decompressobj(-self._bits)
        return self._inflate.decompress(payload + TAIL)


class Guest(WebSocket):
    """A socket in memory, and all that its peer must get.

    Args:
        loop: Where it lives.
        options: How it compresses, if it does.
        is_client: Whether ours is the client.
    """

    def __init__(
        self,
        loop: TaskLoop,
        options: DeflateOptions | None = None,
        is_client: bool = False,
        max_write_buffer: int = MIB,
    ) -> None:
        self.connection = FakeConnection()
        self.connection.reactions["close"] = lambda code, reason: self.outbox.close(build_close_payload(code, reason))
        self.transport = FrameTransport()
        deflate, self._window = None, Window()
        if options is not None:
            agreed = answer_offers(list_elements([make_offer(options)]), options)
            assert agreed is not None
            deflate = accept_answer(agreed[0], options) if is_client else agreed[1]
            self._window = Window(options.window_bits, options.context_takeover)
        self.outbox = Outbox(self.connection, loop, self.transport, max_write_buffer, is_client, deflate)
        self.transport.resumed = self.outbox.resume
        self._is_client = is_client
        self.expected: list[bytes] = []
        #: What the room has said in this turn, what waits for the end of the fragmented message, and that message.
        self.pending: list[bytes] = []
        self.held: list[bytes] = []
        self.begun: list[bytes] = []

    def call_in_loop(self, function: Callable[..., object], *args: Any) -> None:
        function(*args)

    def settle(self) -> None:
        """Expect what the room has said until now."""
        (self.held if self.begun else self.expected).extend(self.pending)
        self.pending = []

    def says(self, message: bytes, final: bool) -> None:
        """Send something of its own."""
        self.settle()
        self.outbox.send_data(OpcodeType.BINARY, message, final, None)
        self.begun.append(message)
        if final:
            self.expected += [b"".join(self.begun), *self.held]
            self.begun, self.held = [], []

    def frames(self) -> list[Frame]:
        return self.transport.frames(self._is_client)

    def sizes(self) -> list[int]:
        """Return how long each frame's payload was, as it was sent."""
        return [len(frame.payload) for frame in self.frames()]

    def got(self) -> list[bytes]:
        """Return the messages that its peer got. To be called once."""
        messages: list[bytes] = []
        begun: list[Frame] = []
        for frame in self.frames():
            if frame.opcode < CLOSE:
                assert (frame.opcode == CONTINUATION) is bool(begun)
                begun.append(frame)
                if frame.fin:
                    messages.append(self._window.inflated(begun))
                    begun = []
        return messages


class Hall:
    """A room in memory, its guests, and the end of each turn."""

    def __init__(self, *options: dict[str, Any], **room: Any) -> None:
        self.loop = TaskLoop()
        self.room = Room(**room)
        self.guests = [Guest(self.loop, **each) for each in options]
        for guest in self.guests:
            self.join(guest)
        self.numbers = 0

    def join(self, guest: Any) -> None:
        self.room.join(guest)

    def leave(self, guest: Any) -> None:
        self.room.leave(guest)
        guest.settle()

    def says(self, message: bytes | str, exclude: Any = None) -> None:
        if isinstance(message, str):
            self.room.send_string_message(message, exclude)
            message = message.encode()
        else:
            self.room.send_binary_message(message, exclude)
        for guest in self.guests:
            if guest in self.room and guest is not exclude:
                guest.pending.append(message)

    def end_turn(self) -> None:
        self.loop.run_before_writing()
        for guest in self.guests:
            guest.settle()


@pytest.fixture
def compressions(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Note the size of each message that is compressed for a room."""
    sizes: list[int] = []
    deflate = Compression.deflate

    def note(self: Compression, data: Any, *args: Any) -> bytes:
        sizes.append(len(data))
        return deflate(self, data, *args)

    monkeypatch.setattr(Compression, "deflate", note)
    return sizes


NOISE = random.Random(7692).randbytes(200)
ALIKE = {"options": DeflateOptions()}
ALONE = {"options": DeflateOptions(context_takeover=False)}


def line(number: int) -> str:
    """Return something said in a chat: each line like the others, and none the same."""
    return f'{{"number": {number}, "user": "alice", "text": "the quick brown fox jumps over dog {number * 37 % 91}"}}'


class TestOnce:
    """A message is compressed once, and the same bytes object is given to all."""

    @pytest.mark.parametrize("options", [ALIKE, ALONE])
    def test_for_all_who_compress_alike(self, options: dict[str, Any], compressions: list[int]) -> None:
        hall = Hall(*[options] * 20)
        for number in range(10):
            hall.says(line(number))
            hall.end_turn()
        assert len(compressions) == 10
        for written in zip(*(guest.transport.written for guest in hall.guests), strict=True):
            assert all(data is written[0] for data in written)
        assert all(guest.got() == guest.expected for guest in hall.guests)

    def test_for_each_way_of_compressing_that_there_is_in_the_room(self, compressions: list[int]) -> None:
        ways = [DeflateOptions(), DeflateOptions(level=1), DeflateOptions(window_bits=9), DeflateOptions(min_size=70)]
        hall = Hall(*[{"options": way} for way in ways for _ in range(5)])
        hall.says("x" * 65)  # too short for the last
        hall.says("x" * 100)
        hall.end_turn()
        assert sorted(compressions) == [65] * 3 + [100] * 4
        assert all(guest.got() == guest.expected for guest in hall.guests)

    def test_for_those_who_differ_in_what_they_are_sent_too(self, compressions: list[int]) -> None:
        """One who is left out, one who sends something first, one in the middle of a message, and two clients."""
        hall = Hall(*[ALIKE] * 6, *[{**ALIKE, "is_client": True}] * 2)
        hall.guests[3].says(b"in parts, " * 10, final=False)
        for number in range(3):
            compressions.clear()
            hall.says(line(number), exclude=hall.guests[0])
            hall.guests[1].says(b"tiny", final=True)
            hall.end_turn()
            assert len(compressions) <= 2  # referring to what came before, and to nothing
        hall.guests[3].says(b"over", final=True)
        assert len(compressions) <= 2
        assert all(guest.got() == guest.expected for guest in hall.guests)

    def test_not_at_all_where_it_is_short(self, compressions: list[int]) -> None:
        hall = Hall(ALIKE, ALONE, {**ALIKE, "is_client": True})
        hall.says("x" * 63)
        hall.end_turn()
        assert not compressions
        assert [guest.frames()[0].rsv1 for guest in hall.guests] == [False] * 3

    def test_and_sent_as_it_is_where_that_is_not_longer(self) -> None:
        hall = Hall(ALIKE, ALONE, {})
        noise = random.Random(1).randbytes(1000)
        hall.says(noise)
        hall.end_turn()
        assert [guest.frames()[0].rsv1 for guest in hall.guests] == [False] * 3
        assert all(guest.transport.written[0] is hall.guests[0].transport.written[0] for guest in hall.guests)

    def test_a_large_message_is_compressed_once_though_some_know_what_came_before_and_some_do_not(
        self, compressions: list[int]
    ) -> None:
        hall = Hall(*[ALIKE] * 3)
        hall.says(line(1))
        hall.end_turn()
        hall.guests[0].says(b"of its own " * 10, final=True)
        compressions.clear()
        hall.says("large " * 10 * KIB, exclude=hall.guests[1])
        hall.end_turn()
        assert compressions == [60 * KIB]
        assert all(guest.got() == guest.expected for guest in hall.guests)


class TestContext:
    """What a room says may refer to what it has said, for those who have had it."""

    @pytest.mark.parametrize("bits", [9, 12, 15])
    def test_a_message_is_as_short_as_one_of_the_sockets_own_would_be(self, bits: int) -> None:
        options = DeflateOptions(window_bits=bits)
        hall, apart = Hall({"options": options}), Guest(TaskLoop(), options)
        for number in range(200):
            hall.says(line(number))
            hall.end_turn()
            apart.says(line(number).encode(), final=True)
        assert sum(hall.guests[0].sizes()) < sum(apart.sizes()) * 1.05
        assert hall.guests[0].got() == apart.got()

    def test_those_of_one_turn_refer_to_each_other(self) -> None:
        hall = Hall(ALIKE, ALONE)
        for number in range(20):
            hall.says(line(number))
        hall.end_turn()
        assert sum(hall.guests[0].sizes()) < sum(hall.guests[1].sizes()) / 2
        assert [guest.got() for guest in hall.guests] == [guest.expected for guest in hall.guests]

    @pytest.mark.parametrize("how", ["comes late", "was left out", "sent something", "left and came back"])
    def test_who_lacks_a_part_gets_what_refers_to_nothing_until_that_part_is_past(self, how: str) -> None:
        hall = Hall(ALIKE, ALIKE)
        steady, other = hall.guests
        if how == "comes late":
            hall.leave(other)
        for number in range(10):
            hall.says(line(number), exclude=other if how == "was left out" else None)
            hall.end_turn()
        if how == "sent something":
            other.says(line(99).encode(), final=True)
        elif how != "was left out":
            hall.leave(other)
            hall.join(other)
        first = len(other.frames())
        for number in range(10, 100):
            hall.says(line(number))
            hall.end_turn()
        shared, late = steady.sizes()[10:], other.sizes()[first:]
        alike = [one == another for one, another in zip(late, shared, strict=True)]
        until = alike.index(True)
        size = sum(len(line(number)) for number in range(10, 10 + until))
        assert MAX_HISTORY - 2 * len(line(10)) <= size <= MAX_HISTORY + len(line(10))
        assert all(alike[until:])
        assert all(2 * one < another for one, another in zip(shared[1:until], late[1:until], strict=True))
        assert [guest.got() for guest in hall.guests] == [guest.expected for guest in hall.guests]

    def test_what_is_not_compressed_leaves_no_gap(self) -> None:
        hall = Hall(ALIKE)
        for number in range(4):
            hall.says(line(number))
            hall.end_turn()
            hall.says("short")
            hall.guests[0].says(b"short", final=True)
            hall.end_turn()
        sizes = [size for size in hall.guests[0].sizes() if size > 5]
        assert max(sizes[1:]) < sizes[0] / 2
        assert hall.guests[0].got() == hall.guests[0].expected

    def test_what_was_not_compressed_since_that_is_not_shorter_is_referred_to_by_nobody(self) -> None:
        hall = Hall(ALIKE, ALIKE)
        for number in range(4):
            hall.says(line(number))
            hall.says(NOISE)  # the peer's window lacks it
            hall.says(NOISE)
            hall.end_turn()
            hall.says(NOISE)
            hall.end_turn()
        assert [guest.got() for guest in hall.guests] == [guest.expected for guest in hall.guests]

    def test_who_misses_messages_gets_what_refers_to_none_of_them(self) -> None:
        hall = Hall({**ALIKE, "max_write_buffer": 100}, ALIKE, slow="drop")
        slow, quick = hall.guests
        for number in range(3):
            hall.says(line(number))
            hall.end_turn()
        slow.transport.stall(101)
        hall.says(missed := line(3))
        hall.end_turn()
        slow.expected.remove(missed.encode())
        slow.transport.drain()
        hall.loop.run()
        for number in range(4, 8):
            hall.says(line(number))
            hall.end_turn()
        assert [guest.got() for guest in hall.guests] == [guest.expected for guest in hall.guests]
        assert hall.room.figures.drops == 1
        assert quick.sizes()[4] < slow.sizes()[3]

    def test_a_socket_in_two_rooms_is_sent_what_it_can_inflate(self) -> None:
        hall = Hall(ALIKE, ALIKE)
        other = Room()
        for guest in hall.guests:
            other.join(guest)
        for number in range(10):
            hall.says(line(number))
            hall.end_turn()
            other.send_string_message(line(-number))
            for guest in hall.guests:
                guest.pending.append(line(-number).encode())
            hall.end_turn()
        assert [guest.got() for guest in hall.guests] == [guest.expected for guest in hall.guests]


@pytest.mark.parametrize("slow", ["close", "drop"])
def test_a_member_may_hold_what_is_compressed_up_to_its_bound(slow: Literal["close", "drop"]) -> None:
    noise = b64encode(random.Random(1).randbytes(30_000)).decode()  # 40,000 bytes that become about 30,400
    hall = Hall({**ALIKE, "max_write_buffer": 100_000}, slow=slow)
    (guest,) = hall.guests
    guest.transport.stall(0)
    for _ in range(3):
        hall.says(noise)
        hall.end_turn()
    assert guest.outbox.is_open
    assert hall.room.figures.deliveries == 3
    hall.says(noise)
    hall.end_turn()
    assert guest.outbox.is_open is (slow == "drop")
    assert hall.room.figures.drops == (1 if slow == "drop" else 0)


async def test_members_that_compress_get_the_same_bytes_and_what_they_send_themselves_in_between_is_right(
    connect: Connect,
) -> None:
    room = Room()
    pairs = [await connect.socket(compression=True, headers=OFFER) for _ in range(3)]
    for _, socket in pairs:
        room.join(socket)
    windows = [Window() for _ in pairs]
    got: list[list[Frame]] = [[] for _ in pairs]
    for number in range(5):
        room.send_string_message(line(number))
        pairs[0][1].send_string_message(line(100 + number))
        for (peer, _), frames in zip(pairs, got, strict=True):
            frames += [await peer.receive() for _ in range(2 if peer is pairs[0][0] else 1)]
    assert all(frame.rsv1 for frames in got for frame in frames)
    assert got[1] == got[2]
    texts = [
        [window.inflated([frame]).decode() for frame in frames] for window, frames in zip(windows, got, strict=True)
    ]
    assert texts[1] == texts[2] == [line(number) for number in range(5)]
    assert texts[0] == [line(at + number) for number in range(5) for at in (0, 100)]


SLEEPERS = 10
LARGE = 8 * MIB  # compressed; the kernel takes up to a half of it


@pytest.mark.slow
async def test_all_who_sleep_hold_one_message_of_which_there_is_one(network_connect: Connect) -> None:
    """The kernel takes some; what is left for each is the same object, whatever the transport."""
    room = Room()
    pairs = [await network_connect.socket(compression=True, headers=OFFER) for _ in range(SLEEPERS)]
    for _, socket in pairs:
        room.join(socket)
    text = b64encode(random.Random(1).randbytes(LARGE)).decode()
    gc.collect()
    tracemalloc.start()
    try:
        room.send_string_message(text)
        await trio.testing.wait_all_tasks_blocked(0.05)
        buffered = sum(socket.buffered_amount for _, socket in pairs)
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert buffered > SLEEPERS * LARGE / 4
    assert held < 2 * LARGE
    frame = await pairs[7][0].receive()
    assert Window().inflated([frame]).decode() == text


OPTIONS: list[dict[str, Any]] = [
    ALIKE,
    ALIKE,
    ALIKE,
    ALONE,
    {},
    {**ALIKE, "is_client": True},
    {"options": DeflateOptions(window_bits=9, min_size=0, level=1)},
    {"options": DeflateOptions(window_bits=9, min_size=0, level=1)},
]
WHO = st.integers(0, len(OPTIONS) - 1)
WHAT = st.sampled_from(["line", "line", "line", "short", "noise", "page", "empty"])
EVENTS = st.one_of(
    st.tuples(st.just("room"), WHAT, st.none() | WHO),
    st.tuples(st.just("own"), WHAT, WHO),
    st.tuples(st.just("part"), WHAT, WHO),
    st.tuples(st.just("ping"), st.none(), WHO),
    st.tuples(st.just("move"), st.none(), WHO),
    st.tuples(st.just("turn"), st.none(), st.none()),
)


def something(what: str | None, number: int) -> bytes:
    return {
        "line": line(number).encode(),
        "short": b"short %d" % number,
        "noise": NOISE,
        "page": line(number).encode() * 200,
    }.get(what or "", b"")


@settings(deadline=None)
@given(st.lists(EVENTS, max_size=60))
def test_whatever_happens_in_a_room_each_peer_inflates_what_it_was_sent_in_order(
    events: list[tuple[str, str | None, int | None]],
) -> None:
    hall = Hall(*OPTIONS)
    for number, (event, what, who) in enumerate(events):
        guest: Any = None if who is None else hall.guests[who]
        if event == "room":
            hall.says(something(what, number), exclude=guest)
        elif event in ("own", "part"):
            guest.says(something(what, number), event == "own")
        elif event == "ping":
            guest.settle()
            guest.outbox.send_control(OpcodeType.PING, b"")
        elif event == "move":
            (hall.leave if guest in hall.room else hall.join)(guest)
        else:
            hall.end_turn()
    hall.end_turn()
    for guest in hall.guests:
        guest.says(b"the end", final=True)
        assert guest.got() == guest.expected
