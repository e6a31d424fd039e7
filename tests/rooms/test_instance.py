"""Who speaks: no two rooms have one name, so that no two messages have one id, wherever they were said."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import deque
from itertools import combinations

import pytest

from perfectws import LocalBroker, OpcodeType, Room, RoomEntry
from perfectws.rooms import instance
from perfectws.rooms.broker import LogMessage
from perfectws.rooms.instance import INSTANCE_SIZE, Instance
from perfectws.rooms.redis.outgoing import _first_entry

from .fakes import Client, FakeLog, Process, stamp


def test_an_instance_has_one_name_which_no_other_has() -> None:
    first, second = Instance(), Instance()
    assert first.name == first.name != second.name
    assert len(first.name) == INSTANCE_SIZE


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_who_is_forked_chooses_a_name_of_its_own() -> None:
    code = """
import os
from perfectws.rooms.instance import Instance
instance = Instance()
here = instance.name
reading, writing = os.pipe()
if os.fork() == 0:
    os.write(writing, instance.name)
    os._exit(0)
os.wait()
there = os.read(reading, 16)
assert len(there) == 16
assert there != here == instance.name
"""
    subprocess.run([sys.executable, "-c", code], timeout=60, check=True)


def ids_of(*rooms: Room) -> list[set[str]]:
    """Return the ids that messages to several rooms have, some to each, in turns."""
    for _ in range(20):
        for room in rooms:
            room.send_string_message("1")
    told: list[list[RoomEntry]] = []
    for room in rooms:
        room.last_messages(20, told.append)
    ids = [{entry.id for entry in entries} for entries in told]
    assert [len(found) for found in ids] == [20] * len(rooms)
    return ids


def test_messages_of_several_rooms_of_one_process_have_different_ids() -> None:
    broker = LocalBroker()
    shared = [Room(name, broker=broker) for name in ("tea", "coffee")]
    alone = [Room(name, history=100) for name in ("tea", "tea")]
    assert not any(one & other for one, other in combinations(ids_of(*shared, *alone), 2))


def test_a_room_that_is_made_again_gives_no_id_again() -> None:
    broker = LocalBroker()
    room = Room("tea", broker=broker)
    (before,) = ids_of(room)
    del room
    assert not before & ids_of(Room("tea", broker=broker))[0]


def test_two_processes_on_one_log_hear_what_both_say_in_turns() -> None:
    log = FakeLog()
    processes = [Process(log), Process(log)]
    clients = [process.join() for process in processes]
    for process in processes:
        process.settle()
    for number in range(6):
        processes[number % 2].send(str(number))
        for process in (*processes, *processes):
            process.settle()
    for client in clients:
        assert client.said == [str(number) for number in range(6)]


def test_what_was_said_before_a_fork_is_heard_once_and_what_is_said_after_it_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each child sends what had to wait, and then speaks in its own name, though it goes on to number."""
    log = FakeLog()
    before = Process(log)
    before.send("before")
    (waiting,) = before.broker.queue
    children = []
    for _ in range(2):
        monkeypatch.setattr(instance, "_process", object())
        before.send("after")
        children.append(before.broker.queue.pop())
    listening = Process(log)
    client = Client(listening)
    client.join()
    listening.settle()
    for child in children:
        log.append([waiting])
        log.append([child])
    listening.settle()
    assert client.said == ["before", "after", "after"]
    assert len({identity for identity, _, _ in client.entries()}) == 3


def test_one_entry_holds_what_one_instance_has_said() -> None:
    messages = [LogMessage(name, number, OpcodeType.TEXT, b"") for number, name in enumerate((b"a", b"a", b"b"), 1)]
    assert [message.sequence for message in _first_entry(deque(messages))] == [1, 2]


def test_an_id_is_short() -> None:
    process = Process.alone(stamp=stamp)
    client = process.join()
    process.send("1")
    ((identity, _, _),) = client.entries()
    assert len(identity) <= 2 * INSTANCE_SIZE + 2
