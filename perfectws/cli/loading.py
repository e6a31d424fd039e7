"""``MODULE[:NAME]``: a module is imported, and what it serves is found in it."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable, Iterator
from importlib import invalidate_caches
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from inspect import iscoroutine
from pathlib import Path
from types import ModuleType
from typing import Any, TypeAlias, TypeVar

from ..checks.signatures import check_callable
from ..checks.spelling import did_you_mean
from ..errors import LaunchFailure
from ..http.routing import Routes
from ..server.configuration import import_if_there
from ..server.importing import importing
from ..server.perfect1 import global_routes
from ..server.server import HTTPServer
from .frames import first_of_user, in_one_line, place_of

#: What can be served.
Served: TypeAlias = Routes | HTTPServer
T = TypeVar("T")

#: What a module is to have, for people.
_WANTED = "define routes = Routes(), or say which name it is: serve MODULE:NAME"


class BrokenModule(LaunchFailure):
    """The user's code has raised something, as it was imported or asked for what it serves.

    Args:
        what: What was done, for people.
        error: What it has raised.

    Attributes:
        report: The traceback, from the user's first frame on.
    """

    def __init__(self, what: str, error: BaseException) -> None:
        place = place_of(error)
        super().__init__(f"{'' if place is None else f'{place}: '}{in_one_line(error)} ({what})")
        frames = first_of_user(error)
        if frames is None and not isinstance(error, SyntaxError):
            frames = error.__traceback__
        self.report = "".join(traceback.format_exception(type(error), error, frames)).rstrip()


def load(name: str, importer: str) -> Served:
    """Import ``MODULE[:NAME]``, and return what it serves.

    Args:
        name: A module's name, or the path of a file, perhaps with a name in it.
        importer: What is done, for people.

    Raises:
        LaunchFailure: There is no such module, or it serves nothing.
        BrokenModule: The module cannot be imported.
    """
    module_name, within = split_name(name)
    invalidate_caches()  # the file may be so new that the import system does not know of it yet
    with importing(importer):
        module = _guarded(f"as {module_name} is imported", lambda: load_module(module_name))
        if within is not None:
            return _served(_member(module, within), name)
        return _guarded(f"as {module_name} is asked for what it serves", lambda: find_served(module))


def split_name(name: str) -> tuple[str, str | None]:
    """Return the module's name, and the name in it; ``None`` if there is none."""
    module, colon, within = name.rpartition(":")
    if colon and not within:
        raise LaunchFailure(f"{name!r} names nothing behind its colon: write {module}:routes, or {module} alone")
    is_name = all(part.isidentifier() for part in within.split("."))
    return (module, within) if module and is_name else (name, None)


def _guarded(what: str, function: Callable[[], T]) -> T:
    """Call what runs the user's code. Raises `BrokenModule` for what that raises."""
    try:
        return function()
    except LaunchFailure as error:
        if first_of_user(error) is None:
            raise  # it is ours
        raise BrokenModule(what, error) from error
    except (Exception, SystemExit) as error:
        raise BrokenModule(what, error) from error


def load_module(name: str) -> ModuleType:
    """Import a module by its name, seen from the current directory, or from a file.

    Raises:
        LaunchFailure: There is none.
    """
    _look_first(os.getcwd())
    if name.endswith(".py"):
        return _load_file(name)
    module = import_if_there(name)
    if module is None:
        hint = _colon_meant(name) or did_you_mean(name, [each.stem for each in Path.cwd().glob("*.py")])
        raise LaunchFailure(f"there is no module {name!r} here, nor among what is installed{hint}")
    return module


def _colon_meant(name: str) -> str:
    """Return a hint at MODULE:NAME for what is written as in an import, ``""`` if there is no such module either."""
    module, _, within = name.rpartition(".")
    try:
        is_there = bool(module.strip(".")) and find_spec(module) is not None
    except (ImportError, ValueError):  # what it would be in is no package, or was never found by its name
        is_there = False
    return f": did you mean '{module}:{within}'?" if is_there else ""


