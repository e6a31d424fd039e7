"""The chat's command line: ``python -m examples.chat``, and ``--help``.

In one process, with SQLite, it needs nothing else. With Redis it is as many processes as there are cores::

    python -m examples.chat --workers 2 --redis redis://127.0.0.1:6379
"""

from __future__ import annotations

import argparse
import logging
import os
import sqlite3
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

from perfectws import HTTPServer, LaunchFailure

from .chatroom import Chatrooms
from .embedded import Embedded
from .hosts import Hosts
from .images import MAX_IMAGE, Images
from .shared import Shared
from .web import FILTERS, make_routes

MIN_TOKEN = 16  # characters


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m examples.chat", description="Serve a chat and its page.")
    parser.add_argument("--address", default="127.0.0.1", help="the address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=int, default=8181, help="the port; 0 takes any free one (default: %(default)s)")
    # It is said once where the messages are kept, so that none of it is without effect.
    kept = parser.add_mutually_exclusive_group()
    kept.add_argument(
        "--database",
        type=Path,
        default=Path("chat.sqlite3"),
        help="the file that keeps the messages (default: %(default)s)",
    )
    kept.add_argument(
        "--memory",
        action="store_const",
        const=None,
        dest="database",
        help="keep no message once the server stops, nor an image, unless --images says where",
    )
    kept.add_argument(
        "--redis",
        metavar="URL",
        help="carry the messages by Redis 7 or later, and keep them there, such as redis://127.0.0.1:6379; all servers "
        "on one Redis are one chat",
    )
    parser.add_argument(
        "--admin-token",
        default=os.environ.get("CHAT_ADMIN_TOKEN"),
        metavar="TOKEN",
        help="who opens a room's address with #admin=TOKEN may delete messages and send people away (default: the "
        "environment's CHAT_ADMIN_TOKEN; without one, nobody)",
    )
    parser.add_argument(
        "--images",
        type=Path,
        metavar="FOLDER",
        help="where the images are kept (default: chat-images)",
    )
    parser.add_argument("--workers", type=int, default=1, help="processes that serve, with --redis (default: 1)")
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

    if arguments.admin_token is not None and len(arguments.admin_token) < MIN_TOKEN:
        parser.error(f"a token of fewer than {MIN_TOKEN} characters could be guessed")
    if arguments.workers > 1 and arguments.redis is None:
        parser.error("several workers need --redis: what is said in one reaches the others by it")

    # perfectws logs where it listens.
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    with ExitStack() as stack:
        try:
            shelf = Embedded(arguments.database) if arguments.redis is None else Shared(arguments.redis)
        except sqlite3.Error as error:
            parser.exit(1, f"{arguments.database} is no database to keep messages in: {error}\n")
        except (ImportError, ValueError) as error:
            parser.exit(1, f"{error}\n")
        stack.callback(shelf.close)
        folder = arguments.images
        if folder is None:
            is_forgotten = arguments.database is None
            folder = Path(stack.enter_context(TemporaryDirectory()) if is_forgotten else "chat-images")
        images = Images(folder, arguments.origin)
        routes = make_routes(Chatrooms(shelf, arguments.admin_token), images, Hosts(arguments.host), arguments.origin)
        try:
            HTTPServer.launch(
                name="localhost",
                address=arguments.address,
                port=arguments.port,
                routes=routes,
                response_filters=FILTERS,
                max_body_size=MAX_IMAGE,
                workers=arguments.workers,
            )
        except (LaunchFailure, ValueError) as failure:  # so many workers are none, say
            parser.exit(1, f"{failure}\n")


if __name__ == "__main__":
    main()
