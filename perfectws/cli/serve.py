"""``python -m perfectws serve MODULE[:NAME]``: import a module, and serve what it defines."""

from __future__ import annotations

import argparse
import errno
import os
import sys
from typing import Any

from ..callbacks import logger
from ..errors import LaunchFailure, PerfectWSError
from ..http.limits import LIMITS
from ..http.routing import Routes
from ..net.unix_sockets import unix_path
from ..server.keywords import needs_port
from ..server.launch import launch
from ..server.server import HTTPServer
from ..server.tls_configuration import TLSConfiguration
from ..server.workers.plan import make_plan
from .arguments import add_module, add_options
from .loading import BrokenModule, Served, load
from .logging import configure
from .options import DEFAULT_PORT
from .output import tell
from .settings import Settings
from .shadowing import unreachable

#: The exit codes of the process: all was well; it could not be done; called wrongly.
DONE, FAILED, MISUSED = 0, 1, 2
#: The attributes of a server that an option is.
_ATTRIBUTES = {
    "name": "server_name",
    "address": "server_address",
    "port": "server_port",
    "unix_mode": "unix_mode",
    "document_root": "document_root",
    "proxy_from": "trusted_proxies",
    **{name: name for name in LIMITS},
}


def add_serve(commands: Any) -> None:
    """Add the command to the parser's."""
    command = commands.add_parser(
        "serve",
        help="serve what a module defines",
        usage="python -m perfectws serve MODULE[:NAME] [options]",
        description="Import a module, and serve what it defines: the Routes or the HTTPServer of that NAME, or what a "
        "function of that name returns; without a name its server, its routes, or the only one that there is. Its "
        "perfect_server_module_init() is called if it has one. An option counts instead of what an HTTPServer is set "
        "to. Exit code 0: it was stopped; 1: it cannot be served; 2: called wrongly.",
        allow_abbrev=False,
    )
    add_module(command)
    add_options(command)
    command.set_defaults(run=serve)


def serve(options: argparse.Namespace) -> int:
    """Serve what a module defines until SIGINT or SIGTERM, and return the exit code."""
    settings = Settings.of(options, os.environ)
    for problem in settings.problems:
        tell(f"python -m perfectws serve: error: {problem}")
    if settings.problems:
        return MISUSED
    configure(settings.get("log_level", "info"), settings.get("log_format", "text"), settings.has("access_log"))
    for doubt in settings.doubts:
        logger.warning("%s", doubt)
    try:
        if settings.has("reload") and not _is_to_succeed():
            _reload(options.module, settings)
        else:
            launch_module(options.module, settings)
    except BrokenModule as error:
        logger.critical("%s\n%s", error.report, error)
        return FAILED
    except PerfectWSError as error:
        logger.critical("%s", _with_hint(error))
        return FAILED
    return DONE


if sys.platform == "win32":

    def _is_to_succeed() -> bool:
        return False

    def _reload(name: str, settings: Settings) -> None:
        raise LaunchFailure("--reload: this system cannot fork processes; start it again by hand, or by another tool")

else:

    def _is_to_succeed() -> bool:
        """Tell whether this process was started by one that reloads, and is to serve itself."""
        from ..server.workers.succession import Heritage

        return Heritage.is_left()

    def _reload(name: str, settings: Settings) -> None:
        from .reloading import reload  # few do

        reload(name, settings)


def launch_module(name: str, settings: Settings) -> None:
    """Serve what a module defines, until SIGINT or SIGTERM.

    Raises:
        PerfectWSError: There is no such module, or nothing in it to serve, or the server cannot start.
    """
    server = launchable(make_server(load(name, "python -m perfectws serve"), settings), name)
    for sentence in unreachable(server.served.routes):
        logger.warning("%s", sentence)
    drain = settings.get("drain", 0.0 if settings.has("reload") else None)
    plan = make_plan(settings.get("workers", 1), drain, settings.get("reload_on"))
    launch([server], wait=True, plan=plan, drain=drain)


def launchable(server: HTTPServer, name: str) -> HTTPServer:
    """Return ``server``. Raises `LaunchFailure` if every request to it would get 404."""
    if server.served.is_empty:
        raise LaunchFailure(
            f"{name} has nothing to serve: add a route to its Routes, or give --document-root a directory of files"
        )
    return server


def make_server(served: Served, settings: Settings) -> HTTPServer:
    """Return the server of what a module defines, set as it was given.

    Raises:
        LaunchFailure: What was given does not go with what the module's own server is set to.
    """
    if isinstance(served, Routes):
        server = HTTPServer.server(name="localhost", port=DEFAULT_PORT, routes=served)
    else:
        server = served
        _check_port(server, settings)
    for key, attribute in _ATTRIBUTES.items():
        if settings.has(key):
            setattr(server, attribute, settings.get(key))
    if settings.has("unix"):
        server.server_address = f"unix:{settings.get('unix')}"
    if unix_path(server.server_address) is None and not settings.has("unix_mode"):
        server.unix_mode = None  # of the module's own address, which another has taken the place of
    if settings.has("tls_cert"):
        server.ssl = TLSConfiguration(cert_path=settings.get("tls_cert"), key_path=settings.get("tls_key"))
    return server


def _check_port(server: HTTPServer, settings: Settings) -> None:
    if settings.has("port") and not settings.has("address") and not needs_port(server.server_address):
        raise LaunchFailure(
            f"{settings.title('port')} changes nothing: the module's server listens on {server.server_address}; give "
            "--address too"
        )


def _with_hint(error: PerfectWSError) -> str:
    cause = error.__cause__
    is_taken = isinstance(cause, OSError) and cause.errno == errno.EADDRINUSE and "unix:" not in str(error)
    return f"{error}: choose another --port, or 0 for any that is free" if is_taken else str(error)
