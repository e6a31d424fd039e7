"""What an echo costs a server in one process, in instructions: the same as before there were workers.

Messages go through sockets to a server's loop that is turned by hand, so that nothing depends on time; valgrind counts,
and what is counted for some echoes is taken off what is counted for more. With ``--against DIRECTORY`` the same is
done with the code of another checkout.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from statistics import median

from ..processes import Failure
from .judgement import Judgement

#: How many echoes are counted, and how many of them are not.
MORE, FEWER = 1200, 200
#: By how much it may differ.
MOST = 0.01
#: How long one count may take, in seconds.
PATIENCE = 600.0

_ECHO = """
import gc, socket, sys
import trio
from perfectws import Routes, WebSocketHandler
from perfectws.http.http11 import HTTPConnection
from perfectws.http.service import HTTPService
from perfectws.net.loop import Connections, open_loop
from perfectws.net.socket_transport import AcceptedSocket

HANDSHAKE = (
    b"GET / HTTP/1.1\\r\\nHost: x\\r\\nUpgrade: websocket\\r\\nConnection: Upgrade\\r\\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\\r\\nSec-WebSocket-Version: 13\\r\\n\\r\\n"
)
FRAME = b"\\x81\\xc0" + bytes(4) + b"x" * 64

class Echo:
    socket_protocol = None
    def handle_session(self, request, socket):
        def received(string, op, fin):
            socket.send_string_message(string, final=True, completion=lambda: self.handle_session(request, socket))
        socket.read_string_message(received)

async def main():
    routes = Routes()
    routes.add("GET", "/", WebSocketHandler(lambda *_: Echo()))
    gc.disable()  # else it would depend on when it looks
    async with open_loop() as loop:
        ours, theirs = socket.socketpair()
        theirs.setblocking(False)
        transport = AcceptedSocket(loop, loop.reactor, theirs, ("127.0.0.1", 1), Connections(loop), ("127.0.0.1", 2))
        transport.start(HTTPConnection(transport, loop, HTTPService(routes.navigator)))
        for message in [HANDSHAKE, *[FRAME] * int(sys.argv[1])]:
            ours.sendall(message)
            loop.reactor.run_pass()
            loop.run_turn()
            assert ours.recv(65536)
        ours.close()
        await loop.end_connections(0)

trio.run(main)
"""


def measure(judgement: Judgement, *, against: Path | None = None, rounds: int = 7) -> None:
    """Measure it, several times: where objects lie in memory decides which of them get into each other's way."""
    checkouts = [Path(__file__).parents[2], *([against] if against is not None else [])]
    found = [[_instructions_per_echo(each, seed) for each in checkouts] for seed in range(rounds)]
    medians = [median(each) for each in zip(*found, strict=True)]
    for checkout, instructions in zip(checkouts, medians, strict=True):
        judgement.tell(f"instructions for an echo in {checkout}", instructions, digits=0)
    if against is not None:
        judgement.must("by how much these differ", abs(medians[0] / medians[1] - 1), MOST, digits=4)


def _instructions_per_echo(checkout: Path, seed: int) -> float:
    return (_instructions(checkout, seed, MORE) - _instructions(checkout, seed, FEWER)) / (MORE - FEWER)


def _instructions(checkout: Path, seed: int, echoes: int) -> int:
    command = ["valgrind", "--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null"]
    command += [sys.executable, "-c", _ECHO, str(echoes)]
    environment = {**os.environ, "PYTHONPATH": str(checkout), "PYTHONHASHSEED": str(seed)}
    try:
        run = subprocess.run(
            command, cwd=checkout, env=environment, capture_output=True, text=True, timeout=PATIENCE, check=False
        )
    except FileNotFoundError:
        raise Failure("instructions are counted by valgrind, which is not installed") from None
    found = re.search(r"I\s+refs:\s+([\d,]+)", run.stderr)
    if run.returncode or found is None:
        raise Failure(run.stderr[-2000:])
    return int(found[1].replace(",", ""))
