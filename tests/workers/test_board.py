"""What workers tell each other by the memory that they share."""

from __future__ import annotations

import os
import sys
from time import monotonic_ns

assert sys.platform != "win32"  # where these are not collected


import pytest

from perfectws.server.workers import board as board_module
from perfectws.server.workers.board import Board, Order


def test_a_worker_is_fit_while_it_serves_and_its_heart_beats(monkeypatch: pytest.MonkeyPatch) -> None:
    board = Board(2, 1)
    assert not board.is_fit(0)
    board.beat(0)
    assert board.is_fit(0)
    now = monotonic_ns()
    monkeypatch.setattr(board_module, "monotonic_ns", lambda: now + 10**9 + 10**8)
    assert not board.is_fit(0)
    board.beat(0)
    assert board.is_fit(0)
    board.leave(0)
    assert not board.is_fit(0)


def test_what_waits_in_an_inbox_belongs_to_the_load_of_its_worker() -> None:
    board = Board(3, 2)
    board.count(1, 0, 5)
    board.count(1, 1, 2)
    board.count_passed(0, 1)
    board.count_passed(2, 1)
    assert (board.waiting_in(1), board.load_of(1)) == (2, 9)
    board.count_taken(1, 1)
    board.count_taken(2, 1)  # which takes it back
    assert (board.waiting_in(1), board.load_of(1), board.load_of(0)) == (0, 7, 0)


def test_the_connections_of_a_server_are_those_of_all_workers() -> None:
    board = Board(2, 2)
    board.count(0, 1, 3)
    board.count(1, 1, 4)
    board.count(1, 0, 9)
    assert (board.connections_to(0), board.connections_to(1)) == (9, 7)


def test_of_a_worker_that_is_gone_only_what_it_has_passed_and_taken_is_left() -> None:
    board = Board(2, 1)
    board.beat(0)
    board.order(0, Order.RETIRE)
    board.count(0, 0, 3)
    board.count_passed(0, 1)
    board.clear(0)
    assert (board.is_fit(0), board.order_to(0), board.load_of(0)) == (False, Order.SERVE, 0)
    assert board.waiting_in(1) == 1


def test_all_is_stopped_once_each_server_is() -> None:
    board = Board(2, 2)
    board.stop_server(1)
    assert (board.is_stopped(0), board.is_stopped(1), board.is_all_stopped) == (False, True, False)
    board.stop_server(0)
    assert board.is_all_stopped


@pytest.mark.skipif(sys.platform == "win32", reason="there is no fork")
def test_a_fork_writes_to_the_same_board() -> None:
    board = Board(1, 1)
    assert sys.platform != "win32"
    pid = os.fork()
    if pid == 0:
        board.count(0, 0, 7)
        os._exit(0)
    os.waitpid(pid, 0)
    assert board.load_of(0) == 7
