"""The right spelling of a misspelt name: what is Swift's is known, what is near is guessed.

A name that nobody reads is the mistake that takes longest to find: ``server.serverPort = 8181`` would listen on any
port. So what takes names refuses those that it does not know, and says which was meant (law 13).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from typing import NoReturn

#: What others call it, and what it is called here; besides the names that Swift spells differently only.
_OTHER_NAMES = {
    "host": "address",
    "hostname": "address",
    "bind": "address",
    "ssl": "tls_config",
    "tls": "tls_config",
    "webroot": "document_root",
    "timeout": "open_timeout",
    "url": "to",
    "uri": "to",
    "protocols": "subprotocols",
    "extra_headers": "headers",
    "additional_headers": "headers",
    "max_size": "max_frame_size",
    "config": "configuration_data",
    "sslCert": "ssl",
    "sslKey": "ssl",
    "recv": "receive",
    "ping": "send_ping",
    "pong": "send_pong",
    "emit": "send",
    "on_message": "on_text",
    "settimeout": "read_timeout_seconds",
}

_WORD_BEGINS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


def snake_case(name: str) -> str:
    """Return a name as Python spells it: ``"serverPort"`` becomes ``"server_port"``, ``"documentURL"`` likewise."""
    return _WORD_BEGINS.sub("_", name).lower()


def right_spelling(name: str, names: Iterable[str], nearness: float = 0.6) -> str | None:
    """Return the one of ``names`` that is meant by ``name``; ``None`` if none is.

    Args:
        name: What was written.
        names: What is known.
        nearness: How alike the two must be, from 0 to 1.
    """
    from difflib import get_close_matches  # for mistakes only

    known = list(names)
    for meant in (snake_case(name), _OTHER_NAMES.get(name)):
        if meant in known:
            return meant
    near = [*get_close_matches(name, known, 1, nearness), *get_close_matches(snake_case(name), known, 1, nearness)]
    return near[0] if near else None


def header_name(case: str) -> str:
    """Return the header that one of Swift's cases stands for: ``".contentType"`` is ``"Content-Type"``."""
    return "-".join(word.capitalize() for word in snake_case(case.removeprefix(".")).split("_"))


def did_you_mean(name: str, names: Iterable[str]) -> str:
    """Return a hint at the name that was meant, ``""`` if none is near."""
    meant = right_spelling(name, names)
    return f": did you mean {meant!r}?" if meant else ""


def check_names(given: Iterable[str], names: Collection[str], what: str) -> None:
    """Raise `TypeError` if one of ``given`` is none of ``names``.

    Args:
        given: The keywords that something was called with.
        names: Those that it takes.
        what: What takes them, such as ``"a server"``.
    """
    for name in given:
        if name not in names:
            raise TypeError(f"{what} has no keyword {name!r}{did_you_mean(name, names)}")


def unknown_key(given: Iterable[object], known: Collection[str]) -> str:
    """Return what is wrong with the keys of a dictionary, for people; ``""`` if all are among ``known``."""
    for key in given:
        if key not in known:
            others = f"known are {', '.join(known)}" if known else "there are none"
            return f"{key!r} is no key here{did_you_mean(str(key), known)}; {others}"
    return ""


class Misspelt:
    """A settable member in Swift's spelling, for a class with slots: to use it raises, and says how it is spelt here.

    Args:
        name: The member's name here.
    """

    def __init__(self, name: str) -> None:
        self._name = name

    def __set_name__(self, owner: type, name: str) -> None:
        self._message = f"{owner.__name__} has no attribute {name!r}: write {self._name}"

    def __get__(self, instance: object, owner: type) -> NoReturn:
        raise AttributeError(self._message)

    def __set__(self, instance: object, value: object) -> NoReturn:
        raise AttributeError(self._message)


def explain_misspelling(error: Exception) -> None:
    """Add the right spelling to an `AttributeError` that a name of ours in another spelling has raised.

    An error of asyncio's, of which a task of ours knows nothing, is explained too.
    """
    if isinstance(error, RuntimeError) and str(error) == "no running event loop":
        error.add_note(
            "perfectws runs on trio, where asyncio's functions cannot be called: trio.sleep and the like can."
        )
    if not isinstance(error, AttributeError) or not isinstance(error.name, str) or error.obj is None:
        return
    if type(error.obj).__module__.startswith("perfectws."):
        meant = right_spelling(error.name, (name for name in dir(error.obj) if not name.startswith("_")))
        if meant is not None:
            error.add_note(f"{type(error.obj).__name__} has {meant}.")
