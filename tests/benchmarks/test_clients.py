"""The clients that are measured: each does what it is asked for, and whatever else comes back fails it."""

from __future__ import annotations

from contextlib import suppress

import pytest

from benchmarks.clients import Exchange, Load
from benchmarks.measure import Figures, Timing, measure, server_for
from benchmarks.processes import Cores, Failure, RunningServer
from benchmarks.scenarios import Scenario, find_scenarios
from benchmarks.servers import SERVERS

ONE_CORE = Cores(None, None)


def new_load() -> Load:
    return Load(port=1, connections=1, size=64, seconds=1, warmup=0, uvloop=False)


def test_what_came_back_between_two_looks_at_the_clock_is_counted() -> None:
    load = new_load()
    exchange = Exchange(load, 0)
    for _ in range(2):
        assert exchange.came(exchange.next_text())
    load.began()
    for _ in range(3):
        assert exchange.came(exchange.next_text())
    load.ended()
    assert not exchange.came(exchange.next_text())
    assert load.report()["window"]["messages"] == 3


def test_what_was_not_sent_fails_it() -> None:
    exchange = Exchange(new_load(), 0)
    exchange.next_text()
    with pytest.raises(AssertionError, match="came back for"):
        exchange.came("something else")


def measured(scenario: Scenario, running: RunningServer) -> Figures:
    """Measure for a moment, or for longer if a busy machine lets nothing come back in so little."""
    for seconds in (0.1, 1):
        with suppress(Failure):
            return measure(scenario, running, ONE_CORE, Timing(seconds, 0.05))
    return measure(scenario, running, ONE_CORE, Timing(5, 0.05))


@pytest.mark.parametrize("scenario", ["client-64-1x1", "client-open"])
@pytest.mark.parametrize("name", ["perfectws", "websockets"])
def test_a_client_is_measured_against_a_server(name: str, scenario: str) -> None:
    found = find_scenarios(scenario)[0]
    with server_for(found, SERVERS[name], ONE_CORE) as running:
        figures = measured(found, running)
    assert figures.count > 0
    assert figures.cpu_us is not None
    assert figures.cpu_us > 0
