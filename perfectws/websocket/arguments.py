"""The arguments of a `WebSocket`'s methods, checked where they are given, with errors that say what is expected."""

from __future__ import annotations

from ..callbacks import check_callable
from ..futures import Promise

BytesLike = bytes | bytearray | memoryview


def bytes_of(data: BytesLike, method: str) -> bytes:
    """Return ``data`` as bytes. Raises `TypeError`, naming ``method``."""
    if isinstance(data, bytes):
        return data
    if isinstance(data, str):
        raise TypeError(f"{method} takes bytes, not str: send text with send_string_message")
    try:
        return bytes(memoryview(data))
    except TypeError:
        raise TypeError(
            f"{method} takes bytes, or an object with a buffer of them, not {type(data).__name__}"
        ) from None


def check_continuation(continuation: object) -> None:
    """Raise `TypeError` unless ``continuation`` can be called."""
    check_callable(continuation, "a continuation", "(data, opcode, final)")


def check_completion(completion: object) -> None:
    """Raise `TypeError` unless ``completion`` can be called, or is ``None``."""
    if completion is not None:
        check_callable(completion, "a completion")


def check_promise(promise: object) -> None:
    """Raise `TypeError` unless ``promise`` is a `Promise`, or ``None``."""
    if promise is not None and not isinstance(promise, Promise):
        raise TypeError(f"promise is a Promise, not {type(promise).__name__}")
