"""A program of asyncio's: it starts an event loop of ours, and awaits our futures as its own."""

from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import Iterator

import pytest
from wsproto.utilities import generate_accept_token

from perfectws import ConnectionClosed, EventLoop, HandshakeError, LocalProtocolError, Promise, WebSocket
from perfectws.suspension import suspension_here

from .conftest import PATIENCE


@pytest.fixture
def event_loop() -> Iterator[EventLoop]:
    """One that runs in a thread of its own."""
    running = EventLoop(close_timeout=1).start()
    yield running
    running.stop()


def test_futures_are_awaited(server_port: int, event_loop: EventLoop) -> None:
    async def main() -> None:
        ws = await WebSocket.connect(to=f"ws://127.0.0.1:{server_port}/echo", on=event_loop)
        await ws.send("hello")
        assert await ws.receive() == "hello"
        for number in range(3):
            ws.send(str(number))
        assert [*await asyncio.gather(ws.receive(), ws.receive(), ws.receive())] == ["0", "1", "2"]
        await ws.close(4000)
        await ws.on_close
        assert ws.close_code == 4000
        with pytest.raises(ConnectionClosed, match="4000"):
            await ws.receive()
        with pytest.raises(ConnectionClosed, match="4000"):
            await ws.send("late")

    asyncio.run(asyncio.wait_for(main(), PATIENCE))


def test_async_for_gives_the_messages_until_the_connection_closes(server_port: int, event_loop: EventLoop) -> None:
    async def main() -> list[str | bytes]:
        ws = await WebSocket.connect(to=f"ws://127.0.0.1:{server_port}/echo", on=event_loop)
        ws.send("one")
        ws.send("two")
        got: list[str | bytes] = []
        async for message in ws:
            got.append(message)
            if message == "two":
                ws.close()
        return got

    assert asyncio.run(asyncio.wait_for(main(), PATIENCE)) == ["one", "two"]


def test_a_failure_is_raised(event_loop: EventLoop) -> None:
    async def main() -> None:
        with pytest.raises(HandshakeError, match="refused"):
            await WebSocket.connect(to="ws://127.0.0.1:1/", on=event_loop)

    asyncio.run(main())


def test_what_is_resolved_already_lets_the_others_run() -> None:
    async def main() -> list[str]:
        promise, events = Promise[str](), list[str]()
        promise.succeed("value")
        task = asyncio.create_task(take_down(events))
        await asyncio.sleep(0)
        events.append(await promise.future_result)
        await task
        return events

    async def take_down(events: list[str]) -> None:
        await asyncio.sleep(0)
        events.append("another task")

    assert asyncio.run(main()) == ["another task", "value"]


def test_an_await_that_is_cancelled_leaves_the_future_as_it_is_and_takes_no_message(
    server_port: int, event_loop: EventLoop
) -> None:
    async def main() -> None:
        ws = await WebSocket.connect(to=f"ws://127.0.0.1:{server_port}/echo", on=event_loop)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(ws.receive(), 0.01)
        gc.collect()
        ws.send("hello")
        assert await ws.receive() == "hello"
        promise = Promise[int]()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(promise.future_result, 0.01)
        promise.succeed(5)
        assert await promise.future_result == 5
        await ws.close()

    asyncio.run(asyncio.wait_for(main(), PATIENCE))


def test_a_thread_may_resolve_what_a_task_awaits_also_when_its_loop_is_closed() -> None:
    promise, late = Promise[int](), Promise[int]()

    async def main() -> int:
        threading.Timer(0.01, promise.succeed, (5,)).start()
        waiting = asyncio.create_task(late_result())
        value = await promise.future_result
        waiting.cancel()
        return value

    async def late_result() -> int:
        return await late.future_result

    assert asyncio.run(main()) == 5
    late.succeed(6)


def test_a_suspension_whose_loop_is_closed_is_resumed_in_vain() -> None:
    async def main() -> object:
        return suspension_here()

    suspension = asyncio.run(main())
    suspension.resume(None)  # type: ignore[attr-defined]


def test_a_hundred_awaits_at_once(server_port: int, event_loop: EventLoop) -> None:
    async def talk(number: int) -> str | bytes:
        ws = await WebSocket.connect(to=f"ws://127.0.0.1:{server_port}/echo", on=event_loop)
        await ws.send(str(number))
        answer = await ws.receive()
        await ws.close()
        return answer

    async def main() -> None:
        assert await asyncio.gather(*map(talk, range(100))) == list(map(str, range(100)))

    asyncio.run(asyncio.wait_for(main(), PATIENCE))


def test_a_slow_peer_holds_up_who_awaits_his_sends(event_loop: EventLoop) -> None:
    """``await ws.send(…)`` waits for room, wherever it is awaited."""

    async def main() -> None:
        ready = asyncio.Event()
        go_on = asyncio.Event()

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            key = head.split("Sec-WebSocket-Key: ")[1].split("\r\n")[0]
            accept = generate_accept_token(key.encode()).decode()
            lines = ["HTTP/1.1 101 x", "Upgrade: websocket", "Connection: Upgrade", f"Sec-WebSocket-Accept: {accept}"]
            writer.write(("\r\n".join(lines) + "\r\n\r\n").encode())
            ready.set()
            await go_on.wait()
            while await reader.read(1_000_000):
                pass
            writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        ws = await WebSocket.connect(to=f"ws://127.0.0.1:{port}/", on=event_loop, close_timeout=0.1)
        await ready.wait()
        sending = asyncio.ensure_future(ws.send("x" * 15_000_000).wait_until_drained())
        done, _ = await asyncio.wait([sending], timeout=0.1)
        assert not done
        go_on.set()
        await sending
        assert ws.buffered_amount < 64 * 1024
        await ws.close()
        server.close()
        await server.wait_closed()

    asyncio.run(asyncio.wait_for(main(), PATIENCE))


# Beside "with"


def test_an_event_loop_is_started_and_stopped_once(server_port: int) -> None:
    event_loop = EventLoop(close_timeout=1)
    with pytest.raises(LocalProtocolError, match="never started"):
        event_loop.stop()
    with pytest.raises(LocalProtocolError, match="does not run"):
        WebSocket.connect(to="ws://h", on=event_loop)
    assert event_loop.start() is event_loop
    with pytest.raises(LocalProtocolError, match="entered once"):
        event_loop.start()
    ws = WebSocket.connect(to=f"ws://127.0.0.1:{server_port}/echo", on=event_loop).wait(PATIENCE)
    event_loop.stop()
    assert (ws.is_closed, ws.close_code) == (True, 1001)
    event_loop.stop()  # it has ended
    with pytest.raises(LocalProtocolError, match="does not run"):
        WebSocket.connect(to="ws://h", on=event_loop)


def test_it_may_be_stopped_inside_its_block(server_port: int) -> None:
    with EventLoop(close_timeout=1) as event_loop:
        ws = WebSocket.connect(to=f"ws://127.0.0.1:{server_port}/echo", on=event_loop).wait(PATIENCE)
        event_loop.stop()
        assert ws.is_closed


def test_it_cannot_stop_itself(server_port: int, event_loop: EventLoop) -> None:
    raised = Promise[object](event_loop.loop)

    def upgraded(ws: WebSocket) -> None:
        try:
            event_loop.stop()
        except LocalProtocolError as error:
            raised.succeed(error)

    WebSocket.connect(to=f"ws://127.0.0.1:{server_port}/echo", on=event_loop, on_upgrade=upgraded)
    assert "in its own thread" in str(raised.future_result.wait(PATIENCE))
