"""``python -m tests.platforms win32 -m pytest tests/rooms``: run a module, or a file, as if on another platform."""

from __future__ import annotations

import runpy
import sys

from .emulation import PLATFORMS, emulate

USAGE = f"usage: python -m tests.platforms {'|'.join(PLATFORMS)} (-m MODULE | FILE | -c CODE) [ARGUMENT ...]"


def main(platform: str, *arguments: str) -> None:
    """Run what is asked for; it is ended by `SystemExit`, or comes back."""
    emulate(platform)
    match arguments:
        case ("-m", module, *rest):
            sys.argv = [module, *rest]
            runpy.run_module(module, run_name="__main__", alter_sys=True)
        case ("-c", code, *rest):
            sys.argv = ["-c", *rest]
            exec(compile(code, "<string>", "exec"), {"__name__": "__main__"})
        case (file, *rest):
            sys.argv = [file, *rest]
            runpy.run_path(file, run_name="__main__")


if len(sys.argv) < 3 or sys.argv[1] not in PLATFORMS:
    sys.exit(USAGE)
main(*sys.argv[1:])
