"""Why something failed, in the words of the innermost error: trio wraps one in another, and several in a group."""

from __future__ import annotations

import re
import ssl

#: What the peer says in an alert of TLS, as OpenSSL names it: ``TLSV13_ALERT_CERTIFICATE_REQUIRED``.
_ALERT = re.compile(r"(?:SSL|TLS)V[0-9]+_ALERT_(\w+)")
#: What trio puts before the system's reason. Who asks has said already where to.
_TRIO_CONNECTING = re.compile(r"^Error connecting to \(.*\): ")
#: What OpenSSL says of an answer that is no TLS.
_NO_TLS = frozenset({"WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "PACKET_LENGTH_TOO_LONG", "HTTP_REQUEST"})


def reason_of(error: BaseException) -> str:
    """Return the innermost reason."""
    if isinstance(error, BaseExceptionGroup):
        return "; ".join(dict.fromkeys(reason_of(inner) for inner in error.exceptions))
    if isinstance(error, ssl.SSLCertVerificationError):
        return error.verify_message
    if error.__cause__ is not None:
        return reason_of(error.__cause__)
    if isinstance(error, ssl.SSLError):
        return _reason_of_tls(error)
    if isinstance(error, OSError) and error.strerror:
        return _TRIO_CONNECTING.sub("", error.strerror)
    return str(error) or type(error).__name__


def tls_error_in(error: BaseException | None) -> ssl.SSLError | None:
    """Return the error of TLS that another one comes from, if it does."""
    while error is not None and not isinstance(error, ssl.SSLError):
        error = error.__cause__
    return error


def _reason_of_tls(error: ssl.SSLError) -> str:
    reason = error.reason or ""
    alert = _ALERT.fullmatch(reason)
    if alert is not None:
        # The names of RFC 8446 §6.2, as people write them.
        return f"the server's alert is {alert[1].lower().replace('_', ' ').replace(' ca', ' CA')!r}"
    if reason in _NO_TLS:
        return "the server does not speak TLS there; for a plain connection write ws://"
    if isinstance(error, ssl.SSLEOFError) or "EOF" in reason or "EOF" in str(error):
        return "the server closed the connection in the middle of the TLS handshake"
    return reason.lower().replace("_", " ") or error.strerror or str(error)
