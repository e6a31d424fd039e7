"""perfectws: callback-style WebSockets for Python, with the API of Swift's Perfect and Vapor.

A name is loaded when it is first asked for (PEP 562): a client waits for no server, and a server for no client.
``from perfectws import HTTPServer`` loads all that serving needs, so that nothing is left for the first request.

(PYTEST_DONT_REWRITE: so that pytest does not warn where this is loaded before its plugin, `perfectws.testing.plugin`.)
"""

from importlib import import_module
from typing import TYPE_CHECKING

__version__ = "0.2.0"

if TYPE_CHECKING:  # the same names, as type checkers and editors read them; a test compares
    from .callbacks import Timer as Timer  # noqa: I001  # one import per module
    from .client.connect import HTTPClient as HTTPClient, WebSocket as WebSocket
    from .client.event_loop import EventLoop as EventLoop, run as run, stop as stop
    from .client.threads import SerialQueue as SerialQueue, run_in_thread as run_in_thread
    from .client.timing import call_every as call_every, call_later as call_later
    from .errors import (
        ConnectionClosed as ConnectionClosed,
        ConnectionRejected as ConnectionRejected,
        ConnectionTimeout as ConnectionTimeout,
        HandshakeError as HandshakeError,
        InvalidURL as InvalidURL,
        LaunchFailure as LaunchFailure,
        LocalProtocolError as LocalProtocolError,
        PerfectWSError as PerfectWSError,
        RouteError as RouteError,
    )
    from .futures import Future as Future, Promise as Promise
    from .http.cookies import Expiration as Expiration, HTTPCookie as HTTPCookie, SameSite as SameSite
    from .http.filters import (
        FilterPriority as FilterPriority,
        HTTPFilterPriority as HTTPFilterPriority,
        HTTPRequestFilter as HTTPRequestFilter,
        HTTPRequestFilterResult as HTTPRequestFilterResult,
        HTTPResponseFilter as HTTPResponseFilter,
        HTTPResponseFilterResult as HTTPResponseFilterResult,
        RequestFilterResult as RequestFilterResult,
        ResponseFilterResult as ResponseFilterResult,
    )
    from .http.methods import HTTPMethod as HTTPMethod
    from .http.mime_reader import MimeReader as MimeReader
    from .http.mime_type import MimeType as MimeType
    from .http.request import HTTPRequest as HTTPRequest
    from .http.request_logger import RequestLogger as RequestLogger
    from .http.response import HTTPResponse as HTTPResponse, HTTPResponseStatus as HTTPResponseStatus
    from .http.routing import ROUTE_TRAILING_WILDCARD_KEY as ROUTE_TRAILING_WILDCARD_KEY, Route as Route
    from .rooms.broker import Broker as Broker
    from .rooms.entry import RoomEntry as RoomEntry
    from .rooms.figures import BrokerFigures as BrokerFigures
    from .rooms.joining import Recovery as Recovery
    from .rooms.local_broker import LocalBroker as LocalBroker
    from .rooms.redis.broker import RedisBroker as RedisBroker
    from .rooms.room import Room as Room, RoomFigures as RoomFigures
    from .server.figures import ServerFigures as ServerFigures
    from .server.filters import HTTPFilter as HTTPFilter
    from .server.handlers import HTTPHandler as HTTPHandler
    from .server.launch import LaunchContext as LaunchContext
    from .server.perfect1 import Routing as Routing
    from .server.server import HTTPServer as HTTPServer
    from .server.static_files import StaticFileHandler as StaticFileHandler
    from .server.tls_configuration import TLSConfiguration as TLSConfiguration
    from .websocket.connecting import Backoff as Backoff
    from .websocket.deflate import DeflateOptions as DeflateOptions
    from .websocket.frame_inbox import Message as Message
    from .websocket.handshake_response import HandshakeResponse as HandshakeResponse
    from .websocket.opcodes import CloseCode as CloseCode, OpcodeType as OpcodeType
    from .websocket.options import NO_TIMEOUT as NO_TIMEOUT, NetEvent as NetEvent
    from .websocket.outbox import Drained as Drained
    from .websocket.routes import Routes as Routes
    from .websocket.session_handler import (
        WebSocketHandler as WebSocketHandler,
        WebSocketSessionHandler as WebSocketSessionHandler,
    )
    from .websocket.socket import Connecting as Connecting, Reconnecting as Reconnecting
    from .websocket.upgrade_handler import WebSocketUpgrader as WebSocketUpgrader
