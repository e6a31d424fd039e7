"""What a `stamp` makes of a room's messages: once for each, when it is sent."""

from __future__ import annotations

import pytest

from perfectws import OpcodeType, Room, RoomEntry

from ..calls import Calls
from ..conftest import Connect
from ..peer import BINARY, TEXT
from .fakes import Client, FakeLog, Process


def test_members_get_what_it_returns_and_it_is_called_once_for_each_message() -> None:
    stamped: list[RoomEntry] = []

    def stamp(entry: RoomEntry) -> str:
        stamped.append(entry)
        return f"<{entry.data!r}>"

    process = Process.alone(stamp=stamp)
    clients = [process.join() for _ in range(3)]
    position = clients[0].recoveries[0].position
    process.send("1")
    with process.running():
        process.room.send_binary_message(b"\x00")
    clients += [process.join(after=position) for _ in range(3)]
    for client in clients:
        assert client.texts() == ["<'1'>", "<b'\\x00'>"]
        client.leave()
    assert process.join(after=position).texts() == ["<'1'>", "<b'\\x00'>"], "nor is it when the room was empty"
    assert [(entry.opcode, entry.data) for entry in stamped] == [(OpcodeType.TEXT, "1"), (OpcodeType.BINARY, b"\x00")]
    assert len({entry.id for entry in stamped}) == 2
    assert stamped[0].position != stamped[1].position


def test_a_message_of_another_process_has_the_same_id_there() -> None:
    log = FakeLog()
    there, here = Process(log), Process(log)
    members = [process.join() for process in (there, here)]
    for process in (there, here):
        process.settle()
    there.send("1")
    there.settle()
    here.settle()
    ((mine, _, _),), ((theirs, at, _),) = [member.entries() for member in members]
    assert mine == theirs
    assert str(at) == "1-1"


def test_it_is_called_behind_what_sends_and_before_what_a_member_is_sent_in_between() -> None:
    stamp = Calls(lambda entry: f"s{entry.data}")
    process = Process.alone(stamp=stamp)
    alice, bob = process.join(), process.join()
    with process.running():
        process.room.send_string_message("1")
        assert stamp.got == []
        alice.socket.send_string_message("own")
        assert len(stamp.got) == 1
        process.room.send_string_message("2")
    assert alice.texts() == ["s1", "own", "s2"]
    assert bob.texts() == ["s1", "s2"]
    assert len(stamp.got) == 2


def test_it_is_not_called_inside_of_join() -> None:
    stamp = Calls(lambda entry: "s")
    process = Process.alone(stamp=stamp)
    member = process.join()
    member.leave()
    process.send("1")
    client = Client(process)
    with process.running():
        process.room.join(client.socket, after=member.recoveries[0].position)
        assert stamp.got == []
    assert client.texts() == ["s"]


@pytest.mark.parametrize("data", [b"raw", bytearray(b"raw"), memoryview(b"raw")])
async def test_bytes_that_it_returns_go_out_as_binary(connect: Connect, data: bytes) -> None:
    room = Room(stamp=lambda entry: data)
    peer, socket = await connect.socket()
    room.join(socket)
    room.send_string_message("x")
    frame = await peer.receive()
    assert (frame.opcode, frame.payload) == (BINARY, b"raw")


@pytest.mark.parametrize("result", [None, 5, {"a": 1}, "\ud800", RuntimeError])
def test_if_it_fails_that_is_logged_and_members_get_the_data_as_it_is(
    result: object, caplog: pytest.LogCaptureFixture
) -> None:
    def stamp(entry: RoomEntry) -> str:
        if result is RuntimeError:
            raise RuntimeError("mine")
        return result  # type: ignore[return-value]

    process = Process.alone(stamp=stamp)
    client = process.join()
    process.send("1")
    assert client.texts() == ["1"]
    assert client.transport.frames()[0].opcode == TEXT
    assert caplog.text.count("stamp failed") == 1
    assert client.socket.is_connected


def test_one_that_sends_to_the_room_itself_does_not_nest() -> None:
    def stamp(entry: RoomEntry) -> str:
        if len(str(entry.data)) < 5:
            process.room.send_string_message(f"{entry.data!s}!")
        return str(entry.data)

    process = Process.alone(stamp=stamp)
    client = process.join()
    process.send("a")
    assert client.texts() == ["a", "a!", "a!!", "a!!!", "a!!!!"]


def test_one_that_cannot_be_called_so_raises() -> None:
    async def later(entry: RoomEntry) -> str:
        return ""

    with pytest.raises(TypeError, match="stamp is a callable that takes"):
        Room(stamp=lambda: "")  # type: ignore[misc, arg-type]
    with pytest.raises(TypeError, match="it cannot be async"):
        Room(stamp=later)  # type: ignore[arg-type]


def test_the_excluded_member_is_left_out_and_nothing_keeps_it_alive() -> None:
    process = Process.alone()
    alice, bob = process.join(), process.join()
    with process.running():
        process.room.send_string_message("1", exclude=alice.socket)
    assert (alice.said, bob.said) == ([], ["1"])


