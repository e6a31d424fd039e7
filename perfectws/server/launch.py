"""`LaunchContext`, and how servers are launched: all listen, or none; then all run on one loop, in one nursery.

::

    launch ──▶ every server binds ──▶ trio.run, here (wait=True) or in a thread ──▶ each serves until it is stopped
                     └── one cannot: LaunchFailure, and all are unbound                    └──▶ its on_close

This knows threads, the process and its end, and of a server what `Launchable` says.
"""

from __future__ import annotations

import atexit
import os
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Protocol

import trio

from ..callbacks import CallbackLoop, logger
from ..checks.quantities import WAIT
from ..client.event_loop import Startable
from ..errors import LocalProtocolError, lone_error
from ..futures import Future, Promise
from ..net.hang_up import HangUps
from ..net.listeners import Inherit, Listening
from ..net.loop import Loop, open_loop
from ..net.memory import collect_less_often, keep_freed_memory
from ..net.notify import notifier
from ..net.signals import StopSignals, run_until_signal
from .figures import FiguresOfOthers, ServerFigures
from .importing import check_importing
from .stopping import StopRequest
from .workers.plan import DRAIN, Plan
from .workers.started import VARIABLE

if TYPE_CHECKING:
    from .accepting import Sharing


class Launchable(Protocol):
    """A server, as far as launching it goes: `HTTPServer`.

    Attributes:
        server_name: Its name, for the log.
        server_address: The address that it listens on, or is to listen on.
        server_port: The port, likewise; once it is bound, as the kernel gave it.
    """

    server_name: str
    server_address: str
    server_port: int

    @property
    def close_timeout(self) -> float:
        """How long its connections may take to end when it stops, in seconds."""

    #: Over how many seconds it tells them so, one after the other; ``None`` tells all at once.
    drain: float | None

    @property
    def listens_on(self) -> str:
        """Its address and port, or its path, for people."""

    def claim(self) -> None:
        """Let whoever calls this be the one to run it, until `release`. Raises `LaunchFailure` if another does."""

    def release(self) -> None:
        """Listen no more, and let it be run again."""

    def bind(self, inherited: Inherit | None = None) -> None:
        """Listen, perhaps by what listens already, but accept no connection yet. Raises `LaunchFailure`."""

    @property
    def listening(self) -> Listening:
        """What it listens by, once it is bound."""

    def announce(self, by_whom: str) -> None:
        """Log where it can be reached, and who serves there."""

    async def serve_on(
        self, loop: Loop, sharing: Sharing | None, stop: StopRequest, *, task_status: trio.TaskStatus[int]
    ) -> None:
        """Accept connections, bound already, until `stop` is called; some are perhaps left to other processes."""

    def stop(self) -> None:
        """Stop in an orderly way, without waiting for that. From any thread."""

    def reload_certificates(self) -> None:
        """Read the files of its certificate again."""

    @property
    def figures(self) -> ServerFigures:
        """What it has done so far, in all of its processes."""

    @property
    def own_figures(self) -> ServerFigures:
        """What it has done in this process."""

    def add_figures(self, of_others: FiguresOfOthers) -> None:
        """Count what it has done in other processes into its figures."""

    @property
    def stop_request(self) -> StopRequest | None:
        """What tells it to stop, while it runs."""

    @property
    def loop(self) -> CallbackLoop:
        """The event loop that it runs on. Raises `LocalProtocolError` unless it runs."""

    @property
    def known_loop(self) -> CallbackLoop | None:
        """The same; ``None`` if it does not run yet. Raises `LocalProtocolError` if it has stopped."""

    def call_when_running(
        self, function: Callable[[CallbackLoop], object], give_up: Callable[[LocalProtocolError], object]
    ) -> None:
        """Call ``function(loop)`` at once if it runs, else as soon as it does; see `Startable`."""

    def stopped_elsewhere(self) -> None:
        """Take note that it has run in other processes, and has stopped."""


