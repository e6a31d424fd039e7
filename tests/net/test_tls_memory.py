"""What a TLS connection keeps: OpenSSL's buffers stay as large as they have ever been, so they never become large."""

from __future__ import annotations

import ssl
import sys
from random import Random
from typing import Any

import pytest
import trio

from perfectws.log_limit import LogLimit
from perfectws.net.socket_transport import LAST_READ_SIZE, SocketTransport
from perfectws.net.stream_transport import TLS_WRITE_SIZE
from perfectws.net.tls_transport import MAX_RECORD_SIZE, RECORD_SIZE, TLSTransport

from .test_reactor import Recorder
from .tls_server import Around, ByHand, Server, connected_pair

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has a reactor")

#: What the records add to as many bytes as are encrypted at once.
HEADERS = 1000


class Watched(Around):
    """A buffer that knows the most that it has held."""

    most = 0

    def write(self, data: Any) -> None:
        self._actual.write(data)
        self.most = max(self.most, self._actual.pending)

    def read(self) -> Any:
        self.most = max(self.most, self._actual.pending)
        return self._actual.read()


def watch(transport: Any) -> tuple[Watched, Watched]:
    """Return the buffers of what a server gets, and of what it sends."""
    owner: Any = transport if isinstance(transport, TLSTransport) else transport._stream
    if not isinstance(owner._incoming, Watched):
        owner._incoming, owner._outgoing = Watched(owner._incoming), Watched(owner._outgoing)
    return owner._incoming, owner._outgoing


async def test_however_much_comes_and_goes_it_is_held_a_record_at_a_time(either: Server) -> None:
    size = 4_000_000
    stream = await either.stream()
    transport, recorder = await either.until_made()
    incoming, outgoing = watch(transport)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(stream.send_all, bytes(size))
        while sum(map(len, recorder.events)) < size:
            await recorder.changed.wait()
    transport.write(bytes(size))
    got = 0
    while got < size:
        got += len(await stream.receive_some())
    bound = MAX_RECORD_SIZE if isinstance(transport, TLSTransport) else TLS_WRITE_SIZE + HEADERS
    assert RECORD_SIZE < incoming.most <= bound
    assert RECORD_SIZE < outgoing.most <= bound


class AtOnce:
    """A stream to a transport that is given what is sent as one piece: as a kernel may, that has much."""

    def __init__(self, transport: TLSTransport, peer: trio.SocketStream) -> None:
        self.transport = transport
        self.receive_some = peer.receive_some

    async def send_all(self, data: bytes) -> None:
        self.transport.data_received(data)
        watch(self.transport)


@pytest.fixture
def at_once(server: Server, server_context: ssl.SSLContext) -> AtOnce:
    ours, peer = connected_pair()
    assert server.loop.reactor is not None
    server.streams.append(trio.SocketStream(trio.socket.from_stdlib_socket(peer)))
    lower = SocketTransport(server.loop, server.loop.reactor, ours, ("peer", 1))
    transport = TLSTransport(server.loop, lower, server_context, lambda _: Recorder(), server.connections, LogLimit())
    lower.start(transport)
    return AtOnce(transport, server.streams[-1])


async def test_what_comes_with_the_end_of_the_handshake_is_held_so_too(server: Server, at_once: AtOnce) -> None:
    client = ByHand(at_once, server.client)  # type: ignore[arg-type]  # it does what is asked of it
    data = bytes(range(256)) * (LAST_READ_SIZE // 256)
    await client.do_handshake(data)
    recorder = at_once.transport.protocol
    assert isinstance(recorder, Recorder)
    assert b"".join(recorder.events) == data
    assert watch(at_once.transport)[0].most <= MAX_RECORD_SIZE


class Counting(Around):
    """An `ssl.SSLObject` whose reads are counted that end by an error."""

    errors = 0

    def read(self, size: int) -> Any:
        try:
            return self._actual.read(size)
        except ssl.SSLError:
            self.errors += 1
            raise


@pytest.mark.parametrize("longest", [100, RECORD_SIZE, 100_000])
@pytest.mark.parametrize("seed", range(5))
async def test_wherever_it_is_cut_all_is_decrypted_with_few_errors(
    server: Server, at_once: AtOnce, longest: int, seed: int
) -> None:
    client = ByHand(at_once, server.client)  # type: ignore[arg-type]
    await client.do_handshake(b"begin")
    transport, recorder = at_once.transport, at_once.transport.protocol
    assert isinstance(recorder, Recorder)
    transport._tls = counting = Counting(transport._tls)  # type: ignore[assignment]
    random = Random(seed)
    messages = [random.randbytes(random.randrange(1, longest)) for _ in range(2 * LAST_READ_SIZE // longest)]
    encrypted = client.encrypt(*messages)
    pieces = 0
    while encrypted:
        size = random.choice((random.randrange(1, 2 * MAX_RECORD_SIZE), LAST_READ_SIZE))
        transport.data_received(encrypted[:size])
        encrypted = encrypted[size:]
        pieces += 1
    assert b"".join(recorder.events) == b"".join([b"begin", *messages])
    assert len(recorder.events) <= 1 + pieces
    assert counting.errors <= 2 * pieces
    assert watch(transport)[0].most <= MAX_RECORD_SIZE
