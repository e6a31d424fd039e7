"""Several processes that serve as one: connections are spread, the dead are replaced, nobody is left behind."""

from __future__ import annotations

import os
import signal
import ssl
import sys
from collections import Counter
from contextlib import ExitStack
from pathlib import Path

assert sys.platform != "win32"  # where these are not collected


import pytest
import trio

from perfectws import WebSocket

from .programs import Client, Start, is_running, until

LAUNCH = 'HTTPServer.launch(address="127.0.0.1", port=0, routes=routes, workers=2, close_timeout=0.2)'


def test_connections_are_spread_evenly_and_a_worker_that_dies_is_replaced(run: Start) -> None:
    program = run(LAUNCH)
    address = ("127.0.0.1", program.port())
    first = program.workers()
    assert len(first) == 2
    with ExitStack() as stack:
        clients = [stack.enter_context(Client(address)) for _ in range(40)]
        spread = Counter(int(client.ask()) for client in clients)
        assert spread.keys() == set(first)
        assert max(spread.values()) <= 24  # by MARGIN and what a worker has accepted meanwhile
        os.kill(first[0], signal.SIGKILL)
        program.line(f"process {first[0]}", "SIGKILL", "at once")
        until(lambda: len(program.workers()) == 2)
        (replaced,) = set(program.workers()) - set(first)
        # Who comes now is left to the one who has nobody.
        until(lambda: int(stack.enter_context(Client(address)).ask()) == replaced)
    os.kill(replaced, signal.SIGKILL)
    program.line(f"process {replaced}", "in 0.5 s")
    with Client(address) as client:
        assert int(client.ask()) == first[1]
    assert program.stop() == 0


def test_a_worker_that_is_stopped_costs_nobody_anything_and_serves_again_when_it_goes_on(run: Start) -> None:
    program = run(LAUNCH)
    address = ("127.0.0.1", program.port())
    stopped, other = program.workers()
    with ExitStack() as stack:
        kept = [stack.enter_context(Client(address)) for _ in range(20)]
        assert {int(client.ask()) for client in kept} == {stopped, other}
        os.kill(stopped, signal.SIGSTOP)
        clients = [stack.enter_context(Client(address)) for _ in range(30)]
        for client in clients:
            client.send("/pid")
        assert {int(client.answer()) for client in clients} == {other}  # also those that were passed on to it
        os.kill(stopped, signal.SIGCONT)
        until(lambda: int(stack.enter_context(Client(address)).ask()) == stopped)
    assert program.stop() == 0


async def test_sigterm_closes_every_websocket_with_1001_and_ends_every_process(run: Start) -> None:
    program = await trio.to_thread.run_sync(run, LAUNCH)
    port = await trio.to_thread.run_sync(program.port)
    workers = program.workers()
    async with trio.open_nursery() as nursery:
        sockets = [await WebSocket.connect(to=f"ws://127.0.0.1:{port}/ws", on=nursery) for _ in range(6)]
        for socket in sockets:
            await socket.receive()  # its worker's number
        program.signal(signal.SIGTERM)
        for socket in sockets:
            await socket.on_close
            assert socket.close_code == 1001
    assert await trio.to_thread.run_sync(program.end) == 0
    assert not any(is_running(worker) for worker in workers)


@pytest.mark.parametrize(
    "number",
    [
        signal.SIGKILL,
        pytest.param(
            signal.SIGSTOP, marks=pytest.mark.skipif(sys.platform != "linux", reason="there it has to look for itself")
        ),
    ],
)
def test_no_worker_outlives_its_supervisor(run: Start, number: signal.Signals) -> None:
    program = run(LAUNCH)
    program.port()
    workers = program.workers()
    os.kill(workers[0], number)  # neither one that has just died, nor one that does nothing
    program.process.kill()
    until(lambda: not any(is_running(worker) for worker in workers))


def test_a_worker_that_does_not_end_is_killed_in_time(run: Start) -> None:
    program = run(
        """
@routes.add("GET", "/block")
def block(request, response):
    while True:
        time.sleep(1)
"""
        + LAUNCH
    )
    with Client(("127.0.0.1", program.port())) as client:
        client.send("/block")
        assert program.stop() == 0


def test_max_connections_is_what_the_server_has_in_all_workers_together(run: Start) -> None:
    program = run(LAUNCH.replace("workers=2", "workers=2, max_connections=20"))
    address = ("127.0.0.1", program.port())
    with ExitStack() as stack:
        clients = [stack.enter_context(Client(address)) for _ in range(20)]
        assert len({client.ask() for client in clients}) == 2
        with Client(address) as one_too_many:
            assert "the server has no room for another connection" in one_too_many.answer()
    assert program.stop() == 0


