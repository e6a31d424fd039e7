"""The contract between a connection and its halves, and those that keep it: the real connection and the tests' own."""

from __future__ import annotations

import gc
from contextvars import copy_context

import pytest

from perfectws.callbacks import CallbackOwner
from perfectws.rooms.group import Member
from perfectws.websocket.connection import WebSocketConnection
from perfectws.websocket.contract import Connection, EndedConnection, Membership
from perfectws.websocket.opcodes import OpcodeType

from .fakes import FakeConnection
from .test_outbox import FakeRoom

#: What a `FakeConnection` has besides, for the tests that hold it.
OF_THE_TESTS = {"asked", "unsent", "taken", "reactions", "failures", "count", "close_code", "close_reason"}


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


def test_what_stands_for_a_connection_that_is_over_tells_how_it_closed_and_does_nothing() -> None:
    reported: list[Exception] = []
    context = copy_context()
    socket = FakeConnection()  # anything that can be referred to weakly
    ended = EndedConnection((4001, "bye"), context, socket, "Chat", reported.append)
    assert (ended.is_connected, ended.has_unfinished_sends, ended.is_reading_paused) == (False, False, False)
    assert (ended.missing, ended.socket, ended.context) == (0, socket, context)
    first, second = ended.closed_error(), ended.closed_error()
    assert (first.code, first.reason) == (second.code, second.reason) == (4001, "bye")
    assert first is not second  # each is raised in a place of its own
    ended.close(1000, "")
    ended.drop("")
    ended.read_frames()
    ended.inbox_drained()
    assert (ended.unsent_amount(), ended.progress()) == (0, 0)
    ended.send_control(OpcodeType.PING, b"")
    assert (ended.closed_error().code, reported) == (4001, [])
    error = ZeroDivisionError()
    ended.callback_failed(error)
    assert reported == [error]
    del socket
    gc.collect()
    assert ended.socket is None


@pytest.mark.parametrize("kind", [Member, FakeRoom])
def test_a_place_in_a_room_can_do_what_an_outbox_may_ask_for(kind: type[Membership]) -> None:
    assert public(Membership) <= public(kind)
