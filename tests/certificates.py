"""The one authority of all tests, and what it vouches for. Keys take a while to make: each is made once."""

from __future__ import annotations

import ssl
from functools import cache

import trustme

from perfectws.net.tls_end import strict


@cache
def authority() -> trustme.CA:
    """Return what signs every certificate."""
    return trustme.CA()


@cache
def certificate_for(*identities: str) -> trustme.LeafCert:
    """Return a certificate for these names or addresses."""
    return authority().issue_cert(*identities)


def server_context(*identities: str) -> ssl.SSLContext:
    """Make the context of a server that has a certificate for these names or addresses."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate_for(*identities).configure_cert(context)
    return context


def client_context() -> ssl.SSLContext:
    """Make the context of a client that trusts the authority, and nobody else, and tells an end from a break."""
    return strict(ssl.create_default_context(cadata=authority().cert_pem.bytes().decode()))
