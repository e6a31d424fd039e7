"""Runs one client: ``python -m benchmarks.clients NAME --port PORT``, and reports as ``load.c`` does."""

from __future__ import annotations

import argparse
import importlib
import json
import logging
import os
import sys

from ..servers import SERVERS
from ..servers.__main__ import die_with_parent
from . import Load


def main() -> None:
    """Run it, and print its report."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.clients")
    parser.add_argument("name", choices=[name for name, server in SERVERS.items() if server.has_client])
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--cpu", type=int)
    parser.add_argument("--parent", type=int)
    parser.add_argument("--connections", type=int, default=1)
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=1)
    parser.add_argument("--warmup", type=float, default=0.25)
    parser.add_argument("--opens", action="store_true")
    arguments = parser.parse_args()

    if arguments.parent is not None:
        die_with_parent(arguments.parent)
    if arguments.cpu is not None:
        os.sched_setaffinity(0, {arguments.cpu})
    logging.basicConfig(level=logging.WARNING)
    client = SERVERS[arguments.name]
    for package in client.hides:
        sys.modules[package] = None  # type: ignore[assignment]  # an import of it fails from here on
    module = importlib.import_module(f"{__package__}.{client.module.removesuffix('_server')}_client")
    load = Load(
        arguments.port, arguments.connections, arguments.size, arguments.seconds, arguments.warmup, client.uvloop
    )
    module.run(load, opens=arguments.opens)
    print(json.dumps(load.report()))  # noqa: T201


if __name__ == "__main__":
    main()
