"""The echo server's command line: ``python -m examples.echo [--address ADDRESS] [--port PORT]``."""

from __future__ import annotations

import argparse
import logging

from perfectws import HTTPServer, LaunchFailure

from .echo import make_routes


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m examples.echo", description="Serve the echo page and its echo.")
    parser.add_argument("--address", default="127.0.0.1", help="the address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=int, default=8181, help="the port; 0 takes any free one (default: %(default)s)")
    arguments = parser.parse_args()

    # perfectws logs where it listens.
    logging.basicConfig(level=logging.INFO)
    try:
        HTTPServer.launch(name="localhost", address=arguments.address, port=arguments.port, routes=make_routes())
    except LaunchFailure as failure:
        parser.exit(1, f"{failure}\n")


if __name__ == "__main__":
    main()
