"""The contract between a connection and its halves, and those that keep it: the real connection and the tests' own."""

from __future__ import annotations

import pytest

from perfectws.callbacks import CallbackOwner
from perfectws.rooms.room import Member
from perfectws.websocket.connection import WebSocketConnection
from perfectws.websocket.contract import Connection, Membership

from .fakes import FakeConnection
from .test_outbox import FakeRoom

#: What a `FakeConnection` has besides, for the tests that hold it.
OF_THE_TESTS = {"asked", "reactions", "failures", "count", "close_code", "close_reason"}


def public(kind: object) -> set[str]:
    return {name for name in dir(kind) if not name.startswith("_")}


def test_a_connection_must_be_able_to_do_all_that_its_halves_may_ask_for() -> None:
    assert Connection.__abstractmethods__
    for name in Connection.__abstractmethods__:
        lacking = type("Lacking", (FakeConnection,), {name: getattr(Connection, name)})
        with pytest.raises(TypeError, match=name):
            lacking()
    assert not WebSocketConnection.__abstractmethods__


def test_the_tests_own_connection_can_do_nothing_more() -> None:
    contract = public(Connection) | {*Connection.__annotations__} | public(CallbackOwner())
    assert public(FakeConnection()) - contract == OF_THE_TESTS


@pytest.mark.parametrize("kind", [Member, FakeRoom])
def test_a_place_in_a_room_can_do_what_an_outbox_may_ask_for(kind: type[Membership]) -> None:
    assert public(Membership) <= public(kind)
