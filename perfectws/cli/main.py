"""The command line: ``python -m perfectws serve MODULE``, ``routes``, ``check`` and ``connect URL``."""

from __future__ import annotations

import argparse

from .. import __version__
from ..checks.spelling import right_spelling
from .check import add_check
from .connect import add_connect
from .options import OPTIONS
from .output import OutputFailure, flush_all, open_streams, tell
from .routes import add_routes
from .serve import add_serve

#: What other servers call an option, and what it is called here.
_OTHER_NAMES = {
    "--host": "--address",
    "--bind": "--address",
    "--uds": "--unix",
    "--ssl-certfile": "--tls-cert",
    "--ssl-keyfile": "--tls-key",
    "--certfile": "--tls-cert",
    "--keyfile": "--tls-key",
    "--forwarded-allow-ips": "--proxy-from",
    "--limit-concurrency": "--max-connections",
    "--timeout-keep-alive": "--keep-alive-timeout",
    "--timeout-graceful-shutdown": "--close-timeout",
}


def main(arguments: list[str] | None = None) -> int:
    """Run a command, and return the exit code of the process."""
    open_streams()
    try:
        try:
            return _run(arguments)
        finally:
            flush_all()
    except OutputFailure as failure:
        tell(f"python -m perfectws: error: {failure}")
        return 1


def _run(arguments: list[str] | None) -> int:
    parser = _parser()
    options, unknown = parser.parse_known_args(arguments)
    if unknown:
        parser.error(f"unrecognized arguments: {' '.join(unknown)}{_meant(unknown[0])}")
    code: int = options.run(options)
    return code


def _meant(argument: str) -> str:
    """Return a hint at the option that was meant, ``""`` if none is near."""
    name = argument.partition("=")[0]
    known = [option.option for option in OPTIONS]
    meant = _OTHER_NAMES.get(name) or (right_spelling(name, known, 0.7) if name.startswith("--") else None)
    return f" (did you mean {meant}?)" if meant else ""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m perfectws", description="Callback-style WebSockets for Python.")
    parser.add_argument("--version", action="version", version=f"perfectws {__version__}")
    commands = parser.add_subparsers(required=True, metavar="serve|routes|check|connect")
    add_serve(commands)
    add_routes(commands)
    add_check(commands)
    add_connect(commands)
    return parser
