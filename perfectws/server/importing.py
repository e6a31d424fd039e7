"""What imports a module to serve what is in it: the module is not to launch that itself meanwhile, and block."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ..errors import LaunchFailure

#: Who imports a module now, for people.
_importers: list[str] = []


@contextmanager
def importing(importer: str) -> Iterator[None]:
    """Let a block import a module, in which nothing is launched that blocks.

    Args:
        importer: What imports it, for people.
    """
    _importers.append(importer)
    try:
        yield
    finally:
        _importers.pop()


def check_importing() -> None:
    """Raise `LaunchFailure` while a module is imported so."""
    if _importers:
        raise LaunchFailure(
            f"the module launches a server as it is imported, and so would hold up {_importers[-1]}: write that below "
            "if __name__ == '__main__':"
        )
