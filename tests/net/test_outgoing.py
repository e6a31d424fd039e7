"""What can be no name, nor a path, is an error of the kind that the system, or OpenSSL, has for one that is wrong."""

from __future__ import annotations

import ssl

import pytest
import trio
from trio.testing import memory_stream_pair

from perfectws import HandshakeError
from perfectws.net.dialing import Route, dial
from perfectws.net.loop import open_loop
from perfectws.net.outgoing import encrypt, open_tcp, open_unix
from perfectws.transport import DialedTransport
from tests.conftest import PATIENCE

#: As `ssl` refuses them: by a TypeError, a ValueError, an SSLError, trio's idna and a ValueError.
NO_NAMES = ["a\0b", ".x", "a" * 300, "\ud800", ""]


async def test_a_host_that_can_be_none_is_an_oserror() -> None:
    with pytest.raises(OSError, match="idna"):
        await open_tcp("chat..example.org", 1, None)


async def test_a_path_that_can_be_none_is_an_oserror() -> None:
    with pytest.raises(OSError, match="surrogates not allowed"):
        await open_unix("/\ud800")


@pytest.mark.parametrize("name", NO_NAMES)
async def test_a_name_that_tls_does_not_take_is_an_error_of_tls(name: str) -> None:
    ours, _ = memory_stream_pair()
    with pytest.raises(ssl.SSLError):
        await encrypt(ours, ssl.create_default_context(), name)
    await ours.send_all(b"x")  # it is not closed


async def test_a_context_tells_an_end_from_a_break_whatever_python_made_it() -> None:
    """Before 3.11.3 Python lets OpenSSL take one for the other; a server's is looked at in `test_tls_end`."""
    context = ssl.create_default_context()
    ours, theirs = memory_stream_pair()
    await theirs.send_eof()
    with pytest.raises(trio.BrokenResourceError):
        await encrypt(ours, context, "test")
    assert not context.options & ssl.OP_IGNORE_UNEXPECTED_EOF


def _never(dialed: DialedTransport) -> None:
    raise AssertionError


@pytest.mark.parametrize("name", NO_NAMES[:-1])  # an empty one is the host's
async def test_it_fails_the_handshake_and_the_connection_below_is_closed(name: str) -> None:
    (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    with trio.fail_after(PATIENCE):
        async with listener, open_loop() as loop:
            host, port = listener.socket.getsockname()
            route = Route(host, port, is_secure=True, server_hostname=name)
            with pytest.raises(HandshakeError, match=f"TLS with {host}:{port} failed: "):
                await dial(loop, route, _never)  # type: ignore[misc, type-var]
            accepted = await listener.accept()
            async with accepted:
                assert await accepted.receive_some() == b""
