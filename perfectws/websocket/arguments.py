"""The arguments of a `WebSocket`'s methods, checked where they are given, with errors that say what is expected."""

from __future__ import annotations

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
    if not callable(continuation):
        raise TypeError(f"a continuation is a callable that takes (data, opcode, final), not {continuation!r}")


def check_completion(completion: object) -> None:
    """Raise `TypeError` unless ``completion`` can be called, or is ``None``."""
    if completion is not None and not callable(completion):
        raise TypeError(f"a completion is a callable without arguments, not {completion!r}")


def check_promise(promise: object) -> None:
    """Raise `TypeError` unless ``promise`` is a `Promise`, or ``None``."""
    if promise is not None and not isinstance(promise, Promise):
        raise TypeError(f"promise is a Promise, not {type(promise).__name__}")


def check_callable(callback: object, arguments: str) -> None:
    """Raise `TypeError` unless ``callback`` can be called; ``arguments`` says with what it will be."""
    if not callable(callback):
        raise TypeError(f"a callback is a callable that takes {arguments}, not {callback!r}")
