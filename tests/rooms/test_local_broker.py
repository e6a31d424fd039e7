"""`LocalBroker`: logs in the memory of this process, and what is left of them when nobody uses them."""

from __future__ import annotations

import gc
import threading
from time import time
from weakref import ref

import pytest

from perfectws import BrokerFigures, LocalBroker, Room
from perfectws.rooms import local_broker
from perfectws.rooms.broker import Broker, brokers
from perfectws.rooms.position import Position

from ..conftest import Connect
from .fakes import Client, FakeBroker, FakeLog, Process


def test_a_room_that_is_made_again_has_its_history() -> None:
    broker = LocalBroker()
    process = Process.alone(broker=broker, history=5)
    alice = process.join()
    position = alice.position
    process.send("1")
    alice.leave()
    del process, alice
    gc.collect()
    again = Process.alone(broker=broker, history=5)
    again.send("2")
    assert again.join(after=position).said == ["1", "2"]


def test_two_rooms_of_one_name_on_one_broker_are_a_mistake() -> None:
    broker = LocalBroker()
    room = Room("tea", broker=broker)
    with pytest.raises(ValueError, match="there is a room 'tea' on this broker already: keep that one"):
        Room("tea", broker=broker)
    Room("coffee", broker=broker)
    Room("tea", broker=LocalBroker())
    assert room.name == "tea"


@pytest.mark.parametrize("make", [LocalBroker, lambda: FakeBroker(FakeLog())])
def test_a_room_that_is_dropped_is_freed_at_once_with_its_name(make: type[Broker]) -> None:
    gc.disable()
    try:
        process = Process.alone(broker=make())
        client = process.join(who="Ada")
        process.send("1")
        process.room.on_people(print)
        client.leave()
        process.loop.run()
        freed = ref(process.room)
        broker = process.room._brokered
        assert broker is not None
        del process.room
        assert freed() is None
    finally:
        gc.enable()


def test_an_empty_room_leaves_nothing_behind_but_its_history() -> None:
    broker = LocalBroker()
    rooms = [Process.alone(broker=broker, history=0), Process.alone(broker=LocalBroker(), history=5)]
    for process in rooms:
        clients = [process.join(who=f"{number}") for number in range(5)]
        process.send("1")
        for client in clients:
            client.leave()
        brokered = process.room._brokered
        assert brokered is not None
        left = [brokered._arrivals, brokered._numbers, brokered._since, brokered.presence.now(), process.room.groups]
        assert not any(left)
        assert len(brokered.log._recent) == 0
    assert not broker._logs


def test_history_is_forgotten_when_its_time_has_come_though_nobody_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    broker = LocalBroker()
    rooms = [Room(f"document {number}", broker=broker, history_seconds=60) for number in range(100)]
    for room in rooms:
        room.send_string_message("kept")
    assert len(broker._logs) == 100
    monkeypatch.setattr(local_broker, "time", lambda now=time: now() + 61)
    Room("another", broker=broker, history_seconds=60).send_string_message("kept too")
    assert set(broker._logs) <= {"another"}
    assert len(broker._due) <= 1


def test_a_log_that_is_used_is_not_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    process = Process.alone(broker=LocalBroker(), history_seconds=60)
    process.send("old")
    alice = process.join()
    monkeypatch.setattr(local_broker, "time", lambda now=time: now() + 61)
    process.send("1")
    assert process.join(after=alice.position).recoveries[0].recovered


def test_the_positions_of_a_log_that_was_forgotten_are_none_of_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    broker = LocalBroker()
    process = Process.alone(broker=broker)
    alice = process.join()
    process.send("1")
    position = alice.position
    alice.leave()
    broker.close()
    process.send("another")
    again = process.join(after=position)
    assert not again.recoveries[0].recovered
    assert again.said == []


def test_a_room_that_never_was_sent_anything_tells_no_gap() -> None:
    process = Process.alone()
    alice = process.join()
    alice.leave()
    process.send("1")
    assert process.join(after=alice.recoveries[0].position).said == ["1"]


def test_its_figures_say_how_many_messages_there_were() -> None:
    broker = LocalBroker()
    room = Room("tea", broker=broker)
    for _ in range(3):
        room.send_string_message("1")
    assert broker.figures == BrokerFigures(3, 0, 0, 0, 0, 0, 0, 0, True)
    assert broker not in brokers(), "there is nothing to be seen of it"


def test_a_plain_room_has_nothing_behind_it() -> None:
    process = Process.alone(history=None, stamp=None)
    client = Client(process)
    with process.running():
        process.room.join(client.socket)
    process.send("1")
    with process.running():
        process.room.leave(client.socket)
    assert process.room.people == {}
    assert process.room._brokered is None
    assert client.texts() == ["1"]


def test_a_plain_room_with_members_can_come_to_have_people() -> None:
    process = Process.alone(history=None, stamp=None)
    plain = Client(process)
    with process.running():
        process.room.join(plain.socket)
    process.join(who="Ada")
    process.send("1")
    assert plain.texts() == ["1"]
    assert process.room.people == {"Ada": None}
    plain.leave()
    assert len(process.room) == 1


async def test_members_in_other_threads_loops_recover_in_one_order(connect: Connect) -> None:
    """Messages from several threads, while sockets of this loop come and go: each has them in the order of the log."""
    room = Room(history=10_000, stamp=lambda entry: f"{entry.position} {entry.data!s}")
    peer, socket = await connect.socket()
    room.join(socket)

    def talk(name: int) -> None:
        for number in range(100):
            room.send_string_message(f"{name} {number}")

    threads = [threading.Thread(target=talk, args=(name,)) for name in range(3)]
    for thread in threads:
        thread.start()
    texts = [(await peer.receive_text()).split() for _ in range(300)]
    for thread in threads:
        thread.join()
    numbers = [int(position.partition("-")[2]) for position, _, _ in texts]
    assert numbers == list(range(1, 301))
    for name in "012":
        assert [int(number) for _, who, number in texts if who == name] == list(range(100))


# Positions


def test_a_position_is_what_it_is_written_as() -> None:
    position = Position(17, 4)
    assert Position.parse(str(position)) == position
    assert Position.parse("17-4-") is None
