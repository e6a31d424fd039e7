"""`open_test_server`, and where the server runs that it opens: in the caller's own trio run, or in a thread."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from contextvars import copy_context
from typing import Unpack

import trio
from sniffio import current_async_library

from ..checks.quantities import SECONDS_ABOVE_0
from ..errors import lone_error
from ..net.loop import Loop, run_loop
from ..server.keywords import PlainServerKeywords
from ..server.server import HTTPServer
from .app import App, server_of
from .async_server import TIMEOUT, AsyncTestServer
from .failures import WatchedLoop, raise_all, tell_all
from .loop_thread import LoopThread
from .network import Network


@asynccontextmanager
async def open_test_server(
    app: App = None,
    *,
    timeout: float = TIMEOUT,
    raise_errors: bool = True,
    keep_cookies: bool = False,
    **keywords: Unpack[PlainServerKeywords],
) -> AsyncIterator[AsyncTestServer]:
    """Run a server in memory around a block of a task, in a test that is ``async``. ::

        async def test_echo():
            async with open_test_server(routes) as server:
                ws = await server.connect("/echo")
                await ws.send("hi")
                assert await ws.receive() == "hi"

    In a task of trio's it runs in the caller's own trio run, on its clock: with pytest-trio's ``mock_clock``, which
    stands still, time passes by `AsyncTestServer.advance`; with ``autojump_clock`` by itself. In a task of asyncio's it
    runs in a thread, as a `TestServer` does, on a clock that stands still.

    Args:
        app: What to serve: as for `TestServer`.
        timeout: How long anything is waited for, in seconds.
        raise_errors: Whether what callbacks have raised is raised at the end of the block.
        keep_cookies: Whether cookies that the server sets are sent from then on.
        **keywords: As for `HTTPServer.launch`, unless ``app`` is configured already.

    Raises:
        TypeError: ``app`` is nothing that can be served, or a keyword is unknown.
        LaunchFailure: It runs already, or there is nothing in the module to serve.
        Exception: What a callback has raised, at the end; an `ExceptionGroup` if they are several.
    """
    SECONDS_ABOVE_0.check("timeout", timeout)
    http_server = server_of(app, **keywords)
    opened = in_thread if current_async_library() == "asyncio" else in_this_run
    errors: list[Exception] = []
    try:
        async with opened(http_server, errors, timeout, keep_cookies) as server:
            yield server
    except BaseException as error:
        tell_all(errors, error)
        raise
    if raise_errors:
        raise_all(errors)


@asynccontextmanager
async def in_thread(
    http_server: HTTPServer, errors: list[Exception], timeout: float, keeps_cookies: bool
) -> AsyncIterator[AsyncTestServer]:
    """Run a server in a thread around a block of a task of asyncio's."""
    import asyncio  # which runs the caller

    thread = LoopThread(lambda: in_this_run(http_server, errors, timeout, keeps_cookies))
    server = await asyncio.to_thread(thread.start)
    server.home = thread
    try:
        yield server
    finally:
        try:
            await server.close()
        finally:
            await asyncio.to_thread(thread.stop)


@asynccontextmanager
async def in_this_run(
    http_server: HTTPServer, errors: list[Exception], timeout: float, keeps_cookies: bool
) -> AsyncIterator[AsyncTestServer]:
    """Run a server around a block of a task of trio's.

    Args:
        http_server: The server.
        errors: Gets what callbacks raise.
        timeout: How long anything is waited for, in seconds.
        keeps_cookies: Whether cookies that the server sets are sent from then on.
    """
    # In contexts of their own: a loop makes itself the running one, which the caller's code is not part of.
    loop, client_loop = copy_context().run(WatchedLoop, errors), copy_context().run(Loop, None)
    raised: BaseException | None = None
    lone: BaseException | None = None
    try:
        async with run_loop(client_loop), _serving(http_server, loop) as network:
            server = AsyncTestServer(http_server, (loop, client_loop), network, timeout, keeps_cookies)
            try:
                yield server
            except BaseException as error:
                raised = error
                raise
            finally:
                await server.close()
    except BaseException as error:  # a group of trio's: what has left the block is no part of it to the caller
        is_callers = raised is not None and not isinstance(raised, trio.Cancelled)
        lone = raised if is_callers else lone_error(error)
    if lone is not None:
        raise lone


@asynccontextmanager
async def _serving(http_server: HTTPServer, loop: WatchedLoop) -> AsyncIterator[Network]:
    http_server.claim()
    try:
        async with run_loop(loop), trio.open_nursery() as nursery:
            accepting = await nursery.start(http_server.serve_in_memory, loop)
            yield Network(loop, accepting, http_server.ssl is not None)
    finally:
        http_server.release()
