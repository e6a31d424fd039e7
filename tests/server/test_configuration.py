"""Servers described by data: what the dictionaries of Perfect mean, and what is said of wrong ones."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from perfectws import (
    FilterPriority,
    HTTPFilter,
    HTTPHandler,
    HTTPRequest,
    HTTPRequestFilter,
    HTTPResponse,
    HTTPServer,
    LaunchFailure,
    Route,
    Routes,
    StaticFileHandler,
    TLSConfiguration,
)
from perfectws.http.routing import RouteNavigator
from perfectws.server.configuration import parse_configuration


def hello(request: HTTPRequest, response: HTTPResponse) -> None:
    response.set_body("hello").completed()


def make_hello(data: dict[str, Any]) -> Any:
    def greet(request: HTTPRequest, response: HTTPResponse) -> None:
        response.set_body(data.get("greeting", "hello")).completed()

    return greet


class Handlers:
    @staticmethod
    def hello(data: dict[str, Any]) -> Any:
        return make_hello(data)

    def __call__(self, request: HTTPRequest, response: HTTPResponse) -> None:
        hello(request, response)


class Noting(HTTPRequestFilter):
    def __init__(self, data: Any) -> None:
        self.data = data


@pytest.fixture(autouse=True)
def app(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """A module of the application's, by whose name handlers are found."""
    module = ModuleType("shop.handlers")
    vars(module).update(hello=hello, make_hello=make_hello, Handlers=Handlers, Noting=Noting, number=7)
    package = ModuleType("shop")
    package.__path__ = []
    package.handlers = module  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "shop", package)
    monkeypatch.setitem(sys.modules, "shop.handlers", module)
    return module


def one(**keys: Any) -> dict[str, Any]:
    """Describe one server."""
    return {"servers": [{"name": "shop", "port": 0, **keys}]}


def keywords(data: Any) -> Any:
    return parse_configuration(data)[0]


def navigator(*routes: Any) -> RouteNavigator:
    return Routes(routes=keywords(one(routes=list(routes)))["routes"]).navigator


def answer(routes: RouteNavigator, uri: str = "/x", method: str = "GET") -> bytes | None:
    request = HTTPRequest(method, uri)
    handler = routes.find_handler(uri, request)
    if handler is None:
        return None
    response = HTTPResponse(request)
    handler(request, response)
    return response.body_bytes


class TestServers:
    def test_each_key_is_a_keyword_of_launch(self) -> None:
        data = one(
            address="127.0.0.1",
            documentRoot="./webroot",
            maxHeaderSize=1000,
            maxHeaders=10,
            maxBodySize=2000,
            headerTimeout=1.5,
            keepAliveTimeout=None,
            closeTimeout=2,
            maxConnections=5,
            trustedProxies=["10.0.0.0/8"],
        )
        found = keywords(data)
        assert {key: found[key] for key in found if key not in ("routes", "request_filters", "response_filters")} == {
            "name": "shop",
            "port": 0,
            "address": "127.0.0.1",
            "document_root": "./webroot",
            "max_header_size": 1000,
            "max_headers": 10,
            "max_body_size": 2000,
            "header_timeout": 1.5,
            "keep_alive_timeout": None,
            "close_timeout": 2,
            "max_connections": 5,
            "trusted_proxies": ["10.0.0.0/8"],
        }
        server = HTTPServer.server(**found)
        assert (server.server_name, server.max_connections, server.document_root) == ("shop", 5, "./webroot")

    def test_several_servers_keep_their_order(self) -> None:
        names = ["one", "two", "two"]
        data = {"servers": [{"name": name, "port": 0} for name in names]}
        assert [each["name"] for each in parse_configuration(data)] == names

    def test_a_unix_socket_needs_no_port(self) -> None:
        found = keywords({"servers": [{"name": "shop", "address": "unix:/run/shop.sock"}]})
        assert HTTPServer.server(**found).listens_on == "unix:/run/shop.sock"

    def test_tls_has_perfects_keys(self) -> None:
        data = {
            "certPath": "cert.pem",
            "keyPath": "key.pem",
            "caCertPath": "ca.pem",
            "verifyMode": "peer",
            "cipherList": ["ECDHE-RSA-AES128-GCM-SHA256"],
            "alpnSupport": ["http11", "http2"],
        }
        assert keywords(one(tlsConfig=data))["tls_config"] == TLSConfiguration(
            cert_path="cert.pem",
            key_path="key.pem",
            ca_cert_path="ca.pem",
            cert_verify_mode="peer",
            cipher_list=["ECDHE-RSA-AES128-GCM-SHA256"],
        )

    def test_a_tls_configuration_may_be_given_as_it_is(self) -> None:
        tls = TLSConfiguration(cert_path="cert.pem")
        assert keywords(one(tlsConfig=tls))["tls_config"] is tls


