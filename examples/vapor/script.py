"""The client of Vapor 3's guide: a script that waits, with no ``async`` and no callback but the ones it sets.

It connects, sends its lines, prints what comes back and closes. Serve something to talk to first::

    python -m examples.vapor.server
    python -m examples.vapor.script [--url URL] [LINE ...]
"""

from __future__ import annotations

import argparse
import sys

from perfectws import EventLoop, HandshakeError, WebSocket

PATIENCE = 10.0  # seconds


def talk(url: str, lines: list[str]) -> list[str]:
    """Send ``lines`` and return as many that come back."""
    with EventLoop() as event_loop:
        # Create a new WebSocket connected to the server.
        ws = WebSocket.connect(to=url, on=event_loop).wait(PATIENCE)
        answers: list[str] = []
        done = event_loop.make_promise()

        # Set a new callback for receiving text formatted data.
        @ws.on_text
        def received(ws: WebSocket, text: str) -> None:
            answers.append(text)
            if len(answers) == len(lines):
                done.succeed(list(answers))

        # Send the messages.
        for line in lines:
            ws.send(line)
        result: list[str] = done.future_result.wait(PATIENCE)

        # Close, and wait for the WebSocket to be closed.
        ws.close().wait(PATIENCE)
        return result


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m examples.vapor.script", description="Send lines to an echo.")
    parser.add_argument("--url", default="ws://localhost:8080/echo", help="where to (default: %(default)s)")
    parser.add_argument("lines", nargs="*", metavar="LINE", default=["Hello, world!"], help="what to send")
    arguments = parser.parse_args()
    try:
        for answer in talk(arguments.url, arguments.lines):
            sys.stdout.write(f"Server echo: {answer}\n")
    except (HandshakeError, TimeoutError) as error:
        parser.exit(1, f"{error}\n")


if __name__ == "__main__":
    main()
