"""A pass of the reactor that has no time for all that is ready, and how events are numbered."""

from __future__ import annotations

import os
import select
import socket
import sys
from collections.abc import Iterator

import pytest

from perfectws.net.loop import make_reactor
from perfectws.net.reactor import CLOCK_INTERVAL, PAUSED, READABLE, WRITABLE, Reactor

if sys.platform != "linux":
    pytest.skip("only Linux has a reactor", allow_module_level=True)
assert sys.platform == "linux"  # which type checkers understand

#: How many passes it takes until all have had their turn, with one more than the eventfds.
PASSES = 3


class Told:
    """A handler that notes what it is told, and reads nothing."""

    def __init__(self, reactor: Reactor, descriptor: int, events: int) -> None:
        self.events: list[int] = []
        self.descriptor = descriptor
        reactor.add(descriptor, self, events)

    def on_readable(self) -> int:
        self.events.append(READABLE)
        return 0

    def on_events(self, events: int) -> int:
        self.events.append(events)
        return 0

    def remove(self) -> None:
        os.close(self.descriptor)


@pytest.fixture
def reactor(monkeypatch: pytest.MonkeyPatch) -> Iterator[Reactor]:
    """A reactor with no time: it handles a few of the many descriptors that are ready for ever."""
    monkeypatch.setattr("perfectws.net.reactor.PASS_SECONDS", -1)
    reactor = make_reactor()
    assert reactor is not None
    for _ in range((PASSES - 1) * CLOCK_INTERVAL):
        Told(reactor, os.eventfd(1, os.EFD_NONBLOCK), READABLE)
    yield reactor
    for descriptor, handler in list(reactor._handlers.items()):
        if isinstance(handler, Told):
            reactor.remove_later(descriptor, handler)
    reactor.close()


@pytest.fixture
def paused(reactor: Reactor) -> Told:
    """A paused socket whose peer has gone, which epoll tells once, last of all."""
    left, right = socket.socketpair()
    paused = Told(reactor, left.detach(), PAUSED)
    right.close()
    return paused


def test_what_is_told_once_is_not_lost_to_a_pass_that_has_no_time_left(reactor: Reactor, paused: Told) -> None:
    for _ in range(PASSES - 1):
        assert reactor.run_pass()
        assert paused.events == []
    assert reactor.run_pass()
    assert len(paused.events) == 1


def test_what_a_pass_had_no_time_for_comes_before_anything_a_second_time(reactor: Reactor) -> None:
    told = [handler for handler in reactor._handlers.values() if isinstance(handler, Told)]
    for _ in range(PASSES - 1):
        assert reactor.run_pass()
    assert [len(handler.events) for handler in told] == [1] * len(told)


def test_what_was_told_before_a_socket_was_paused_does_not_count_any_more(reactor: Reactor) -> None:
    told = [handler for handler in reactor._handlers.values() if isinstance(handler, Told)]
    assert reactor.run_pass()
    waiting = next(handler for handler in told if not handler.events)
    reactor.modify(waiting.descriptor, PAUSED)
    for _ in range(10):
        assert reactor.run_pass()
    assert READABLE not in waiting.events


def test_what_was_told_of_a_descriptor_that_is_gone_is_forgotten(reactor: Reactor, paused: Told) -> None:
    left, right = socket.socketpair()
    with left, right:
        assert reactor.run_pass()
        reactor.remove_later(paused.descriptor, paused)
        reactor.close_removed()
        other = Told(reactor, os.dup2(left.fileno(), paused.descriptor), PAUSED)  # its number goes to another
        for _ in range(10):
            assert reactor.run_pass()
    assert paused.events == other.events == []


def test_events_are_numbered_as_epoll_numbers_them() -> None:
    assert (READABLE, WRITABLE) == (select.EPOLLIN, select.EPOLLOUT)
    assert PAUSED == select.EPOLLRDHUP | select.EPOLLET
