"""The servers that are measured: one file each, which serves ``/echo``, ``/parts`` and ``/room``, and a table of all.

Each does the same: it agrees to the subprotocol ``echo``; ``/echo`` sends every message back as it came, ``/parts``
too, once it has all its parts, and ``/room`` sends it to everyone who is there, its sender too. Messages are text and
reach the application as its framework gives them: a ``str``, or for picows, which decodes nothing unasked, a view of
the bytes; picows sends parts back as they come. None compresses unless that is measured, then as each does it by
default. All take messages of 1 MiB, all set ``TCP_NODELAY``. Keepalive is as each has it by default, except where it is
measured.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec

#: The largest message, in bytes.
MAX_SIZE = 1024 * 1024
#: How many connections may wait to be accepted.
BACKLOG = 1024
#: The subprotocol that the load offers.
SUBPROTOCOL = "echo"


@dataclass(frozen=True)
class Settings:
    """How a server is started.

    Attributes:
        port: The port to listen on, on 127.0.0.1.
        ping_interval: Seconds between keepalive pings; ``None`` is the framework's own choice.
        certificate: The PEM file with a certificate and its key for ``wss``; ``None`` serves ``ws``.
        uvloop: Whether asyncio runs on uvloop.
        deflate: Whether messages are compressed, with ``permessage-deflate``.
        whole_messages: Whether perfectws takes whole messages (``on_text``), and not frame by frame.
    """

    port: int
    ping_interval: float | None = None
    certificate: str | None = None
    uvloop: bool = False
    deflate: bool = False
    whole_messages: bool = False


@dataclass(frozen=True)
class Server:
    """A server of the table.

    Attributes:
        name: Its name on the command line.
        title: Its name in tables.
        module: The module of this package that serves.
        requires: The packages that it needs.
        uvloop: Whether it runs on uvloop.
        hides: Packages that it may not find.
        lacks: What it cannot do, by the kind of scenario, and why.
        offers_deflate: Whether the load may offer it ``permessage-deflate``, as browsers do: all but hypercorn, which
            cannot be told to decline.
        has_tls: Whether it is measured with ``wss`` too.
        compresses: Whether it is measured with compression too.
        has_client: Whether its client is measured too.
        whole_messages: As in `Settings`.
        is_default: Whether it is measured unless others are asked for.
    """

    name: str
    title: str
    module: str
    requires: tuple[str, ...] = ()
    uvloop: bool = False
    hides: tuple[str, ...] = ()
    lacks: Mapping[str, str] | None = None
    offers_deflate: bool = True
    has_tls: bool = False
    compresses: bool = False
    has_client: bool = False
    whole_messages: bool = False
    is_default: bool = True

    def why_not(self, kind: str, deflate: bool = False) -> str | None:
        """Return why this cannot be measured in a scenario of this kind, compressed or not, or ``None``."""
        is_tls = kind.startswith("wss")
        needed = (*self.requires, *(["uvloop"] if self.uvloop else []), *(["trustme"] if is_tls else []))
        missing = [package for package in needed if not _is_installed(package)]
        if missing:
            return f"{' and '.join(missing)} not installed"
        if deflate and not self.compresses:
            return "does not compress, or is not measured so"
        if kind.startswith("client"):
            return None if self.has_client else "its client is not measured"
        if is_tls:
            return self._why_no_tls()
        if kind == "gap" and self.name != "perfectws":
            return "measures trio tasks beside perfectws only"
        return (self.lacks or {}).get(kind)

    def _why_no_tls(self) -> str | None:
        if not self.has_tls:
            return "measured without TLS only"
        if self.name == "perfectws" and not hasattr(import_module("perfectws"), "TLSConfiguration"):
            return "this perfectws has no TLS yet"
        return None


def _is_installed(package: str) -> bool:
    try:
        return find_spec(package) is not None
    except ModuleNotFoundError:  # the package around it
        return False


_ALL = (
    Server("perfectws", "perfectws", "perfectws_server", has_tls=True, compresses=True, has_client=True),
    Server(
        "perfectws-on-text",
        "perfectws, on_text",
        "perfectws_server",
        compresses=True,
        whole_messages=True,
        is_default=False,
    ),
    Server(
        "perfectws-plain",
        "perfectws, no speedups",
        "perfectws_server",
        hides=("websockets", "isal"),
        compresses=True,
        has_client=True,
        is_default=False,
    ),
    Server(
        "picows-uvloop",
        "picows + uvloop",
        "picows_server",
        ("picows",),
        uvloop=True,
        has_tls=True,
        has_client=True,
    ),
    Server("picows", "picows (asyncio)", "picows_server", ("picows",)),
    Server("socketify", "socketify (uWebSockets)", "socketify_server", ("socketify",)),
    Server(
        "aiohttp-uvloop",
        "aiohttp + uvloop",
        "aiohttp_server",
        ("aiohttp",),
        uvloop=True,
        has_tls=True,
        compresses=True,
        has_client=True,
    ),
    Server(
        "uvicorn",
        "uvicorn + uvloop",
        "uvicorn_server",
        ("uvicorn", "websockets", "httptools"),
        uvloop=True,
        compresses=True,
    ),
    Server(
        "websockets-uvloop",
        "websockets + uvloop",
        "websockets_server",
        ("websockets",),
        uvloop=True,
        compresses=True,
    ),
    Server(
        "websockets",
        "websockets (asyncio)",
        "websockets_server",
        ("websockets",),
        has_tls=True,
        compresses=True,
        has_client=True,
    ),
    Server("tornado", "tornado", "tornado_server", ("tornado",), compresses=True),
    Server(
        "websockets-trio",
        "websockets (trio)",
        "websockets_trio_server",
        ("websockets", "websockets.trio"),
        compresses=True,
    ),
    Server(
        "trio-websocket",
        "trio-websocket",
        "trio_websocket_server",
        ("trio_websocket",),
        lacks={"idle": "has no keepalive"},
        has_client=True,
    ),
    Server("hypercorn", "hypercorn (trio)", "hypercorn_server", ("hypercorn",), offers_deflate=False),
)

#: Every server, by name.
SERVERS = {server.name: server for server in _ALL}
