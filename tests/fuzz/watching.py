"""What must not happen while a target runs: an error of perfectws's own, or something left that no reference frees."""

from __future__ import annotations

import gc
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from unittest import mock

from perfectws import callbacks

_logger = logging.getLogger("perfectws")

#: What is said of a thread's call that was wrong where it took its place.
MISUSE = "A call from another thread was wrong: %s"


class Boom(Exception):
    """What a callback of the application raises on purpose."""


class Log(logging.Handler):
    """Keeps the errors that are logged, but for those that were made on purpose.

    Attributes:
        unexpected: The errors, as text: an exception would hold what it has passed through.
    """

    def __init__(self, *expected: type[Exception]) -> None:
        super().__init__(logging.ERROR)
        self._expected = expected
        self.unexpected: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        if not isinstance(error, self._expected) and record.msg != MISUSE:
            self.unexpected.append(self.format(record))


@contextmanager
def watched(*expected: type[Exception]) -> Iterator[None]:
    """Keep the collector off, and fail if an error is logged that is not one of ``expected``.

    A turn takes no time, so that nothing depends on how busy the machine is.
    """
    log, collects, propagates = Log(*expected), gc.isenabled(), _logger.propagate
    _logger.addHandler(log)
    _logger.propagate = False
    gc.disable()
    try:
        with mock.patch.object(callbacks, "perf_counter", float):
            yield
    finally:
        _logger.removeHandler(log)
        _logger.propagate = propagates
        if collects:
            gc.enable()
    assert not log.unexpected, log.unexpected[0]
