"""``python -m perfectws connect URL``: a WebSocket for people, and for pipes."""

from __future__ import annotations

import argparse
import logging
import ssl
import sys
import time
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from ..checks.quantities import INTERVAL, SECONDS, Kind
from ..client.connect import WebSocket, connect_by
from ..client.event_loop import EventLoop
from ..client.url import shown_url
from ..errors import HandshakeError, InvalidURL, LocalProtocolError
from ..net.dialing import Route, dial
from ..net.loop import Loop
from ..transport import DialedTransport, Protocol
from ..websocket.socket import ConnectKeywords
from .lines import BinaryLines, JSONLines, Lines, TextLines
from .piped import Piped
from .prompt import Prompt, has_prompt
from .screen import Screen, is_terminal

ProtocolT = TypeVar("ProtocolT", bound=Protocol)

#: The exit codes of the process: it was closed as it should be; refused, or lost; called wrongly; ended by Ctrl-C.
CLOSED, FAILED, MISUSED, INTERRUPTED = 0, 1, 2, 130
#: The close codes that are no failure: RFC 6455 §7.4.1, "normal closure", and none given.
_NORMAL = (1000, 1005)
#: How long the server may take to answer our close, in seconds.
CLOSE_TIMEOUT = 3.0
#: How long a pipe whose input has ended waits for answers, in seconds.
WAIT = 1.0
#: What the pings that are shown begin with; their time follows.
_MARK = b"perfectws"
#: How often is pinged where it is not said, in seconds.
PING = 5.0


def add_connect(commands: Any) -> None:
    """Add the command to the parser's."""
    command = commands.add_parser(
        "connect",
        help="talk to a WebSocket",
        description="Open a WebSocket: each line that is typed, or comes from a pipe, is sent, and each message shown. "
        "Ctrl-D closes. Exit code 0: closed with 1000; 1: refused or lost; 2: called wrongly.",
    )
    command.add_argument("url", metavar="URL", help="ws://host:port/path, wss://… or ws+unix:///path/of/the/socket")
    command.add_argument(
        "--subprotocol", action="append", default=[], metavar="NAME", help="one that we speak; may be given again"
    )
    command.add_argument(
        "--header", action="append", default=[], metavar="'NAME: VALUE'", help="one more header; may be given again"
    )
    forms = command.add_mutually_exclusive_group()
    forms.add_argument("--binary", action="store_true", help="send binary messages, and write them as they come")
    forms.add_argument(
        "--json",
        action="store_true",
        help="each line is a JSON string, or an array of the bytes of a binary message: line breaks in a message are "
        "kept (else a space stands for each in a pipe)",
    )
    command.add_argument(
        "--ping",
        nargs="?",
        type=_seconds(INTERVAL),
        const=PING,
        metavar="SECONDS",
        help="ping so often, and show how long the pong takes (default: every %(const)g)",
    )
    command.add_argument("--proxy", metavar="URL", help='a proxy; "" for none (default: as the environment says)')
    command.add_argument("--insecure", action="store_true", help="take any certificate of the server")
    command.add_argument(
        "--wait",
        type=_seconds(SECONDS),
        default=WAIT,
        metavar="SECONDS",
        help="how long to wait for messages when a pipe has ended; inf until it is closed (default: %(default)g)",
    )
    command.set_defaults(run=connect)


def _seconds(kind: Kind) -> Callable[[str], float]:
    def read(text: str) -> float:
        try:
            seconds = float(text)
            kind.check("it", seconds)
        except ValueError:
            raise argparse.ArgumentTypeError(f"it is {kind.text}, not {text!r}") from None
        return seconds

    return read


def connect(options: argparse.Namespace) -> int:
    """Talk to a WebSocket until it is closed, and return the exit code."""
    logging.getLogger("perfectws").setLevel(logging.ERROR)
    lines = BinaryLines() if options.binary else JSONLines() if options.json else TextLines()
    screen = Screen(lines)
    try:
        with EventLoop(close_timeout=CLOSE_TIMEOUT) as event_loop:
            keywords = _keywords(options, event_loop)
            connecting = connect_by(_dial_trusting if options.insecure else dial, options.url, keywords)
            return _talk(connecting.wait(), screen, lines, options)
    except (InvalidURL, LocalProtocolError, TypeError, ValueError) as error:
        screen.tell_wrong(str(error))
        return MISUSED
    except HandshakeError as error:
        screen.tell_wrong(str(error))
        return FAILED
    except KeyboardInterrupt:
        return INTERRUPTED


def _keywords(options: argparse.Namespace, event_loop: EventLoop) -> ConnectKeywords:
    """Return what `WebSocket.connect` is given. Raises `ValueError` for a header that is none."""
    keywords: ConnectKeywords = {
        "on": event_loop,
        "headers": [_header(text) for text in options.header],
        "subprotocols": options.subprotocol,
        "close_timeout": CLOSE_TIMEOUT,
        "max_message_size": 2**30,  # a person sees what there is, or a pipe takes it
        "max_frame_size": 2**30,
    }
    if options.proxy is not None:
        keywords["proxy"] = options.proxy or None
    return keywords


def _header(text: str) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    if not colon:
        raise ValueError("--header is 'Name: value': there is no colon in one")
    return name, value


def _dial_trusting(
    loop: Loop, route: Route, make_protocol: Callable[[DialedTransport], ProtocolT]
) -> ProtocolT | Coroutine[Any, Any, ProtocolT]:
    """Connect as `dial` does, by TLS that takes any certificate, wherever a redirect or a proxy has led."""
    return dial(loop, route._replace(ssl_context=_trusting_all()), make_protocol)


def _trusting_all() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _talk(socket: WebSocket, screen: Screen, lines: Lines, options: argparse.Namespace) -> int:
    chosen = "" if socket.subprotocol is None else f", which speaks {socket.subprotocol}"
    screen.tell(f"Connected to {shown_url(options.url)}{chosen}")
    if options.ping is not None:
        _ping(socket, screen, options.ping)
    try:
        if is_terminal(sys.stdin) and is_terminal(sys.stdout) and has_prompt():
            Prompt(socket, screen, lines).run()
        else:
            Piped(socket, screen, lines, options.wait).run()
    except KeyboardInterrupt:
        socket.close()  # the end of the event loop waits for that
        raise
    code, reason = socket.close_code, socket.close_reason
    said = f"Closed: {code}" + (f" ({reason})" if reason else "")
    if code in _NORMAL:
        screen.tell(said)
        return CLOSED
    screen.tell_wrong(said)
    return FAILED


def _ping(socket: WebSocket, screen: Screen, seconds: float) -> None:
    @socket.on_pong
    def answered(socket: WebSocket, data: bytes) -> None:
        mark, _, sent = data.partition(b" ")
        if mark == _MARK:  # not one of the keepalive's
            screen.tell(f"Pong after {(time.perf_counter() - float(sent)) * 1000:.1f} ms")

    socket.call_every(seconds, lambda: socket.send_ping(_MARK + f" {time.perf_counter()}".encode()))
