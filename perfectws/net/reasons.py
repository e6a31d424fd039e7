"""Why something failed, in the words of the innermost error: trio wraps one in another, and several in a group."""

from __future__ import annotations

import ssl


def reason_of(error: BaseException) -> str:
    """Return the innermost reason."""
    if isinstance(error, BaseExceptionGroup):
        return "; ".join(dict.fromkeys(reason_of(inner) for inner in error.exceptions))
    if isinstance(error, ssl.SSLCertVerificationError):
        return error.verify_message
    if error.__cause__ is not None:
        return reason_of(error.__cause__)
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error) or type(error).__name__
