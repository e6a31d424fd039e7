"""`Several`: how type checkers tell a list of strings from one string, which is an iterable of strings as well."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol, TypeVar

T_co = TypeVar("T_co", covariant=True)


class Several(Protocol[T_co]):
    """A list, a tuple or a set, where one string would be taken for its characters."""

    def __iter__(self) -> Iterator[T_co]:
        """Iterate over them."""

    # What a ``str`` has by this name takes none but a ``str``: so it is no `Several`.
    def __contains__(self, value: object, /) -> bool:
        """Tell whether ``value`` is among them."""
