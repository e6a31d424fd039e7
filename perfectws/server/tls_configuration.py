"""`TLSConfiguration`: how a server does TLS, as Perfect describes it."""

from __future__ import annotations

import os
import ssl
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, fields

#: Perfect's names for what is asked of clients. OpenSSL knows three things only: nothing, a certificate if there is
#: one, a certificate in any case.
VERIFY_MODES = {
    "none": ssl.CERT_NONE,
    "peer": ssl.CERT_OPTIONAL,
    "failIfNoPeerCert": ssl.CERT_NONE,
    "clientOnce": ssl.CERT_NONE,
    "peerWithFailIfNoPeerCert": ssl.CERT_REQUIRED,
    "peerClientOnce": ssl.CERT_OPTIONAL,
    "peerWithFailIfNoPeerCertClientOnce": ssl.CERT_REQUIRED,
}


@dataclass(frozen=True, kw_only=True)
class TLSConfiguration:
    """How a server does TLS.

    Files are read again a few seconds after they have changed, and on SIGHUP: what a new connection is shown is never
    older. As long as they do not fit together, or cannot be read, the former ones are used.

    Args:
        cert_path: The certificate and those that lead to its authority: the path of a PEM file, or PEM text.
        key_path: Its private key, likewise; ``None`` if it stands in ``cert_path`` too.
        ca_cert_path: The authorities whose certificates clients may have, likewise.
        cert_verify_mode: What is asked of clients: an `ssl.VerifyMode`, or its name in Perfect (``"peer"``: a
            certificate if they have one; ``"peerWithFailIfNoPeerCert"``: a certificate). ``None``: a certificate if
            ``ca_cert_path`` is given, else nothing.
        cipher_list: The ciphers of TLS 1.2 that may be used, by OpenSSL's names; ``None`` for Python's choice.
        ssl_context: A context that does it all, instead of everything above.

    Source: Perfect's ``TLSConfiguration``.
    """

    # Perfect differs: a ca_cert_path without a mode asks nothing of clients; and its own list of ciphers is from 2016.

    cert_path: str | os.PathLike[str] | None = field(default=None, repr=False)  # it may hold the key itself, as below
    key_path: str | os.PathLike[str] | None = field(default=None, repr=False)
    ca_cert_path: str | os.PathLike[str] | None = None
    cert_verify_mode: ssl.VerifyMode | str | None = None
    cipher_list: Sequence[str] | None = None
    ssl_context: ssl.SSLContext | None = None

    def make_context(self) -> ssl.SSLContext:
        """Return a context for a server's sockets. It reads the files.

        Raises:
            ValueError: Something is missing, or cannot be read, or does not fit; the message names it.
        """
        if self.ssl_context is not None:
            self._check_alone()
            return self.ssl_context
        try:
            return self._make_context()
        except OSError as error:
            raise ValueError(f"PEM text cannot be written to a temporary file, as OpenSSL needs it: {error}") from error

    def _make_context(self) -> ssl.SSLContext:
        if self.cert_path is None:
            raise ValueError("a TLSConfiguration needs cert_path or ssl_context")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.set_alpn_protocols(["http/1.1"])
        self._load_certificate(context)
        self._set_verification(context)
        if self.cipher_list is not None:
            with _naming("cipher_list", ", ".join(self.cipher_list)):
                context.set_ciphers(":".join(self.cipher_list))
        return context

    def _check_alone(self) -> None:
        if not isinstance(self.ssl_context, ssl.SSLContext):
            raise ValueError(f"ssl_context is an ssl.SSLContext, not {self.ssl_context!r}")
        for each in fields(self):
            if each.name != "ssl_context" and getattr(self, each.name) is not None:
                raise ValueError(f"an ssl_context is given alone: {each.name} would change nothing")
        if self.ssl_context.protocol == ssl.PROTOCOL_TLS_CLIENT:
            raise ValueError("ssl_context is that of a client: a server's is ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)")

    def _load_certificate(self, context: ssl.SSLContext) -> None:
        assert self.cert_path is not None
        with (
            _pem_file("cert_path", self.cert_path) as cert,
            _pem_file("key_path", self.key_path) as key,
            _naming("cert_path and key_path" if key else "cert_path", f"{cert}, {key}" if key else cert),
        ):
            _check_holds("CERTIFICATE-----", "certificate", cert)
            _check_holds("PRIVATE KEY-----", "private key", key or cert, "" if key else ": give key_path")
            context.load_cert_chain(cert or "", key, password=_refuse_password)

    def _set_verification(self, context: ssl.SSLContext) -> None:
        mode = self._verify_mode()
        if self.ca_cert_path is None:
            if mode is not ssl.CERT_NONE:
                raise ValueError("cert_verify_mode asks for clients' certificates: give ca_cert_path, who signs them")
            return
        with _pem_file("ca_cert_path", self.ca_cert_path) as authorities, _naming("ca_cert_path", authorities):
            context.load_verify_locations(authorities)
        context.verify_mode = mode

    def _verify_mode(self) -> ssl.VerifyMode:
        mode = self.cert_verify_mode
        if mode is None:
            return ssl.CERT_NONE if self.ca_cert_path is None else ssl.CERT_REQUIRED
        if isinstance(mode, str) and mode in VERIFY_MODES:
            return VERIFY_MODES[mode]
        if isinstance(mode, ssl.VerifyMode):
            return mode
        raise ValueError(f"cert_verify_mode is an ssl.VerifyMode or one of {', '.join(VERIFY_MODES)}; not {mode!r}")


