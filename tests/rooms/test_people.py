"""Who is in a room: names, infos, who may have one, and who is told."""

from __future__ import annotations

from typing import Any

import pytest

from perfectws import Recovery, Room
from perfectws.rooms.broker import Person
from perfectws.rooms.joining import NOT_LET_IN

from ..calls import Calls
from ..conftest import Connect
from .fakes import Client, Process

Told = list[tuple[dict[str, Any], dict[str, Any]]]


def told_by(room: Room) -> Told:
    """Return a list of what the room tells of its people from now on."""
    told: Told = []
    room.on_people(lambda joined, left: told.append((joined, left)))
    return told


def test_people_are_those_who_say_who_they_are() -> None:
    process = Process.alone(history=None, stamp=None)
    told = told_by(process.room)
    assert process.room.people == {}
    ada = process.join(who="Ada", info={"colour": "red"})
    process.join()
    bob = process.join(who="Bob")
    assert process.room.people == {"Ada": {"colour": "red"}, "Bob": None}
    ada.leave()
    with process.running():
        process.room.leave(bob.socket)
    assert process.room.people == {}
    red = {"Ada": {"colour": "red"}}
    assert told == [(red, {}), ({"Bob": None}, {}), ({}, red), ({}, {"Bob": None})]


def test_it_is_told_once_for_all_that_a_turn_has_brought_and_not_what_it_has_undone() -> None:
    process = Process.alone()
    told = told_by(process.room)
    clients = [Client(process) for _ in range(3)]
    with process.running():
        for number, client in enumerate(clients):
            process.room.join(client.socket, who=f"{number}")
        process.room.leave(clients[0].socket)
        assert told == []
    assert told == [({"1": None, "2": None}, {})]


def test_two_tabs_are_one_person() -> None:
    process = Process.alone()
    told = told_by(process.room)
    first, second = process.join(who="Ada"), process.join(who="Ada")
    first.leave()
    assert process.room.people == {"Ada": None}
    second.leave()
    assert told == [({"Ada": None}, {}), ({}, {"Ada": None})]


def test_the_newest_info_is_shown_and_told() -> None:
    process = Process.alone()
    told = told_by(process.room)
    first = process.join(who="Ada", info=1)
    second = process.join(who="Ada", info=2)
    first.join(who="Ada", info=3)
    first.join(who="Ada", info=3)
    assert process.room.people == {"Ada": 3}
    first.leave()
    assert process.room.people == {"Ada": 2}
    second.leave()
    assert told == [({"Ada": 1}, {}), ({"Ada": 2}, {}), ({"Ada": 3}, {}), ({"Ada": 2}, {}), ({}, {"Ada": 2})]


def test_who_joins_with_another_name_is_renamed() -> None:
    process = Process.alone()
    told = told_by(process.room)
    client = process.join(who="Ada")
    client.join(who="Countess", info=1)
    assert process.room.people == {"Countess": 1}
    assert len(process.room) == 1
    assert told[1:] == [({"Countess": 1}, {"Ada": None})]
    client.join()
    assert process.room.people == {"Countess": 1}, "who says nothing of it keeps the name"


def test_a_member_may_say_later_who_it_is() -> None:
    process = Process.alone(history=None, stamp=None)
    client = Client(process)
    with process.running():
        process.room.join(client.socket)
        process.room.join(client.socket, who="Ada")
    assert process.room.people == {"Ada": None}
    process.send("hello")
    assert client.texts() == ["hello"]


def test_a_name_that_is_to_be_unique_is_refused_while_somebody_has_it() -> None:
    process = Process.alone()
    ada = process.join(who="Ada", unique=True)
    assert ada.recoveries[0].has_joined
    other = process.join(who="Ada", unique=True)
    assert other.recoveries == [NOT_LET_IN]
    assert other.socket not in process.room
    process.send("hello")
    assert ada.said == ["hello"]
    assert other.said == []
    assert other.socket.is_connected
    other.join(who="Ada")
    assert other.recoveries[1].has_joined, "who does not ask for that may share it"
    ada.leave()
    other.leave()
    assert process.join(who="Ada", unique=True).recoveries[0].has_joined


def test_a_refused_rename_leaves_all_as_it_was() -> None:
    process = Process.alone()
    told = told_by(process.room)
    process.join(who="Ada")
    bob = process.join(who="Bob")
    bob.join(who="Ada", unique=True)
    assert bob.recoveries[1] == NOT_LET_IN
    assert bob.socket in process.room
    assert process.room.people == {"Ada": None, "Bob": None}
    assert len(told) == 2


def test_a_unique_name_may_be_claimed_again_by_who_has_it() -> None:
    process = Process.alone()
    ada = process.join(who="Ada", unique=True)
    ada.join(who="Ada", info=1, unique=True)
    assert ada.recoveries[1].has_joined
    assert process.room.people == {"Ada": 1}


# With others


def test_a_broker_that_refuses_a_name_keeps_the_socket_out() -> None:
    process = Process()
    ada = process.join(who="Ada", info=[1], unique=True)
    assert process.room.people == {}
    assert process.broker.asked[-1] == ("enter", 1, Person("Ada", "[1]"), True)
    process.broker.refuses = True
    process.settle()
    assert ada.recoveries == [NOT_LET_IN]
    assert process.broker.asked[-2:] == [("exit", 1), ("close",)]
    process.broker.refuses = False
    ada.join(who="Ada", unique=True)
    process.settle()
    assert process.room.people == {"Ada": None}


