"""A recorder as a Perfect app has it: what sockets say is stored by jobs in a serial queue, one after the other."""

from __future__ import annotations

import time

from perfectws import (
    HTTPRequest,
    OpcodeType,
    Routes,
    SerialQueue,
    WebSocket,
    WebSocketHandler,
    WebSocketSessionHandler,
)


class Recorder:
    """Stores measurements, slowly, and never two at once."""

    def __init__(self) -> None:
        self.queue = SerialQueue(name="recorder")  # Threading.getQueue(name: "recorder", type: .serial)
        self.stored: list[str] = []
        self.is_storing = False

    def store(self, measurement: str) -> int:
        """Store one, in a thread of the queue's, and return how many there are."""
        assert not self.is_storing
        self.is_storing = True
        time.sleep(0.001)
        self.stored.append(measurement)
        self.is_storing = False
        return len(self.stored)


class TelemetryHandler(WebSocketSessionHandler):
    """The session of one device: each measurement is answered once it is stored."""

    socket_protocol = "telemetry"

    def __init__(self, recorder: Recorder) -> None:
        self.recorder = recorder

    def handle_session(self, request: HTTPRequest, socket: WebSocket) -> None:
        """Read a measurement, and read on without waiting for the disk."""

        @socket.read_string_message
        def received(string: str | None, op: OpcodeType, fin: bool) -> None:
            if string is None:
                socket.close()
                return
            self.recorder.queue.dispatch(  # queue.dispatch { … }
                lambda: self.recorder.store(string), lambda count: socket.send_string_message(f"{string}: {count}")
            )
            self.handle_session(request, socket)


def make_routes(recorder: Recorder) -> Routes:
    """Return the recorder's routes."""
    routes = Routes()
    routes.add("GET", "/telemetry", WebSocketHandler(lambda request, protocols: TelemetryHandler(recorder)))
    return routes