class TestRoutes:
    @pytest.mark.parametrize(
        "handler",
        [
            hello,
            make_hello,
            Handlers(),
            Handlers.hello,
            "shop.handlers.hello",
            "shop.handlers.make_hello",
            "shop.handlers:make_hello",
            "shop.handlers.Handlers.hello",
            lambda data: hello,
            lambda request, response: hello(request, response),
            lambda *args: hello(*args),
        ],
    )
    def test_a_handler_is_a_function_or_one_that_makes_one_or_the_name_of_either(self, handler: Any) -> None:
        assert answer(navigator({"method": "get", "uri": "/x", "handler": handler})) == b"hello"

    def test_one_that_makes_a_handler_gets_the_routes_own_keys(self) -> None:
        routes = navigator({"uri": "/x", "handler": "shop.handlers.make_hello", "greeting": "grüß Gott"})
        assert answer(routes) == "grüß Gott".encode()

    def test_methods_and_uris(self) -> None:
        routes = navigator(
            {"method": "get", "uri": "/one", "handler": hello},
            {"methods": ["get", "POST"], "uris": ["/two", "/three"], "handler": hello},
            {"uri": "/all", "handler": hello},
        )
        assert answer(routes, "/one")
        assert not answer(routes, "/one", "POST")
        assert answer(routes, "/two", "POST")
        assert answer(routes, "/three")
        assert answer(routes, "/all", "DELETE")

    def test_of_two_routes_for_one_uri_the_later_counts(self) -> None:
        routes = navigator(
            {"uri": "/x", "handler": make_hello, "greeting": "one"},
            {"uri": "/x", "handler": make_hello, "greeting": "two"},
        )
        assert answer(routes) == b"two"

    def test_perfects_own_names_are_understood(self) -> None:
        routes = navigator(
            {"uri": "/**", "handler": "PerfectHTTPServer.HTTPHandler.staticFiles", "documentRoot": "/srv"},
            {"uri": "/away/**", "handler": "PerfectHTTPServer.HTTPHandler.redirect", "base": "http://other"},
            {"uri": "/health", "handler": "perfectws.HTTPHandler.health"},
        )
        files: Any = routes.find_handler("/x", HTTPRequest(uri="/x"))
        assert isinstance(files.__self__, StaticFileHandler)
        assert files.__self__.document_root == "/srv"
        assert answer(routes, "/health") == b"OK\n"

    def test_routes_may_be_given_as_they_are(self) -> None:
        routes = Routes()
        routes.add("GET", "/x", hello)
        assert answer(Routes(routes=[keywords(one(routes=routes))["routes"]]).navigator) == b"hello"
        assert answer(navigator(Route("GET", "/x", hello))) == b"hello"


class TestFilters:
    def test_they_are_told_apart_by_type_and_have_priorities(self) -> None:
        compression, own = HTTPFilter.content_compression(), Noting(None)
        found = keywords(
            one(
                filters=[
                    {"type": "response", "priority": "low", "name": HTTPFilter.content_compression},
                    {"type": "response", "name": compression},
                    {"type": "request", "priority": "medium", "name": "shop.handlers.Noting", "key": "value"},
                    {"type": "request", "name": own},
                    {"type": "request", "name": "PerfectHTTPServer.HTTPFilter.customReqFilter"},
                ]
            )
        )
        (_, low), (given, high) = found["response_filters"]
        assert (given, low, high) == (compression, FilterPriority.LOW, FilterPriority.HIGH)
        (noting, medium), (kept, _), _ = found["request_filters"]
        assert (noting.data["key"], medium, kept) == ("value", FilterPriority.MEDIUM, own)


