"""Event loops for scripts: `EventLoop`, one in a thread of its own, and `run`, one around a function.

Source: SwiftNIO's ``EventLoopGroup``, as Vapor's scripts use it.
"""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from functools import partial
from inspect import isawaitable
from types import TracebackType
from typing import Any

import trio

from ..callbacks import CallbackLoop, running_loop, set_running_loop
from ..checks.quantities import SECONDS
from ..checks.signatures import check_callable
from ..errors import LocalProtocolError, lone_error
from ..futures import Promise
from ..net.loop import Loop
from ..net.signals import StopSignals, run_until_signal
from .loop import ClientLoop, adopt, loop_of, make_loop, run_client_loop

#: How long connections may take to end when a loop does, in seconds.
CLOSE_TIMEOUT = 10.0
#: How long a loop may take to end once nothing is waited for any more, in seconds: more, and a callback holds it up.
ABORT_TIMEOUT = 0.5


class EventLoop:
    """An event loop in a thread of its own, for the length of a ``with`` block, or from `start` to `stop`.

    At its end every connection that was opened on it is closed with 1001; what takes longer than ``close_timeout`` is
    dropped, async callbacks are cancelled, and every future of the loop is resolved. ::

        with EventLoop() as event_loop:
            ws = WebSocket.connect(to="ws://localhost:8080/echo", on=event_loop).wait()

    A program that is not a script, one of asyncio say, starts it once and awaits its futures.

    Args:
        close_timeout: How long connections may take to end, in seconds.

    Raises:
        LocalProtocolError: It is started twice, used before or after, or stopped in its own thread.

    Source: ``MultiThreadedEventLoopGroup(numberOfThreads: 1)``, whose ``syncShutdownGracefully()`` is the block's end.
    """

    def __init__(self, *, close_timeout: float = CLOSE_TIMEOUT) -> None:
        SECONDS.check("close_timeout", close_timeout)
        self._close_timeout = close_timeout
        self._thread: threading.Thread | None = None
        self._has_begun = threading.Event()
        self._loop: ClientLoop | None = None
        self._stop: trio.CancelScope | None = None
        self._abort: trio.CancelScope | None = None
        self._token: trio.lowlevel.TrioToken | None = None
        self._error: BaseException | None = None
        self._has_stopped = False

    @property
    def loop(self) -> ClientLoop:
        """The loop behind it; perfectws's own."""
        if self._loop is None:
            raise LocalProtocolError(
                "this EventLoop does not run: use it inside 'with EventLoop() as event_loop:', or behind start()"
            )
        return self._loop

    def make_promise(self) -> Promise[Any]:
        """Return a promise whose callbacks run in this loop. Source: ``eventLoop.makePromise(of:)``."""
        return Promise(self.loop)

    def start(self) -> EventLoop:
        """Begin to run, and return this event loop. A program that ends without `stop` closes nothing in order.

        Raises:
            LocalProtocolError: It was started before.
        """
        if self._thread is not None:
            raise LocalProtocolError("an EventLoop can be entered once: make another")
        self._thread = threading.Thread(target=self._run, name="perfectws event loop", daemon=True)
        self._thread.start()
        self._has_begun.wait()
        if self._error is not None:
            raise self._error
        return self

    def __enter__(self) -> EventLoop:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """End: close what is open, and wait for that, within ``close_timeout``. Once it has ended, do nothing.

        A task of asyncio or trio lets a thread do this, since it blocks: ``await asyncio.to_thread(event_loop.stop)``.

        Raises:
            LocalProtocolError: It was never started, or this is its own thread.
        """
        thread = self._thread
        if thread is None:
            raise LocalProtocolError("this EventLoop was never started")
        if thread is threading.current_thread():
            raise LocalProtocolError("an EventLoop cannot be left in its own thread: it would wait for itself")
        if not thread.is_alive() and self._has_stopped:
            return
        self._has_stopped = True
        self._cancel(self._stop)
        try:
            thread.join()
        except BaseException:  # a KeyboardInterrupt: waiting is over
            self._cancel(self._abort)
            thread.join(ABORT_TIMEOUT)  # a callback that blocks cannot be interrupted in another thread than the main
            raise
        if self._error is not None:
            raise self._error

    def _cancel(self, scope: trio.CancelScope | None) -> None:
        assert self._token is not None
        assert scope is not None
        try:
            self._token.run_sync_soon(scope.cancel)
        except trio.RunFinishedError:
            pass  # it has ended by an error, which will be raised

    def _run(self) -> None:
        try:
            trio.run(self._serve)
        except BaseException as error:  # raised again by the thread that leaves the block
            self._error = lone_error(error)
        finally:
            self._loop = None
            self._has_begun.set()

    async def _serve(self) -> None:
        self._token = trio.lowlevel.current_trio_token()
        self._stop, self._abort = trio.CancelScope(), trio.CancelScope()
        loop = make_loop()
        with self._abort:
            async with run_client_loop(loop, self._close_timeout):
                self._loop = loop
                self._has_begun.set()
                with self._stop:
                    await trio.sleep_forever()
                self._loop = None
        loop.thread_id = loop.direct_thread = 0  # another thread may get the number of this one, which ends now


