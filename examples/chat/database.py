"""SQLite, which blocks, for a program that doesn't.

It works in a thread, on one list of jobs at a time, and each list is one transaction: while a list is being written,
the next one gathers. So the busier the chat is, the more messages share one write to the disk. Jobs are done, and their
completions are called, in the order in which they were asked for.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable
from functools import partial
from pathlib import Path
from threading import Lock
from time import monotonic
from typing import Any

from perfectws import run_in_thread

logger = logging.getLogger("examples.chat")

#: How long the same complaint is not made again, in seconds: on a full disk the log would only make it worse.
SILENCE = 60.0

#: Is given the database, in a thread, and returns what its completion is called with.
Job = Callable[[sqlite3.Connection], Any]
Completion = Callable[[Any], object]


class Database:
    """A database, and the jobs that it is given.

    Args:
        path: Its file, made if it is not there; ``None`` keeps it in memory.
        prepare: Makes the tables that are missing.
    """

    def __init__(self, path: Path | None, prepare: Callable[[sqlite3.Connection], object]) -> None:
        # One thread after the other works with it, never two at once: SQLite is content with that.
        self._connection = sqlite3.connect(path or ":memory:", check_same_thread=False, isolation_level=None)
        # FULL: what was acknowledged survives even a power cut.
        self._connection.executescript("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;")
        prepare(self._connection)
        self._jobs: list[tuple[Job, Completion]] = []
        self._is_working = False
        self._lock = Lock()
        self._silent_until: dict[str, float] = {}

    def close(self) -> None:
        """Close it, once what is being written is written. To be called when the server has stopped."""
        with self._lock:
            self._connection.close()

    def do(self, job: Job, completion: Completion) -> None:
        """Do a job in a thread. Calls back: ``completion(result)``, once; with ``None`` if it failed."""
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
            with self._lock, self._connection:
                self._connection.execute("BEGIN IMMEDIATE")
                return [self._try(job) for job in jobs]
        except Exception:  # the disk is full, say: then nothing of it is written
            self._complain("The history could not be written or read")
            return [None] * len(jobs)

    def _try(self, job: Job) -> Any:
        self._connection.execute("SAVEPOINT job")
        try:
            result = job(self._connection)
        except Exception:
            self._complain("The history could not do one of its jobs")
            self._connection.execute("ROLLBACK TO job")
            result = None
        self._connection.execute("RELEASE job")
        return result

    def _complain(self, what: str) -> None:
        """Log an error, unless the same was logged just before."""
        now = monotonic()
        if now >= self._silent_until.get(what, now):
            self._silent_until[what] = now + SILENCE
            logger.exception(what)


def _complete(completion: Completion, result: Any) -> None:
    # The completions of one list belong to different sockets: an error in one is none of the others'.
    try:
        completion(result)
    except Exception:
        logger.exception("A completion raised")
