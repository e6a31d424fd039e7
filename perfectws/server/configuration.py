"""Servers described by data: the dictionaries of Perfect, or a JSON file with the same.

::

    {
        "servers": [
            {
                "name": "localhost",                    # needed
                "port": 8080,                           # needed, unless "address" is a Unix socket, or systemd:
                "address": "0.0.0.0",                   # or "unix:/run/chat.sock", and then perhaps "unixMode": "0660"
                "documentRoot": "./webroot",
                "routes": [
                    {"method": "get", "uri": "/**", "handler": HTTPHandler.static_files, "documentRoot": "./webroot"},
                    {"methods": ["get", "post"], "uris": ["/a", "/b"], "handler": "my_module.make_handler"},
                ],
                "filters": [{"type": "response", "priority": "high", "name": HTTPFilter.content_compression}],
                "tlsConfig": {"certPath": "cert.pem", "keyPath": "key.pem"},
            }
        ],
        "workers": 4,                                   # or "auto"; and "drain": 5.0
    }

The limits of `HTTPServer.launch` are keys as well: ``"maxConnections"``, ``"headerTimeout"``.

A **handler** is a function that takes the route's dictionary and returns a request handler, or a request handler
itself; or the dotted name of one. Further keys of a route or a filter are for that function, and where there is none
that takes the dictionary they are refused. A filter's **name** works alike. Perfect's own names
(``"PerfectHTTPServer.HTTPHandler.staticFiles"``) are understood.

Source: Perfect's ``HTTPServerExConfig.swift`` and its guide on the HTTP server.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from importlib import import_module
from inspect import Parameter, signature
from types import ModuleType
from typing import Any, NamedTuple, cast

from ..checks.quantities import SECONDS
from ..checks.spelling import unknown_key
from ..errors import LaunchFailure, PerfectWSError
from ..http.filters import FilterPriority, RequestFilters
from ..http.limits import LIMITS
from ..http.routing import Route, Routes
from .data import FILTER_KEYS, ROUTE_KEYS
from .filters import HTTPFilter
from .handlers import HTTPHandler
from .keywords import ServerKeywords, needs_port
from .tls_configuration import TLSConfiguration
from .workers.plan import WORKERS

#: Perfect's names of what is there already.
_PERFECT_NAMES: dict[str, Callable[..., Any]] = {
    "HTTPHandler.staticFiles": HTTPHandler.static_files,
    "HTTPHandler.redirect": HTTPHandler.redirect,
    "HTTPHandler.health": HTTPHandler.health,
    "HTTPHandler.metrics": HTTPHandler.metrics,
    "HTTPFilter.contentCompression": HTTPFilter.content_compression,
    "HTTPFilter.custom404": HTTPFilter.custom_404,
    "HTTPFilter.customReqFilter": HTTPFilter.custom_req_filter,
}
_PERFECT_MODULE = "PerfectHTTPServer."

#: The keywords of `HTTPServer.launch` whose values are given as they are, and the types that these may have.
_PLAIN_KEYWORDS: dict[str, tuple[type, ...]] = {
    "name": (str,),
    "port": (int,),
    "address": (str,),
    "unix_mode": (str, int),
    "document_root": (str, os.PathLike),
    "trusted_proxies": (list,),
    **{name: kind.types for name, kind in LIMITS.items()},
}
#: The same by their keys: ``"documentRoot"``.
_PLAIN_KEYS = {re.sub("_(.)", lambda match: match[1].upper(), name): name for name in _PLAIN_KEYWORDS}
#: How many processes serve them all, and how those end.
_PROCESS_KEYS = {"workers": WORKERS, "drain": SECONDS}
_OTHER_KEYS = ("routes", "filters", "tlsConfig")
_TLS_KEYS = {
    "certPath": "cert_path",
    "keyPath": "key_path",
    "caCertPath": "ca_cert_path",
    "verifyMode": "cert_verify_mode",
    "cipherList": "cipher_list",
}


class Configuration(NamedTuple):
    """What a dictionary describes.

    Attributes:
        servers: The servers, each by the keywords of `HTTPServer.launch`.
        processes: ``workers`` and ``drain``, as far as they are given.
    """

    servers: list[ServerKeywords]
    processes: dict[str, Any]


def parse_configuration(data: Mapping[str, Any], path: str | os.PathLike[str] | None = None) -> list[ServerKeywords]:
    """Return the servers that a dictionary describes. As for `read_configuration`."""
    return read_configuration(data, path).servers


def read_configuration(data: Mapping[str, Any], path: str | os.PathLike[str] | None = None) -> Configuration:
    """Return what a dictionary describes.

    Args:
        data: The dictionary.
        path: A JSON file with a dictionary, which counts instead.

    Raises:
        LaunchFailure: Something is wrong with it; the message names the key and the server, and what was expected.
    """
    title = "configuration" if path is None else f"configuration {os.fspath(path)!r}"
    if path is not None:
        data = _read(path, title)
    # Perfect differs: it takes a configuration without servers for one of no server, and returns at once.
    _expect(isinstance(data, Mapping), title, "a dictionary with the key 'servers'", data)
    _check_keys(data, ("servers", *_PROCESS_KEYS), title)
    servers = data.get("servers")
    _expect(isinstance(servers, list | tuple) and bool(servers), f"{title}: 'servers'", "a list of servers", servers)
    described = [_parse_server(each, f"{title}: servers[{number}]") for number, each in enumerate(servers or ())]
    return Configuration(described, _parse_processes(data, title))


def _parse_processes(data: Mapping[str, Any], title: str) -> dict[str, Any]:
    given = {key: data[key] for key in _PROCESS_KEYS if key in data}
    for key, value in given.items():
        if value != "auto" or key != "workers":
            _expect(_PROCESS_KEYS[key].takes(value), f"{title}: {key!r}", _PROCESS_KEYS[key].text, value)
    return given


def _read(path: str | os.PathLike[str], title: str) -> Any:
    try:
        with open(path, encoding="utf-8") as file:
            return json.load(file)
    except OSError as error:
        raise LaunchFailure(f"{title} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise LaunchFailure(f"{title} is not JSON: {error}") from error


def _parse_server(data: Mapping[str, Any], where: str) -> ServerKeywords:
    _expect(isinstance(data, Mapping), where, "a dictionary", data)
    name = data.get("name")
    _expect(isinstance(name, str), f"{where}: 'name'", "a str", name)
    where = f"{where} ({name!r})"
    _check_keys(data, (*_PLAIN_KEYS, *_OTHER_KEYS), where)
    keywords: dict[str, Any] = {}
    for key, keyword in _PLAIN_KEYS.items():
        if key in data:
            value, types = data[key], _PLAIN_KEYWORDS[keyword]
            is_right = isinstance(value, types) and not isinstance(value, bool)
            _expect(is_right, f"{where}: {key!r}", _described(types), value)
            keywords[keyword] = value
    if isinstance(keywords.get("unix_mode"), str):  # JSON has no octal numbers
        keywords["unix_mode"] = _parse_mode(keywords["unix_mode"], f"{where}: 'unixMode'")
    has_place = "port" in data or not needs_port(data.get("address"))
    _expect(has_place, f"{where}: 'port'", "a number from 0 to 65535", None)
    keywords["routes"] = _parse_routes(data.get("routes", ()), f"{where}: routes")
    for kind_of_filter in ("request", "response"):
        filters = _parse_filters(data.get("filters", ()), kind_of_filter, f"{where}: filters")
        keywords[f"{kind_of_filter}_filters"] = filters
    if "tlsConfig" in data:
        keywords["tls_config"] = _parse_tls(data["tlsConfig"], f"{where}: tlsConfig")
    return cast(ServerKeywords, keywords)


def _parse_mode(text: str, where: str) -> int:
    _expect(bool(re.fullmatch("(0o)?[0-7]+", text)), where, "a file mode such as '0660'", text)
    return int(text, 8)


def _parse_routes(data: object, where: str) -> Routes | list[Route | Routes]:
    if isinstance(data, Routes):
        return data
    _expect(isinstance(data, list | tuple), where, "a list of routes", data)
    return [_parse_route(each, f"{where}[{number}]") for number, each in enumerate(cast(Iterable[Any], data))]


def _parse_route(data: Any, where: str) -> Route | Routes:
    if isinstance(data, Route | Routes):
        return data
    _expect(isinstance(data, Mapping), where, "a dictionary with the keys 'uri' and 'handler'", data)
    uri = data.get("uri", data.get("uris"))
    _expect("uri" in data or "uris" in data, f"{where}: 'uri'", "a path such as '/echo' or '/**'", None)
    where = f"{where} ({uri!r})"
    methods = data.get("methods")
    is_list = methods is None or (isinstance(methods, list | tuple) and all(isinstance(each, str) for each in methods))
    _expect(is_list, f"{where}: 'methods'", "a list such as ['get', 'post']", methods)
    handler = _make_handler(data, where)
    routes = Routes()
    try:
        routes.add(data.get("method"), data.get("uri"), handler, methods=methods, uris=data.get("uris"))
    except PerfectWSError as error:
        raise LaunchFailure(f"{where}: {error}") from error
    return routes


def _parse_filters(data: object, kind: str, where: str) -> RequestFilters:
    _expect(isinstance(data, list | tuple), where, "a list of filters", data)
    filters = []
    for number, each in enumerate(cast(Iterable[Any], data)):
        here = f"{where}[{number}]"
        _expect(isinstance(each, Mapping), here, "a dictionary with the keys 'type' and 'name'", each)
        _expect(
            each.get("type") in ("request", "response"), f"{here}: 'type'", "'request' or 'response'", each.get("type")
        )
        if each["type"] == kind:
            filters.append(_parse_filter(each, kind, here))
    return filters


def _parse_filter(data: Mapping[str, Any], kind: str, where: str) -> tuple[Any, FilterPriority]:
    priority = data.get("priority", "high")
    known = [each.value for each in FilterPriority]
    _expect(priority in known, f"{where}: 'priority'", f"one of {', '.join(map(repr, known))}", priority)
    members = ("filter",) if kind == "request" else ("filter_headers", "filter_body")
    name = data.get("name")
    if all(hasattr(name, member) for member in members):
        _check_keys(data, FILTER_KEYS, where)
        made = name
    else:
        made = _make(_found(name, f"{where}: 'name'"), data, f"{where}: 'name'")
    is_filter = all(callable(getattr(made, member, None)) for member in members)
    _expect(is_filter, f"{where}: 'name'", f"what makes a {kind} filter, with {' and '.join(members)}", made)
    return made, FilterPriority(priority)


def _parse_tls(data: Any, where: str) -> TLSConfiguration:
    if isinstance(data, TLSConfiguration):
        return data
    _expect(isinstance(data, Mapping), where, "a dictionary with the key 'certPath'", data)
    _check_keys(data, (*_TLS_KEYS, "alpnSupport"), where)  # HTTP/2 is not spoken: clients agree on HTTP/1.1
    _expect(isinstance(data.get("certPath"), str), f"{where}: 'certPath'", "a path", data.get("certPath"))
    keywords = {keyword: data[key] for key, keyword in _TLS_KEYS.items() if key in data}
    return TLSConfiguration(**keywords)


def _make_handler(data: Mapping[str, Any], where: str) -> Any:
    here = f"{where}: 'handler'"
    function = _found(data.get("handler"), here)
    if not _takes_one(function):  # a request handler itself, which sees nothing of the dictionary
        _check_keys(data, ROUTE_KEYS, where)
        return function
    made = _make(function, data, here)
    _expect(callable(made), here, "what returns a request handler, a function (request, response)", made)
    return made


def _found(given: object, where: str) -> Callable[..., Any]:
    """Return the function that a configuration names, or has itself."""
    found = find(given, where) if isinstance(given, str) else given
    _expect(callable(found), where, "a function that takes this dictionary, or the dotted name of one", given)
    return cast(Callable[..., Any], found)


def _make(function: Callable[..., Any], data: Mapping[str, Any], where: str) -> Any:
    """Return what a function makes of the dictionary that names it."""
    try:
        return function(data)
    except LaunchFailure:
        raise
    except Exception as error:
        raise LaunchFailure(f"{where}: {error or type(error).__name__}") from error


def find(name: str, where: str = "") -> Any:
    """Return what a dotted name stands for: ``package.module.Class.member``.

    Raises:
        LaunchFailure: There is no such thing.
    """
    plain = name.removeprefix(_PERFECT_MODULE).removeprefix("perfectws.")
    if plain in _PERFECT_NAMES:
        return _PERFECT_NAMES[plain]
    parts = name.replace(":", ".").split(".")
    for count in range(len(parts) - 1, 0, -1):
        module_name = ".".join(parts[:count])
        found: Any = import_if_there(module_name)
        if found is None:
            continue
        for part in parts[count:]:
            if not hasattr(found, part):
                raise LaunchFailure(f"{where}: {name!r} is not there: {module_name} has no {'.'.join(parts[count:])}")
            found = getattr(found, part)
        return found
    raise LaunchFailure(f"{where}: {name!r} is not there: give its module too, as in 'my_module.{parts[-1]}'")


def import_if_there(name: str) -> ModuleType | None:
    """Import a module; ``None`` if there is none of that name. What is wrong inside of it is raised."""
    if not all(name.split(".")):  # such as "." and ".shop", which only a package's own code can import
        return None
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{name}.".startswith(f"{error.name}."):
            raise  # the module is there, and something that it imports is not
        return None


def _takes_one(function: Callable[..., Any]) -> bool:
    """Return whether a function can be called with one argument, and not with two."""
    try:
        parameters = list(signature(function).parameters.values())
    except (TypeError, ValueError):
        return False
    if any(each.kind is Parameter.VAR_POSITIONAL for each in parameters):
        return False
    positional = [
        each for each in parameters if each.kind in (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)
    ]
    needed = [each for each in positional if each.default is Parameter.empty]
    return len(needed) <= 1 <= len(positional)


def _check_keys(data: Mapping[str, Any], known: Collection[str], where: str) -> None:
    if wrong := unknown_key(data, known):
        raise LaunchFailure(f"{where}: {wrong}")


def _expect(is_right: bool, where: str, expected: str, found: object) -> None:
    if not is_right:
        what = "but it is missing" if found is None else f"not {found!r}"
        raise LaunchFailure(f"{where}: expected {expected}, {what}")


def _described(types: Sequence[type]) -> str:
    names = {str: "a str", int: "a whole number", list: "a list", float: "a number", type(None): "None"}
    return " or ".join(names.get(each, each.__name__) for each in types if each is not int or float not in types)
