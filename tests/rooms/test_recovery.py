"""Joining with a position: what was missed comes first, or a gap is told."""

from __future__ import annotations

from time import time

import pytest

from perfectws import CloseCode, LocalBroker, OpcodeType, Recovery, Room
from perfectws.rooms import local_broker, recent
from perfectws.rooms.arrival import RECOVERY_SECONDS
from perfectws.rooms.broker import LogMessage
from perfectws.rooms.joining import NOT_LET_IN
from perfectws.rooms.position import Position
from perfectws.transport import HIGH_WATER

from ..calls import Calls
from ..conftest import Connect
from .fakes import Client, FakeLog, Process


def test_who_comes_back_gets_what_it_missed_before_anything_newer() -> None:
    process = Process.alone()
    alice = process.join()
    process.send("1")
    position = alice.position
    alice.leave()
    process.send("2")
    process.send("3")

    bob = Client(process)
    with process.running():
        process.room.join(bob.socket, after=position, completion=bob.recoveries.append)
        process.room.send_string_message("4")
    process.send("5")
    assert bob.said == ["2", "3", "4", "5"]
    ((recovered, missed, at),) = bob.recoveries
    assert recovered
    assert missed == 2
    assert at == str(bob.entries()[2][1]), "that of the moment in which it is told: what came by then was sent before"


def test_who_missed_nothing_is_told_so() -> None:
    process = Process.alone()
    alice, bob = process.join(), process.join()
    process.send("1")
    alice.leave()
    again = process.join(after=bob.position)
    assert again.recoveries == [Recovery(True, 0, bob.position)]
    assert again.said == []


def test_who_comes_with_no_position_gets_nothing_old_and_has_all_from_the_position_it_is_told() -> None:
    process = Process.alone()
    process.send("1")
    alice = process.join()
    assert alice.said == []
    (recovery,) = alice.recoveries
    assert recovery.recovered
    assert recovery.has_joined
    process.send("2")
    alice.leave()
    assert process.join(after=recovery.position).said == ["2"]


@pytest.mark.parametrize(
    "position",
    ["", " ", "-", "1", "1-", "-1", "x-y", "0-0", "1-1", "1-1\n", "١-١", "1-2-3", "\x00", "9" * 30 + "-1", "-1--1"],
)
def test_what_is_no_position_is_a_gap(position: str) -> None:
    """It comes from a client, maybe in a URL."""
    process = Process.alone()
    process.send("1")
    alice = process.join(after=position)
    assert [recovery.recovered for recovery in alice.recoveries] == [False]
    assert alice.recoveries[0].has_joined
    process.send("2")
    assert alice.said == ["2"]


def test_a_position_that_is_not_reached_is_a_gap() -> None:
    process = Process.alone()
    alice = process.join()
    epoch, number = alice.position.split("-")
    assert not process.join(after=f"{epoch}-{int(number) + 1}").recoveries[0].recovered


def test_what_is_past_the_history_is_a_gap() -> None:
    process = Process.alone(history=2)
    alice = process.join()
    position = alice.position
    process.send("1")
    process.send("2")
    assert process.join(after=position).said == ["1", "2"]
    process.send("3")
    late = process.join(after=position)
    assert late.said == []
    assert late.recoveries == [Recovery(False, 0, alice.position)]


def test_what_is_too_old_is_a_gap(monkeypatch: pytest.MonkeyPatch) -> None:
    process = Process.alone(history_seconds=60)
    position = process.join().position
    process.send("1")
    assert process.join(after=position).said == ["1"]
    later = time() + 61
    for module in (recent, local_broker):
        monkeypatch.setattr(module, "time", lambda: later)
    assert process.join(after=position).recoveries[0].recovered is False


def test_without_a_history_only_who_missed_nothing_has_all() -> None:
    process = Process.alone(history=0)
    alice = process.join()
    process.send("1")
    assert process.join(after=alice.position).recoveries[0].recovered
    assert not process.join(after=alice.recoveries[0].position).recoveries[0].recovered


def test_a_room_that_was_empty_meanwhile_has_its_history() -> None:
    process = Process.alone()
    alice = process.join()
    position = alice.position
    process.send("1")
    alice.leave()
    process.send("2")
    assert process.join(after=position).said == ["1", "2"]


def test_who_was_excluded_gets_its_message_when_it_comes_back() -> None:
    process = Process.alone()
    alice = process.join()
    with process.running():
        process.room.send_string_message("mine", exclude=alice.socket)
    process.send("theirs")
    assert alice.said == ["theirs"]
    assert process.join(after=alice.recoveries[0].position).said == ["mine", "theirs"]


