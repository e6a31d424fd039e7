"""The same with ``await``: in a task of trio's, in its own run, or of asyncio's, beside a thread."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Awaitable, Callable

import pytest
import trio

from perfectws import ConnectionClosed, ConnectionRejected, HandshakeError, Routes
from perfectws.testing import AsyncTestServer, open_test_server

Run = Callable[[Callable[[], Awaitable[None]]], None]


@pytest.fixture(params=["trio", "asyncio"])
def run(request: pytest.FixtureRequest) -> Run:
    """Run a test in each, in turn."""
    return trio.run if request.param == "trio" else lambda test: asyncio.run(test())  # type: ignore[arg-type, return-value]


async def drive(server: AsyncTestServer) -> None:
    async with await server.connect("/echo", subprotocols=["echo"], compression=True) as ws:
        assert (ws.subprotocol, ws.is_connected, ws.close_code) == ("echo", True, None)
        assert ws.headers.get("Upgrade") == "websocket"
        await ws.send("hi")
        assert await ws.receive() == "hi"
        await ws.send(b"\x00")
        assert await ws.receive_bytes() == b"\x00"
        await ws.send_json([1])
        assert await ws.receive_json() == [1]
        with pytest.raises(TimeoutError, match=r"nothing was received within 0\.01 seconds"):
            await ws.receive_text(timeout=0.01)
        assert await ws.receive_nothing()
        assert await ws.ping(b"x") == b"x"
    assert (ws.close_code, ws.is_connected) == (1000, False)
    with pytest.raises(ConnectionClosed):
        await ws.receive()


def test_a_web_socket(run: Run, routes: Routes) -> None:
    async def test() -> None:
        async with open_test_server(routes) as server:
            await drive(server)

    run(test)


def test_requests(run: Run, routes: Routes) -> None:
    async def test() -> None:
        async with open_test_server(routes) as server:
            for method in ("get", "post", "put", "patch", "delete"):
                response = await getattr(server, method)("/reflect", data="x", headers={"X-One": "1"})
                assert response.json()["method"] == method.upper()
            with pytest.raises(ConnectionRejected):
                await server.connect("/refuse")

    run(test)


def test_iteration_and_the_end(run: Run, routes: Routes) -> None:
    async def test() -> None:
        async with open_test_server(routes) as server:
            ws = await server.connect("/echo")
            await ws.send("one")
            await ws.send("two")
            await server.settle()
            await server.stop()
            assert [message async for message in ws] == ["one", "two"]
            with pytest.raises(ConnectionRefusedError):
                await server.get("/reflect")
            with pytest.raises(HandshakeError):
                await server.connect("/echo")
            other = ws.close_code
        assert other == 1001

    run(test)


def test_several_tasks_use_one_server(routes: Routes) -> None:
    async def talk(server: AsyncTestServer, number: int) -> str | bytes:
        async with await server.connect("/echo") as ws:
            await ws.send(str(number))
            return await ws.receive()

    async def test() -> None:
        async with open_test_server(routes) as server:
            heard = await asyncio.gather(*(talk(server, number) for number in range(10)))
        assert heard == [str(number) for number in range(10)]

    asyncio.run(test())


def test_time_of_asyncios_tests_is_virtual_too(routes: Routes) -> None:
    async def test() -> None:
        async with open_test_server(routes) as server:
            ws = await server.connect("/echo")
            await ws.send("later")
            assert await ws.receive_nothing()
            await server.advance(30)
            assert await ws.receive() == "at last"
            await ws.go_silent()
            await server.advance(60)
            assert server.http_server.figures.web_sockets == 0

    asyncio.run(test())


def test_a_task_of_asyncios_that_is_cancelled_takes_no_message(
    routes: Routes, caplog: pytest.LogCaptureFixture
) -> None:
    async def test() -> None:
        async with open_test_server(routes) as server:
            ws = await server.connect("/echo")
            waiting = asyncio.create_task(ws.receive())
            await asyncio.sleep(0.01)
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
            await ws.send("hi")
            assert await ws.receive() == "hi"
            gc.collect()

    asyncio.run(test())
    assert caplog.messages == []  # asyncio would complain of an error that nobody has asked for


async def test_a_clients_own_code_has_no_loop_of_the_server(routes: Routes) -> None:
    from perfectws.callbacks import running_loop

    before = running_loop()
    async with open_test_server(routes):
        assert running_loop() is before