def _look_first(directory: str) -> None:
    if directory not in sys.path[:1]:
        sys.path.insert(0, directory)


def _load_file(path: str) -> ModuleType:
    name = os.path.splitext(os.path.basename(path))[0]
    spec = spec_from_file_location(name, path)
    if not os.path.isfile(path) or spec is None or spec.loader is None:
        raise LaunchFailure(f"there is no file {path!r}")
    _look_first(os.path.dirname(os.path.abspath(path)))  # as Python does for a program's own
    module = sys.modules[name] = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


# What is in it


def _member(module: ModuleType, name: str) -> object:
    found: Any = module
    for part in name.split("."):
        if not hasattr(found, part):
            hint = did_you_mean(part, [each for each in dir(found) if not each.startswith("_")])
            if part == name:
                served = ", ".join(f"{module.__name__}:{each}" for each, _ in _candidates(module))
                raise LaunchFailure(f"{module.__name__} has no {name}{hint or (served and f'; it has {served}')}")
            raise LaunchFailure(f"{module.__name__} has no {name}: {part!r} is not there{hint}")
        found = getattr(found, part)
    return found


def _served(found: object, title: str) -> Served:
    """Return what can be served of what was named: itself, or what it returns."""
    if isinstance(found, Routes | HTTPServer):
        return found
    if not callable(found):
        raise LaunchFailure(f"{title} is {found!r}: what is served is a Routes, an HTTPServer, or what returns one")
    try:
        check_callable(found, title)
    except TypeError as error:
        raise LaunchFailure(f"{error}; what is served is a Routes, an HTTPServer, or what returns one") from None
    made: object = _guarded(f"as {title} is called", found)
    if iscoroutine(made):
        made.close()
        raise LaunchFailure(f"{title} is async, and no loop runs yet: let a plain def return the Routes")
    if not isinstance(made, Routes | HTTPServer):
        raise LaunchFailure(f"{title} returned {made!r}: it is to return a Routes or an HTTPServer")
    return made


def find_served(module: ModuleType) -> Served:
    """Initialise a module, and return what it serves, where no name is given.

    Raises:
        LaunchFailure: It serves nothing, or several things.
    """
    init = getattr(module, "perfect_server_module_init", None)
    if init is not None:
        init()
        routes, own = global_routes(), getattr(module, "routes", None)
        if isinstance(own, Routes):
            routes.add(own)
        return routes
    for name, kind in (("server", HTTPServer), ("routes", Routes)):
        found = getattr(module, name, None)
        if isinstance(found, kind):
            return found
    return _only_one(module)


def _only_one(module: ModuleType) -> Served:
    named = {id(each): (name, each) for name, each in _candidates(module)}
    inner = {id(each) for _, routes in named.values() if isinstance(routes, Routes) for each in _within(routes)}
    outer = [each for key, each in named.items() if key not in inner]
    if not outer:
        raise LaunchFailure(f"the module {module.__name__!r} has nothing to serve: {_WANTED}")
    if len(outer) > 1:
        names = ", ".join(f"{module.__name__}:{name}" for name, _ in outer)
        raise LaunchFailure(f"the module {module.__name__!r} has several things to serve; say which of them: {names}")
    return outer[0][1]


def _candidates(module: ModuleType) -> Iterator[tuple[str, Served]]:
    """Yield what a module has that can be served: if there is a server, what it serves does not count."""
    public = [(name, each) for name, each in vars(module).items() if not name.startswith("_")]
    servers = [(name, each) for name, each in public if isinstance(each, HTTPServer)]
    yield from servers
    if not servers:
        yield from ((name, each) for name, each in public if isinstance(each, Routes))


def _within(routes: Routes) -> Iterator[Routes]:
    for each in routes.contents.nested:
        yield each
        yield from _within(each)
