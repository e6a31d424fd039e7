"""The messages, kept in SQLite."""

from __future__ import annotations

import sqlite3
from dataclasses import astuple, replace
from functools import partial
from pathlib import Path
from time import time
from typing import Any

from perfectws import WebSocket

from .audience import Audience
from .database import Database
from .messages import NOT_READ, NOT_STORED, NOT_THERE, NOT_YOURS, SHOWN, Change, Excerpt, Message, Read, excerpt

#: How many messages are kept where they are kept in memory only.
KEPT_IN_MEMORY = 10_000

#: Who missed more than so many changes is shown the newest messages instead.
MAX_MISSED = 200
MAX_MISSED_TEXT = 1024 * 1024  # characters

SCHEMA = """
CREATE TABLE IF NOT EXISTS messages (
    id INTEGER PRIMARY KEY,
    room TEXT NOT NULL,
    name TEXT NOT NULL,
    text TEXT NOT NULL,
    time INTEGER NOT NULL,
    session TEXT NOT NULL,
    client_id TEXT NOT NULL,
    image TEXT NOT NULL DEFAULT '',
    state TEXT NOT NULL DEFAULT '',
    position INTEGER NOT NULL DEFAULT 0,
    UNIQUE (room, session, client_id)
) STRICT;
CREATE INDEX IF NOT EXISTS messages_by_room ON messages (room, id);
"""
#: What a database of the chat's first version lacks.
NEWER_COLUMNS = {
    "image": "TEXT NOT NULL DEFAULT ''",
    "state": "TEXT NOT NULL DEFAULT ''",
    "position": "INTEGER NOT NULL DEFAULT 0",
}
INDEXES = """
UPDATE messages SET position = id WHERE position = 0;
CREATE INDEX IF NOT EXISTS messages_by_change ON messages (room, position);
CREATE INDEX IF NOT EXISTS messages_in_order ON messages (position);
"""

# An id is the time in milliseconds, or the next number where that is taken: so ids rise even from one database to the
# next, and a page that was connected to the one before has no message's id twice. Changes are numbered likewise.
NEXT = "max(:time, (SELECT coalesce(max(position), 0) + 1 FROM messages))"
INSERT = f"""
INSERT OR IGNORE INTO messages (id, position, room, name, text, time, session, client_id, image)
SELECT next, next, :room, :name, :text, :time, :session, :client_id, :image FROM (SELECT {NEXT} AS next)
"""
UPDATE = f"UPDATE messages SET text = :text, state = :state, image = :image, position = {NEXT} WHERE id = :id"
COLUMNS = "id, room, name, text, time, session, client_id, image, state, position"
SELECT = f"SELECT {COLUMNS} FROM messages WHERE room = :room "
ONE = SELECT + "AND id = :id"
SAID_BEFORE = SELECT + "AND session = :session AND client_id = :client_id"
NEWEST = SELECT + "AND id > :after AND id < :before AND state != 'deleted' ORDER BY id DESC LIMIT :limit"
CHANGES = SELECT + "AND position > :after ORDER BY position LIMIT :limit"
POSITION = "SELECT coalesce(max(position), 0) FROM messages WHERE room = :room"
FORGET = "DELETE FROM messages WHERE id <= (SELECT id FROM messages ORDER BY id DESC LIMIT 1 OFFSET ?)"

END = 2**63 - 1  # above every id


def prepare(database: sqlite3.Connection) -> None:
    """Make the tables, and add what an older database lacks."""
    database.executescript(SCHEMA)
    there = {column for _, column, *_ in database.execute("PRAGMA table_info(messages)")}
    for column, definition in NEWER_COLUMNS.items():
        if column not in there:
            database.execute(f"ALTER TABLE messages ADD COLUMN {column} {definition}")
    database.executescript(INDEXES)


class History:
    """The messages of all rooms.

    Args:
        path: The database's file, made if it is not there; ``None`` keeps the messages in memory, and only the newest.
    """

    def __init__(self, path: Path | None) -> None:
        self.database = Database(path, prepare)
        self.kept = KEPT_IN_MEMORY if path is None else None

    def close(self) -> None:
        """Close the database. To be called when the server has stopped."""
        self.database.close()

    def log_of(self, room: str, audience: Audience) -> RoomHistory:
        """Return the log of a room, whose pages are the audience."""
        return RoomHistory(room, self, audience)


class RoomHistory:
    """The messages of one room: its `RoomLog`."""

    def __init__(self, room: str, history: History, audience: Audience) -> None:
        self.room = room
        self._audience = audience
        self._history = history
        self._do = history.database.do

    def add(self, message: Message, completion: Change) -> None:
        self._do(partial(_add, message, self._history.kept), lambda stored: completion(stored or NOT_STORED))

    def change(self, message_id: int, session: str | None, text: str, completion: Change) -> None:
        values = {"room": self.room, "id": message_id, "text": text, "time": int(time() * 1000)}
        self._do(partial(_change, values, session), lambda changed: completion(changed or NOT_STORED))

    def follow(self, session: str, socket: WebSocket, after: str, completion: Read) -> None:
        def found(found: Excerpt | None) -> None:
            # Nothing is missed or doubled: what is stored before this is found, what is stored later is told later.
            self._audience.join(socket)
            completion(found or NOT_READ)

        self._do(partial(_missed, self.room, after), found)

    def newest(self, session: str, after: int, completion: Read) -> None:
        self._do(partial(_newest, self.room, after, END), lambda found: completion(found or NOT_READ))

    def older(self, before: int, completion: Read) -> None:
        self._do(partial(_newest, self.room, 0, before), lambda found: completion(found or NOT_READ))


# The jobs, each done in a thread.


def _add(message: Message, kept: int | None, database: sqlite3.Connection) -> Message:
    names = Message.__slots__
    values = dict(zip(names, astuple(message), strict=True))
    is_new = database.execute(INSERT, values).rowcount == 1
    if kept is not None:
        database.execute(FORGET, [kept])
    return replace(_select(SAID_BEFORE, values, database)[0], is_new=is_new)


def _change(values: dict[str, Any], session: str | None, database: sqlite3.Connection) -> Any:
    found = _select(ONE, values, database)
    if not found or found[0].state == "deleted":
        return NOT_THERE
    if session is not None and found[0].session != session:
        return NOT_YOURS
    is_deleted = values["text"] == ""
    image = "" if is_deleted else found[0].image
    database.execute(UPDATE, {**values, "image": image, "state": "deleted" if is_deleted else "edited"})
    return _select(ONE, values, database)[0]


def _missed(room: str, after: str, database: sqlite3.Connection) -> Excerpt:
    position = str(database.execute(POSITION, {"room": room}).fetchone()[0])
    if after.isascii() and after.isdigit() and len(after) < 19:
        values = {"room": room, "after": int(after), "limit": MAX_MISSED + 1}
        changes = _select(CHANGES, values, database)
        if len(changes) <= MAX_MISSED and sum(len(message.text) for message in changes) <= MAX_MISSED_TEXT:
            return Excerpt(changes, goes_on=True, position=max(after, position, key=int))
    return _newest(room, 0, END, database)._replace(position=position)


def _newest(room: str, after: int, before: int, database: sqlite3.Connection) -> Excerpt:
    return excerpt(_select(NEWEST, {"room": room, "after": after, "before": before, "limit": SHOWN + 1}, database))


def _select(query: str, values: dict[str, Any], database: sqlite3.Connection) -> list[Message]:
    return [Message(*row) for row in database.execute(query, values)]
