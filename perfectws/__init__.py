"""perfectws: callback-style WebSockets for Python, with the API of Swift's Perfect and Vapor."""

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
from .futures import Future, Promise
from .http.cookies import HTTPCookie
from .http.request import HTTPRequest
from .http.response import HTTPResponse
from .http.routing import ROUTE_TRAILING_WILDCARD_KEY, Route, Routes
from .server import HTTPServer
from .websocket.deflate import DeflateOptions
from .websocket.handler import WebSocketHandler, WebSocketSessionHandler
from .websocket.inbox import Message
from .websocket.opcodes import CloseCode, OpcodeType
from .websocket.options import NO_TIMEOUT
from .websocket.outbox import Drained
from .websocket.room import Room, RoomFigures
from .websocket.socket import WebSocket

__version__ = "0.1.0"

__all__ = [
    "NO_TIMEOUT",
    "ROUTE_TRAILING_WILDCARD_KEY",
    "CloseCode",
    "ConnectionClosed",
    "ConnectionRejected",
    "ConnectionTimeout",
    "DeflateOptions",
    "Drained",
    "Future",
    "HTTPCookie",
    "HTTPRequest",
    "HTTPResponse",
    "HTTPServer",
    "HandshakeError",
    "InvalidURL",
    "LaunchFailure",
    "LocalProtocolError",
    "Message",
    "OpcodeType",
    "PerfectWSError",
    "Promise",
    "Room",
    "RoomFigures",
    "Route",
    "RouteError",
    "Routes",
    "WebSocket",
    "WebSocketHandler",
    "WebSocketSessionHandler",
]