class LaunchContext(Startable):
    """One server that was launched. As a context manager it stops the server at its end, and waits for that. ::

        with HTTPServer.launch(name="localhost", port=0, routes=routes, wait=False) as context:
            ...  # the server runs on context.port

    Attributes:
        server: The server: the `HTTPServer` itself.

    Source: Perfect's ``HTTPServer.LaunchContext``.
    """

    def __init__(self, server: Launchable, run: _Run) -> None:
        self.server = server
        self._run = run
        self._closed: Promise[None] | None = None
        self._is_claimed = True

    def __enter__(self) -> LaunchContext:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.terminate().wait()

    def __repr__(self) -> str:
        state = "terminated" if self.terminated else "running"
        return f"<LaunchContext {self.server.server_name!r} on {self.server.listens_on} {state}>"

    @property
    def port(self) -> int:
        """The port that it listens on, as the kernel gave it; 0 on a Unix socket."""
        return self.server.server_port

    @property
    def terminated(self) -> bool:
        """Whether it has stopped."""
        return self._closed is not None and self._closed.future_result.is_done

    @property
    def on_close(self) -> Future[None]:
        """The future of its end. Fails if the server did.

        Source: Vapor 3's ``server.onClose``.
        """
        assert self._closed is not None  # made before this context is given away
        return self._closed.future_result

    @property
    def figures(self) -> ServerFigures:
        """What the server has done so far, and is doing now. From any thread."""
        return self.server.figures

    @property
    def loop(self) -> CallbackLoop:
        """The server's event loop, for ``on=``. Raises `LocalProtocolError` once it has stopped."""
        self._check_goes_on()
        return self.server.loop

    @property
    def known_loop(self) -> CallbackLoop | None:
        """The same; ``None`` if it does not run yet; perfectws's own."""
        self._check_goes_on()
        return self.server.known_loop

    def call_when_running(
        self, function: Callable[[CallbackLoop], object], give_up: Callable[[LocalProtocolError], object]
    ) -> None:
        """Call ``function(loop)`` at once if it runs, else as soon as it does; perfectws's own."""
        self._check_goes_on()
        self.server.call_when_running(function, give_up)

    def _check_goes_on(self) -> None:
        # The server may run again, launched anew: that is nothing to this context, which is of one run.
        if not self._is_claimed:
            raise LocalProtocolError(f"this launch of server {self.server.server_name!r} is over: it has stopped")

    def terminate(self) -> LaunchContext:
        """Stop the server in an orderly way, without waiting for that. From any thread; harmless when it has stopped.

        Returns:
            This, so that ``context.terminate().wait()`` works.
        """
        self.server.stop()
        return self

    def wait(self, seconds: float | None = None) -> bool:
        """Block until the server has stopped.

        Args:
            seconds: How long to wait at most; ``None``, or a negative number as Perfect has it, waits for ever.

        Returns:
            Whether it has stopped.

        Raises:
            LocalProtocolError: This is the server's own thread, where waiting would hang for ever.
            Exception: What the server has failed with.
        """
        WAIT.check("seconds", seconds)
        try:
            self.on_close.wait(None if seconds is None or seconds < 0 else seconds)
        except TimeoutError:
            return False
        self._run.join_if_over()
        return True

    async def serve(self, loop: Loop, sharing: Sharing | None = None, *, task_status: trio.TaskStatus[int]) -> None:
        """Serve until the server is stopped; perfectws's own."""
        closed = self._closed = Promise[None](loop)
        try:
            # With workers, each of which shares with the others, the supervisor says who goes gently.
            drain = self._run.drain_of(self.server) if sharing is None else None
            await self.server.serve_on(loop, sharing, StopRequest(drain), task_status=task_status)
        except Exception as error:
            self.release()
            closed.fail(error)
            raise
        finally:
            self.release()
            closed.succeed(None)  # ignored if it has failed

    def end(self) -> None:
        """Take note that it has stopped, in other processes; perfectws's own."""
        self.server.stopped_elsewhere()
        self._closed = Promise[None]()
        self._closed.succeed(None)

    def release(self) -> None:
        """Let the server be run again; perfectws's own. Harmless when it was done."""
        if self._is_claimed:
            self._is_claimed = False
            self.server.release()


