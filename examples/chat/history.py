"""The messages, kept in SQLite.

SQLite blocks, so it works in a thread, on one list of jobs at a time, and each list is one transaction: while a list is
being written, the next one gathers. So the busier the chat is, the more messages share one write to the disk. Jobs are
done, and their completions are called, in the order in which they were asked for.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from threading import Lock
from time import time
from typing import Any

from perfectws import run_in_thread

logger = logging.getLogger("examples.chat")

#: How many messages a room shows to who joins it.
SHOWN = 50

#: How many messages are kept where they are kept in memory only.
KEPT_IN_MEMORY = 10_000

SCHEMA = """
CREATE TABLE IF NOT EXISTS messages (
    id INTEGER PRIMARY KEY,
    room TEXT NOT NULL,
    name TEXT NOT NULL,
    text TEXT NOT NULL,
    time INTEGER NOT NULL,
    session TEXT NOT NULL,
    client_id TEXT NOT NULL,
    UNIQUE (room, session, client_id)
) STRICT;
CREATE INDEX IF NOT EXISTS messages_by_room ON messages (room, id);
"""

# An id is the time in milliseconds, or the next number where that is taken: so ids rise even from one database to the
# next, and a page that was connected to the one before has no message's id twice.
INSERT = """
INSERT OR IGNORE INTO messages (id, room, name, text, time, session, client_id)
VALUES (max(:time, (SELECT coalesce(max(id), 0) + 1 FROM messages)), :room, :name, :text, :time, :session, :client_id)
"""
COLUMNS = "id, room, name, text, time, session, client_id"
SELECT_ONE = f"SELECT {COLUMNS} FROM messages WHERE room = :room AND session = :session AND client_id = :client_id"
SELECT_LAST = f"SELECT {COLUMNS} FROM messages WHERE room = ? AND id > ? ORDER BY id DESC LIMIT ?"
FORGET = "DELETE FROM messages WHERE id <= (SELECT id FROM messages ORDER BY id DESC LIMIT 1 OFFSET ?)"


@dataclass(frozen=True, slots=True)
class Message:
    """A message that is stored.

    Attributes:
        id: Its number, higher than that of every message before it.
        room: The room that it was said in.
        name: Who said it.
        text: What was said.
        time: When, in milliseconds since the epoch.
        session: The digest of who said it.
        client_id: The id by which its sender knows it.
        is_new: Whether it was stored just now, and not when it was sent for the first time.
    """

    id: int
    room: str
    name: str
    text: str
    time: int
    session: str
    client_id: str
    is_new: bool = False


Job = Callable[[sqlite3.Connection], Any]
Completion = Callable[[Any], object]


class History:
    """Stores messages, and finds the last ones of a room.

    Args:
        path: The database's file, made if it is not there; ``None`` keeps the messages in memory, and only the newest.
    """

    def __init__(self, path: Path | None) -> None:
        # One thread after the other works with it, never two at once: SQLite is content with that.
        self._database = sqlite3.connect(path or ":memory:", check_same_thread=False, isolation_level=None)
        self._kept = KEPT_IN_MEMORY if path is None else None
        # FULL: what was acknowledged survives even a power cut.
        self._database.executescript("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;" + SCHEMA)
        self._jobs: list[tuple[Job, Completion]] = []
        self._is_working = False
        self._lock = Lock()

    def close(self) -> None:
        """Close the database, once what is being written is written. To be called when the server has stopped."""
        with self._lock:
            self._database.close()

    def add(
        self,
        *,
        room: str,
        name: str,
        text: str,
        session: str,
        client_id: str,
        completion: Callable[[Message | None], object],
    ) -> None:
        """Store a message, unless the same ``session`` has stored one with this ``client_id`` there before.

        Calls back: ``completion(message)`` once it is stored, with the one stored before if there was one; ``None`` if
        it could not be stored.
        """
        values = {"room": room, "name": name, "text": text, "session": session, "client_id": client_id}
        self._do(partial(self._add, {**values, "time": int(time() * 1000)}), completion)

    def last(self, room: str, after: int, completion: Callable[[list[Message] | None], object]) -> None:
        """Find the last messages of a room, but only those with an id above ``after``.

        Calls back: ``completion(messages)``, oldest first, one more than `SHOWN` where there are more; ``None`` if they
        could not be read.
        """
        self._do(partial(_last, room, after), completion)

    def _add(self, values: dict[str, Any], database: sqlite3.Connection) -> Message:
        is_new = database.execute(INSERT, values).rowcount == 1
        if self._kept is not None:
            database.execute(FORGET, [self._kept])
        message = Message(*database.execute(SELECT_ONE, values).fetchone())
        return replace(message, is_new=is_new)

    def _do(self, job: Job, completion: Completion) -> None:
        self._jobs.append((job, completion))
        if not self._is_working:
            self._work()

    def _work(self) -> None:
        jobs, self._jobs = self._jobs, []
        self._is_working = True

        future = run_in_thread(partial(self._run, [job for job, _ in jobs]))
        future.when_success(partial(self._settle, jobs))
        # No thread could be had, say. Whatever it was, these jobs are over, and the next ones have their turn.
        future.when_failure(lambda error: self._settle(jobs, [None] * len(jobs)))

    def _settle(self, jobs: list[tuple[Job, Completion]], results: list[Any]) -> None:
        self._is_working = False
        if self._jobs:
            self._work()
        for (_, completion), result in zip(jobs, results, strict=True):
            _complete(completion, result)

    def _run(self, jobs: list[Job]) -> list[Any]:
        """Do some jobs in one transaction; what one of them raises is none of the others'. In a thread."""
        try:
            with self._lock, self._database:
                self._database.execute("BEGIN IMMEDIATE")
                return [self._try(job) for job in jobs]
        except Exception:  # the disk is full, say: then nothing of it is written
            logger.exception("The history could not be written or read")
            return [None] * len(jobs)

    def _try(self, job: Job) -> Any:
        self._database.execute("SAVEPOINT job")
        try:
            result = job(self._database)
        except Exception:
            logger.exception("The history could not do one of its jobs")
            self._database.execute("ROLLBACK TO job")
            result = None
        self._database.execute("RELEASE job")
        return result


def _last(room: str, after: int, database: sqlite3.Connection) -> list[Message]:
    rows = database.execute(SELECT_LAST, (room, after, SHOWN + 1)).fetchall()
    return [Message(*row) for row in reversed(rows)]


def _complete(completion: Completion, result: Any) -> None:
    # The completions of one list belong to different sockets: an error in one is none of the others'.
    try:
        completion(result)
    except Exception:
        logger.exception("A completion raised")
