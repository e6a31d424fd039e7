"""The load in a room that compresses: what is the same for all is inflated once, and yet checked for each member."""

from __future__ import annotations

import asyncio
import contextlib
import json
import struct
import time
import zlib
from asyncio.subprocess import PIPE
from collections.abc import Callable

import pytest

from .test_load import ANSWER, CLOSE, DEFLATE, PATIENCE, TAIL, load_command

MEMBERS = 3
#: To the last member something happens behind so many messages.
BEFORE = 50
WINDOW = 32 * 1024
#: What the messages of the member begin with that is connected first.
FIRST = b"0000"


def compressed(data: bytes, compressor: zlib._Compress) -> bytes:
    """Return data compressed, up to the end of a block."""
    return compressor.compress(data) + compressor.flush(zlib.Z_SYNC_FLUSH)


def frame(payload: bytes) -> bytes:
    """Return the frame of a compressed message, whose last block ends it."""
    payload = payload.removesuffix(TAIL)
    size = len(payload)
    return bytes((0xC1, size)) + payload if size < 126 else struct.pack("!BBH", 0xC1, 126, size) + payload


class Member:
    """What all members get.

    Args:
        write: Writes to one.

    Attributes:
        told: What it was told before.
    """

    def __init__(self, write: Callable[[bytes], object]) -> None:
        self.write = write
        self.told: list[bytes] = []

    def tell(self, message: bytes, common: bytes) -> None:
        """Send a message, which for all members is compressed to ``common``."""
        if len(self.told) < BEFORE:
            self.write(frame(common))
        else:
            self.tell_late(message, common)
        self.told.append(message)

    def tell_late(self, message: bytes, common: bytes) -> None:
        """Send a message behind the first ones."""
        self.write(frame(common))


class Room:
    """A room that compresses what it tells all.

    Args:
        last: What makes of it what the last member gets.
        level: At which level.

    Attributes:
        members: Who is in it, in the order in which they came.
    """

    def __init__(self, last: type[Member], level: int) -> None:
        self._last = last
        self._compressor = zlib.compressobj(level, zlib.DEFLATED, -15)
        self.members: list[Member] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve a member."""
        await reader.readuntil(b"\r\n\r\n")
        self.members.append((Member if len(self.members) < MEMBERS - 1 else self._last)(writer.write))
        writer.write(ANSWER.removesuffix(b"\r\n") + DEFLATE)
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                opcode, payload = await self._read(reader)
                if opcode == CLOSE:
                    writer.write(bytes((0x88, len(payload))) + payload)
                    break
                self._tell_all(zlib.decompressobj(-15).decompress(payload + TAIL))
        writer.close()

    async def _read(self, reader: asyncio.StreamReader) -> tuple[int, bytes]:
        first, second = await reader.readexactly(2)
        size = second & 127
        if size == 126:
            (size,) = struct.unpack("!H", await reader.readexactly(2))
        mask = await reader.readexactly(4)
        masked = int.from_bytes(await reader.readexactly(size), "big")
        key = int.from_bytes((mask * (size // 4 + 1))[:size], "big")
        return first & 15, (masked ^ key).to_bytes(size, "big")

    def _tell_all(self, message: bytes) -> None:
        middle = len(message) // 2
        common = compressed(message[:middle], self._compressor) + compressed(message[middle:], self._compressor)
        for member in self.members:
            member.tell(message, common)


async def run_in_room(room: Room, mode: str, **more: float) -> tuple[str, dict[str, float]]:
    """Run the load in a room. Return what it complained of, and what it counted."""
    server = await asyncio.start_server(room.serve, "127.0.0.1", 0)
    async with server:
        options = {"connections": MEMBERS, "size": 200, "deflate": 1} | more
        command = load_command(mode, server.sockets[0].getsockname()[1], **options)
        process = await asyncio.create_subprocess_exec(*command, stdout=PIPE, stderr=PIPE)
        output, errors = await asyncio.wait_for(process.communicate(), PATIENCE)
    assert process.returncode == bool(errors)
    return errors.decode(), json.loads(output)["window"] if output else {}


def run(last: type[Member], mode: str, level: int = 6, **more: float) -> tuple[str, dict[str, float]]:
    """Do that in a room whose last member gets what ``last`` makes of what all get."""
    return asyncio.run(run_in_room(Room(last, level), mode, **more))


class InOwnBytes(Member):
    """Messages that refer to none before, in bytes of its own."""

    def tell_late(self, message: bytes, common: bytes) -> None:
        self.write(self.framed(message))

    @staticmethod
    def framed(message: bytes) -> bytes:
        """Return a message's frame."""
        return frame(compressed(message, zlib.compressobj(6, zlib.DEFLATED, -15)))


class FromTheMiddle(Member):
    """Bytes of its own that refer to all that was told; from the middle of a message on, of which half comes before."""

    compressor: zlib._Compress | None = None

    def tell_late(self, message: bytes, common: bytes) -> None:
        if self.compressor is not None:
            self.write(frame(compressed(message, self.compressor)))
            return
        middle = len(message) // 2
        before, history = common.index(TAIL) + len(TAIL), b"".join(self.told) + message[:middle]
        self.compressor = zlib.compressobj(1, zlib.DEFLATED, -15, zdict=history[-WINDOW:])
        whole = frame(common[:before] + compressed(message[middle:], self.compressor))
        self.write(whole[:before])
        time.sleep(0.05)
        self.write(whole[before:])