def launch(
    servers: Sequence[Launchable], *, wait: bool, plan: Plan | None = None, drain: float | None = None
) -> list[LaunchContext]:
    """Run servers until they stop, here, in a thread of their own, or in processes of their own.

    Args:
        servers: The servers.
        wait: Whether to block until all have stopped, by themselves or because of SIGINT or SIGTERM. Else they run in a
            background thread, and signals are left alone.
        plan: How many processes serve; ``None`` for this one.
        drain: Over how many seconds this one tells connections that it stops, or lets another process take over, if it
            was started by one itself; ``None`` leaves that to each server.

    Raises:
        LaunchFailure: One of them cannot listen; then none of them runs. Or no worker comes to serve. Or a module is
            imported whose servers are launched by who imports it.
        LocalProtocolError: To wait would block the trio program that this is called from.
    """
    if wait and trio.lowlevel.in_trio_run():
        raise LocalProtocolError(
            "launch() and start() block, which would stop this trio program: await server.serve(), or launch with "
            "wait=False"
        )
    if wait:
        check_importing()
    if plan is not None and sys.platform != "win32":
        return _launch_in_workers(servers, plan)
    if wait and sys.platform != "win32" and VARIABLE in os.environ:
        return _launch_as_successor(servers, drain)
    _bind(servers)
    run = _Run(servers, drain)
    if wait:
        run.run_here()
    else:
        run.run_in_thread()
    return run.contexts


if sys.platform != "win32":  # where there never is a plan

    def _launch_in_workers(servers: Sequence[Launchable], plan: Plan) -> list[LaunchContext]:
        from .workers.launching import serve_by_workers  # few have any
        from .workers.succession import Heritage

        heritage = Heritage.claim()
        _bind(servers, heritage.take)
        heritage.close_rest()
        run = _Run(servers)
        try:
            serve_by_workers(run, plan, heritage)
        finally:
            run.let_go()
            for context in run.contexts:
                context.end()
        return run.contexts

    def _launch_as_successor(servers: Sequence[Launchable], drain: float | None) -> list[LaunchContext]:
        from .workers.succeeding import serve_alone
        from .workers.succession import Heritage

        heritage = Heritage.claim()
        _bind(servers, heritage.take)
        heritage.close_rest()
        run = _Run(servers)
        if heritage.line is None:  # it was meant for who has started this process
            run.run_here()
        else:
            serve_alone(run, DRAIN if drain is None else drain, heritage)
        return run.contexts


def _bind(servers: Sequence[Launchable], inherited: Inherit | None = None) -> None:
    """Let all servers listen, for us alone, or none."""
    claimed: list[Launchable] = []
    try:
        for server in servers:
            server.claim()
            claimed.append(server)
            server.bind(inherited)
    except BaseException:
        for server in claimed:
            server.release()
        raise


#: The runs in threads that go on: at the process's end they are ended in order.
_running: set[_Run] = set()


@atexit.register
def _end_all() -> None:
    # A daemon's thread would be cut off where it stands; clients are told first that the server goes away.
    for run in list(_running):
        run.end_at_exit()


