"""The arguments of a `WebSocket`'s methods, checked where they are given, with errors that say what is expected."""

from __future__ import annotations

from collections.abc import Iterable

from ..errors import LocalProtocolError
from ..futures import Promise
from ..http.binary import BYTES_LIKE, BytesLike, bytes_of
from ..http.headers import is_token


def binary_message(data: BytesLike) -> bytes:
    """Return the payload of a binary message. Raises `TypeError` or `ValueError`."""
    if isinstance(data, str):
        raise TypeError("send_binary_message takes bytes, not str: send text with send_string_message")
    return bytes_of(data, "send_binary_message takes bytes")


def check_text(string: object) -> None:
    """Raise `TypeError` unless ``string`` is the text of a message."""
    if not isinstance(string, str):
        advice = ": send bytes with send_binary_message" if isinstance(string, BYTES_LIKE) else ""
        raise TypeError(f"send_string_message takes a str, not {type(string).__name__}{advice}")


def check_continuation(continuation: object) -> None:
    """Raise `TypeError` unless ``continuation`` can be called."""
    if not callable(continuation):
        raise TypeError(f"a continuation is a callable that takes (data, opcode, final), not {continuation!r}")


def check_completion(completion: object) -> None:
    """Raise `TypeError` unless ``completion`` can be called, or is ``None``."""
    if completion is not None and not callable(completion):
        raise TypeError(f"a completion is a callable without arguments, not {completion!r}")


def check_subprotocols(subprotocols: object) -> tuple[str, ...]:
    """Return the names of subprotocols. Raises `LocalProtocolError` or `TypeError`, with what to write instead."""
    if isinstance(subprotocols, str) or not isinstance(subprotocols, list | tuple | Iterable):
        raise TypeError(f"subprotocols is a list of names, such as ['chat'], not {type(subprotocols).__name__}")
    names = tuple(subprotocols)
    # They are not shown: a token travels as one where a browser has no other place for it.
    for index, name in enumerate(names):
        if not isinstance(name, str) or not is_token(name):
            raise LocalProtocolError(
                f"subprotocols[{index}] cannot be the name of a subprotocol: use letters, digits and . - _"
            )
    if len(set(names)) != len(names):
        # RFC 6455 §4.1: "The elements that comprise this value [...] MUST all be unique strings."
        raise LocalProtocolError(f"one of the {len(names)} subprotocols is named twice")
    return names


def check_promise(promise: object) -> None:
    """Raise `TypeError` unless ``promise`` is a `Promise`, or ``None``."""
    if promise is not None and not isinstance(promise, Promise):
        raise TypeError(f"promise is a Promise, not {type(promise).__name__}")
