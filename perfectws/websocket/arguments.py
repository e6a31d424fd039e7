"""The arguments of a `WebSocket`'s methods, checked where they are given, with errors that say what is expected."""

from __future__ import annotations

from codecs import IncrementalDecoder
from collections.abc import Iterable

from ..errors import LocalProtocolError
from ..futures import Promise
from ..http.binary import BYTES_LIKE, BytesLike, bytes_of, named
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


def check_final(final: object, name: str, called: str) -> None:
    """Raise `TypeError` unless ``final`` says whether a message ends: a callback in its place would never be called.

    Args:
        final: What was given.
        name: What it was given as.
        called: What a callback, or a promise, is given as.
    """
    if not isinstance(final, int):  # as a bool is
        raise TypeError(f"{name} is True or False, not {named(final)}: write {called}= before what is to be told")


def check_utf8(utf8: IncrementalDecoder, data: bytes, is_last: bool) -> None:
    """Raise `LocalProtocolError` unless ``data`` goes on as UTF-8 does; the decoder stays where it was then.

    Args:
        utf8: What has decoded what stands before it.
        data: A part of a text.
        is_last: Whether the text ends with it, and so may not within a character.
    """
    try:
        utf8.decode(data, is_last)
    except UnicodeDecodeError as error:
        raise LocalProtocolError(
            f"a text is UTF-8, which this is not: {error.reason}. Send other bytes as OpcodeType.BINARY"
        ) from None


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
