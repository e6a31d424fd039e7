"""A server is run once at a time, all of those that are launched together are run or none, and each is freed."""

from __future__ import annotations

import gc
import socket
import threading
import weakref
from collections.abc import Callable
from typing import Any

import pytest
import trio

from perfectws import HTTPRequest, HTTPResponse, HTTPServer, LaunchContext, LaunchFailure, LocalProtocolError, Routes
from perfectws.server import launch as launch_module
from tests.server.conftest import PATIENCE


def make_server(name: str = "test") -> HTTPServer:
    return HTTPServer.server(name=name, address="127.0.0.1", port=0, routes=Routes())


def listens(server: HTTPServer) -> bool:
    try:
        socket.create_connection(("127.0.0.1", server.server_port), PATIENCE).close()
    except OSError:
        return False
    return True


@pytest.mark.parametrize("wait", [False, True])
def test_one_that_runs_already_leaves_the_others_unbound(wait: bool) -> None:
    running, before, after = make_server("running"), make_server(), make_server()
    [context] = HTTPServer.launch(running, wait=False)
    with pytest.raises(LaunchFailure, match=r"HTTP server 'running' on .* is launched already"):
        HTTPServer.launch(before, running, after, wait=wait)
    assert [listens(server) for server in (before, running, after)] == [False, True, False]
    assert context.terminate().wait(PATIENCE)
    contexts = HTTPServer.launch(before, running, after, wait=False)
    assert all(each.terminate().wait(PATIENCE) for each in contexts)


def test_one_that_is_given_twice_does_not_run() -> None:
    server = make_server()
    with pytest.raises(LaunchFailure, match="is launched already"):
        HTTPServer.launch(server, server, wait=False)
    assert not listens(server)
    [context] = HTTPServer.launch(server, wait=False)
    assert context.terminate().wait(PATIENCE)


async def test_one_that_is_served_in_a_trio_program_is_not_launched_beside_it() -> None:
    server = make_server()
    async with trio.open_nursery() as nursery:
        await nursery.start(server.serve)
        with pytest.raises(LaunchFailure, match="is launched already"):
            HTTPServer.launch(server, wait=False)
        with pytest.raises(LocalProtocolError, match="is running already"):
            await server.serve()
        assert listens(server)
        server.stop()


def test_one_that_has_stopped_may_be_launched_again_while_its_neighbours_run() -> None:
    first, second = make_server(), make_server()
    contexts = HTTPServer.launch(first, second, wait=False)
    assert contexts[0].terminate().wait(PATIENCE)
    [again] = HTTPServer.launch(first, wait=False)
    assert listens(first)
    assert again.terminate().wait(PATIENCE)
    assert contexts[1].terminate().wait(PATIENCE)


def test_a_run_that_cannot_begin_leaves_nothing_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    server = make_server()

    def no_thread(*args: object, **keywords: object) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", no_thread)
        with pytest.raises(RuntimeError):
            HTTPServer.launch(server, wait=False)
    assert not listens(server)
    [context] = HTTPServer.launch(server, wait=False)
    assert context.terminate().wait(PATIENCE)


def test_an_error_of_one_server_leaves_launch_without_its_group(monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = make_server(), make_server()

    async def fail(*args: object, **keywords: object) -> None:
        raise OSError("no descriptors are left")

    monkeypatch.setattr(second, "_accept", fail)
    for wait in (True, False):
        with pytest.raises(OSError, match="no descriptors are left"):
            HTTPServer.launch(first, second, wait=wait)
        assert [listens(server) for server in (first, second)] == [False, False]


def by_waiting(context: LaunchContext) -> None:
    assert context.wait(PATIENCE)


def by_its_future(context: LaunchContext) -> None:
    context.on_close.wait(PATIENCE)


def by_looking(context: LaunchContext) -> None:
    while not context.terminated:
        pass


def by_nothing(context: LaunchContext) -> None:
    """Its end is not looked at."""


@pytest.mark.parametrize("see_the_end", [by_waiting, by_its_future, by_looking, by_nothing])
def test_a_server_that_has_ended_is_freed_with_what_its_handlers_hold(
    see_the_end: Callable[[LaunchContext], None],
) -> None:
    class Held:
        pass

    def launched() -> tuple[weakref.ref[Any], weakref.ref[Any], threading.Thread]:
        held, server = Held(), make_server()

        def handle(request: HTTPRequest, response: HTTPResponse) -> None:
            response.set_body(repr(held)).completed()

        server._routes.add("GET", "/", handle)
        [context] = HTTPServer.launch(server, wait=False)
        thread = context._run._thread
        assert thread is not None
        context.terminate()
        see_the_end(context)
        return weakref.ref(held), weakref.ref(server), thread

    held, server, thread = launched()
    thread.join(PATIENCE)
    gc.collect()
    assert (held(), server()) == (None, None)
    assert not launch_module._running


def test_a_server_that_runs_is_kept_though_nobody_holds_it() -> None:
    server = weakref.ref(HTTPServer.launch(make_server(), wait=False)[0].server)
    gc.collect()
    running = server()
    assert isinstance(running, HTTPServer)
    assert listens(running)
    running.stop()