async def test_it_works_over_real_sockets(connect: Connect) -> None:
    room = Room("tea", history=10)
    (_, a), (bob, b) = [await connect.socket() for _ in range(2)]
    told = Calls()
    room.join(a, completion=told)
    ((start,),) = await told.until(1)
    room.send_string_message("1")
    room.send_binary_message(b"\xff")
    room.join(b, after=start.position, completion=told)
    room.send_string_message("2")
    assert [(await bob.receive()).payload for _ in range(3)] == [b"1", b"\xff", b"2"]
    assert (await told.until(2))[1][0].missed == 2
    assert room.figures.deliveries == 6
    await bob.close_handshake()


async def test_members_that_compress_recover_too(connect: Connect) -> None:
    room = Room("tea", history=10)
    (_, a), (bob, b) = [await connect.socket(compression=True) for _ in range(2)]
    told = Calls()
    room.join(a, completion=told)
    ((start,),) = await told.until(1)
    texts = [f"{number} " * 200 for number in range(3)]
    for text in texts:
        room.send_string_message(text)
    room.join(b, after=start.position)
    assert [await bob.receive_text() for _ in range(3)] == texts


# A broker that has to be asked


def test_a_herd_is_answered_by_one_question_to_the_broker() -> None:
    log = FakeLog()
    there, process = Process(log), Process(log)
    there.join()
    there.settle()
    for number in range(10):
        there.send(str(number))
        there.settle()
    herd = [process.join(after=f"1-{number % 10}") for number in range(100)]
    process.settle()
    assert [client.said for client in herd] == [[str(at) for at in range(number % 10, 10)] for number in range(100)]
    assert process.broker.asked.count(("read_log",)) == 1
    assert process.join(after="1-3").said == [str(at) for at in range(3, 10)]
    assert process.broker.asked.count(("read_log",)) == 1


def test_a_broker_that_does_not_answer_is_a_gap_after_a_while_and_nothing_sent_meanwhile_is_lost() -> None:
    process = Process()
    alice, bob = process.join(after="1-1"), process.join()
    process.send("1")
    assert alice.said == []
    assert bob.said == ["1"], "who came with no position does not wait"
    with process.running():
        process.loop.advance(RECOVERY_SECONDS)
    process.send("2")
    assert alice.said == ["1", "2"]
    assert [recovery.recovered for recovery in alice.recoveries] == [False]
    assert [recovery.recovered for recovery in bob.recoveries] == [True]


def test_a_broker_that_cannot_read_is_a_gap_at_once() -> None:
    process = Process()
    process.broker.log.number = 5
    process.broker.close()
    alice = process.join(after="1-3")
    process.settle()
    assert alice.recoveries == [Recovery(False, 0, "1-5")]


def test_a_position_of_another_process_that_is_ahead_is_waited_for() -> None:
    log = FakeLog()
    there, here = Process(log), Process(log)
    behind = here.join()
    there.join()
    there.settle()
    here.settle()
    there.send("1")
    there.settle()
    there.send("2")
    there.settle()
    alice = here.join(after=str(log.end))
    assert not alice.recoveries
    here.send("3")
    with here.running():
        here.broker.pull(2)
    assert alice.said == ["3"], "what the broker brings after it, and what was sent here and is not in the log yet"
    assert behind.said == ["3", "1", "2"]
    assert alice.recoveries[0].recovered


def test_a_position_ahead_that_never_comes_is_a_gap() -> None:
    process = Process()
    process.join()
    process.settle()
    alice = process.join(after="1-1")
    with process.running():
        process.loop.advance(RECOVERY_SECONDS)
    assert alice.recoveries == [Recovery(False, 0, "1-0")]


def test_what_the_log_lost_before_it_came_here_is_a_gap_for_those_who_come_from_before() -> None:
    log = FakeLog()
    there, here = Process(log), Process(log)
    there.join()
    client = here.join()
    for process in (there, here):
        process.settle()
    for number in range(4):
        there.send(str(number))
        there.settle()
    log.trim(1)
    with here.running():
        here.broker.pull(10)
    assert client.said == ["3"]
    late = here.join(after="1-1")
    here.settle()
    assert late.recoveries == [Recovery(False, 0, "1-4")]
    assert here.join(after="1-3").said == ["3"]


def test_a_log_that_was_begun_anew_is_a_gap() -> None:
    process = Process()
    alice = process.join()
    process.settle()
    process.send("1")
    process.settle()
    process.broker.log.lose()
    process.settle()
    assert process.join(after="1-1").recoveries == [Recovery(False, 0, "2-0")]
    process.send("2")
    process.settle()
    assert process.join(after="2-0").said == ["2"]
    assert alice.said == ["1", "2"]


