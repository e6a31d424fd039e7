"""What stands for bytes where an application gives some: a buffer of them, or a list of ints, as Swift's `[UInt8]`."""

from __future__ import annotations

from typing import TypeAlias

BytesLike: TypeAlias = bytes | bytearray | memoryview | list[int] | tuple[int, ...]

#: The types of `BytesLike`, for `isinstance`.
BYTES_LIKE = (bytes, bytearray, memoryview, list, tuple)


def bytes_of(data: BytesLike, takes: str) -> bytes:
    """Return ``data`` as bytes.

    Args:
        data: Bytes, an object with a buffer of them, or a list of ints from 0 to 255.
        takes: What the caller takes, for an error's text: ``"send_binary_message takes bytes"``.

    Raises:
        TypeError: It is none of these.
        ValueError: An int is not from 0 to 255.
    """
    if isinstance(data, bytes):
        return data
    if isinstance(data, list | tuple):
        return _bytes_of_ints(data, takes)
    try:
        return bytes(memoryview(data))
    except TypeError:
        raise TypeError(f"{takes}, not {named(data)}") from None


def named(data: object) -> str:
    """Return what ``data``, which is wrong, is called in an error's text: its type, and the beginning of its value."""
    return f"the class {data.__qualname__}" if isinstance(data, type) else f"{type(data).__name__} {data!r:.60}"


def _bytes_of_ints(numbers: list[int] | tuple[int, ...], takes: str) -> bytes:
    try:
        return bytes(numbers)
    except (TypeError, ValueError) as error:
        wrong = next(number for number in numbers if not isinstance(number, int) or not 0 <= number <= 255)
        raise type(error)(f"{takes}, or a list of ints from 0 to 255, which {wrong!r:.60} is not") from None