else:
    #: The public names, by the module that has each.
    _NAMES = {
        "callbacks": ("Timer",),
        "client.connect": (
            "HTTPClient",
            "WebSocket",
        ),
        "client.event_loop": (
            "EventLoop",
            "run",
            "stop",
        ),
        "client.threads": (
            "SerialQueue",
            "run_in_thread",
        ),
        "client.timing": (
            "call_every",
            "call_later",
        ),
        "errors": (
            "ConnectionClosed",
            "ConnectionRejected",
            "ConnectionTimeout",
            "HandshakeError",
            "InvalidURL",
            "LaunchFailure",
            "LocalProtocolError",
            "PerfectWSError",
            "RouteError",
        ),
        "futures": (
            "Future",
            "Promise",
        ),
        "http.cookies": (
            "Expiration",
            "HTTPCookie",
            "SameSite",
        ),
        "http.filters": (
            "FilterPriority",
            "HTTPFilterPriority",
            "HTTPRequestFilter",
            "HTTPRequestFilterResult",
            "HTTPResponseFilter",
            "HTTPResponseFilterResult",
            "RequestFilterResult",
            "ResponseFilterResult",
        ),
        "http.methods": ("HTTPMethod",),
        "http.mime_reader": ("MimeReader",),
        "http.mime_type": ("MimeType",),
        "http.request": ("HTTPRequest",),
        "http.request_logger": ("RequestLogger",),
        "http.response": (
            "HTTPResponse",
            "HTTPResponseStatus",
        ),
        "http.routing": (
            "ROUTE_TRAILING_WILDCARD_KEY",
            "Route",
        ),
        "rooms.broker": ("Broker",),
        "rooms.entry": ("RoomEntry",),
        "rooms.figures": ("BrokerFigures",),
        "rooms.joining": ("Recovery",),
        "rooms.local_broker": ("LocalBroker",),
        "rooms.redis.broker": ("RedisBroker",),
        "rooms.room": (
            "Room",
            "RoomFigures",
        ),
        "server.figures": ("ServerFigures",),
        "server.filters": ("HTTPFilter",),
        "server.handlers": ("HTTPHandler",),
        "server.launch": ("LaunchContext",),
        "server.perfect1": ("Routing",),
        "server.server": ("HTTPServer",),
        "server.static_files": ("StaticFileHandler",),
        "server.tls_configuration": ("TLSConfiguration",),
        "websocket.connecting": ("Backoff",),
        "websocket.deflate": ("DeflateOptions",),
        "websocket.frame_inbox": ("Message",),
        "websocket.handshake_response": ("HandshakeResponse",),
        "websocket.opcodes": (
            "CloseCode",
            "OpcodeType",
        ),
        "websocket.options": (
            "NO_TIMEOUT",
            "NetEvent",
        ),
        "websocket.outbox": ("Drained",),
        "websocket.routes": ("Routes",),
        "websocket.session_handler": (
            "WebSocketHandler",
            "WebSocketSessionHandler",
        ),
        "websocket.socket": (
            "Connecting",
            "Reconnecting",
        ),
        "websocket.upgrade_handler": ("WebSocketUpgrader",),
    }
    _MODULES = {name: module for module, names in _NAMES.items() for name in names}

    __all__ = sorted(_MODULES)

    # Hidden from type checkers, which would take it to mean that every name exists.
    def __getattr__(name: str) -> object:
        if name not in _MODULES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        found = globals()[name] = getattr(import_module(f".{_MODULES[name]}", __name__), name)
        return found

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})
