"""How soon a process that has died is replaced."""

from __future__ import annotations

import sys

assert sys.platform != "win32"  # where these are not collected


from perfectws.server.workers.crew import Comeback


def test_the_first_is_replaced_at_once_and_each_that_dies_soon_a_little_later() -> None:
    comeback = Comeback()
    assert [comeback.wait(1) for _ in range(9)] == [0, 0.5, 1, 2, 4, 8, 16, 30, 30]


def test_one_that_has_lived_for_a_while_is_replaced_at_once() -> None:
    comeback = Comeback()
    assert [comeback.wait(lived) for lived in (1, 1, 1, 30, 1)] == [0, 0.5, 1, 0, 0.5]


def test_the_waits_have_no_end() -> None:
    comeback = Comeback()
    assert [comeback.wait(0) for _ in range(2000)][-1] == 30
