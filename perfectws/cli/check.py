"""``python -m perfectws check MODULE[:NAME]``: whether it could be served, and what is wrong with it."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from importlib.util import find_spec
from typing import Any

from ..checks.signatures import check_callable
from ..errors import PerfectWSError
from ..http.routing import Routes
from ..server.server import HTTPServer
from ..server.workers.plan import make_plan
from .arguments import add_module, add_options
from .loading import load
from .output import show
from .serve import launchable, make_server
from .settings import Settings
from .shadowing import placed_routes, title_of, unreachable
from .watching import watched_for


def add_check(commands: Any) -> None:
    """Add the command to the parser's."""
    command = commands.add_parser(
        "check",
        help="say what is wrong with what a module defines",
        usage="python -m perfectws check MODULE[:NAME] [options]",
        description="Import a module, build its routes, look at the options and variables as serve would, and print a "
        "line for each thing that is wrong. It does not listen. Exit code 0: nothing is wrong; 1: something is.",
        allow_abbrev=False,
    )
    add_module(command)
    add_options(command)
    command.set_defaults(run=check)


def check(options: argparse.Namespace) -> int:
    """Print what is wrong, and return the exit code."""
    settings = Settings.of(options, os.environ)
    problems = [*settings.problems, *settings.doubts]
    routes = Routes()
    try:
        served = load(options.module, "python -m perfectws check")
        server = make_server(served, settings)
        routes = server.served.routes
        problems += problems_of(server, options.module)
    except PerfectWSError as error:
        problems.append(" ".join(str(error).splitlines()))
        problems += make_server(Routes(), settings).problems()  # those of the options can be told all the same
    problems += _problems_of_processes(options.module, settings)
    count = len(placed_routes(routes))
    show(problems or [f"{options.module}: nothing is wrong ({count} route{'' if count == 1 else 's'})"])
    return 1 if problems else 0


def problems_of(server: HTTPServer, name: str) -> Iterator[str]:
    """Yield what is wrong with a server, a sentence each.

    Args:
        server: The server, as it would be launched.
        name: The module, for people.
    """
    yield from server.problems()
    try:
        launchable(server, name)
    except PerfectWSError as error:
        yield str(error)
    routes = server.served.routes
    for each in placed_routes(routes):
        try:
            check_callable(each.route.handler, f"the handler of {title_of(each)}", "request", "response")
        except TypeError as error:
            yield str(error)
    yield from unreachable(routes)


def _problems_of_processes(name: str, settings: Settings) -> Iterator[str]:
    """Yield what keeps it from being served by so many processes, or from being reloaded."""
    try:
        make_plan(settings.get("workers", 1), reload_on=settings.get("reload_on"))
        if settings.has("reload"):
            watched_for(name, settings)
            if find_spec("watchfiles") is None:
                yield "--reload needs watchfiles: pip install 'perfectws[dev]'"
    except PerfectWSError as error:
        yield str(error)