def test_what_is_appended_twice_is_heard_once() -> None:
    log = FakeLog()
    there, here = Process(log), Process(log)
    there.join()
    client = here.join()
    for process in (there, here):
        process.settle()
    there.send("1")
    with there.running():
        there.broker.push(again=True)
    there.settle()
    here.settle()
    assert client.said == ["1"]
    assert here.broker.figures.duplicates == 1
    assert here.join(after="1-0").said == ["1"]


def test_what_this_process_sent_is_taken_without_being_read_again() -> None:
    process = Process()
    client = process.join()
    process.settle()
    for text in ("1", "2", "3"):
        process.send(text)
    subscriber = process.broker.room()
    first = process.broker.queue[0].sequence
    with process.running():
        assert not subscriber.take_own(first, 4, Position(1, 1)), "the fourth was never sent"
        assert not subscriber.take_own(first + 1, 2, Position(1, 1)), "another was sent before"
        assert subscriber.take_own(first, 2, Position(1, 1))
        assert not subscriber.take_own(first, 2, Position(1, 2)), "it has come"
    assert process.join(after="1-0").said == ["1", "2", "3"]
    assert process.join(after="1-1").said == ["3"], "two are in the log, the third is on its way"
    assert client.said == ["1", "2", "3"]


def recovers(process: Process, *positions: str) -> list[bool]:
    """Return whether those who come with these positions get all that they have missed."""
    clients = [process.join(after=position) for position in positions]
    process.settle()
    return [recovery.recovered for client in clients for recovery in client.recoveries]


def test_what_never_reaches_the_log_is_a_gap_for_those_who_come_from_before_it() -> None:
    log = FakeLog()
    there, here = Process(log), Process(log)
    stays = there.join()
    here.join()
    for process in (there, here):
        process.settle()
    there.send("kept")
    there.settle()
    there.send("lost")
    there.broker.lose()
    late = there.join(after="1-1")
    assert late.recoveries == [Recovery(False, 0, "1-1")], "it is known already that this is in no log"
    for process in (there, here):
        process.settle()
    there.send("later")
    for process in (there, here, Process(log)):
        process.join()
        process.settle()
        assert recovers(process, "1-0", "1-1", "1-2", "1-3") == [False, False, True, True]
        assert process.join(after="1-2").said == ["later"]
    assert stays.said == ["kept", "lost", "later"]


def test_what_is_lost_between_others_is_a_gap_between_them() -> None:
    process = Process()
    process.join()
    process.settle()
    for text in ("1", "2"):
        process.send(text)
    process.broker.lose()
    process.send("3")
    assert recovers(process, "1-0", "1-1", "1-2") == [False, False, True]


def test_what_was_lost_while_the_room_was_empty_is_a_gap() -> None:
    process = Process()
    client = process.join()
    process.settle()
    process.send("1")
    process.settle()
    client.leave()
    process.send("2")
    process.broker.lose()
    late = process.join(after="1-1")
    process.settle()
    assert [recovery.recovered for recovery in late.recoveries] == [False]
    assert recovers(process, "1-1", "1-2") == [False, True]
    late.leave()
    assert recovers(process, "1-1", "1-2") == [False, True], "that is not forgotten with the room's members"


def test_what_another_process_says_though_it_is_in_no_log_is_heard_and_a_gap() -> None:
    process = Process()
    client = process.join()
    process.settle()
    with process.running():
        process.broker.room().torn()
        process.broker.room().take([LogMessage(b"b" * 16, 1, OpcodeType.TEXT, b"unlogged")], Position(1, 0))
    assert client.said == ["unlogged"]
    assert recovers(process, "1-0") == [False]
    process.send("1")
    process.settle()
    assert recovers(process, "1-0", "1-1") == [False, True]


# Sockets that are slow, or go


def test_a_socket_that_reads_slowly_recovers_in_pieces_and_is_not_cut_off() -> None:
    process = Process.alone(history=400, stamp=None)
    process.join()
    position = process.join().position
    texts = [f"{number} ".ljust(1024, ".") for number in range(300)]
    for text in texts:
        process.send(text)
    slow = Client(process, max_write_buffer=128 * 1024)
    slow.transport.stall(0)
    slow.join(after=position)
    assert not slow.recoveries
    assert HIGH_WATER <= slow.socket.buffered_amount < 2 * HIGH_WATER
    process.send("newer")
    for _ in range(10):
        with process.running():
            slow.transport.drain()
            slow.transport.stall(0)
    assert slow.texts() == [*texts, "newer"]
    assert [recovery.missed for recovery in slow.recoveries] == [300]
    assert slow.socket.is_connected