def run(setup: Callable[[trio.Nursery], object], *, close_timeout: float = CLOSE_TIMEOUT) -> None:
    """Run a script: call ``setup``, and return when all that it has begun is done.

    All is done when no connection is open, no timer runs, and no async callback, no function in a thread and no task of
    the nursery is under way; or when `stop` is called.

    Args:
        setup: Begins what there is to do; may be ``async def``. An error that it raises leaves `run`, and ends
            everything else.
        close_timeout: How long connections may take to end when an error or a KeyboardInterrupt ends the script, in
            seconds.

    Calls back:
        ``setup(nursery)`` once, in a loop of its own: `call_later`, `call_every`, `run_in_thread` and
        `WebSocket.connect` work inside it, and ``nursery`` is a trio nursery for tasks.

    Raises:
        KeyboardInterrupt: SIGINT has ended it, in order; a second one interrupts what runs, at once.
        LocalProtocolError: This is called inside a trio program already, which can pass a nursery with ``on=``.
        TypeError: ``setup`` cannot be called as documented.
    """
    check_callable(setup, "the setup of run", "nursery")
    if trio.lowlevel.in_trio_run():
        raise LocalProtocolError(
            "run() blocks, which would stop this trio program: begin the same here, with on= a nursery, or without it "
            "in a callback"
        )
    SECONDS.check("close_timeout", close_timeout)
    if run_until_signal(partial(_run_setup, setup, close_timeout), takes_sigterm=False) is not None:
        raise KeyboardInterrupt


#: The loops of `run` that are running, each with what ends it.
_runs: dict[CallbackLoop, trio.CancelScope] = {}


def stop() -> None:
    """End `run`, from a callback, a task or any thread: all that is open is closed with 1001, and `run` returns.

    Raises:
        LocalProtocolError: `run` does not run here; or it does in several threads, and this is called in none of them.

    Source: asyncio's ``loop.stop()``, which closes nothing.
    """
    here, runs = running_loop(), dict(_runs)
    loop = here if here in runs else next(iter(runs), None)
    if loop is None or (here is not loop and len(runs) > 1):
        raise LocalProtocolError("stop() ends perfectws.run(setup), which does not run here")
    loop.call_soon(loop.owner, runs[loop].cancel)


async def _run_setup(setup: Callable[[trio.Nursery], object], close_timeout: float, signals: StopSignals) -> None:
    loop = make_loop()
    set_running_loop(loop)
    async with run_client_loop(loop, close_timeout), trio.open_nursery() as outer:
        _runs[loop] = outer.cancel_scope
        try:
            outer.start_soon(_cancel_at_signal, outer.cancel_scope, signals)
            async with trio.open_nursery() as nursery:
                adopt(nursery, loop)
                result = setup(nursery)
                if isawaitable(result):
                    await _result_of(result)
            outer.cancel_scope.cancel()
        finally:
            del _runs[loop]


async def _cancel_at_signal(scope: trio.CancelScope, signals: StopSignals) -> None:
    await signals.wait()
    scope.cancel()


async def _result_of(awaitable: Awaitable[object]) -> None:
    await awaitable


class Startable(ABC):
    """What runs later, and has its event loop then: an `HTTPServer`, a `LaunchContext`."""

    @property
    @abstractmethod
    def loop(self) -> CallbackLoop:
        """The loop of what runs. Raises `LocalProtocolError` unless it does."""

    @property
    @abstractmethod
    def known_loop(self) -> CallbackLoop | None:
        """The same; ``None`` if it does not run yet. Raises `LocalProtocolError` if it has stopped."""

    @abstractmethod
    def call_when_running(
        self, function: Callable[[CallbackLoop], object], give_up: Callable[[LocalProtocolError], object]
    ) -> None:
        """Call ``function(loop)`` at once if it runs, else as soon as it does. From any thread.

        Args:
            function: What to call.
            give_up: Is called with the reason instead, if it stops before it has run.

        Raises:
            LocalProtocolError: It has stopped.
        """


def begin_on(
    on: object, begin: Callable[[Loop], object], give_up: Callable[[LocalProtocolError], object] = lambda _: None
) -> None:
    """Call ``begin(loop)`` with the loop that ``on=`` means: at once, or for a server as soon as it runs.

    Args:
        on: As for `loop_for`; the server need not run yet.
        begin: What to call.
        give_up: Is called with the reason instead, if the server stops before it has run.

    Raises:
        LocalProtocolError: There is none, or none any more; the message says what to pass.
    """
    if isinstance(on, Startable):
        on.call_when_running(begin, give_up)  # type: ignore[arg-type]  # a server's loop is a `Loop`
    else:
        begin(loop_for(on))


def known_loop(on: object) -> Loop | None:
    """Return the loop that ``on=`` means; ``None`` for that of a server that does not run yet. Raises as `begin_on`."""
    if not isinstance(on, Startable):
        return loop_for(on)
    loop = on.known_loop
    assert loop is None or isinstance(loop, Loop)
    return loop


def loop_for(on: object) -> Loop:
    """Return the loop that ``on=`` means.

    Args:
        on: An `EventLoop`, a trio nursery, a server that runs, or ``None`` for the loop in whose callback this is
            called. A loop itself will do.

    Raises:
        LocalProtocolError: There is none; the message says what to pass.
    """
    if isinstance(on, trio.Nursery):
        return _loop_of_nursery(on)
    if isinstance(on, Loop):
        return on
    if on is None:
        loop = running_loop()
        if not isinstance(loop, Loop):
            raise LocalProtocolError(
                "there is no event loop here: pass on=, which is an EventLoop, a trio nursery or a server, or call "
                "this from a callback or inside perfectws.run(setup)"
            )
        return loop
    if isinstance(on, EventLoop | Startable):
        loop = on.loop
        assert isinstance(loop, Loop)
        return loop
    raise TypeError(f"on= is an EventLoop, a trio nursery, or a server, not {on!r}")


def _loop_of_nursery(nursery: trio.Nursery) -> Loop:
    try:
        trio.lowlevel.current_trio_token()
        return loop_of(nursery)
    except RuntimeError as error:
        raise LocalProtocolError(
            "on= is a nursery of another thread, or one that is closed: from another thread, pass an EventLoop"
        ) from error
