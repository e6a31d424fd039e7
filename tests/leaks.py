"""Secrets, and where they must not turn up: in what is logged above DEBUG, in what is printed, in errors.

Each secret holds `MARK`, which stands in no source line that a traceback could show.
"""

from __future__ import annotations

import base64
import logging
import traceback
from collections.abc import Iterator
from contextlib import contextmanager

from perfectws.cli.logging import JSONFormatter

from .peer import HANDSHAKE_KEY

MARK = "-".join(["s3cr3t", "M4RK"])


def secret(place: str) -> str:
    """Return a secret that says where it was: letters, digits and hyphens, so that it can stand anywhere."""
    return f"{place}-{MARK}"


def basic(user: str, password: str) -> str:
    """Return credentials as ``Authorization`` has them."""
    return base64.b64encode(f"{user}:{password}".encode()).decode()


def _in_base64(before: int) -> str:
    """Return what the mark looks like in Base64 behind so many bytes, as far as nothing else has a part in it."""
    end = before + len(MARK)
    return base64.b64encode(bytes(before) + MARK.encode()).decode()[-(-before * 4 // 3) : end * 4 // 3]


#: What is looked for: a secret as it is, in Base64 wherever it begins in there, and the key of a handshake.
FORMS = (MARK, *map(_in_base64, range(3)), HANDSHAKE_KEY)


class Records(logging.Handler):
    """What was logged above DEBUG, by any logger: as text, as JSON, and as it is."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG + 1)
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        for formatter in (logging.Formatter("%(levelname)s %(name)s %(message)s"), JSONFormatter()):
            self.texts.append(formatter.format(record))
        self.texts.append(repr((record.msg, record.args)))

    @property
    def text(self) -> str:
        return "\n".join(self.texts)


def told_by(error: BaseException) -> str:
    """Return all that a log would have of an error."""
    return "".join(traceback.format_exception(error))


def assert_tells_nothing(text: str) -> None:
    """Fail if a secret stands in a text."""
    for form in FORMS:
        at = text.find(form)
        assert at < 0, f"a secret is told: …{text[max(0, at - 200) : at + 80]}…"


@contextmanager
def watched() -> Iterator[Records]:
    """Listen to all loggers, the access log too, and fail at the end if one has told a secret."""
    records, root, access = Records(), logging.getLogger(), logging.getLogger("perfectws.access")
    levels = root.level, access.level
    root.addHandler(records)
    root.setLevel(logging.DEBUG)
    access.setLevel(logging.INFO)
    try:
        yield records
    finally:
        root.removeHandler(records)
        root.setLevel(levels[0])
        access.setLevel(levels[1])
    assert_tells_nothing(records.text)