def test_a_socket_that_does_not_read_what_comes_meanwhile_is_closed_as_any_slow_member() -> None:
    process = Process.alone(history=100, stamp=None)
    position = process.join().position
    for _ in range(100):
        process.send("." * 1024)
    slow = Client(process, max_write_buffer=128 * 1024)
    slow.transport.stall(0)
    slow.join(after=position)
    for _ in range(200):
        process.send("." * 1024)
    assert slow.socket.close_code == CloseCode.TRY_AGAIN_LATER
    assert len(slow.recoveries) == 1
    assert len(process.room) == 1


def test_where_slow_members_miss_messages_one_that_recovers_slowly_does_too_and_it_is_told() -> None:
    drops = Calls()
    process = Process.alone(history=100, stamp=None, slow="drop", on_drop=drops)
    position = process.join().position
    for _ in range(100):
        process.send("." * 1024)
    slow = Client(process, max_write_buffer=128 * 1024)
    slow.transport.stall(0)
    slow.join(after=position)
    for _ in range(200):
        process.send("." * 1024)
    assert slow.socket.is_connected
    assert [recovery.missed for recovery in slow.recoveries] == [100]
    with process.running():
        slow.transport.drain()
    ((socket, missed),) = drops.got
    assert socket is slow.socket
    assert len(slow.texts()) + missed == 300


def test_a_socket_that_closes_before_it_has_recovered_is_not_let_in_and_told_once() -> None:
    process = Process()
    alice = process.join(after="1-1")
    alice.leave()
    with process.running():
        process.loop.advance(RECOVERY_SECONDS)
    process.settle()
    assert alice.recoveries == [NOT_LET_IN]
    assert not alice.recoveries[0].has_joined
    assert len(process.room) == 0
    assert process.broker.asked[-1] == ("close",)


def test_a_socket_that_leaves_before_it_has_recovered_is_told() -> None:
    process = Process()
    alice = process.join(after="1-1")
    with process.running():
        process.room.leave(alice.socket)
    assert alice.recoveries == [NOT_LET_IN]
    process.settle()
    assert alice.said == []


def test_a_socket_that_has_closed_is_told_that_it_stays_outside() -> None:
    process = Process.alone()
    alice = Client(process)
    alice.leave()
    alice.join(after="1-1")
    assert alice.recoveries == [NOT_LET_IN]


# Joining again


def test_who_joins_again_stays_in_and_is_told_whether_it_has_all() -> None:
    process = Process.alone()
    process.send("0")
    old = process.join().position
    process.send("1")
    alice = process.join()
    process.send("2")
    alice.join()
    alice.join(after=alice.recoveries[0].position)
    alice.join(after=old)
    alice.join(after="garbage")
    assert [recovery.recovered for recovery in alice.recoveries] == [True, True, True, False, False]
    assert alice.said == ["2"]
    process.send("3")
    assert alice.said == ["2", "3"]


def test_who_joins_twice_at_once_is_sent_what_it_missed_once() -> None:
    process = Process.alone()
    position = process.join().position
    process.send("1")
    alice = Client(process)
    with process.running():
        for _ in range(2):
            process.room.join(alice.socket, after=position, completion=alice.recoveries.append)
    assert alice.said == ["1"]
    assert [recovery.recovered for recovery in alice.recoveries] == [True, True]


# What is wrong


def test_what_cannot_be_a_position_or_a_completion_raises_where_it_is_given() -> None:
    process = Process.alone()
    client = Client(process)
    with pytest.raises(TypeError, match="after is a position, a str, not int"):
        process.room.join(client.socket, after=5)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="a join's completion is a callable that takes"):
        process.room.join(client.socket, completion=lambda: None)  # type: ignore[misc, arg-type]
    assert len(process.room) == 0


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"history": -1}, "history is a whole number"),
        ({"history": 1.5}, "history is a whole number"),
        ({"history_seconds": 0}, "history_seconds is a number of seconds above 0"),
        ({"broker": LocalBroker(), "name": None}, "a room with a broker has a name"),
    ],
)
def test_a_room_that_cannot_be_raises(arguments: dict[str, object], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        Room(**{"name": "tea", **arguments})  # type: ignore[arg-type]


def test_a_completion_that_fails_closes_the_socket_and_nobody_elses(caplog: pytest.LogCaptureFixture) -> None:
    process = Process.alone()
    alice, bob = Client(process), process.join()

    def fail(recovery: Recovery) -> None:
        raise RuntimeError("mine")

    with process.running():
        process.room.join(alice.socket, completion=fail)
    assert "RuntimeError: mine" in caplog.text
    assert alice.socket.close_code == CloseCode.INTERNAL_ERROR
    process.send("1")
    assert bob.said == ["1"]
