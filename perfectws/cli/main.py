"""The command line: ``python -m perfectws serve MODULE``, ``python -m perfectws connect URL``."""

from __future__ import annotations

import argparse
import logging
import signal
import sys
from typing import Literal

from .. import __version__
from ..checks.quantities import SECONDS, Kind
from ..errors import PerfectWSError
from ..server.workers.plan import DRAIN, WORKERS
from .connect import add_connect
from .serve import serve

#: The signals that may mean that code is to be loaded anew.
_RELOAD_SIGNALS = ("HUP", "USR1", "USR2")
#: The port of Perfect's examples.
PORT = 8181


def main(arguments: list[str] | None = None) -> int:
    """Run a command, and return the exit code of the process."""
    options = _parser().parse_args(arguments)
    code: int = options.run(options)
    return code


def _serve(options: argparse.Namespace) -> int:
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    if options.access_log:
        logging.getLogger("perfectws.access").setLevel(logging.INFO)
    try:
        serve(options)
    except PerfectWSError as error:
        print(error, file=sys.stderr)  # noqa: T201
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m perfectws", description="Callback-style WebSockets for Python.")
    parser.add_argument("--version", action="version", version=f"perfectws {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    command = commands.add_parser(
        "serve",
        help="serve what a module defines",
        description="Import a module, call its perfect_server_module_init() if it has one, and serve the routes that "
        "this has set with Routing.Routes[…], and those of its variable 'routes'.",
    )
    command.add_argument("module", metavar="MODULE", help="a module's name, such as my.module, or a file, my/module.py")
    command.add_argument("--name", default="localhost", help="the server's name (default: %(default)s)")
    command.add_argument(
        "--address",
        default="0.0.0.0",
        help="where to listen (default: %(default)s): a host, unix:PATH, or what listens already: systemd:, "
        "systemd:NAME or fd:NUMBER",
    )
    command.add_argument("--port", type=int, default=PORT, help="the port; 0 is any free one (default: %(default)s)")
    command.add_argument(
        "--unix-mode", type=_mode, metavar="MODE", help="the mode of a Unix socket's file, such as 660 (default: 666)"
    )
    command.add_argument("--document-root", metavar="DIRECTORY", help="a directory of files to serve as well")
    command.add_argument(
        "--workers",
        type=_workers,
        default=1,
        metavar="N",
        help="how many processes serve, or auto: one for each processor (default: 1, this one)",
    )
    command.add_argument(
        "--drain",
        type=_seconds,
        metavar="SECONDS",
        help="over how long connections are closed when the server stops (default: all at once), or with --workers "
        f"when it reloads (default: {DRAIN:g})",
    )
    command.add_argument(
        "--reload-on",
        type=_signal,
        metavar="SIGNAL",
        help="the signal that loads the code anew, such as HUP or USR2; with it one worker has a supervisor too "
        "(default: HUP, where there are several)",
    )
    command.add_argument("--access-log", action="store_true", help="log a line per request and per session")
    command.set_defaults(run=_serve)
    add_connect(commands)
    return parser


def _mode(text: str) -> int:
    return int(text, 8)


def _workers(text: str) -> int | Literal["auto"]:
    if text == "auto":
        return "auto"
    number = int(text)
    _check(WORKERS, number)
    return number


def _seconds(text: str) -> float:
    number = float(text)
    _check(SECONDS, number)
    return number


def _check(kind: Kind, value: float) -> None:
    try:
        kind.check("it", value)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _signal(text: str) -> signal.Signals:
    name = text.upper().removeprefix("SIG")
    try:
        return signal.Signals[f"SIG{name if name in _RELOAD_SIGNALS else ''}"]
    except KeyError:
        raise argparse.ArgumentTypeError(f"it is one of {', '.join(_RELOAD_SIGNALS)}, not {text!r}") from None
