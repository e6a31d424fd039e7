"""A reload while clients hold their connections, and others ask: nobody is refused, nothing is lost."""

from __future__ import annotations

import json
import signal

import trio

from ..soak.wire import request
from .herd import herd
from .judgement import Judgement
from .service import PATIENCE, running_service

#: How long after the time that the drain takes all must be back, in seconds.
MOST_LATE = 2.0


class Asking:
    """Asks again and again, on a new connection each time.

    Attributes:
        answered: How many were answered.
        failed: What has become of the others.
    """

    def __init__(self, port: int) -> None:
        self.answered = 0
        self.failed: list[str] = []
        self._port = port

    async def run(self) -> None:
        """Ask until cancelled."""
        while True:
            try:
                async with await trio.open_tcp_stream("127.0.0.1", self._port) as stream:
                    await stream.send_all(request("GET", "/pid", "Connection: close"))
                    body = b"".join([data async for data in stream]).partition(b"\r\n\r\n")[2]
                json.loads(body)
                self.answered += 1
            except (OSError, ValueError, trio.BrokenResourceError) as error:
                self.failed.append(repr(error))


def measure(judgement: Judgement, *, clients: int = 2000, drain: float = 5.0) -> None:
    """Measure all of it."""
    trio.run(_reload, judgement, clients, drain)


async def _reload(judgement: Judgement, clients: int, drain: float) -> None:
    with running_service(2, drain=drain) as service:
        before = set(service.serving())
        async with herd(service.port, clients) as found, trio.open_nursery() as nursery:
            asking = Asking(service.port)
            nursery.start_soon(asking.run)
            service.signal(signal.SIGHUP)
            await trio.to_thread.run_sync(service.wait_for, "those before it go")
            began = trio.current_time()
            with trio.fail_after(drain + PATIENCE):
                while before & found.spread.keys() or len(found.processes) < clients:
                    await trio.sleep(0.02)
            nursery.cancel_scope.cancel()
        closed = found.closed
    judgement.tell("clients that were sent away with 1012", closed[1012], digits=0)
    judgement.must("clients that lost their connection", sum(closed.values()) - closed[1012], 0, digits=0)
    judgement.must("connections that were refused", found.refused, 0, digits=0)
    judgement.tell("requests that were answered meanwhile", asking.answered, digits=0)
    judgement.must("requests that were not", len(asking.failed), 0, digits=0)
    judgement.must("all were back after", found.came_back - began, drain + MOST_LATE, unit=" s")
    for text in asking.failed[:5]:
        judgement.say(f"    {text}")
