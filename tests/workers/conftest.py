"""Workers are forked: where there is no fork, nothing here is collected."""

from __future__ import annotations

import sys

if sys.platform == "win32":
    collect_ignore_glob = ["test_*.py"]
else:
    from .programs import run

    __all__ = ["run"]  # a fixture