class Late(Member):
    """The middle of a message, and nothing more until so many others were sent."""

    most = 0
    held: list[bytes] | None = None
    has_lagged = False

    def tell_late(self, message: bytes, common: bytes) -> None:
        whole = frame(common)
        if self.held is None:
            middle = len(whole) // 2
            self.write(whole[:middle])
            self.held = [whole[middle:]]
            return
        self.held.append(whole)
        if len(self.held) >= self.most:
            self.write(b"".join(self.held))
            self.held.clear()
            self.most = 1
            self.has_lagged = True


class LateByBytes(Late):
    most = 400


class LateByMessages(Late):
    most = 9000


@pytest.mark.parametrize("mode", ["fanout", "room"])
@pytest.mark.parametrize("last", [Member, InOwnBytes, FromTheMiddle])
def test_all_that_comes_is_counted_in_whatever_bytes_it_comes(last: type[Member], mode: str) -> None:
    messages, seconds = 0.0, 0.3
    while messages <= 3 * BEFORE:  # which a busy machine may not get to within so little
        complaint, window = run(last, mode, size=1000, seconds=seconds)
        assert not complaint
        messages, seconds = window["messages"], 4 * seconds


@pytest.mark.parametrize(("last", "size", "level"), [(LateByBytes, 4096, 0), (LateByMessages, 100, 6)])
def test_who_lags_too_far_behind_is_checked_apart(last: type[Late], size: int, level: int) -> None:
    seconds = 1
    while True:
        room = Room(last, level)
        complaint, _ = asyncio.run(run_in_room(room, "room", size=size, in_flight=200, seconds=seconds))
        if any(isinstance(member, Late) and member.has_lagged for member in room.members):
            assert not complaint
            return
        seconds *= 4  # a busy machine did not get so far; run_in_room does not wait for ever


class WrongByte(Member):
    def tell_late(self, message: bytes, common: bytes) -> None:
        self.write(frame(common[:-8] + bytes((common[-8] ^ 1,)) + common[-7:]))


class WrongText(InOwnBytes):
    def tell_late(self, message: bytes, common: bytes) -> None:
        self.write(self.framed(message[:-1] + b"!"))


class Half(InOwnBytes):
    """Half of one message, and all others."""

    is_halved = False

    def tell_late(self, message: bytes, common: bytes) -> None:
        self.write(self.framed(message) if self.is_halved else frame(common[: common.index(TAIL) + len(TAIL)]))
        self.is_halved = True


class Twice(InOwnBytes):
    def tell_late(self, message: bytes, common: bytes) -> None:
        self.write(2 * self.framed(message))


class CutBlock(Member):
    """Each message whole, and behind it the beginning of a block."""

    def tell_late(self, message: bytes, common: bytes) -> None:
        self.write(frame(compressed(message, zlib.compressobj(6, zlib.DEFLATED, -15)) + b"\x04\xe0"))


class Missing(Member):
    """What all get but for one message of the first member."""

    is_missing = False

    def tell_late(self, message: bytes, common: bytes) -> None:
        if self.is_missing or not message.startswith(FIRST):
            self.write(self.framed(message, common))
        self.is_missing = self.is_missing or message.startswith(FIRST)

    def framed(self, message: bytes, common: bytes) -> bytes:
        """Return a message's frame."""
        return frame(common)


class MissingInOwnBytes(Missing):
    """The same, where no message refers to it."""

    def framed(self, message: bytes, common: bytes) -> bytes:
        return InOwnBytes.framed(message)


class WrongOrder(InOwnBytes):
    """Two messages of the first member the wrong way round."""

    held: bytes | None = None

    def tell_late(self, message: bytes, common: bytes) -> None:
        whole = self.framed(message)
        if not message.startswith(FIRST):
            self.write(whole)
        elif self.held is None:
            self.held = whole
        else:
            self.write(whole + self.held)
            self.held = b""


@pytest.mark.parametrize(
    ("last", "mode", "complaint"),
    [
        (WrongByte, "fanout", "only 184 bytes came back of 200"),
        (WrongText, "fanout", "its payload is not what was sent"),
        (Half, "fanout", "only 100 bytes came back of 200"),
        (Twice, "fanout", "came out of turn"),
        (CutBlock, "fanout", "its compressed payload does not end with a block"),
        (Missing, "room", "connection 2"),
        (MissingInOwnBytes, "room", "came out of turn"),
        (WrongOrder, "room", "came out of turn"),
    ],
)
def test_what_is_wrong_for_the_last_member_ends_it(last: type[Member], mode: str, complaint: str) -> None:
    found, window = run(last, mode, seconds=PATIENCE / 3)  # at most: it ends at once
    assert found.startswith("load: connection ")
    assert complaint in found
    assert not window
