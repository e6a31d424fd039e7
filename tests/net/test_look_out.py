"""Looking out for more: it goes on as long as it pays, stops when it does not, and is tried again when it may."""

from __future__ import annotations

import pytest

from perfectws.net.look_out import FULL, OFTEN, SOON_SECONDS, TRIAL, VAIN, LookOut


class Sea:
    """What is looked at: it says what it is told to, and counts how often it is looked at."""

    def __init__(self) -> None:
        self.is_ready = False
        self.looks = 0

    def becomes_ready_within(self, seconds: float) -> bool:
        assert 0 < seconds < 0.001
        self.looks += 1
        return self.is_ready


@pytest.fixture
def sea() -> Sea:
    return Sea()


def rest(look_out: LookOut, sea: Sea, times: int, seconds: float) -> None:
    """Let the pump be called back ``seconds`` after it has found nothing, again and again."""
    for now in range(times):
        assert not look_out.sees(sea, now)
        look_out.called_back(now + seconds)


def tired(sea: Sea) -> LookOut:
    look_out = LookOut()
    rest(look_out, sea, FULL // VAIN, 1)
    return look_out


def test_who_sees_something_looks_out_for_ever(sea: Sea) -> None:
    look_out = LookOut()
    sea.is_ready = True
    assert all(look_out.sees(sea, 0) for _ in range(1000))
    assert sea.looks == 1000


def test_who_sees_nothing_stops(sea: Sea) -> None:
    look_out = tired(sea)
    assert sea.looks == FULL // VAIN
    rest(look_out, sea, 1000, 1)
    assert sea.looks == FULL // VAIN


@pytest.mark.parametrize(("seen", "of", "goes_on"), [(3, 4, True), (1, 2, False)])
def test_it_goes_on_if_more_is_saved_than_lost(sea: Sea, seen: int, of: int, goes_on: bool) -> None:
    look_out = LookOut()
    for number in range(1000):
        sea.is_ready = number % of < seen
        look_out.sees(sea, number)
        look_out.called_back(number + 0.5)
    assert (sea.looks == 1000) is goes_on


def test_it_is_tried_again_when_something_keeps_coming_soon(sea: Sea) -> None:
    look_out = tired(sea)
    before = sea.looks
    rest(look_out, sea, OFTEN - 1, SOON_SECONDS / 2)
    rest(look_out, sea, 1, SOON_SECONDS * 2)
    rest(look_out, sea, OFTEN - 1, SOON_SECONDS / 2)
    assert sea.looks == before
    rest(look_out, sea, 1, SOON_SECONDS / 2)
    sea.is_ready = True
    assert look_out.sees(sea, 0)


def test_a_trial_in_vain_is_short(sea: Sea) -> None:
    look_out = tired(sea)
    rest(look_out, sea, OFTEN, SOON_SECONDS / 2)
    before = sea.looks
    rest(look_out, sea, 100, 1)
    assert sea.looks == before + TRIAL // VAIN
