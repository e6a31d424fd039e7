"""Who is in the rooms: what this process says of its own people, and what others say of theirs.

All of them stand in one hash per room, each under its process's name. Who lives, and so is to be seen, the `Lease`
knows. What changes is announced on the room's channel; the hash is read when a room begins to listen, over each new
connection, and when what it says can be believed again.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from itertools import islice
from threading import Lock

from ...log_limit import LogLimit
from ..broker import Person
from .connection import RedisConnection, refusal
from .keys import Keys
from .lease import Lease, Neighbours
from .people import Change, Done, RoomPeople, instance_of, read_person
from .room import RedisRoom
from .scripts import ENTER, EXIT, PEOPLE
from .signal import Signal
from .wire import Answer

#: How many changes are said at once, and how many rooms are read.
BATCH = 100
#: How long somebody waits for Redis to look whether a name is free, in seconds.
PATIENCE = 2.0
#: How long what was refused waits before it is said again, in seconds.
RETRY_SECONDS = 1.0


class Presence(Neighbours):
    """Tells Redis who is in the rooms here, and the rooms who is there elsewhere.

    Args:
        lease: How long the word of a process holds that it lives, in seconds.
        keys: What the keys are called.
        log: Where to say what goes wrong.

    Attributes:
        lease: Which processes live.
        signal: Set when there is something to do.
    """

    def __init__(self, lease: float, keys: Keys, log: LogLimit) -> None:
        self.lease = Lease(lease, keys, self, log)
        self.signal = Signal()
        self._keys = keys
        self._log = log
        self._lock = Lock()
        self._rooms: dict[RedisRoom, RoomPeople] = {}
        #: Who is to be told of, in this order, and which rooms are to be read.
        self._unsaid: dict[tuple[RedisRoom, int], None] = {}
        self._unread: dict[RedisRoom, None] = {}

    def __bool__(self) -> bool:
        """Tell whether anything is to be said."""
        return bool(self._unsaid)

    # Our own people. From any thread.

    def enter(self, room: RedisRoom, member: int, person: Person, is_unique: bool, done: Done) -> None:
        """Say that a member is there; see `perfectws.rooms.broker.Channel.enter`."""
        self._change(room, member, Change(person, is_unique, done))

    def exit(self, room: RedisRoom, member: int) -> None:
        """Say that a member has left."""
        self._change(room, member, Change(None))

    def _change(self, room: RedisRoom, member: int, change: Change) -> None:
        with self._lock:
            people = self._rooms.setdefault(room, RoomPeople())
            before = people.unsaid.get(member)
            people.unsaid[member] = change
            self._unsaid[room, member] = None
        if before is None:
            room.hold()
        elif before.done is not None:
            before.done(change.person is not None)
        self.signal.set()

    def forgotten(self) -> None:
        """Say all again."""
        for room, people in self._all():
            self._say_again(room, people)

    def _say_again(self, room: RedisRoom, people: RoomPeople) -> None:
        for member, person in list(people.mine.items()):
            if member not in people.unsaid:
                self._change(room, member, Change(person))

    def give_up(self) -> None:
        """Tell all that wait that they have entered: nobody can be asked."""
        with self._lock:
            waiting = [(room, member, self._rooms[room].unsaid[member]) for room, member in self._unsaid]
        for room, member, change in waiting:
            if change.done is not None:
                self._change(room, member, Change(change.person))

    async def run(self, connection: RedisConnection) -> None:
        """Say and read what there is, over one connection, until it is lost."""
        for people in self._rooms.values():
            people.early = None
        while True:
            has_said = await self.say(connection)
            has_read = await self._read(connection)
            if not has_said and not has_read:
                await self.signal.wait()

    async def say(self, connection: RedisConnection) -> bool:
        """Say some of what is to be said; tell whether there was any."""
        from trio import move_on_after, sleep

        with self._lock:
            batch = [(room, member, self._rooms[room].unsaid[member]) for room, member in islice(self._unsaid, BATCH)]
        answers = [self._ask(connection, *each) for each in batch]
        was_refused = False
        with move_on_after(PATIENCE) as waiting:
            for (room, member, change), answer in zip(batch, answers, strict=True):
                was_refused |= self._take_answer(room, member, change, await answer)
        if waiting.cancelled_caught:
            self.give_up()
        if was_refused:
            await sleep(RETRY_SECONDS)
        return bool(batch)

    def _ask(self, connection: RedisConnection, room: RedisRoom, member: int, change: Change) -> Answer:
        keys, key = [room.log, self._keys.instances], b"%b:%d" % (self.lease.own_name(), member)
        if change.person is None:
            return connection.run_script(EXIT, keys, room.channel, key)
        who, value = change.person.who, json.dumps(change.person).encode()
        return connection.run_script(ENTER, keys, room.channel, key, value, who.encode(), int(change.is_unique))

    def _take_answer(self, room: RedisRoom, member: int, change: Change, answer: object) -> bool:
        """Take what Redis says to a change; tell whether it was refused, and is to be said again."""
        if answer not in (0, 1):
            self._log.log("presence", "Redis does not take who is in room %r: %s", room.name, refusal(answer))
        with self._lock:
            people = self._rooms[room]
            if people.unsaid[member] is not change:
                return False  # something newer is to be said
            if answer not in (0, 1):
                people.unsaid[member] = Change(change.person)
            else:
                self._settle(room, people, member, change, answer == 1)
        if answer in (0, 1):
            room.release()
        if change.done is not None:
            change.done(answer != 0)
        return answer not in (0, 1)

    def _settle(self, room: RedisRoom, people: RoomPeople, member: int, change: Change, is_so: bool) -> None:
        del people.unsaid[member], self._unsaid[room, member]
        if change.person is None:
            people.mine.pop(member, None)
        elif is_so:
            people.mine[member] = change.person
        if people.is_empty:
            del self._rooms[room]

    # The people of others. In the broker's loop.

    def count(self, room: RedisRoom, people: int) -> None:
        """Take it how many there are in a room, which begins to listen, or listens over a new connection."""
        known = self._rooms.get(room)
        if people or known is not None:
            self._read_soon([room])
        if known is not None and people < len(known.mine):
            self._say_again(room, known)  # Redis had no memory left, and took that of this

    def forget(self, room: RedisRoom) -> None:
        """Forget who is there elsewhere: the room listens no longer."""
        with self._lock:
            self._unread.pop(room, None)
            people = self._rooms.get(room)
            if people is not None:
                people.forget_others()
                people.early = None
                if people.is_empty:
                    del self._rooms[room]

    def _read_soon(self, rooms: Iterable[RedisRoom]) -> None:
        with self._lock:
            self._unread.update(dict.fromkeys(rooms))
        self.signal.set()

    async def _read(self, connection: RedisConnection) -> bool:
        """Read who is in some of the rooms; tell whether there were any to read."""
        with self._lock:
            batch = [(room, self._rooms.setdefault(room, RoomPeople())) for room in islice(self._unread, BATCH)]
            for room, people in batch:
                del self._unread[room]
                people.early = []
        sweeps = int(self.lease.is_sound)
        answers = [connection.run_script(PEOPLE, [room.log, self._keys.instances], sweeps) for room, _ in batch]
        for (room, people), answer in zip(batch, answers, strict=True):
            self._compare(room, people, await answer)
        return bool(batch)

    def _compare(self, room: RedisRoom, people: RoomPeople, found: list[bytes]) -> None:
        """Take who is in a room by what the hash says, and by what was announced while it was read."""
        if not room.is_open or people.early is None:
            return
        now: dict[str, Person | None] = {}
        if self.lease.is_sound:
            now.update((key, None) for others in people.others.values() for key in others)
        now.update(filter(None, map(read_person, found[::2], found[1::2])))
        now.update(people.early)
        people.early = None
        self._put(room, people, now)

    def hear(self, room: RedisRoom, said: bytes) -> None:
        """Take what is said on a room's channel of one of its people."""
        key, _, value = said[1:].partition(b" ")
        change = read_person(key, value if said[:1] == b"p" else b"")
        if change is None:
            return
        with self._lock:
            people = self._rooms.setdefault(room, RoomPeople())
        if people.early is not None:
            people.early.append(change)
        if change[1] is not None and instance_of(change[0]) != self.lease.own_name():
            self.lease.meet(instance_of(change[0]))
        self._put(room, people, dict([change]))

    def _put(self, room: RedisRoom, people: RoomPeople, now: dict[str, Person | None]) -> None:
        """Take note of people of other processes, and tell the room of those that it is to see."""
        arrived, gone, own = {}, [], self.lease.own_name()
        for key, person in now.items():
            if instance_of(key) != own and people.put(key, person):
                if person is None:
                    gone.append(key)
                elif instance_of(key) in self.lease.living:
                    arrived[key] = person
        _tell(room, arrived, gone)

    def arrived(self, instances: Iterable[bytes]) -> None:
        """Let the rooms see the people of processes that live."""
        for room, people in self._all():
            for name in instances:
                _tell(room, people.others.get(name, {}), ())

    def gone(self, instances: Iterable[bytes], *, for_good: bool) -> None:
        """Let the rooms see the people of processes that do not live no longer."""
        for room, people in self._all():
            for name in instances:
                _tell(room, {}, list(people.others.get(name, ())))
                if for_good:
                    people.forget_others(name)

    def sound(self) -> None:
        """Find out who has left meanwhile."""
        self._read_soon(room for room, people in self._all() if people.others)

    def _all(self) -> list[tuple[RedisRoom, RoomPeople]]:
        with self._lock:
            return list(self._rooms.items())


def _tell(room: RedisRoom, arrived: Mapping[str, Person], gone: Collection[str]) -> None:
    subscriber = room.subscriber
    if room.is_open and subscriber is not None and (arrived or gone):
        subscriber.people_changed(arrived, gone)
