"""socketify: uWebSockets (C++) behind cffi. The room is uWebSockets' own publish and subscribe."""

from __future__ import annotations

from typing import Any

from socketify import App, AppListenOptions, CompressOptions, OpCode

from . import MAX_SIZE, Settings

#: What may wait to be sent, in bytes: ten messages of 1 MiB.
_MAX_BACKPRESSURE = 16 * MAX_SIZE


def upgrade(response: Any, request: Any, socket_context: Any) -> None:
    """Accept a handshake, its subprotocol too."""
    key = request.get_header("sec-websocket-key")
    protocol = request.get_header("sec-websocket-protocol")
    response.upgrade(key, protocol, "", socket_context)


def echo(socket: Any, message: Any, opcode: OpCode) -> None:
    """Send back what comes."""
    socket.send(message, opcode)


def make_app(settings: Settings) -> App:
    """Return the application."""
    app = App()

    def join(socket: Any) -> None:
        socket.subscribe("room")

    def pass_on(socket: Any, message: Any, opcode: OpCode) -> None:
        app.publish("room", message, opcode)

    common = {
        "compression": CompressOptions.DISABLED,
        "max_payload_length": MAX_SIZE,
        "max_backpressure": _MAX_BACKPRESSURE,
        "idle_timeout": 120,
        "upgrade": upgrade,
    }
    if settings.ping_interval is not None:
        # It pings a little before the timeout, whose least is 8 seconds.
        common |= {"send_pings_automatically": True, "idle_timeout": max(8, round(settings.ping_interval))}
    app.ws("/echo", {**common, "message": echo})
    app.ws("/parts", {**common, "message": echo})
    app.ws("/room", {**common, "open": join, "message": pass_on})
    return app


def serve(settings: Settings) -> None:
    """Serve until killed."""
    app = make_app(settings)
    app.listen(AppListenOptions(port=settings.port, host="127.0.0.1"))
    app.run()