def test_while_the_broker_is_asked_nobody_else_here_gets_the_name() -> None:
    process = Process()
    first, second = process.join(who="Ada", unique=True), process.join(who="Ada", unique=True)
    assert (first.recoveries, second.recoveries) == ([], [NOT_LET_IN])
    first.leave()
    assert first.recoveries == [NOT_LET_IN]
    third = process.join(who="Ada", unique=True)
    process.settle()
    assert third.recoveries[0].has_joined
    assert process.room.people == {"Ada": None}


def test_a_socket_that_closes_while_the_broker_is_asked_does_not_enter() -> None:
    process = Process()
    told = told_by(process.room)
    process.join()
    ada = process.join(who="Ada", unique=True)
    ada.leave()
    process.settle()
    assert ada.recoveries == [NOT_LET_IN]
    assert process.room.people == {}
    assert told == []
    assert process.broker.asked[-1] == ("exit", 1)


def test_people_of_other_processes_are_there_until_they_go() -> None:
    process = Process()
    told = told_by(process.room)
    process.join(who="Ada")
    subscriber = process.broker.room()
    with process.running():
        subscriber.people_changed({"b:1": Person("Bob", '{"a":1}'), "b:2": Person("Ada", "null")}, [])
    assert process.room.people == {"Ada": None, "Bob": {"a": 1}}
    assert process.join(who="Bob", unique=True).recoveries == [NOT_LET_IN]
    with process.running():
        subscriber.people_changed({"b:1": Person("Bobby", "not JSON")}, ["b:2", "unknown"])
    assert process.room.people == {"Ada": None, "Bobby": None}
    assert told == [({"Ada": None}, {}), ({"Bob": {"a": 1}}, {}), ({"Bobby": None}, {"Bob": {"a": 1}})]


def test_an_empty_room_sees_nobody() -> None:
    process = Process()
    told = told_by(process.room)
    ada = process.join(who="Ada")
    with process.running():
        process.broker.room().people_changed({"b:1": Person("Bob", "1")}, [])
    ada.leave()
    assert process.room.people == {}
    assert told[-1] == ({}, {"Ada": None, "Bob": 1})
    with process.running():
        process.broker.room().people_changed({"b:2": Person("Cy", "1")}, [])
    assert process.room.people == {}, "it does not listen"


# What is wrong


@pytest.mark.parametrize(
    ("arguments", "error", "says"),
    [
        ({"who": 5}, TypeError, "who is a name, a str, not int"),
        ({"who": b"Ada"}, TypeError, "who is a name, a str, not bytes"),
        ({"who": ""}, ValueError, "it cannot be empty"),
        ({"who": "\ud800"}, ValueError, "surrogates not allowed"),
        ({"who": "Ada", "info": {1, 2}}, TypeError, "info goes to other processes as JSON: .*set is not JSON"),
        ({"who": "Ada", "info": float("nan")}, ValueError, "info goes to other processes as JSON"),
        ({"info": 1}, ValueError, "give who, a name"),
        ({"unique": True}, ValueError, "give who, a name"),
    ],
)
def test_what_cannot_be_a_name_or_an_info_raises_where_it_is_given(
    arguments: dict[str, Any], error: type[Exception], says: str
) -> None:
    process = Process.alone(history=None, stamp=None)
    client = Client(process)
    with pytest.raises(error, match=says):
        process.room.join(client.socket, **arguments)
    assert len(process.room) == 0


def test_an_info_that_contains_itself_raises() -> None:
    info: list[object] = []
    info.append(info)
    process = Process.alone()
    with pytest.raises(ValueError, match="info goes to other processes as JSON"):
        process.room.join(Client(process).socket, who="Ada", info=info)


def test_an_info_is_what_json_makes_of_it_so_that_all_processes_see_the_same() -> None:
    process = Process.alone()
    info: dict[Any, Any] = {"pair": (1, 2), 3: None}
    process.join(who="Ada", info=info)
    info.clear()
    assert process.room.people == {"Ada": {"pair": [1, 2], "3": None}}


def test_a_callback_that_fails_is_logged_and_costs_nobody_anything(caplog: pytest.LogCaptureFixture) -> None:
    process = Process.alone()

    @process.room.on_people
    def fail(joined: dict[str, Any], left: dict[str, Any]) -> None:
        joined.clear()
        raise RuntimeError("mine")

    told = told_by(process.room)
    ada = process.join(who="Ada")
    assert "RuntimeError: mine" in caplog.text
    assert told == [({"Ada": None}, {})]
    assert ada.socket.is_connected


def test_a_callback_that_cannot_be_called_so_raises() -> None:
    with pytest.raises(TypeError, match=r"on_people is a callable that takes \(joined, left\)"):
        Room().on_people(lambda joined: None)  # type: ignore[type-var]


async def test_people_over_real_sockets(connect: Connect) -> None:
    room = Room("tea")
    told = Calls()
    room.on_people(told)
    (_, a), (bob, b) = [await connect.socket() for _ in range(2)]
    recoveries: list[Recovery] = []
    room.join(a, who="Ada", unique=True, completion=recoveries.append)
    room.join(b, who="Bob")
    await told.until(1)
    assert told.got == [({"Ada": None, "Bob": None}, {})]
    await bob.vanish()
    await told.until(2)
    assert told.got[1] == ({}, {"Bob": None})
    assert room.people == {"Ada": None}
    assert recoveries[0].has_joined
