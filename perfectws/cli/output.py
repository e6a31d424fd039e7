"""The standard streams of every command, which may be closed, full, or have lost who read them.

What was asked for goes to the output, and the command has failed if it does not get there. What is told of it goes
beside it: nothing depends on who reads that. A stream that is closed takes all, as the null device does.
"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import TextIO

_NAMES = ("stdin", "stdout", "stderr")


class OutputFailure(Exception):
    """Nothing more can be written to the standard output."""


class OutputEnded(OutputFailure):
    """Who read the standard output has had enough, which is no mistake."""


def open_streams() -> None:
    """Let all three streams be there, before something else gets the descriptor of one that is closed.

    What the output's encoding has not is written as Python writes it: a message or a name may hold anything.
    """
    while (descriptor := os.open(os.devnull, os.O_RDWR)) < len(_NAMES):
        os.set_inheritable(descriptor, True)
    os.close(descriptor)
    for number, name in enumerate(_NAMES):
        if getattr(sys, name) is None:
            setattr(sys, name, open(number, "w" if number else "r", closefd=False))  # noqa: SIM115
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


@contextmanager
def standard_output(output: TextIO | None = None) -> Iterator[TextIO]:
    """Give what is written to, and nothing else is done with, in a ``with`` block; then flush it.

    Args:
        output: Stands for the standard output of the moment.

    Raises:
        OutputEnded: Nobody reads it any more.
        OutputFailure: It cannot be written: the disk is full, say.
    """
    output = output or sys.stdout
    try:
        yield output
        output.flush()
    except BrokenPipeError as error:
        _silence(output)
        raise OutputEnded from error
    except OSError as error:
        _silence(output)
        raise OutputFailure(f"the standard output cannot be written: {error.strerror or error}") from error


def show(lines: Iterable[str]) -> None:
    """Write lines to the standard output, as far as somebody reads them. Raises `OutputFailure`."""
    text = "".join(f"{line}\n" for line in lines)
    with suppress(OutputEnded), standard_output() as output:
        output.write(text)


def tell(line: str, told: TextIO | None = None) -> None:
    """Write a line to the standard error, if that is possible; or to what stands for it."""
    told = told or sys.stderr
    try:
        told.write(f"{line}\n")
        told.flush()
    except OSError:
        _silence(told)


def flush_all() -> None:
    """Flush what others have written too, the user's code for one. Raises `OutputFailure`."""
    if sys.stderr is not None and not sys.stderr.closed:
        try:
            sys.stderr.flush()
        except OSError:
            _silence(sys.stderr)
    if sys.stdout is not None and not sys.stdout.closed:
        with suppress(OutputEnded), standard_output():
            pass


def _silence(stream: TextIO) -> None:
    """Let a stream take all: Python writes what is left in it at the end of the process, and would fail again."""
    with suppress(OSError, ValueError):  # it has no descriptor
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
