"""Joining with a position: what was missed comes first, or a gap is told."""

from __future__ import annotations

import json

import trio
import trio.testing

from perfectws import Recovery, Room, RoomEntry, WebSocket

from ..conftest import Connect
from ..peer import Peer


def stamp(entry: RoomEntry) -> str:
    """Say what a client of these tests reads: the position, and the text."""
    return json.dumps([entry.position, entry.data])


async def joined(room: Room, socket: WebSocket, after: str | None = None, **arguments: object) -> Recovery:
    """Let ``socket`` join, and return what has come of it."""
    recoveries: list[Recovery] = []
    told = trio.Event()

    def completion(recovery: Recovery) -> None:
        recoveries.append(recovery)
        told.set()

    room.join(socket, after=after, completion=completion, **arguments)  # type: ignore[arg-type]
    assert not recoveries
    await told.wait()
    await trio.testing.wait_all_tasks_blocked()
    assert len(recoveries) == 1
    return recoveries[0]


async def read(peer: Peer, count: int) -> list[tuple[str, str]]:
    """Read stamped messages: the position and the text of each."""
    return [tuple(json.loads(await peer.receive_text())) for _ in range(count)]


async def test_who_comes_back_gets_what_it_missed_before_anything_newer(connect: Connect) -> None:
    room = Room("tea", history=10, stamp=stamp)
    (alice, a), (bob, b) = [await connect.socket() for _ in range(2)]
    assert (await joined(room, a)).recovered
    room.send_string_message("1")
    ((position, _),) = await read(alice, 1)
    room.send_string_message("2")
    room.send_string_message("3")

    room.join(b, after=position, completion=lambda recovery: recoveries.append(recovery))
    recoveries: list[Recovery] = []
    room.send_string_message("4")
    assert [text for _, text in await read(bob, 3)] == ["2", "3", "4"]
    assert [text for _, text in await read(alice, 3)] == ["2", "3", "4"]
    assert [recovery.missed for recovery in recoveries] == [2]
    assert recoveries[0].recovered
