"""How this process was started, so that it can be started again."""

from __future__ import annotations

import os
import sys
from typing import NamedTuple

#: Names the environment variable by which a program knows that it was started to succeed another.
VARIABLE = "PERFECTWS_SUCCESSION"


class Program(NamedTuple):
    """A program.

    Attributes:
        directory: Where it was started.
        command: By what; empty if it was typed in, or came through a pipe.
    """

    directory: str
    command: list[str]


def _directory() -> str:
    """Return the current directory by the name that it was entered by.

    That may be a link, which points to another release when it is entered again.
    """
    here = os.getcwd()
    name = os.environ.get("PWD", here)
    try:
        return name if os.path.samefile(name, here) else here
    except OSError:
        return here


def _command() -> list[str]:
    arguments = sys.orig_argv[1:]
    return [sys.executable, *arguments] if sys.executable and arguments and arguments != ["-"] else []


#: This one. It is asked for early: the application may go to another directory before it launches.
PROGRAM = Program(_directory(), _command())
