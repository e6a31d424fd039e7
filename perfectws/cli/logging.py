"""What `serve` writes to the standard error: text for people, or a line of JSON for each record."""

from __future__ import annotations

import json
import logging
import sys
import time
from typing import Any

#: What every record has, and is no ``extra``.
_ORDINARY = frozenset({*vars(logging.makeLogRecord({})), "message", "asctime", "taskName"})


class JSONFormatter(logging.Formatter):
    """Writes a record as one line of JSON: ``time``, ``level``, ``logger``, ``message``, perhaps ``exception``, and
    every attribute that came by ``extra=``.

    The time is UTC, as RFC 3339 has it. What JSON has no form for stands there as its ``repr``.
    """

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        line: dict[str, Any] = {
            "time": self._time_of(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        if record.stack_info:
            line["stack"] = self.formatStack(record.stack_info)
        line |= {name: value for name, value in vars(record).items() if name not in _ORDINARY and name not in line}
        return _as_json(line)

    def _time_of(self, record: logging.LogRecord) -> str:
        return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(record.created))}.{int(record.msecs):03d}Z"


def _as_json(line: dict[str, Any]) -> str:
    try:
        return _strictly(line)
    except Exception:  # a key that is no str, NaN, a circle, a repr that fails; or it is too deep
        return "{" + ", ".join(f"{json.dumps(str(name))}: {_piece(value)}" for name, value in line.items()) + "}"


def _piece(value: object) -> str:
    try:
        return _strictly(value)
    except Exception:
        return json.dumps(_safe_repr(value))


def _strictly(value: object) -> str:
    return json.dumps(value, default=repr, allow_nan=False)


def _safe_repr(value: object) -> str:
    try:
        return repr(value)
    except Exception:  # it is the user's, or that of something too deep
        return object.__repr__(value)


def configure(level: str, form: str, has_access_log: bool) -> None:
    """Let what is logged be written.

    The application's own records are written likewise. Where it has given the root logger a handler already, that stays
    as it is, and only the levels are set.

    Args:
        level: The least that is written: ``"info"``.
        form: ``"text"`` or ``"json"``.
        has_access_log: Whether the access log is written too, whatever the level.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JSONFormatter() if form == "json" else logging.Formatter("%(message)s"))
    logging.basicConfig(level=level.upper(), handlers=[handler])
    logging.getLogger("perfectws").setLevel(level.upper())
    if has_access_log:
        logging.getLogger("perfectws.access").setLevel(logging.INFO)