def test_figures_are_those_of_all_workers_and_none_falls_when_one_dies(run: Start) -> None:
    program = run("""
server = HTTPServer.server(address="127.0.0.1", port=0, routes=routes, close_timeout=0.2)

@routes.add("GET", "/figures")
def figures(request, response):
    response.set_body(f"{server.figures.workers} {server.figures.requests}").completed()

server.add_routes(routes)
(context,) = HTTPServer.launch(server, workers=2)
print("in all", context.figures.workers, context.figures.requests, file=sys.stderr, flush=True)
""")
    address = ("127.0.0.1", program.port())
    first, _ = program.workers()
    with ExitStack() as stack:
        clients = [stack.enter_context(Client(address)) for _ in range(20)]
        of_first = [client for client in clients if int(client.ask()) == first]
        assert 0 < len(of_first) < 20
        asking = next(client for client in clients if client not in of_first)
        asked = 20

        def figures() -> list[int]:
            nonlocal asked
            asked += 1
            return [int(each) for each in asking.ask("/figures").split()]

        until(lambda: figures() == [2, asked])
        os.kill(first, signal.SIGKILL)
        until(lambda: figures() == [2, asked])
    assert program.stop() == 0
    assert f"in all 0 {asked}" in program.lines


def test_the_application_stops_all_from_any_worker_and_goes_on_behind_launch_once(run: Start) -> None:
    program = run("""
server = HTTPServer.server(address="127.0.0.1", port=0, routes=routes, close_timeout=0.2)

@routes.add("GET", "/stop")
def stop(request, response):
    response.completed()
    server.stop()

server.add_routes(routes)
contexts = HTTPServer.launch(server, workers=2)
print("behind", contexts[0].terminated, contexts[0].on_close.is_done, file=sys.stderr, flush=True)
""")
    with Client(("127.0.0.1", program.port())) as client:
        client.ask("/stop")
    assert program.end() == 0
    assert [line for line in program.lines if line.startswith("behind")] == ["behind True True"]


def test_what_was_begun_on_the_server_before_is_given_up_in_the_process_that_serves_nothing(run: Start) -> None:
    program = run("""
server = HTTPServer.server(address="127.0.0.1", port=0, routes=routes, close_timeout=0.2)
future = run_in_thread(lambda: print("ran in a worker", file=sys.stderr, flush=True), on=server)
HTTPServer.launch(server, workers=2)
future.when_failure(lambda error: print("behind:", error, file=sys.stderr, flush=True))
""")
    for _ in range(2):
        program.line("ran in a worker")
    assert program.stop() == 0
    assert [line for line in program.lines if line.startswith("behind: this server has stopped")]


def test_a_second_sigint_ends_it_at_once(run: Start) -> None:
    program = run(
        """
under_way = []
routes.add("GET", "/never", lambda request, response: under_way.append(response))
"""
        + LAUNCH.replace("close_timeout=0.2", "close_timeout=1000")
    )
    with Client(("127.0.0.1", program.port())) as client:
        client.send("/never")
        program.signal(signal.SIGINT)
        program.line("SIGINT: stopping")
        program.signal(signal.SIGINT)
        assert program.end() == -signal.SIGINT
    assert any("KeyboardInterrupt" in line for line in program.lines)


def test_tls_is_served_by_workers_and_both_servers_of_one_launch_are(
    run: Start, certificate: tuple[Path, Path], trusting: ssl.SSLContext
) -> None:
    program = run(
        """
tls = TLSConfiguration(cert_path=sys.argv[1], key_path=sys.argv[2])
keywords = {"address": "127.0.0.1", "port": 0, "routes": routes, "close_timeout": 0.2}
HTTPServer.launch(HTTPServer.secure_server(tls, **keywords), HTTPServer.server(**keywords), workers=2)
""",
        *map(str, certificate),
    )
    secure, plain = ("127.0.0.1", program.port()), ("127.0.0.1", program.port())
    with ExitStack() as stack:
        clients = [stack.enter_context(Client(secure)) for _ in range(12)]
        for client in clients:
            client.socket = trusting.wrap_socket(client.socket, server_hostname="127.0.0.1")
        clients += [stack.enter_context(Client(plain)) for _ in range(12)]
        assert len({client.ask() for client in clients}) == 2
    assert program.stop() == 0


def test_a_unix_socket_is_served_by_workers_and_its_path_removed_by_their_supervisor_alone(
    run: Start, tmp_path: Path
) -> None:
    path = tmp_path / "s"
    program = run('HTTPServer.launch(address="unix:" + sys.argv[1], routes=routes, workers=2)', str(path))
    program.line("Starting HTTP")
    first = program.workers()
    os.kill(first[0], signal.SIGTERM)  # it ends in order, and another comes all the same
    program.line(f"process {first[0]}", "exit code 0", "at once")
    with ExitStack() as stack:
        clients = [stack.enter_context(Client(str(path))) for _ in range(12)]
        until(lambda: len({client.ask() for client in clients}) >= 1)
    assert path.exists()
    assert program.stop() == 0
    assert not path.exists()