class _Run:
    """One trio run of several servers.

    Args:
        servers: The servers.
        drain: Over how many seconds they stop, if all do so alike.

    Attributes:
        contexts: One for each server.
    """

    def __init__(self, servers: Sequence[Launchable], drain: float | None = None) -> None:
        self._drain = drain
        self.contexts = [LaunchContext(server, self) for server in servers]
        self._thread: threading.Thread | None = None
        self._error: BaseException | None = None
        self._has_begun = threading.Event()

    def run_here(
        self, begun: Callable[[trio.Nursery], object] | None = None, takes_sigint: bool = True
    ) -> signal.Signals | None:
        """Run in this thread until all have stopped; return the signal that has stopped them, if one has.

        Args:
            begun: Called once all accept connections, with the nursery of what goes on meanwhile.
            takes_sigint: Whether SIGINT stops them too.
        """
        keep_freed_memory()
        collect_less_often()
        try:
            serve = partial(self._serve_until_signal, begun)
            return run_until_signal(serve, takes_sigterm=True, takes_sigint=takes_sigint)
        finally:
            self.let_go()

    def run_in_thread(self) -> None:
        """Run in a thread. Returns when all accept connections."""
        _running.add(self)
        try:
            self._thread = threading.Thread(target=self._run_thread, name="perfectws servers", daemon=True)
            self._thread.start()
        except BaseException:
            self.let_go()
            raise
        self._has_begun.wait()
        if self._error is not None:
            raise self._error

    def join_if_over(self) -> None:
        """Wait until the thread has ended, if all its servers have. Raises what it has failed with."""
        thread = self._thread
        if thread not in (None, threading.current_thread()) and all(each.terminated for each in self.contexts):
            assert thread is not None
            thread.join()
            if self._error is not None:
                raise self._error

    def end_at_exit(self) -> None:
        """Stop the servers, and wait for that as long as they may take."""
        for context in self.contexts:
            context.terminate()
        if self._thread is not None:
            drain = max((self.drain_of(context.server) or 0 for context in self.contexts), default=0)
            self._thread.join(min(drain + self.close_timeout + 1, threading.TIMEOUT_MAX))

    def _run_thread(self) -> None:
        try:
            trio.run(self._serve, self._has_begun.set)
        except BaseException as error:
            self._error = lone_error(error)
            if self._has_begun.is_set():  # else `run_in_thread` raises it
                logger.error("The servers have ended because of an error", exc_info=self._error)
        finally:
            self.let_go()
            self._has_begun.set()

    def let_go(self) -> None:
        """Let every server be run again, also one that was never begun, and be freed by its last user."""
        _running.discard(self)
        for context in self.contexts:
            context.release()

    def drain_of(self, server: Launchable) -> float | None:
        """Return over how many seconds a server tells its connections that it stops; ``None`` tells all at once."""
        return server.drain if self._drain is None else self._drain

    @property
    def close_timeout(self) -> float:
        """How long connections may take to end when the servers stop, in seconds."""
        return max((context.server.close_timeout for context in self.contexts), default=0)

    async def _serve_until_signal(self, begun: Callable[[trio.Nursery], object] | None, signals: StopSignals) -> None:
        with HangUps() as hang_ups:
            async with trio.open_nursery() as nursery:

                def all_accept() -> None:
                    nursery.start_soon(self._stop_at_signal, signals)
                    if begun is not None:
                        begun(nursery)

                nursery.start_soon(self._read_again_at_signal, hang_ups)
                await self._serve(all_accept)
                nursery.cancel_scope.cancel()

    async def _read_again_at_signal(self, hang_ups: HangUps) -> None:
        while True:
            await hang_ups.wait()
            if hang_ups.terminal_is_gone:
                self._stop("SIGHUP, and the terminal is gone")
                continue
            logger.info("SIGHUP: certificates are read again, if there are any; with workers the code would be, too")
            notifier().tell_reloading("Reading certificates again")
            try:
                for context in self.contexts:
                    await trio.to_thread.run_sync(context.server.reload_certificates, abandon_on_cancel=True)
            except RuntimeError as error:  # the system gives us no thread
                logger.error("The certificates are not read again: %s", error)
            notifier().tell_reloaded()

    async def _stop_at_signal(self, signals: StopSignals) -> None:
        self._stop(await signals.wait())

    def _stop(self, reason: str) -> None:
        notifier().tell_stopping(f"Stopping at {reason}")
        for context in self.contexts:
            logger.info("%s: stopping HTTP server %s", reason, context.server.server_name)
            context.terminate()

    async def _serve(self, begun: Callable[[], object]) -> None:
        def all_serve(loop: Loop) -> None:
            notifier().tell_ready(self._status)
            loop.tasks.start_soon(notifier().keep_alive)
            begun()

        await self.serve_on_loop(all_serve, [None] * len(self.contexts))

    @property
    def _status(self) -> str:
        return "Serving on " + ", ".join(context.server.listens_on for context in self.contexts)

    async def serve_on_loop(self, begun: Callable[[Loop], object], shared: Sequence[Sharing | None]) -> None:
        """Serve until all are stopped.

        Args:
            begun: Called with the loop once all accept connections.
            shared: What each of them shares with other processes.
        """
        async with open_loop() as loop:
            try:
                async with trio.open_nursery() as nursery:
                    for context, sharing in zip(self.contexts, shared, strict=True):
                        await nursery.start(context.serve, loop, sharing)
                    begun(loop)
            finally:
                # What the servers' own callbacks have opened, as clients of others.
                await loop.end_connections(self.close_timeout)
