"""The machine has slept: noticed within a second, by clocks that the test sets."""

from __future__ import annotations

import sys
import time

import pytest
import trio
from trio.testing import MockClock

from perfectws import Backoff, WebSocket
from perfectws.client import wake_up
from perfectws.client.wake_up import WakeUps, clock_lead, wake_ups_of
from perfectws.net.loop import open_loop
from perfectws.websocket import keepalive

from ..calls import Calls, quiet
from ..peer import PONG
from .raw_server import RawServer


class Sleep:
    """A clock that goes on while another one stands still."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.seconds = 1000.0
        monkeypatch.setattr(wake_up, "clock_lead", lambda: self.seconds)
        monkeypatch.setattr(wake_up, "LOOK_SECONDS", 0.05)

    async def past(self, seconds: float) -> None:
        """Let a sleep be over, once somebody would notice."""
        await quiet()
        self.seconds += seconds


@pytest.fixture
def sleep(monkeypatch: pytest.MonkeyPatch) -> Sleep:
    return Sleep(monkeypatch)


def test_the_clocks_go_together_while_the_machine_is_awake() -> None:
    before = clock_lead()
    assert abs(clock_lead() - before) < 0.5


def test_the_clock_that_goes_on_is_that_of_the_boot_or_else_the_wall_s(monkeypatch: pytest.MonkeyPatch) -> None:
    before = clock_lead()
    if sys.platform == "linux":
        real, boot = time.clock_gettime, time.CLOCK_BOOTTIME
        monkeypatch.setattr(time, "clock_gettime", lambda clock: real(clock) + 60 * (clock == boot))
    else:
        wall = time.time
        monkeypatch.setattr(time, "time", lambda: wall() + 60)
    assert 59 < clock_lead() - before < 61


async def test_a_sleep_is_told_within_a_second_and_once(mock_clock: MockClock, monkeypatch: pytest.MonkeyPatch) -> None:
    lead = 0.0
    monkeypatch.setattr(wake_up, "clock_lead", lambda: lead)
    told: list[float] = []
    async with open_loop() as loop:
        wake_ups = wake_ups_of(loop)
        assert wake_ups is wake_ups_of(loop)

        def listen() -> None:
            told.append(trio.current_time())

        wake_ups.add(listen)
        for lead, count in [(1.0, 0), (61.0, 1), (61.5, 1), (59.0, 1), (60.9, 1), (90.0, 2)]:  # noqa: B007
            mock_clock.jump(1)
            await quiet()
            assert len(told) == count
        wake_ups.discard(listen)
        lead = 1000.0
        mock_clock.jump(5)
        await quiet()
        assert told == [2.0, 6.0]


async def test_it_looks_only_as_long_as_there_is_anybody() -> None:
    async with open_loop() as loop:
        wake_ups = WakeUps(loop)
        wake_ups.add(quiet_listener)
        timer = wake_ups._timer
        assert timer is not None
        wake_ups.add(print)
        assert wake_ups._timer is timer
        wake_ups.discard(quiet_listener)
        assert wake_ups._timer is timer
        wake_ups.discard(print)
        assert wake_ups._timer is None


def quiet_listener() -> None:
    """Take it down."""


async def test_who_waits_for_the_next_attempt_makes_it_at_once(
    transport: str, raw_server: RawServer, sleep: Sleep
) -> None:
    retries = Calls()
    async with trio.open_nursery() as nursery:
        WebSocket.connect(
            to=raw_server.url,
            on=nursery,
            reconnect=Backoff(1000, 1, 1000),
            on_upgrade=lambda ws: None,
            on_retry=retries,
        )
        connection = await raw_server.accept()
        await connection.upgrade()
        await connection.stream.aclose()
        await retries.until(1)
        await sleep.past(60)
        await (await raw_server.accept()).upgrade()
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize("answers", [False, True])
async def test_an_open_connection_is_asked_whether_it_is_there_and_a_dead_one_replaced(
    transport: str, raw_server: RawServer, sleep: Sleep, answers: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keepalive, "PROBE_TIMEOUT", 1000 if answers else 0.05)
    sockets, drops = Calls(), Calls()
    async with trio.open_nursery() as nursery:
        WebSocket.connect(
            to=raw_server.url,
            on=nursery,
            reconnect=Backoff(0.001, 1, 0.001),
            on_upgrade=sockets,
            on_drop=drops,
            ping_interval=1000,
            ping_timeout=1000,
        )
        connection = await raw_server.accept()
        await connection.upgrade()
        await sockets.until(1)
        await sleep.past(60)
        ping = await connection.receive()
        if answers:
            await connection.send(PONG, ping.payload)
            await sleep.past(60)
            assert (await connection.receive()).opcode == ping.opcode  # it lives, and is asked again
            assert not drops.got
        else:
            await (await raw_server.accept()).upgrade()
            assert drops.got == [(1006, "no pong came in time")]
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize("options", [{"ping_interval": None}, {"ping_timeout": None}])
async def test_where_pongs_judge_nobody_they_do_not_then_either(
    raw_server: RawServer, sleep: Sleep, options: dict[str, None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keepalive, "PROBE_TIMEOUT", 0.01)
    sockets = Calls()
    async with trio.open_nursery() as nursery:
        WebSocket.connect(  # type: ignore[call-overload]
            to=raw_server.url,
            on=nursery,
            reconnect=True,
            on_upgrade=sockets,
            **options,
        )
        connection = await raw_server.accept()
        await connection.upgrade()
        ((ws,),) = await sockets.until(1)
        await sleep.past(60)
        await trio.sleep(0.2)
        assert ws.is_connected
        nursery.cancel_scope.cancel()
