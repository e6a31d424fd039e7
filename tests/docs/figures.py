"""The figures of pages, as text: out of ``docs/results.json``, and out of the lists of ``tests/rfc``.

``docs/extensions/results.py`` puts them into the pages.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from benchmarks.recorded import Entry

from .. import fuzz
from ..rfc import rfc6455, rfc7692, rfc9112
from ..rfc.requirement import Requirement

#: The lists of `tests.rfc`, by what they are called.
RFCS: Mapping[str, tuple[str, list[Requirement]]] = {
    "RFC 6455": ("The WebSocket Protocol, sections 4 to 8 and 10", rfc6455.REQUIREMENTS),
    "RFC 7692": ("`permessage-deflate`, section 7", rfc7692.REQUIREMENTS),
    "RFC 9112": ("HTTP/1.1, as far as it concerns a server", rfc9112.REQUIREMENTS),
}


def value_of(results: Mapping[str, Entry], name: str) -> Any:
    """Return a figure by its name, such as ``soak.sent`` or ``fuzz.date``. Raises `KeyError` if there is none."""
    first, *keys = name.split(".")
    value: Any = {**results[first], **results[first]["counts"]}
    for key in keys:
        value = value[key]
    return value


def as_text(value: Any) -> str:
    """Return a figure as people write it."""
    if value == []:
        return "–"  # of a soak that was too short to judge its memory
    if isinstance(value, list):
        return " to ".join(f"{each:,}" for each in sorted({min(value), max(value)}))
    return f"{value:,}" if isinstance(value, int | float) else str(value)


def rounded_down(value: int) -> str:
    """Return a number with two digits that count: 11,234 is more than 11,000."""
    unit = 10 ** max(0, len(str(value)) - 2)
    return f"{value // unit * unit:,}"


# Tables


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> Iterator[str]:
    """Yield the lines of a table."""
    columns = list(head)
    for row in (columns, ["---"] * len(columns), *rows):
        yield f"| {' | '.join(row)} |"


def runs(results: Mapping[str, Entry]) -> Iterator[str]:
    """Yield the table of all commands: what was run, when, and on what."""
    rows = (
        [f"`{entry['command']}`", entry["date"], entry["machine"], versions_in_words(entry)]
        for entry in results.values()
    )
    return table(("command", "on", "machine", "versions"), rows)


def versions_in_words(entry: Entry) -> str:
    """Return the versions of what ran."""
    return ", ".join(f"{'CPython' if name == 'python' else name} {each}" for name, each in entry["versions"].items())


def autobahn(results: Mapping[str, Entry]) -> Iterator[str]:
    """Yield the table of the Autobahn test suite: how many cases of each testee ended how."""
    rows = []
    for testee, counts in results["autobahn"]["counts"]["testees"].items():
        fine = [counts.get(each, 0) for each in ("OK", "INFORMATIONAL", "NON-STRICT")]
        rows.append([testee.replace(", ", ", by "), *map(as_text, [*fine, sum(counts.values()) - sum(fine)])])
    return table(("testee", "OK", "informational", "non-strict", "failed"), rows)


def fuzzed(results: Mapping[str, Entry]) -> Iterator[str]:
    """Yield the table of the fuzzing: what each target is compared with, and how often it was run."""
    rows = (
        [f"`{name}`", fuzz.TARGETS[name], *(as_text(counts[each]) for each in ("executions", "lines", "failures"))]
        for name, counts in results["fuzz"]["counts"]["targets"].items()
    )
    return table(("target", "what is compared", "executions", "lines reached", "inputs that fail"), rows)


#: What is told of a soak, in which words.
SOAK = {
    "connections": "connections at once, asked for",
    "connected": "connections while memory was judged, at least",
    "minutes": "minutes",
    "sent": "honest messages sent",
    "answered": "answered, with what they said and in order",
    "lost": "lost",
    "hostile": "hostile peers",
    "descriptors": "descriptors, at most",
    "left": "left behind, of descriptors, tasks, timers and objects",
    "errors": "errors logged that were not meant",
    "memory": "memory under load, the least of each half minute, MiB",
    "growth": "growth of it, and how much of that may be chance",
    "holes": "free memory in between, which glibc keeps, MiB",
}


def soaks(results: Mapping[str, Entry]) -> Iterator[str]:
    """Yield the table of the soaks: one column for each that was recorded."""
    entries = [entry for name, entry in results.items() if name.startswith("soak")]
    head = ["", *(f"`--over {over_of(entry)}`, {entry['date']}" for entry in entries)]
    rows = ([words, *(as_text(entry["counts"].get(key, "–")) for entry in entries)] for key, words in SOAK.items())
    return table(head, rows)


def over_of(entry: Entry) -> str:
    """Return over what a soak went."""
    return entry["command"].partition(" --over ")[2].partition(" ")[0]


TABLES: Mapping[str, Callable[[Mapping[str, Entry]], Iterator[str]]] = {
    "runs": runs,
    "autobahn": autobahn,
    "fuzz": fuzzed,
    "soak": soaks,
}


def requirements() -> Iterator[str]:
    """Yield the table of the lists of the RFCs' demands."""
    rows = []
    for name, (about, listed) in RFCS.items():
        tested = sum(each.untested is None for each in listed)
        rows.append([name, about, *map(as_text, (len(listed), tested, len(listed) - tested))])
    return table(("", "", "sentences with a MUST", "with a test that quotes them", "without"), rows)


def untested() -> Iterator[str]:
    """Yield the table of the demands that have no test, with the reason."""
    rows = (
        [f"{name} §{each.paragraph}", each.text.replace("|", "\\|").replace("_", "\\_"), each.untested]
        for name, (_, listed) in RFCS.items()
        for each in listed
        if each.untested is not None
    )
    return table(("", "what it demands", "why no test shows it"), rows)
