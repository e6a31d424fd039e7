"""The chat's command line: ``python -m examples.chat``, and ``--help``.

In one process, with SQLite, it needs nothing else. With Redis, several servers are one chat::

    python -m examples.chat --redis redis://127.0.0.1:6379
"""

from __future__ import annotations

import argparse
import logging
import sqlite3
from pathlib import Path

from perfectws import HTTPServer, LaunchFailure

from .embedded import Embedded
from .hosts import Hosts
from .shared import Shared
from .web import make_routes


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m examples.chat", description="Serve a chat and its page.")
    parser.add_argument("--address", default="127.0.0.1", help="the address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=int, default=8181, help="the port; 0 takes any free one (default: %(default)s)")
    parser.add_argument(
        "--database",
        type=Path,
        default=Path("chat.sqlite3"),
        help="the file that keeps the messages (default: %(default)s)",
    )
    parser.add_argument(
        "--memory",
        action="store_const",
        const=None,
        dest="database",
        help="keep no message once the server stops",
    )
    parser.add_argument(
        "--redis",
        metavar="URL",
        help="carry the messages by Redis 7 or later, and keep them there, such as redis://127.0.0.1:6379; all servers "
        "on one Redis are one chat",
    )
    parser.add_argument(
        "--host",
        action="append",
        default=[],
        metavar="NAME",
        help="answer to this name too, such as chat.example.org; may be given several times (IP addresses, localhost "
        "and the machine's own name are known)",
    )
    parser.add_argument(
        "--origin",
        action="append",
        default=[],
        metavar="URL",
        help="let pages of another origin connect, such as https://example.org; may be given several times",
    )
    arguments = parser.parse_args()

    # perfectws logs where it listens.
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    try:
        shelf = Embedded(arguments.database) if arguments.redis is None else Shared(arguments.redis)
    except sqlite3.Error as error:
        parser.exit(1, f"{arguments.database} is no database to keep messages in: {error}\n")
    except (ImportError, ValueError) as error:
        parser.exit(1, f"{error}\n")
    routes = make_routes(shelf, Hosts(arguments.host), arguments.origin)
    try:
        HTTPServer.launch(
            name="localhost",
            address=arguments.address,
            port=arguments.port,
            routes=routes,
        )
    except LaunchFailure as failure:
        parser.exit(1, f"{failure}\n")
    finally:
        shelf.close()


if __name__ == "__main__":
    main()
