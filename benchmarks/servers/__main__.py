"""Runs one server of the table: ``python -m benchmarks.servers NAME --port PORT``. It ends with whoever started it."""

from __future__ import annotations

import argparse
import ctypes
import importlib
import logging
import os
import signal
import sys

from . import SERVERS, Settings

_PR_SET_PDEATHSIG = 1


def main() -> None:
    """Serve until killed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.servers")
    parser.add_argument("name", choices=SERVERS)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--cpu", type=int)
    parser.add_argument("--parent", type=int)
    parser.add_argument("--ping-interval", type=float)
    parser.add_argument("--certificate")
    parser.add_argument("--deflate", action="store_true")
    arguments = parser.parse_args()

    if arguments.parent is not None:
        die_with_parent(arguments.parent)
    if arguments.cpu is not None:
        os.sched_setaffinity(0, {arguments.cpu})
    logging.basicConfig(level=logging.WARNING)
    server = SERVERS[arguments.name]
    for package in server.hides:
        sys.modules[package] = None  # type: ignore[assignment]  # an import of it fails from here on
    module = importlib.import_module(f"{__package__}.{server.module}")
    module.serve(
        Settings(
            arguments.port,
            arguments.ping_interval,
            arguments.certificate,
            server.uvloop,
            arguments.deflate,
            server.whole_messages,
        )
    )


def die_with_parent(parent: int) -> None:
    """Have the kernel kill this process when its parent ends, however that ends."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        sys.exit("whoever started this server is gone")


if __name__ == "__main__":
    main()
