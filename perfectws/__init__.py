"""perfectws: callback-style WebSockets for Python, with the API of Swift's Perfect and Vapor."""

from .callbacks import Timer
from .client import HTTPClient
from .compat import Routing
from .errors import (
    ConnectionClosed,
    ConnectionRejected,
    ConnectionTimeout,
    HandshakeError,
    InvalidURL,
    LaunchFailure,
    LocalProtocolError,
    PerfectWSError,
    RouteError,
)
from .event_loop import EventLoop, run
from .filters import HTTPFilter
from .futures import Future, Promise
from .handlers import HTTPHandler
from .http.cookies import Expiration, HTTPCookie, SameSite
from .http.filters import (
    FilterPriority,
    HTTPRequestFilter,
    HTTPResponseFilter,
    RequestFilterResult,
    ResponseFilterResult,
)
from .http.request import HTTPRequest
from .http.response import HTTPResponse
from .http.routing import ROUTE_TRAILING_WILDCARD_KEY, Route
from .launching import LaunchContext
from .net.tls import TLSConfiguration
from .server import HTTPServer
from .static_files import StaticFileHandler
from .timing import call_every, call_later, run_in_thread
from .websocket.connecting import Backoff, Connecting
from .websocket.deflate import DeflateOptions
from .websocket.handler import WebSocketHandler, WebSocketSessionHandler
from .websocket.inbox import Message
from .websocket.opcodes import CloseCode, OpcodeType
from .websocket.options import NO_TIMEOUT
from .websocket.outbox import Drained
from .websocket.room import Room, RoomFigures
from .websocket.routes import Routes
from .websocket.socket import WebSocket
from .websocket.upgrader import WebSocketUpgrader

__version__ = "0.1.0"

__all__ = [
    "NO_TIMEOUT",
    "ROUTE_TRAILING_WILDCARD_KEY",
    "Backoff",
    "CloseCode",
    "Connecting",
    "ConnectionClosed",
    "ConnectionRejected",
    "ConnectionTimeout",
    "DeflateOptions",
    "Drained",
    "EventLoop",
    "Expiration",
    "FilterPriority",
    "Future",
    "HTTPClient",
    "HTTPCookie",
    "HTTPFilter",
    "HTTPHandler",
    "HTTPRequest",
    "HTTPRequestFilter",
    "HTTPResponse",
    "HTTPResponseFilter",
    "HTTPServer",
    "HandshakeError",
    "InvalidURL",
    "LaunchContext",
    "LaunchFailure",
    "LocalProtocolError",
    "Message",
    "OpcodeType",
    "PerfectWSError",
    "Promise",
    "RequestFilterResult",
    "ResponseFilterResult",
    "Room",
    "RoomFigures",
    "Route",
    "RouteError",
    "Routes",
    "Routing",
    "SameSite",
    "StaticFileHandler",
    "TLSConfiguration",
    "Timer",
    "WebSocket",
    "WebSocketHandler",
    "WebSocketSessionHandler",
    "WebSocketUpgrader",
    "call_every",
    "call_later",
    "run",
    "run_in_thread",
]
