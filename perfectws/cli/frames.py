"""Where in the user's code an error has come from."""

from __future__ import annotations

import os
import sysconfig
from types import TracebackType

#: Where code lies that is not the user's: perfectws, the standard library, and what is installed.
_OTHERS = tuple(
    os.path.join(path, "")
    for path in {
        os.path.dirname(os.path.dirname(os.path.abspath(__file__))),
        *(sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")),
    }
)


def first_of_user(error: BaseException) -> TracebackType | None:
    """Return an error's traceback from the first frame of the user's code on; ``None`` if there is none."""
    frames = error.__traceback__
    while frames is not None and not _is_users(frames):
        frames = frames.tb_next
    return frames


def place_of(error: BaseException) -> str:
    """Return the file and the line, in the user's code, that an error has come from: the last of its frames there."""
    if isinstance(error, SyntaxError) and error.filename is not None:
        return f"{_short(error.filename)}:{error.lineno}"
    frames, every = error.__traceback__, []
    while frames is not None:
        every.append(frames)
        frames = frames.tb_next
    if not every:
        return "?"
    last = ([each for each in every if _is_users(each)] or every)[-1]  # what serves may be installed itself
    return f"{_short(last.tb_frame.f_code.co_filename)}:{last.tb_lineno}"


def _is_users(frames: TracebackType) -> bool:
    path = frames.tb_frame.f_code.co_filename
    return not path.startswith(("<frozen", *_OTHERS))


def _short(path: str) -> str:
    """Return a path as it is shown: from the current directory on, if it lies in there."""
    inside = os.path.relpath(path) if os.path.isabs(path) else path
    return path if inside.startswith(os.pardir) else inside
