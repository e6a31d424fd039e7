"""Clients that come and go between two processes miss nothing, or are told that there is a gap.

Whatever is sent, delayed, appended twice, trimmed or lost, in any order: what a client has been given, behind the
position of which it was told last that nothing is missing, is all that the log has had behind that, each process's
messages in their order; and what comes again it knows by its id.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from perfectws.rooms.position import NOWHERE, Position
from perfectws.rooms.recent import once

from ..rooms.fakes import Client, FakeLog, Process

#: What happens often, and what happens now and then; in which process or to which person; how much.
OFTEN = ["send", "push", "pull", "come"]
SELDOM = ["twice", "fail", "trim", "lose", "late", "go", "hesitate"]
STEPS = st.lists(
    st.tuples(st.sampled_from([*OFTEN, *OFTEN, *OFTEN, *SELDOM]), st.integers(0, 1), st.integers(0, 3)),
    min_size=20,
    max_size=50,
)


@dataclass
class Person:
    """Somebody with a browser: what they have, through all their connections.

    Attributes:
        client: The connection, if there is one.
        position: The position of the last message, or of what they were told.
        base: From where on nothing is missing.
        excused: What was said before, where they came to: who is not told that nothing is missing loads that.
        known: The ids of what they have, with what each says, in the order in which it came first.
        is_torn: Whether something is in no log, where they came to, that was said behind the position they came with.
    """

    client: Client | None = None
    position: str | None = None
    base: Position | None = None
    excused: set[str] = field(default_factory=set)
    known: dict[str, str] = field(default_factory=dict)
    said: set[str] = field(default_factory=set)
    is_torn: bool = False

    def look(self, log: FakeLog, unread: int = 0) -> None:
        """Read what the connection has brought, but for the last messages, which did not get through."""
        if self.client is None or not self.client.recoveries:
            return
        (recovery,) = self.client.recoveries
        came_with, position = self.position, Position.parse(recovery.position)
        entries = self.client.entries()
        assert len({identity for identity, _, _ in entries}) == len(entries), "one connection is given each once"
        if came_with is None or not recovery.recovered:
            self.base = position
            self.known.clear()
            self.excused = self.said
        if unread < len(entries) - recovery.missed:
            entries = entries[: len(entries) - unread]
        self.position = recovery.position
        for identity, at, text in entries:
            assert self.known.setdefault(identity, text) == text
            self.position = str(at)
            if self.base == NOWHERE:
                self.base = at
        if recovery.recovered and came_with is not None:
            missed = said_between(log, Position.parse(came_with), position)
            assert missed - self.excused <= set(self.known.values()), "what is called recovered is"
            assert not self.is_torn, "where something is missing, nothing is called recovered"

    def come(self, log: FakeLog, process: Process, said: set[str]) -> None:
        """Connect, to a process that has sent something already."""
        self.go(log, 1)
        self.said = set(said)
        broker = process.broker
        self.is_torn = broker.lost > broker.logged or is_torn(log, self.position, broker.position)
        self.client = process.join(after=self.position)

    def go(self, log: FakeLog, unread: int) -> None:
        """Lose the connection."""
        self.look(log, unread)
        if self.client is not None:
            self.client.leave()
            self.client = None


def is_torn(log: FakeLog, position: str | None, end: Position | None) -> bool:
    """Tell whether the log says that something is missing behind a position, as far as it has been heard."""
    start = Position.parse(position or "")
    return start is not None and end is not None and any(start < torn <= end for torn in log.torn)


def said_between(log: FakeLog, start: Position | None, end: Position | None) -> set[str]:
    """Return what the log has had between two positions, where it had it first."""
    assert start is not None
    assert end is not None
    return {message.data.decode() for message in once(log.all) if start < message.position <= end}


class World:
    """Two processes, two people, and a log."""

    def __init__(self) -> None:
        self.log = FakeLog()
        self.processes = [Process(self.log) for _ in range(2)]
        self.people = [Person(), Person()]
        self.sent: list[set[str]] = [set(), set()]
        self.count = 0
        #: Whether each process has to wait for what its broker owes it.
        self.hesitates = [False, False]
        for which in (0, 1):
            self.take_step("come", which, which)

    def take_step(self, what: str, which: int, much: int) -> None:
        process, person = self.processes[which], self.people[which]
        with process.running():
            match what:
                case "send":
                    for _ in range(much):
                        self.count += 1
                        self.sent[which].add(str(self.count))
                        process.room.send_string_message(str(self.count))
                case "push":
                    process.broker.push()
                case "twice":
                    process.broker.push(again=True)
                case "fail":
                    process.broker.lose()
                case "pull":
                    process.broker.pull(much)
                case "hesitate":
                    self.hesitates[which] = not self.hesitates[which]
                case "late":
                    process.loop.advance(1.0 * much)
                case "trim":
                    self.log.trim(much)
                case "lose":
                    self.log.lose()
                case "come":
                    person.come(self.log, self.processes[much % 2], self.sent[much % 2])
                case "go":
                    person.go(self.log, much)
        for each, hesitates in zip(self.processes, self.hesitates, strict=True):
            if not hesitates:
                self.answer(each)

    def answer(self, process: Process) -> None:
        """Tell a process all that it waits for."""
        with process.running():
            process.broker.begin()
            while process.broker.answers:
                process.broker.answer()

    def settle(self) -> None:
        """Let all that is on its way arrive."""
        for process in self.processes:
            with process.running():
                process.broker.push()
        for process in self.processes:
            self.answer(process)
            with process.running():
                process.broker.pull(1_000)
            self.answer(process)
            with process.running():
                process.loop.advance(10)


@given(STEPS)
def test_nothing_is_missing_or_a_gap_is_told(steps: list[tuple[str, int, int]]) -> None:
    world = World()
    for step in steps:
        world.take_step(*step)
    world.settle()
    for person in world.people:
        person.look(world.log)
        if person.client is not None:
            (recovery,) = person.client.recoveries
            assert recovery.has_joined
            check_order(world, person)
            check_completeness(world, person)


def check_order(world: World, person: Person) -> None:
    """Look whether what each process has sent came in its order; but for what was said before they came."""
    base = person.base
    before = {message.data.decode() for message in world.log.all if base is not None and message.position <= base}
    highest: dict[str, int] = {}
    for identity, text in person.known.items():
        if text not in before | person.excused:
            instance, _, sequence = identity.partition("-")
            assert int(sequence) > highest.get(instance, 0)
            highest[instance] = int(sequence)


def check_completeness(world: World, person: Person) -> None:
    """Compare what somebody has with all that there was, but for what a process they were in never got either."""
    base = person.base
    if base is None or base == NOWHERE:
        return  # nothing was said since a position is known
    holes = [hole for process in world.processes for hole in process.broker.holes]
    expected = {
        message.data.decode()
        for message in once(world.log.all)
        if message.position > base and not any(start < message.position <= end for start, end in holes)
    }
    assert expected - person.excused <= set(person.known.values())
