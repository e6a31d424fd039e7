"""A port of an app whose jobs go through a serial queue: in order, one at a time, from whatever session."""

from __future__ import annotations

from ..conftest import Connect
from .telemetry import Recorder, make_routes


async def test_jobs_of_all_sessions_run_one_at_a_time_and_each_ones_in_order(connect: Connect) -> None:
    recorder = Recorder()
    routes = make_routes(recorder)
    peers = []
    for _ in range(2):
        peer = await connect.to(routes)
        await peer.handshake("/telemetry", [("Sec-WebSocket-Protocol", "telemetry")])
        peers.append(peer)
    for number in range(20):
        for name, peer in zip("ab", peers, strict=True):
            await peer.send_text(f"{name}{number}")
    for name, peer in zip("ab", peers, strict=True):
        answers = [(await peer.receive_text()).split(": ")[0] for _ in range(20)]
        assert answers == [f"{name}{number}" for number in range(20)]
    assert len(recorder.stored) == 40
    assert [each for each in recorder.stored if each[0] == "a"] == [f"a{number}" for number in range(20)]
