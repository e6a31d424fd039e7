"""``python -m perfectws serve MODULE``: import a module, and serve what it defines."""

from __future__ import annotations

import argparse
import os
import sys
from importlib.util import module_from_spec, spec_from_file_location
from types import ModuleType

from ..errors import LaunchFailure
from ..http.routing import Routes
from ..server.configuration import import_if_there
from ..server.launch import launch
from ..server.perfect1 import global_routes
from ..server.server import HTTPServer
from ..server.workers.plan import make_plan


def serve(options: argparse.Namespace) -> None:
    """Serve what a module defines, until SIGINT or SIGTERM.

    Raises:
        PerfectWSError: There is no such module, or nothing in it to serve, or the server cannot start.
    """
    routes = routes_of(load_module(options.module))
    server = HTTPServer.server(name=options.name, address=options.address, port=options.port, routes=routes)
    server.unix_mode = options.unix_mode
    if options.document_root is not None:
        server.document_root = options.document_root
    plan = make_plan(options.workers, options.drain, options.reload_on)
    launch([server], wait=True, plan=plan, drain=options.drain)


def load_module(name: str) -> ModuleType:
    """Import a module by its name, seen from the current directory, or from a file.

    Raises:
        LaunchFailure: There is none.
    """
    sys.path.insert(0, os.getcwd())
    if name.endswith(".py"):
        return _load_file(name)
    module = import_if_there(name)
    if module is None:
        raise LaunchFailure(f"there is no module {name!r} here, nor among what is installed")
    return module


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
