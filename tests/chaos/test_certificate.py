"""A certificate that expires while it is served: who is connected stays, who comes and checks refuses it."""

from __future__ import annotations

import socket
import ssl
from datetime import UTC, datetime, timedelta
from functools import partial
from queue import SimpleQueue
from time import monotonic, sleep

import pytest
import trustme

from perfectws import EventLoop, HandshakeError, Routes, TLSConfiguration, WebSocket

from ..server.conftest import PATIENCE, Launch, launch  # noqa: F401

#: How long the certificate is good once it is made, in seconds; OpenSSL counts whole ones.
LIFETIME = 2


def issued_by(authority: trustme.CA, seconds: float) -> trustme.LeafCert:
    """Issue a certificate that expires in so many seconds."""
    return authority.issue_cert("127.0.0.1", not_after=datetime.now(UTC) + timedelta(seconds=seconds))


def shake_hands(port: int, trusting: ssl.SSLContext) -> None:
    """Do the handshake of a client that checks certificates, and says what it thinks of them."""
    with socket.create_connection(("127.0.0.1", port), PATIENCE) as connection:
        trusting.wrap_socket(connection, server_hostname="127.0.0.1").close()


def talk(web_socket: WebSocket, text: str) -> None:
    """Send a message, and see that it is answered."""
    answers: SimpleQueue[str] = SimpleQueue()
    web_socket.on_text(lambda ws, text: answers.put(text))
    web_socket.send(text)
    assert answers.get(timeout=PATIENCE) == text


def test_who_is_connected_stays_and_newcomers_are_served_again_once_it_is_renewed(
    launch: Launch,  # noqa: F811
    authority: trustme.CA,
    trusting: ssl.SSLContext,
    caplog: pytest.LogCaptureFixture,
) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    issued_by(authority, LIFETIME).configure_cert(context)
    expired = monotonic() + LIFETIME + 1
    routes = Routes()
    routes.web_socket("/echo", lambda request, ws: ws.on_text(lambda ws, text: ws.send(text)))
    port = launch(routes=routes, tls_config=TLSConfiguration(ssl_context=context)).port

    with EventLoop() as loop:
        connecting = partial(WebSocket.connect, to=f"wss://127.0.0.1:{port}/echo", on=loop, ssl_context=trusting)
        old = connecting().wait(PATIENCE)
        talk(old, "before")
        sleep(max(0, expired - monotonic()))
        for _ in range(3):
            with pytest.raises(ssl.SSLCertVerificationError, match="certificate has expired"):
                shake_hands(port, trusting)
            talk(old, "still here")
        with pytest.raises(HandshakeError, match="certificate has expired"):
            connecting().wait(PATIENCE)

        issued_by(authority, 3600).configure_cert(context)  # what is renewed is used from the next handshake on
        talk(connecting().wait(PATIENCE), "good again")
        talk(old, "still here")
    expiry = (
        "The TLS handshake with 127.0.0.1 failed: SSLV3_ALERT_CERTIFICATE_EXPIRED (to the client our certificate has "
    )
    assert caplog.messages[0] == f"{expiry}expired)"
    # Our own client goes without a word: trio sends no alert.
    assert caplog.messages[1:] in ([], ["The TLS handshake with 127.0.0.1 failed: UNEXPECTED_EOF_WHILE_READING"])
