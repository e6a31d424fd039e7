from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest
from websockets.sync.client import connect
from websockets.typing import Subprotocol

from .running import PATIENCE, RunningServer, running
from .scripts import script


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    with running("-m", "examples.ticker", "--port", "0", "--every", "0.02") as server:
        yield server
        assert server.stop() == 0
        assert server.complaints() == []


def test_each_subscriber_gets_the_prices_that_it_wants_and_no_others(server: RunningServer) -> None:
    url = f"ws://127.0.0.1:{server.port}/ticker"
    protocols = [Subprotocol("ticker")]
    with connect(url, subprotocols=protocols, proxy=None) as one, connect(url, proxy=None) as two:
        one.send('{"subscribe": ["ACME"]}')
        two.send('{"subscribe": ["ACME", "GLOBEX"]}')
        first = [json.loads(one.recv(PATIENCE)) for _ in range(10)]
        second = [json.loads(two.recv(PATIENCE)) for _ in range(10)]
        assert {tick["symbol"] for tick in first} == {"ACME"}
        assert {tick["symbol"] for tick in second} == {"ACME", "GLOBEX"}
        assert len({tick["price"] for tick in first}) > 1
        two.send('{"unsubscribe": ["ACME", "GLOBEX"]}')
        two.send('{"subscribe": ["INITECH"]}')
        while json.loads(two.recv(PATIENCE))["symbol"] != "INITECH":
            pass
        assert {json.loads(two.recv(PATIENCE))["symbol"] for _ in range(5)} == {"INITECH"}


@pytest.mark.parametrize("order", ["", "x", "[]", '{"subscribe": ["NOBODY"]}', '{"subscribe": 1}', "[" * 50_000])
def test_a_wrong_order_is_answered_and_the_session_goes_on(server: RunningServer, order: str) -> None:
    with connect(f"ws://127.0.0.1:{server.port}/ticker", proxy=None) as client:
        client.send(order)
        assert "subscribe" in json.loads(client.recv(PATIENCE))["error"]
        client.send('{"subscribe": ["ACME"]}')
        assert json.loads(client.recv(PATIENCE))["symbol"] == "ACME"


def test_a_price_that_is_asked_for_many_times_at_once_is_told_once(server: RunningServer) -> None:
    with connect(f"ws://127.0.0.1:{server.port}/ticker", proxy=None) as client:
        client.send(json.dumps({"subscribe": ["ACME"] * 1000}))
        client.send("x")
        for _ in range(1000):
            if "error" in json.loads(client.recv(PATIENCE)):
                break
        else:
            pytest.fail("the price was told a thousand times")


@pytest.mark.parametrize("example", ["ticker", "monitor"])
@pytest.mark.parametrize("seconds", ["0", "-1", "nan", "inf"])
def test_a_ticker_that_could_not_tick_does_not_begin(example: str, seconds: str) -> None:
    with script("-m", f"examples.{example}", "--port", "0", "--every", seconds) as ticker:
        assert ticker.process.wait(PATIENCE) == 2
        assert ticker.next_line().startswith("usage:")


def test_the_ticker_can_be_watched_on_the_command_line(server: RunningServer) -> None:
    with script("-m", "examples.ticker", "--watch", f"ws://127.0.0.1:{server.port}/ticker", "ACME") as watcher:
        for _ in range(5):
            assert re.fullmatch(r"ACME +\d+\.\d\d", watcher.next_line())
        assert watcher.interrupt() == 0


def test_a_ticker_that_is_not_there_is_named() -> None:
    with script("-m", "examples.ticker", "--watch", "ws://127.0.0.1:1/ticker") as watcher:
        assert "127.0.0.1:1" in watcher.next_line()
        assert watcher.process.wait(PATIENCE) == 0
