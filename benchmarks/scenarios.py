"""What is measured: the scenarios, by name."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

#: The most bytes that may be under way at once: more would not fit the machine's socket buffers.
MAX_UNDER_WAY = 256 * 1024 * 1024
_SIZES = (64, 1024, 16 * 1024, 1024 * 1024)
_CONNECTIONS = (1, 10, 100, 1_000, 10_000)


@dataclass(frozen=True)
class Scenario:
    """One shape of load.

    Attributes:
        name: Its name on the command line.
        title: Its name in tables.
        kind: ``echo``, ``fanout``, ``room``, ``open``, ``idle``, ``wss``, ``wss-idle``, ``client``, ``client-open``,
            ``gap`` or ``polite``.
        unit: What the figures are per.
        connections: How many connections.
        in_flight: How many messages each has under way.
        size: The payload's size, in bytes.
        spread: Whether each message goes out in a segment of its own, spaced in time.
        rotate: Whether the members of a room send in turn.
        paced: Whether messages come at half the rate of the reference, the same for all.
        parts: In how many fragments each message is sent.
        deflate: Whether messages are compressed, both ways.
        note: What a reader should know: which shape flatters whom.
        is_default: Whether it is measured unless others are asked for.
        plotted: Whether it is in the picture.
    """

    name: str
    title: str
    kind: str
    unit: str = "message"
    connections: int = 1
    in_flight: int = 1
    size: int = 64
    spread: bool = False
    rotate: bool = False
    paced: bool = False
    parts: int = 1
    deflate: bool = False
    note: str = ""
    is_default: bool = True
    plotted: bool = False


def size_name(size: int) -> str:
    """Return a size in words: ``1 KiB``."""
    for unit, factor in (("MiB", 1024 * 1024), ("KiB", 1024)):
        if size >= factor and size % factor == 0:
            return f"{size // factor} {unit}"
    return f"{size} B"


def echo(
    size: int,
    connections: int,
    in_flight: int,
    *,
    spread: bool = False,
    paced: bool = False,
    parts: int = 1,
    deflate: bool = False,
) -> Scenario:
    """Return an echo scenario."""
    name = f"echo-{size}-{connections}x{in_flight}" + ("-spread" if spread else "-paced" if paced else "")
    name += f"-{parts}parts" if parts > 1 else "-deflate" if deflate else ""
    title = f"echo {size_name(size)}, {connections:,} × {in_flight}"
    note = ""
    if parts > 1:
        title += f", in {parts} parts"
        note = "each message comes in so many frames, in one segment if it is short; it may go back whole"
    elif deflate:
        title += ", compressed"
        note = "JSON, no two messages in a row alike; both ways compressed, as each does it by default"
    elif spread:
        title += ", spread"
        note = "each message in a segment of its own, the connections in turn; what waits is still read together"
    elif paced:
        title += ", at half picows' rate"
        note = "messages come at random times, at half of what picows + uvloop can do; the same for all"
    elif in_flight > 1:
        note = (
            f"{in_flight} messages in one segment, which flatters a server that works in batches: "
            "compare spread, and one in flight"
        )
    return Scenario(
        name,
        title,
        "echo",
        connections=connections,
        in_flight=in_flight,
        size=size,
        spread=spread,
        paced=paced,
        parts=parts,
        deflate=deflate,
        note=note,
    )


_PLOTTED = {
    *("echo-64-1x1", "echo-64-100x1", "echo-64-10000x1", "echo-64-50x10", "echo-64-50x10-spread"),
    *("echo-16384-20x1", "echo-1048576-10x1", "echo-1024-100x1-deflate", "echo-1024-100x1-4parts"),
}

_ECHOES = (
    echo(64, 1, 1),
    echo(64, 10, 1),
    echo(64, 100, 1),
    echo(64, 100, 1, paced=True),
    echo(64, 1_000, 1),
    echo(64, 10_000, 1),
    echo(64, 50, 10),
    echo(64, 50, 10, spread=True),
    echo(1024, 10, 1),
    echo(1024, 100, 1),
    echo(1024, 50, 10),
    echo(1024, 50, 10, spread=True),
    echo(16 * 1024, 20, 1),
    echo(1024 * 1024, 10, 1),
    echo(1024, 100, 1, parts=4),
    echo(1024 * 1024, 10, 1, parts=256),
    echo(1024, 100, 1, deflate=True),
)

_OTHERS = (
    Scenario(
        "room-100",
        "room of 100, all talking",
        "room",
        "delivery",
        connections=100,
        note="many messages for a member leave at once, which flatters a server that works in batches: "
        "compare one at a time",
        plotted=True,
    ),
    Scenario(
        "room-100-turns",
        "room of 100, one at a time",
        "fanout",
        "delivery",
        connections=100,
        rotate=True,
        note="one member sends, and when all have it the next",
        plotted=True,
    ),
    Scenario("fanout-1000", "one sender to 1,000", "fanout", "delivery", connections=1_000, plotted=True),
    Scenario(
        "room-100-deflate",
        "room of 100, all talking, compressed",
        "room",
        "delivery",
        connections=100,
        size=1024,
        deflate=True,
        note="1 KiB of JSON each, which the load inflates, once for all who get the same bytes: "
        "where it is busy all the time, it limits",
        plotted=True,
    ),
    Scenario(
        "fanout-1000-deflate",
        "one sender to 1,000, compressed",
        "fanout",
        "delivery",
        connections=1_000,
        size=1024,
        deflate=True,
        note="1 KiB of JSON each, which the load inflates, once for all who get the same bytes: "
        "where it is busy all the time, it limits",
    ),
    Scenario(
        "open", "open and close", "open", "connection", connections=16, note="with a browser's headers", plotted=True
    ),
    Scenario(
        "idle",
        "10,000 idle connections",
        "idle",
        "connection",
        connections=10_000,
        note="memory per connection, after a keepalive ping to each",
        plotted=True,
    ),
    Scenario(
        "idle-deflate",
        "2,000 idle connections, compressed",
        "idle",
        "connection",
        connections=2_000,
        size=1024,
        deflate=True,
        note="memory per connection, once a message of 1 KiB was echoed and a keepalive ping sent to each",
    ),
    Scenario("wss", "wss echo 64 B, 20 × 1", "wss", connections=20),
    Scenario(
        "wss-idle",
        "500 idle wss connections",
        "wss-idle",
        "connection",
        connections=500,
        note="memory per connection, once a message was echoed to each",
    ),
    Scenario(
        "client-64-1x1",
        "client: echo 64 B, 1 × 1",
        "client",
        connections=1,
        note="the client's CPU time; the server is the same for all, picows + uvloop where it is installed",
    ),
    Scenario(
        "client-64-100x1",
        "client: echo 64 B, 100 × 1",
        "client",
        connections=100,
        note="the client's CPU time; the server is the same for all, picows + uvloop where it is installed",
        plotted=True,
    ),
    Scenario(
        "client-open",
        "client: connect and close",
        "client-open",
        "connection",
        connections=16,
        note="the client's CPU time; the server is the same for all, picows + uvloop where it is installed",
    ),
    Scenario("fairness-gap", "20 flooding sockets", "gap", connections=20, in_flight=1_000),
    Scenario("fairness-polite", "one polite beside one flooding", "polite", connections=2, in_flight=1_000),
)


def _full_echoes() -> list[Scenario]:
    shapes = [echo(size, conns, flight) for size in _SIZES for conns in _CONNECTIONS for flight in (1, 10)]
    spread = [echo(size, connections, 10, spread=True) for size in _SIZES for connections in (*_CONNECTIONS, 50)]
    return shapes + [shape for shape in spread if why_impossible(shape) is None]


def why_impossible(scenario: Scenario) -> str | None:
    """Return why a scenario is not measured at all, or ``None``."""
    under_way = scenario.size * scenario.connections * scenario.in_flight
    return f"{size_name(under_way)} would be under way at once" if under_way > MAX_UNDER_WAY else None


def default_scenarios(*, full: bool = False) -> list[Scenario]:
    """Return what is measured unless scenarios are asked for by name."""
    chosen = {scenario.name: _with_plot(scenario) for scenario in _ECHOES}
    if full:
        for scenario in _full_echoes():
            chosen.setdefault(scenario.name, scenario)
    return [*chosen.values(), *_OTHERS]


def _with_plot(scenario: Scenario) -> Scenario:
    return replace(scenario, plotted=scenario.name in _PLOTTED)


def find_scenarios(pattern: str, *, full: bool = False) -> list[Scenario]:
    """Return the scenarios of a name, or of the beginning of one; ``echo-SIZE-CONNECTIONSxINFLIGHT`` makes one.

    Raises:
        ValueError: There is none.
    """
    known = default_scenarios(full=full)
    exact = [scenario for scenario in known if scenario.name == pattern]
    if exact:
        return exact
    shape = re.fullmatch(r"echo-(\d+)-(\d+)x(\d+)(?:-(spread|paced|deflate|(\d+)parts))?", pattern)
    if shape:
        return [_made_to_order(shape)]
    begun = [scenario for scenario in known if scenario.name.startswith(pattern)]
    if not begun:
        names = ", ".join(scenario.name for scenario in known)
        raise ValueError(
            f"there is no scenario {pattern!r}; there are {names}, and "
            "echo-SIZE-CONNECTIONSxINFLIGHT[-spread|-paced|-deflate|-Nparts]"
        )
    return begun


def _made_to_order(shape: re.Match[str]) -> Scenario:
    size, connections, in_flight = (int(number) for number in shape.groups()[:3])
    parts = int(shape[5] or 1)
    scenario = echo(
        size,
        connections,
        in_flight,
        spread=shape[4] == "spread",
        paced=shape[4] == "paced",
        parts=parts,
        deflate=shape[4] == "deflate",
    )
    if connections < 1 or in_flight < 1 or parts < 1 or size // parts < 12:
        raise ValueError(f"{scenario.name}: a message, and each part, has at least 12 bytes; numbers are at least 1")
    reason = why_impossible(scenario)
    if reason is not None:
        raise ValueError(f"{scenario.name}: {reason}")
    return scenario
