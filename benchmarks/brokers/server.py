"""A server with one room on a Redis: ``python -m benchmarks.brokers.server --redis URL``.

It says its port, and ends when its input does. A socket joins at ``/room?after=POSITION&who=NAME``. What it sends goes
to the room, and comes as ``ID POSITION TEXT``.
"""

from __future__ import annotations

import argparse
import sys
import threading
import time

import trio

from perfectws import HTTPRequest, HTTPResponse, HTTPServer, Recovery, RedisBroker, Room, RoomEntry, Routes, WebSocket

#: What `speak` says beside the time.
PADDING = "x" * 80


def main() -> None:
    """Serve until standard input ends."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--redis", help="its URL; without one the room is of this process alone")
    parser.add_argument("--max-queue", type=int, default=1 << 20)
    parser.add_argument("--lease", type=float, default=4.0)
    parser.add_argument("--history", type=int, default=0, help="with a Redis 10,000 if it is not given")
    options = parser.parse_args()
    broker = RedisBroker(options.redis, max_queue=options.max_queue, lease=options.lease) if options.redis else None
    history = options.history or (10_000 if broker else 0)
    room = Room("lobby", broker=broker, history=history, stamp=stamp) if history else Room("lobby")
    offers = routes(room, broker, "" if history else "- - ")
    context = HTTPServer.launch(name="room", address="127.0.0.1", port=0, routes=offers, wait=False)
    sys.stdout.write(f"{context.port}\n")
    sys.stdout.flush()
    threading.Thread(target=lambda: (sys.stdin.read(), context.terminate()), daemon=True).start()
    context.wait()


def stamp(entry: RoomEntry) -> str:
    """Return what members are sent."""
    assert isinstance(entry.data, str)
    return f"{entry.id} {entry.position} {entry.data}"


def routes(room: Room, broker: RedisBroker | None, stamped: str) -> Routes:
    """Return what is served; ``stamped`` is what is said before the time in a room that has no stamp."""
    routes = Routes()

    def join(request: HTTPRequest, socket: WebSocket) -> None:
        def joined(recovery: Recovery) -> None:
            socket.send_string_message(f"! {recovery.position} {recovery.recovered} {recovery.missed}")

        socket.on_text(lambda _, text: room.send_string_message(text))
        if broker is None:
            room.join(socket)
        else:
            room.join(socket, after=request.param("after"), who=request.param("who"), completion=joined)

    def figures(request: HTTPRequest, response: HTTPResponse) -> None:
        response.set_body(json={} if broker is None else broker.figures._asdict()).completed()

    def people(request: HTTPRequest, response: HTTPResponse) -> None:
        response.set_body(json={"count": len(room.people), "when": time.monotonic()}).completed()

    async def publish(request: HTTPRequest, response: HTTPResponse) -> None:
        rate, seconds = float(request.param("rate") or 1), float(request.param("seconds") or 1)
        count = await speak(room, stamped, rate, seconds)
        response.set_body(json={"count": count}).completed()

    routes.web_socket("/room", on_upgrade=join)
    routes.add("GET", "/figures", figures)
    routes.add("GET", "/people", people)
    routes.add("GET", "/publish", publish)
    return routes


async def speak(room: Room, stamped: str, rate: float, seconds: float) -> int:
    """Say something so many times a second; return how many times it was."""
    begin, count = time.monotonic(), 0
    while (now := time.monotonic()) < begin + seconds:
        while count < (now - begin) * rate:
            count += 1
            room.send_string_message(f"{stamped}{time.monotonic()!r} {PADDING}")
        await trio.sleep(1 / rate)
    return count


if __name__ == "__main__":
    main()
