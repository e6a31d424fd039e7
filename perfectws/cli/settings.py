"""What the command line and the environment say together, and what contradicts itself there.

The command line outdoes the environment. So does what it says of something else: ``--unix`` on the command line leaves
a ``PERFECTWS_PORT`` aside, where two on the same side would contradict each other.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from ..checks.spelling import right_spelling
from ..net.activation import is_passed
from ..net.unix_sockets import unix_path
from ..server.workers.started import VARIABLE
from .options import BY_KEY, OPTIONS, PREFIX, Option

#: Options of which only one can be given, and why.
EXCLUDING = (
    ("unix", "address", "a server listens in one place"),
    ("unix", "port", "a Unix socket has no port"),
    ("reload", "reload_on", "with --reload it is changed files that load the code anew"),
)
#: Options that mean nothing without another one.
NEEDING = (("tls_key", "tls_cert"), ("reload_dir", "reload"), ("reload_include", "reload"))


class Given(NamedTuple):
    """A value that was given.

    Attributes:
        value: The value.
        title: How it was given, for people: ``--port``, or ``PERFECTWS_PORT``.
        is_typed: Whether it stands on the command line.
    """

    value: Any
    title: str
    is_typed: bool


class Settings:
    """What was given.

    Args:
        typed: The values on the command line, by their keys.
        environment: The environment's variables.

    Attributes:
        problems: What is wrong with it: a sentence each.
        doubts: Variables that nobody reads, and are near to one that is: a sentence each.
    """

    def __init__(self, typed: Mapping[str, Any], environment: Mapping[str, str]) -> None:
        self.problems: list[str] = []
        self._given: dict[str, Given] = {}
        for option in OPTIONS:
            if option.key in typed:
                self._given[option.key] = Given(typed[option.key], option.option, True)
            elif environment.get(option.variable):
                self._read(option, environment[option.variable])
        self._settle()
        self.problems += dict.fromkeys(sentence for _, _, sentence in self._contradictions())
        self.problems += self._needs()
        self.doubts = list(_misspelt(environment))

    @classmethod
    def of(cls, options: argparse.Namespace, environment: Mapping[str, str]) -> Settings:
        """Return what a parsed command line, in which nothing has a default, and the environment say."""
        return cls(vars(options), environment)

    def has(self, key: str) -> bool:
        """Tell whether something was given; of what is there or not, whether it is there."""
        given = self._given.get(key)
        return given is not None and not (BY_KEY[key].is_flag and not given.value)

    def get(self, key: str, default: Any = None) -> Any:
        """Return what was given, else ``default``."""
        return self._given[key].value if key in self._given else default

    def title(self, key: str) -> str:
        """Return how something was given, for people."""
        return self._given[key].title

    def _read(self, option: Option, text: str) -> None:
        try:
            self._given[option.key] = Given(option.read(text), option.variable, False)
        except ValueError as error:
            self.problems.append(f"{option.variable}: {error}")

    def _settle(self) -> None:
        """Leave out of the environment what the command line contradicts."""
        while (key := next(self._outdone(), None)) is not None:
            del self._given[key]

    def _outdone(self) -> Iterator[str]:
        """Yield the keys of what stands in the environment, and contradicts the command line."""
        for one, other, _ in self._contradictions():
            for kept, left in ((one, other), (other, one)):
                if self._given[kept].is_typed and not self._given[left].is_typed:
                    yield left

    def _contradictions(self) -> Iterator[tuple[str, str, str]]:
        """Yield the keys of each two that cannot both be given, and a sentence about them."""
        for one, other, why in EXCLUDING:
            if self.has(one) and self.has(other):
                yield one, other, f"{self.title(one)} and {self.title(other)} contradict each other: {why}"
        yield from self._contradictions_of_address()

    def _contradictions_of_address(self) -> Iterator[tuple[str, str, str]]:
        address = self.get("address", "")
        is_unix = self.has("unix") or unix_path(address) is not None
        if self.has("address") and self.has("port") and (is_unix or is_passed(address)) and not self.has("unix"):
            given = f"{self.title('address')} {address}"
            why = f"{given} and {self.title('port')} contradict each other: there is no port to choose"
            yield "address", "port", why
        if self.has("reload") and is_passed(address):
            given = f"{self.title('reload')} and {self.title('address')} {address}"
            why = f"{given} contradict each other: what listens already was passed to this process alone"
            yield "reload", "address", why
        for other in ("address", "port"):
            if self.has("unix_mode") and self.has(other) and not is_unix:
                yield "unix_mode", other, self._in_vain("unix_mode", "unix")

    def _needs(self) -> Iterator[str]:
        """Yield a sentence for each that was given, and means nothing without another that was not."""
        for one, other in NEEDING:
            # In the environment it may stand ready for a time when the other is given.
            if self.has(one) and not self.has(other) and (self._given[one].is_typed or one == "tls_key"):
                yield self._in_vain(one, other)

    def _in_vain(self, one: str, other: str) -> str:
        return f"{self.title(one)} means nothing without {BY_KEY[other].option}"


def _misspelt(environment: Mapping[str, str]) -> Iterator[str]:
    """Yield a sentence for each variable that looks like one of ours, and is none."""
    known = [option.variable.removeprefix(PREFIX) for option in OPTIONS]
    for variable in sorted(environment):
        name = variable.removeprefix(PREFIX)
        if name != variable and name not in known and variable != VARIABLE:
            meant = right_spelling(name, known, 0.7)
            if meant is not None:
                yield f"nobody reads the variable {variable}: did you mean {PREFIX}{meant}?"