def configuration_of(tls: TLSConfiguration | tuple[str, str] | None) -> TLSConfiguration | None:
    """Return how a server does TLS, ``None`` if it does not.

    Args:
        tls: That; or the paths of certificate and key.

    Raises:
        TypeError: It is none of these.
    """
    if isinstance(tls, tuple):
        tls = TLSConfiguration(cert_path=tls[0], key_path=tls[1])
    if tls is not None and not isinstance(tls, TLSConfiguration):
        raise TypeError(f"tls_config is a TLSConfiguration, not {tls!r}")
    return tls


def is_text(path: str | os.PathLike[str]) -> bool:
    """Tell whether what was given for a path is what would stand in the file."""
    return "-----BEGIN " in os.fspath(path)


@contextmanager
def _pem_file(name: str, path: str | os.PathLike[str] | None) -> Iterator[str | None]:
    """Give the path of a PEM file; PEM text is written to one that only we can read, which OpenSSL needs."""
    text = None if path is None else os.fspath(path)
    if text is None or not is_text(text):
        if text is not None and not os.path.isfile(text):
            # What has several lines is no path; it may be a key that lacks its first line.
            shown = f"{text!r}: there is no such file" if "\n" not in text else "is neither a path nor PEM text"
            raise ValueError(f"{name} {shown}")
        yield text
        return
    with tempfile.NamedTemporaryFile("w", suffix=".pem") as file:
        file.write(text)
        file.flush()
        yield file.name


def _check_holds(mark: str, what: str, path: str | None, hint: str = "") -> None:
    """Raise `ValueError` unless a PEM file holds what it is given for: OpenSSL says no more than "PEM lib" then."""
    with open(path or "", encoding="ascii", errors="replace") as file:
        if mark not in file.read():
            raise ValueError(f"there is no {what} in it{hint}")


@contextmanager
def _naming(name: str, value: str | None) -> Iterator[None]:
    try:
        yield
    except (ssl.SSLError, OSError, ValueError) as error:
        raise ValueError(f"{name} {value!r}: {getattr(error, 'reason', None) or error}") from error


def _refuse_password() -> str:
    # Else OpenSSL would ask on the terminal, and the server would wait for ever.
    raise ValueError("the private key is encrypted: give an ssl_context that knows its password")
