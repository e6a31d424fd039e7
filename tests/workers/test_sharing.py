"""Which connections a worker keeps, passes on and takes."""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterator
from time import monotonic_ns

assert sys.platform != "win32"  # where these are not collected


import pytest

from perfectws.server.workers import board as board_module
from perfectws.server.workers.board import Board
from perfectws.server.workers.channel import Channel
from perfectws.server.workers.sharing import MARGIN, Sharing


class Workers:
    """Some workers, all in this process; each counts what it takes as a connection that it has."""

    def __init__(self, count: int) -> None:
        self.board = Board(count, 1)
        self.channel = Channel(count)
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.key = self.listening.fileno()
        self.taken: list[list[socket.socket]] = [[] for _ in range(count)]
        self.sharing = [self.begin(number) for number in range(count)]

    def begin(self, number: int) -> Sharing:
        def take(connected: socket.socket) -> None:
            self.taken[number].append(connected)
            self.board.count(number, 0, 1)

        sharing = Sharing(self.board, self.channel, number)
        sharing.begin(self.listening, take)
        self.board.beat(number)
        return sharing

    def accept(self, number: int) -> bool:
        """Let a worker accept a connection; return whether it has passed it on."""
        sharing = self.sharing[number]
        with socket.create_connection(self.listening.getsockname()):
            connected, _ = self.listening.accept()
        sharing.look()
        if is_passed := sharing.passes_on(self.key, connected.fileno()):
            connected.close()
        else:
            self.taken[number].append(connected)
            self.board.count(number, 0, 1)
        return is_passed

    @property
    def counts(self) -> list[int]:
        return [len(each) for each in self.taken]

    def close(self) -> None:
        for each in (*(one for taken in self.taken for one in taken), self.listening):
            each.close()
        self.channel.close()


@pytest.fixture
def workers() -> Iterator[Workers]:
    workers = Workers(3)
    yield workers
    workers.close()


def test_a_worker_passes_on_what_it_has_more_than_the_least_loaded(workers: Workers) -> None:
    passed = [workers.accept(0) for _ in range(30)]
    assert passed[:MARGIN] == [False] * MARGIN
    for sharing in workers.sharing:
        while sharing.take():
            pass
    assert sum(workers.counts) == 30
    assert max(workers.counts) - min(workers.counts) <= MARGIN


def test_nothing_is_passed_to_who_is_silent_leaves_or_is_gone(
    workers: Workers, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = monotonic_ns()
    monkeypatch.setattr(board_module, "monotonic_ns", lambda: now + 2 * 10**9)
    workers.board.beat(0)
    workers.board.leave(1)
    assert not any(workers.accept(0) for _ in range(20))


def test_what_waits_for_who_is_silent_is_taken_back_and_spread(
    workers: Workers, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(30):
        workers.accept(0)
    waiting = workers.board.waiting_in(1)
    assert waiting > 5
    now = monotonic_ns()
    monkeypatch.setattr(board_module, "monotonic_ns", lambda: now + 2 * 10**9)
    workers.board.beat(0)
    workers.board.beat(2)
    workers.sharing[0].take_back()
    assert workers.board.waiting_in(1) == 0
    workers.sharing[2].take()
    assert workers.counts[1] == 0
    assert sum(workers.counts) == 30
    assert abs(workers.counts[0] - workers.counts[2]) <= MARGIN
    assert not workers.sharing[2].take_back()


def test_a_connection_is_kept_when_every_inbox_is_full(workers: Workers) -> None:
    for inbox in (1, 2):
        while workers.channel.inboxes[inbox].send(b"full"):
            pass
    assert not any(workers.accept(0) for _ in range(20))


def test_what_comes_for_a_server_that_is_stopped_here_is_closed(workers: Workers) -> None:
    with socket.create_connection(workers.listening.getsockname()) as client:
        connected, _ = workers.listening.accept()
        workers.channel.pass_connection(0, 9999, connected.fileno())
        connected.close()
        workers.sharing[0].take()
        client.settimeout(60)
        assert client.recv(1) == b""


def test_a_connection_that_finds_no_descriptor_costs_itself_alone(
    workers: Workers, caplog: pytest.LogCaptureFixture
) -> None:
    workers.channel.inboxes[0].send(workers.key.to_bytes(4, sys.byteorder))
    workers.sharing[0].take()
    assert workers.counts == [0, 0, 0]
    assert "No descriptors are left" in caplog.text
