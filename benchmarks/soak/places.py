"""Where the server of a soak listens: on plain TCP, with TLS and on Unix sockets, with long limits and short ones."""

from __future__ import annotations

import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import trio

from ..processes import Failure

TRANSPORTS = ("plain", "tls", "unix")
#: ``patient`` servers have limits that an honest peer keeps on the slowest machine; those of the ``strict`` ones are so
#: short that whoever squats there is dropped within seconds.
LIMITS = ("patient", "strict")

HOST = "127.0.0.1"


class Place(NamedTuple):
    """One of the servers: by its limits, and by how it is reached."""

    limits: str
    transport: str

    @property
    def name(self) -> str:
        """How it is called in the log, and between the processes."""
        return f"{self.limits}-{self.transport}"


ALL = tuple(Place(limits, transport) for limits in LIMITS for transport in TRANSPORTS)


@dataclass(frozen=True)
class Places:
    """The servers of one soak.

    Attributes:
        directory: Where the certificates and the Unix sockets are.
        ports: The ports of those that have one, by name.
    """

    directory: Path
    ports: Mapping[str, int]

    @property
    def control(self) -> Path:
        """The Unix socket on which the server tells what it holds."""
        return self.directory / "control"

    @property
    def certificate(self) -> Path:
        """The PEM file with the server's certificate and its key."""
        return self.directory / "server.pem"

    @property
    def files(self) -> Path:
        """The folder that the server serves as ``/files/``."""
        return self.directory / "files"

    @property
    def uploads(self) -> Path:
        """The folder of the files that are being uploaded."""
        return self.directory / "uploads"

    def socket_of(self, place: Place) -> Path:
        """Return the path of a Unix socket."""
        return self.directory / place.name

    def url(self, place: Place, path: str) -> str:
        """Return the URL of a WebSocket."""
        if place.transport == "unix":
            return f"ws+unix://{self.socket_of(place)}:{path}"
        scheme = "wss" if place.transport == "tls" else "ws"
        return f"{scheme}://{HOST}:{self.ports[place.name]}{path}"

    @cached_property
    def ssl_context(self) -> ssl.SSLContext:
        """The context of a client that trusts the soak's own authority."""
        return ssl.create_default_context(cafile=self.directory / "authority.pem")

    async def connect(self, place: Place) -> trio.SocketStream:
        """Connect, without TLS whatever the place speaks."""
        if place.transport == "unix":
            return await trio.open_unix_socket(self.socket_of(place))
        return await trio.open_tcp_stream(HOST, self.ports[place.name])

    async def open(self, place: Place) -> trio.abc.Stream:
        """Connect, and with TLS shake hands."""
        stream = await self.connect(place)
        if place.transport != "tls":
            return stream
        secured = trio.SSLStream(stream, self.ssl_context, server_hostname=HOST, https_compatible=True)
        try:
            await secured.do_handshake()
        except BaseException:
            await trio.aclose_forcefully(stream)
            raise
        return secured


#: What the server serves as ``/files/``: no two parts of a file are the same.
FILES = {
    name: b"".join(b"%s:%08d;" % (name.encode(), number) for number in range(count))
    for name, count in (("small", 100), ("middle", 4_000), ("large", 250_000))
}


#: One that is more than the kernel holds for a peer that takes nothing, at ``/files/vast``.
_VAST = b"vast " * 4_000_000


@contextmanager
def prepared_directory() -> Iterator[Path]:
    """Make the directory of a soak around a block, with its certificates and files."""
    try:
        import trustme
    except ImportError:
        raise Failure("trustme, which makes the certificates, is not installed") from None
    with TemporaryDirectory(prefix="soak") as name:
        places = Places(Path(name), {})
        authority = trustme.CA()
        authority.cert_pem.write_to_path(str(places.directory / "authority.pem"))
        authority.issue_cert(HOST).private_key_and_cert_chain_pem.write_to_path(str(places.certificate))
        places.files.mkdir()
        places.uploads.mkdir()
        for file, content in FILES.items():
            (places.files / file).write_bytes(content)
        (places.files / "vast").write_bytes(_VAST)
        yield places.directory
