"""The command line: ``python -m perfectws serve MODULE``."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from types import ModuleType

from . import __version__
from .compat import global_routes
from .errors import LaunchFailure, PerfectWSError
from .http.routing import Routes
from .server import HTTPServer

#: The port of Perfect's examples.
PORT = 8181


def main(arguments: list[str] | None = None) -> int:
    """Run a command, and return the exit code of the process."""
    options = _parser().parse_args(arguments)
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
    command.add_argument("--address", default="0.0.0.0", help="where to listen (default: %(default)s), or unix:PATH")
    command.add_argument("--port", type=int, default=PORT, help="the port; 0 is any free one (default: %(default)s)")
    command.add_argument("--document-root", metavar="DIRECTORY", help="a directory of files to serve as well")
    command.add_argument("--access-log", action="store_true", help="log a line per request and per session")
    return parser


def serve(options: argparse.Namespace) -> None:
    """Serve what a module defines, until SIGINT or SIGTERM.

    Raises:
        PerfectWSError: There is no such module, or nothing in it to serve, or the server cannot start.
    """
    routes = routes_of(load_module(options.module))
    server = HTTPServer.server(name=options.name, address=options.address, port=options.port, routes=routes)
    if options.document_root is not None:
        server.document_root = options.document_root
    server.start()


def load_module(name: str) -> ModuleType:
    """Import a module by its name, seen from the current directory, or from a file.

    Raises:
        LaunchFailure: There is none.
    """
    sys.path.insert(0, os.getcwd())
    if name.endswith(".py"):
        return _load_file(name)
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{name}.".startswith(f"{error.name}."):
            raise  # it is there, and something that it imports is not
        raise LaunchFailure(f"there is no module {name!r} here, nor among what is installed") from None


def _load_file(path: str) -> ModuleType:
    name = os.path.splitext(os.path.basename(path))[0]
    spec = spec_from_file_location(name, path)
    if not os.path.isfile(path) or spec is None or spec.loader is None:
        raise LaunchFailure(f"there is no file {path!r}")
    module = sys.modules[name] = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def routes_of(module: ModuleType) -> Routes:
    """Initialise a module, and return what it serves.

    Raises:
        LaunchFailure: It serves nothing.
    """
    init = getattr(module, "perfect_server_module_init", None)
    if init is not None:
        init()
    own = getattr(module, "routes", None)
    routes = global_routes()
    if isinstance(own, Routes):
        routes.add(own)
    elif init is None:
        raise LaunchFailure(
            f"the module {module.__name__!r} has nothing to serve: define perfect_server_module_init(), or routes"
        )
    return routes


if __name__ == "__main__":
    sys.exit(main())
