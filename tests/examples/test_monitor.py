"""The monitor: who says the token is told each second what the server does; who does not, nothing."""

from __future__ import annotations

import json

import pytest
import trio
from trio.testing import MockClock

from examples.monitor import monitor
from examples.monitor.monitor import EVERY, PATIENCE, Monitor, monitor_routes
from examples.monitor.samples import MOST_ROOMS, RATES, SLOW, Sampler
from perfectws import HTTPServer, Room, ServerFigures

from ..conftest import Connect
from ..peer import Peer

TOKEN = "a token that is long"
NOTHING = HTTPServer().figures


class Server:
    """What the monitor looks at: figures that a test sets."""

    def __init__(self, *rooms: Room) -> None:
        self.figures = NOTHING
        self.asked = 0
        self.monitor = Monitor(self.ask, lambda: rooms, TOKEN)

    def ask(self) -> ServerFigures:
        self.asked += 1
        return self.figures

    async def visit(self, connect: Connect, said: str | None) -> Peer:
        """Open the page's WebSocket, and say something."""
        peer = await connect.to(monitor_routes(self.monitor, "/monitor"))
        await peer.handshake("/monitor/figures", headers=[("Sec-WebSocket-Protocol", "perfectws-monitor")])
        assert peer.status == 101
        if said is not None:
            await peer.send_text(said)
        return peer


def token(said: object) -> str:
    return json.dumps({"token": said})


async def test_who_says_the_token_is_told_each_second_what_happened_in_it(
    memory_connect: Connect, autojump_clock: MockClock
) -> None:
    lobby = Room("lobby")
    server = Server(lobby)
    peer = await server.visit(memory_connect, token(TOKEN))
    assert json.loads(await peer.receive_text()) == {"type": "history", "every": EVERY, "samples": []}
    server.figures = NOTHING._replace(connections=3, loop_delay=0.002, workers=2)
    sample = json.loads(await peer.receive_text())["sample"]
    assert (sample["connections"], sample["loop_delay"], sample["workers"]) == (3, 2.0, 2)
    assert {sample[name] for name in RATES} == {0.0}
    assert sample["broker"] is None
    assert sample["by_room"] == [{"name": "lobby", "members": 0, "slow": 0, "messages": 0, "drops": 0}]
    later = await server.visit(memory_connect, token(TOKEN))
    assert json.loads(await later.receive_text())["samples"] == [sample]


async def test_while_nobody_looks_nothing_is_asked(
    memory_connect: Connect, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(monitor, "KEPT", 3)
    server = Server()
    peer = await server.visit(memory_connect, token(TOKEN))
    await peer.receive_text()
    await peer.vanish()
    await trio.sleep(10)
    asked = server.asked
    await trio.sleep(3600)
    assert server.asked == asked
    again = await server.visit(memory_connect, token(TOKEN))
    assert json.loads(await again.receive_text())["samples"] == []
    for _ in range(5):
        await again.receive_text()
    late = await server.visit(memory_connect, token(TOKEN))
    assert len(json.loads(await late.receive_text())["samples"]) == 3


@pytest.mark.parametrize(
    "said",
    [token("another token, as long"), token(""), token(None), token(["a"]), token("\ud800"), "x", "[]", "[" * 4000],
)
async def test_who_says_something_else_is_told_nothing(memory_connect: Connect, said: str) -> None:
    server = Server()
    peer = await server.visit(memory_connect, said)
    closed = await peer.receive_close()
    assert (closed.close_code, closed.close_reason) == (1008, "wrong token")
    assert server.asked == 0


async def test_who_says_nothing_is_sent_away(memory_connect: Connect, autojump_clock: MockClock) -> None:
    peer = await Server().visit(memory_connect, None)
    began = trio.current_time()
    assert (await peer.receive_close()).close_reason == "no token"
    assert trio.current_time() - began == pytest.approx(PATIENCE)


async def test_who_says_more_than_the_token_is_sent_away(memory_connect: Connect) -> None:
    peer = await Server().visit(memory_connect, token(TOKEN))
    await peer.receive_text()
    await peer.send_text(token(TOKEN))
    assert (await peer.receive_close()).close_code == 1008


def test_a_token_that_could_be_guessed_is_refused() -> None:
    with pytest.raises(ValueError, match="could be guessed"):
        Monitor(lambda: NOTHING, list, "short")


def test_rates_are_of_the_time_between_and_never_below_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    figures, now = [NOTHING._replace(messages_sent=100, bytes_sent=50)], [10.0]
    monkeypatch.setattr("examples.monitor.samples.monotonic", lambda: now[0])
    sampler = Sampler(lambda: figures[-1], list)
    sampler.begin()
    now[0] += 2
    figures.append(NOTHING._replace(messages_sent=160, bytes_sent=0))
    sample = sampler.take()
    assert (sample["messages_sent"], sample["bytes_sent"]) == (30.0, 0.0)


async def test_slow_members_are_counted_and_the_fullest_rooms_told(memory_connect: Connect) -> None:
    rooms = [Room(f"room {number}") for number in range(MOST_ROOMS + 5)]
    _, socket = await memory_connect.socket()
    rooms[-1].join(socket)
    socket.send_string_message("x" * 2 * SLOW)  # to a peer that reads nothing
    told = Sampler(lambda: NOTHING, lambda: rooms).take()["by_room"]
    assert len(told) == MOST_ROOMS
    assert told[0] == {"name": rooms[-1].name, "members": 1, "slow": 1, "messages": 0, "drops": 0}


async def test_the_page_allows_nothing_from_elsewhere(memory_connect: Connect) -> None:
    peer = await memory_connect.to(monitor_routes(Server().monitor, "/monitor"))
    await peer.stream.send_all(b"GET /monitor/ HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    await peer.read_head()
    assert peer.status == 200
    assert "default-src 'none'" in dict(peer.headers)["content-security-policy"]
