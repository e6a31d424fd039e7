"""A client that comes back: ``python -m tests.chaos.client PORT``. It sends a number now and then, and prints
each echo. Its log goes to the standard error. It ends once its standard input does.
"""

from __future__ import annotations

import itertools
import sys
from threading import Thread

from perfectws import Backoff, EventLoop, WebSocket, call_every

from .serving import STRICT


def tell(text: str) -> None:
    """Print a line."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def main() -> None:
    """Send and print."""
    numbers = itertools.count()
    done = Thread(target=sys.stdin.read)
    done.start()
    with EventLoop() as loop:
        connecting = WebSocket.connect(
            to=f"ws://127.0.0.1:{sys.argv[1]}/echo",
            on=loop,
            on_upgrade=lambda ws: ws.on_text(lambda ws, text: tell(text)),
            reconnect=Backoff(first=0.05, longest=0.2),
            queue=64 * 1024,
            ping_interval=STRICT["ping_interval"],
            ping_timeout=STRICT["ping_timeout"],
        )
        connecting.wait()
        call_every(0.05, lambda: connecting.send(str(next(numbers))), on=loop)
        done.join()


if __name__ == "__main__":
    main()
