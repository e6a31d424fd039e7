"""How a server retires: its connections are told one after the other, over a time.

WebSockets are closed evenly over that time, so those who come back at once come one after the other too: with 1012
where another process serves from now on, else with 1001. A request that is under way, or on its way, is answered, and
is the last of its connection.
"""

from __future__ import annotations

import trio

from ..callbacks import report_failure
from ..net.loop import Connections, LoopTransport
from ..websocket.connection import WebSocketConnection

#: How far ahead of its time a WebSocket may be closed, in seconds: so many are closed between two sleeps.
STEP = 0.01
#: How often it is looked whether all connections are gone, in seconds.
LOOK = 0.05


async def retire(connections: Connections, seconds: float, *, has_successor: bool) -> None:
    """Tell connections that this server ends, and wait until all are gone, or the time is over.

    Args:
        connections: The connections; more may come meanwhile.
        seconds: Over how long.
        has_successor: Whether another process serves from now on.
    """
    end = trio.current_time() + seconds
    await _tell_one_by_one(_tell_requests(connections), seconds, has_successor)
    while len(connections) and trio.current_time() < end:
        await trio.sleep(min(LOOK, max(0, end - trio.current_time())))
    for transport in list(connections):  # also those that have become WebSockets
        _tell(transport, has_successor)


def _tell_requests(connections: Connections) -> list[LoopTransport]:
    """Tell the connections that are no WebSockets, and return the others."""
    sockets = []
    for transport in list(connections):
        if isinstance(transport.protocol, WebSocketConnection):
            sockets.append(transport)
        else:
            _tell(transport, True)
    return sockets


async def _tell_one_by_one(sockets: list[LoopTransport], seconds: float, has_successor: bool) -> None:
    began = trio.current_time()
    for number, transport in enumerate(sockets, 1):
        due = began + seconds * number / len(sockets)
        if due > trio.current_time() + STEP:
            await trio.sleep_until(due)
        _tell(transport, has_successor)


def _tell(transport: LoopTransport, has_successor: bool) -> None:
    protocol = transport.protocol
    try:
        if has_successor or not isinstance(protocol, WebSocketConnection):
            protocol.retire()
        else:
            protocol.shut_down()
    except Exception as error:
        report_failure(protocol, error)