# The last messages


def test_the_last_messages_are_entries_the_oldest_first() -> None:
    process = Process.alone(history=3)
    client = process.join()
    for number in range(5):
        process.send(str(number))
    told = ask(process, 10)
    assert [entry.data for entry in told] == ["2", "3", "4"]
    assert [(entry.id, entry.position) for entry in told] == [(name, str(at)) for name, at, _ in client.entries()[2:]]
    assert [entry.data for entry in ask(process, 1)] == ["4"]


def ask(process: Process, count: int) -> list[RoomEntry]:
    """Return the last messages of a process's room."""
    told: list[list[RoomEntry]] = []
    with process.running():
        process.room.last_messages(count, told.append)
    process.settle()
    ((entries),) = told
    return entries


def test_a_room_that_is_empty_or_has_no_history_or_no_broker_has_last_messages_too() -> None:
    process = Process.alone()
    process.send("1")
    assert [entry.data for entry in ask(process, 5)] == ["1"]
    assert ask(Process.alone(history=0), 5) == []
    plain = Process.alone(history=None, stamp=None)
    plain.send("1")
    assert ask(plain, 5) == []


def test_last_messages_are_read_from_the_broker_once_and_hold_what_is_not_there_yet() -> None:
    log = FakeLog()
    there, here = Process(log), Process(log)
    there.send("1")
    there.settle()
    assert [entry.data for entry in ask(here, 5)] == ["1"]
    here.join()
    here.settle()
    told: list[list[RoomEntry]] = []
    with here.running():
        here.room.send_string_message("2")
        here.room.last_messages(5, told.append)
        here.room.last_messages(5, told.append)
        here.broker.answer()
    here.settle()
    assert [[entry.data for entry in entries] for entries in told] == [["1", "2"], ["1", "2"]]
    assert here.broker.asked.count(("read_log",)) == 2
    assert [entry.data for entry in ask(here, 5)] == ["1", "2"]
    assert here.broker.asked.count(("read_log",)) == 2


def test_a_broker_that_cannot_be_read_gives_what_is_known_here() -> None:
    process = Process()
    process.join()
    process.settle()
    process.send("1")
    process.broker.close()
    assert [entry.data for entry in ask(process, 5)] == ["1"]


def test_wrong_counts_and_completions_raise() -> None:
    room = Room(history=5)
    for count in (0, -1, True, "5", None):
        with pytest.raises(ValueError, match="count is a whole number of at least 1"):
            room.last_messages(count, print)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="a completion of last_messages is a callable that takes"):
        room.last_messages(1, lambda: None)  # type: ignore[misc, arg-type]


async def test_last_messages_call_back_from_the_queue(connect: Connect) -> None:
    room = Room(history=5)
    _, socket = await connect.socket()
    room.join(socket)
    room.send_string_message("1")
    told = Calls()
    room.last_messages(5, told)
    assert told.got == []
    ((entries,),) = await told.until(1)
    assert [entry.data for entry in entries] == ["1"]


async def test_who_joins_behind_the_last_messages_misses_nothing_that_is_said_before_they_are_told(
    connect: Connect,
) -> None:
    room = Room(history=5)
    room.send_string_message("1")
    peer, socket = await connect.socket()

    def joined(entries: list[RoomEntry]) -> None:
        for entry in entries:
            socket.send(entry.data)
        room.join(socket, after=entries[-1].position)

    room.last_messages(5, joined)
    room.send_string_message("2")
    room.send_string_message("3")
    assert [await peer.receive_text() for _ in range(3)] == ["1", "2", "3"]
    room.send_string_message("4")
    assert await peer.receive_text() == "4"


def test_outside_of_any_loop_it_calls_back_in_the_calling_thread() -> None:
    room = Room(history=5)
    room.send_string_message("1")
    told: list[list[RoomEntry]] = []
    room.last_messages(5, told.append)
    assert [entry.data for (entries,) in [told] for entry in entries] == ["1"]


def test_last_messages_that_were_read_before_the_room_begins_to_listen_further_on_are_read_again() -> None:
    log = FakeLog()
    there, here = Process(log), Process(log)
    there.send("1")
    there.settle()
    told: list[list[RoomEntry]] = []
    early = log.read()
    with here.running():
        here.room.last_messages(5, told.append)
        there.send("2")
        there.settle()
        client = here.join()
        here.broker.begin()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(log, "read", lambda: early)
            here.broker.answer()
    here.settle()
    assert [[entry.data for entry in entries] for entries in told] == [["1", "2"]]
    assert here.broker.asked.count(("read_log",)) == 2
    assert client.said == []


def test_what_is_in_the_log_before_this_process_is_told_so_is_there_once() -> None:
    process = Process()
    process.send("1")
    process.broker.push(again=True)
    assert [entry.data for entry in ask(process, 5)] == ["1"]
