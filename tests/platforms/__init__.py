"""Other platforms, as far as they can be had on this one: see `tests.platforms.emulation`."""

from __future__ import annotations

import os
import sys

#: Names the platform that this process emulates, for the programs that it starts.
VARIABLE = "PERFECTWS_TEST_PLATFORM"


def python() -> list[str]:
    """Return the command that runs Python on the platform on which this process runs, or seems to."""
    platform = os.environ.get(VARIABLE)
    return [sys.executable, "-W", "error", *(["-m", "tests.platforms", platform] if platform else [])]