WRONG: list[tuple[Any, str]] = [
    ([], "configuration: expected a dictionary with the key 'servers'"),
    ({}, "configuration: 'servers': expected a list of servers, but it is missing"),
    ({"servers": []}, "'servers': expected a list of servers"),
    ({"server": []}, "'server' is no key here: did you mean 'servers'?"),
    (
        one(routes=[{"uri": "/**", "handler": HTTPHandler.static_files, "document_root": "/srv"}]),
        "'handler': HTTPHandler.static_files: 'document_root' is no key here: did you mean 'documentRoot'?",
    ),
    (
        one(routes=[{"uri": "/a", "metods": ["get"], "handler": lambda request, response: None}]),
        "routes[0] ('/a'): 'metods' is no key here: did you mean 'methods'?",
    ),
    (
        one(filters=[{"type": "response", "prioriti": "low", "name": HTTPFilter.content_compression}]),
        "'name': HTTPFilter.content_compression: 'prioriti' is no key here",
    ),
    (
        one(filters=[{"type": "response", "prioriti": "low", "name": HTTPFilter.content_compression()}]),
        "filters[0]: 'prioriti' is no key here: did you mean 'priority'?",
    ),
    ({"servers": ["x"]}, "servers[0]: expected a dictionary, not 'x'"),
    ({"servers": [{"port": 1}]}, "servers[0]: 'name': expected a str, but it is missing"),
    ({"servers": [{"name": "a", "port": 1}, {"name": "b"}]}, "servers[1] ('b'): 'port': expected a number from 0"),
    (one(port="8080"), "servers[0] ('shop'): 'port': expected a whole number, not '8080'"),
    (one(port=True), "'port': expected a whole number, not True"),
    (one(adress="::"), "'adress' is no key here: did you mean 'address'?"),
    (one(closeTimeout="1"), "'closeTimeout': expected a number, not '1'"),
    (one(routes={}), "routes: expected a list of routes, not {}"),
    (one(routes=["/x"]), "routes[0]: expected a dictionary with the keys 'uri' and 'handler', not '/x'"),
    (one(routes=[{"handler": hello}]), "routes[0]: 'uri': expected a path such as '/echo'"),
    (one(routes=[{"uri": "/x"}]), "routes[0] ('/x'): 'handler': expected a function that takes this dictionary"),
    (one(routes=[{"uri": "/a", "handler": hello}, {"uri": "/x", "handler": 7}]), "routes[1] ('/x'): 'handler'"),
    (one(routes=[{"uri": "/x", "handler": "helo"}]), "'helo' is not there: give its module too"),
    (one(routes=[{"uri": "/x", "handler": "shop.handlers.helo"}]), "shop.handlers has no helo"),
    (one(routes=[{"uri": "/x", "handler": "shop.handlers.number"}]), "expected a function"),
    (one(routes=[{"uri": "/x", "handler": "no.such.module.f"}]), "'no.such.module.f' is not there"),
    (one(routes=[{"uri": "/x", "handler": lambda data: None}]), "expected what returns a request handler"),
    (one(routes=[{"uri": "/x", "handler": HTTPHandler.redirect}]), "HTTPHandler.redirect needs the key 'base'"),
    (one(routes=[{"uri": "/**/x", "handler": hello}]), "routes[0] ('/**/x'): '/**/x': ** can only be the last"),
    (one(routes=[{"uri": "/x", "methods": "get", "handler": hello}]), "'methods': expected a list such as"),
    (one(routes=[{"uri": "/x", "method": "g e t", "handler": hello}]), "'g e t' is not a request method"),
    (one(filters=[{"name": "x"}]), "filters[0]: 'type': expected 'request' or 'response', but it is missing"),
    (one(filters=[{"type": "response", "priority": "urgent", "name": "x"}]), "'priority': expected one of 'high'"),
    (one(filters=[{"type": "response"}]), "filters[0]: 'name': expected a function"),
    (one(filters=[{"type": "response", "name": Noting}]), "expected what makes a response filter, with filter_headers"),
    (one(filters=[{"type": "response", "name": HTTPFilter.custom_404}]), "HTTPFilter.custom_404 needs the key 'path'"),
    (one(tlsConfig={}), "tlsConfig: 'certPath': expected a path, but it is missing"),
    (one(tlsConfig={"certpath": "x"}), "did you mean 'certPath'?"),
]


@pytest.mark.parametrize(("data", "says"), WRONG, ids=[says for _, says in WRONG])
def test_a_wrong_configuration_says_which_key_of_which_server_and_what_was_expected(data: Any, says: str) -> None:
    with pytest.raises(LaunchFailure) as caught:
        parse_configuration(data)
    assert says in str(caught.value)


def test_an_error_inside_of_a_handlers_module_is_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "broken_shop.py").write_text("import no_such_module_at_all\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleNotFoundError, match="no_such_module_at_all"):
        parse_configuration(one(routes=[{"uri": "/x", "handler": "broken_shop.hello"}]))


class TestFiles:
    def test_a_json_file_describes_the_same(self, tmp_path: Path) -> None:
        path = tmp_path / "perfecthttp.json"
        path.write_text(json.dumps(one(routes=[{"uri": "/x", "handler": "shop.handlers.hello"}])))
        (found,) = parse_configuration({}, path)
        routes = found["routes"]
        assert isinstance(routes, list)
        assert answer(Routes(routes=routes).navigator) == b"hello"

    @pytest.mark.parametrize(
        ("text", "says"),
        [
            ("{", "is not JSON: .*line 1"),
            ("[]", "expected a dictionary"),
            ('{"servers": [{"name": "a"}]}', r"servers\[0\] \('a'\): 'port'"),
        ],
    )
    def test_what_is_wrong_with_it_is_said_with_its_name(self, tmp_path: Path, text: str, says: str) -> None:
        path = tmp_path / "wrong.json"
        path.write_text(text)
        with pytest.raises(LaunchFailure, match=f"wrong.json'.*{says}"):
            HTTPServer.launch(configuration_path=path)

    def test_one_that_is_not_there_cannot_be_read(self, tmp_path: Path) -> None:
        with pytest.raises(LaunchFailure, match=r"none.json' cannot be read: No such file"):
            HTTPServer.launch(configuration_path=tmp_path / "none.json")
