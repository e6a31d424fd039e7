"""The limits as pages say them, compared with the code's own defaults.

Three ways in which a page says one: behind its name, ``max_body_size`` (1 MiB); in a sentence that has no name
(`SAYINGS`); in a table (`TABLES`). Tables that are made of the code, as in docs/reference/limits.md, need none of it.
"""

from __future__ import annotations

import inspect
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import fields
from typing import Any

from perfectws import DeflateOptions
from perfectws.callbacks import ROUNDS_PER_TURN, TURN_SECONDS
from perfectws.http.limits import HTTPLimits
from perfectws.net.reactor import MAX_EVENTS, PASS_SECONDS
from perfectws.net.tls import HANDSHAKE_TIMEOUT
from perfectws.server.workers.plan import DRAIN
from perfectws.transport import HIGH_WATER
from perfectws.websocket.options import (
    CONTROL_FRAME_SECONDS,
    MAX_CONTROL_FRAMES,
    READ_AHEAD_BYTES,
    READ_AHEAD_FRAMES,
    WebSocketOptions,
)

from .public import names

UNITS = {"": 1.0, "KiB": 1024.0, "MiB": 1024.0**2, "GiB": 1024.0**3, "s": 1.0, "seconds": 1.0, "ms": 0.001}

#: A quantity behind the name of what has it by default.
NAMED = re.compile(r"`(\w+)=?`(?: seconds)? \((\d[\d,]*(?:\.\d+)?)(?: (KiB|MiB|GiB|s|seconds|ms))?[),:;]")
#: What is the name of a limit, whether there is one or not.
LIMIT = re.compile(r"(max_\w+|\w+_(timeout|interval|size))")

OF_HTTP, OF_SOCKET = HTTPLimits(), WebSocketOptions()


def defaults() -> dict[str, set[Any]]:
    """Return the defaults of every option and parameter that is public, by its name."""
    found: dict[str, set[Any]] = defaultdict(set)
    for options in (HTTPLimits, WebSocketOptions, DeflateOptions):
        for each in fields(options):
            found[each.name].add(each.default)
    for public in names():
        for name, parameter in public.parameters.items():
            if parameter.default is not inspect.Parameter.empty:
                found[name].add(parameter.default)
    found["drain"].add(DRAIN)
    return found


DEFAULTS = defaults()

#: Sentences, and what their numbers are.
SAYINGS: dict[str, tuple[float | None, ...]] = {
    r"(\d+) frames or (\d+ KiB)": (READ_AHEAD_FRAMES, READ_AHEAD_BYTES),
    r"([\d,]+) control frames in (?:any )?(\d+ s)": (MAX_CONTROL_FRAMES, CONTROL_FRAME_SECONDS),
    r"high[- ]water(?: mark)? (?:is |\()(\d+ KiB)": (HIGH_WATER,),
    r"`await socket\.send` waits above (\d+ KiB)": (HIGH_WATER,),
    r"A turn ends after (\d+ ms)": (TURN_SECONDS,),
    r"A turn ends after (\d+) rounds \([^)]+\) or (\d+ ms)": (ROUNDS_PER_TURN, TURN_SECONDS),
    r"a pass after (\d+) sockets or (\d+ ms)": (MAX_EVENTS, PASS_SECONDS),
    r"A TLS handshake that stands still: (\d+ s)": (HANDSHAKE_TIMEOUT,),
    r"The TLS handshake with … took too long` \| past (\d+ s)": (HANDSHAKE_TIMEOUT,),
    r"`max_frame_size`, `max_message_size` \| (\d+ MiB) each": (OF_SOCKET.max_frame_size,),
    r"on by default, (\d+ seconds) each": (OF_SOCKET.ping_interval,),
}


def in_words(value: float) -> str:
    """Return a size or a number as pages write it."""
    for unit in ("MiB", "KiB"):
        if value % UNITS[unit] == 0:
            return f"{value / UNITS[unit]:,.0f} {unit}"
    return f"{value:,.0f}"


_READ_AHEAD = f"{READ_AHEAD_FRAMES} frames or {in_words(READ_AHEAD_BYTES)}"

#: The tables that people have written: what each row's second cell begins with.
TABLES: dict[str, tuple[str, dict[str, str]]] = {
    "docs/deploy/limits.md": (
        "what may wait",
        {
            "to be read by the session": f"{_READ_AHEAD}, and one frame that is arriving "
            f"({in_words(OF_SOCKET.max_frame_size)})",
            "to be read by the peer": in_words(OF_SOCKET.max_write_buffer),
            "the body of a request": in_words(OF_HTTP.max_body_size),
            "uploads, on the disk": "as a body" if OF_HTTP.max_upload_size is None else "its own",
            "what compression remembers": "nothing" if OF_SOCKET.compression is None else "some",
        },
    ),
}


def wrong_limits(name: str, text: str) -> list[str]:
    """Return what a page says of limits that is not so, in words."""
    line = " ".join(text.split())
    return [*wrong_named(line), *wrong_sayings(line), *wrong_rows(name, text)]


def wrong_named(line: str) -> Iterator[str]:
    """Yield what stands behind the name of a limit, and is not its default."""
    for name, number, unit in NAMED.findall(line):
        if name not in DEFAULTS:
            if LIMIT.fullmatch(name):
                yield f"there is no limit {name}"
        elif quantity(number, unit) not in DEFAULTS[name]:
            yield f"{name} is {', '.join(map(str, DEFAULTS[name]))} by default, not {number} {unit}".rstrip()


def wrong_sayings(line: str) -> Iterator[str]:
    """Yield what a sentence says that the code does not."""
    for saying, values in SAYINGS.items():
        for found in re.finditer(saying, line):
            said = [quantity(*each.partition(" ")[::2]) for each in found.groups()]
            if said != list(values):
                yield f"{found[0]!r}: it is {', '.join(map(str, values))}"


def wrong_rows(page: str, text: str) -> Iterator[str]:
    """Yield the rows of a page's table that say something else, that nobody compares, or that are not there."""
    if page not in TABLES:
        return
    first, expected = TABLES[page]
    rows = {row[0]: row[1:] for row in rows_of(first, text)}
    for what, cells in rows.items():
        if what not in expected:
            yield f"nobody compares the row {what!r}: see TABLES in tests/docs/limits.py"
        elif not re.match(re.escape(expected[what]) + r"(?![\w.])", cells[0]):
            yield f"{what}: it is {expected[what]}, not {cells[0]}"
        for option in re.findall(r"^`(\w+)`", cells[-1]):
            if option not in DEFAULTS:
                yield f"{what}: there is no option {option}"
    yield from (f"there is no row {what!r}" for what in expected if what not in rows)


def rows_of(first: str, text: str) -> Iterator[list[str]]:
    """Yield the cells of each row of the tables whose first column is headed ``first``."""
    for table in re.findall(rf"^ *\| {first} \|.*\n *\|[-|]+\|\n((?: *\|.*\n)+)", text, flags=re.MULTILINE):
        for row in table.splitlines():
            yield [cell.strip() for cell in row.strip().strip("|").split(" | ")]


def quantity(number: str, unit: str) -> float:
    """Return a quantity in bytes, seconds or things."""
    return float(number.replace(",", "")) * UNITS[unit]
