"""Where in the user's code an error has come from."""

from __future__ import annotations

import os
import sysconfig
from traceback import TracebackException
from types import TracebackType


def _paths_of(*names: str) -> tuple[str, ...]:
    return tuple(os.path.join(sysconfig.get_path(name), "") for name in names)


#: Where code lies that is not the user's: perfectws, what is installed, and the standard library.
_OURS = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "")
_INSTALLED = _paths_of("purelib", "platlib")
_OTHERS = (_OURS, *_INSTALLED, *_paths_of("stdlib", "platstdlib"))


def first_of_user(error: BaseException) -> TracebackType | None:
    """Return an error's traceback from the first frame of the user's code on; ``None`` if there is none."""
    frames = error.__traceback__
    while frames is not None and not _is_users(frames):
        frames = frames.tb_next
    return frames


def place_of(error: BaseException) -> str | None:
    """Return the file and the line, in the user's code, that an error has come from: the last of its frames there.

    What serves may be installed itself: then it is the last one of what is. ``None`` if it has come from neither.
    """
    if isinstance(error, SyntaxError) and error.filename is not None:
        return f"{_short(error.filename)}:{error.lineno}"
    frames, every = error.__traceback__, []
    while frames is not None:
        every.append(frames)
        frames = frames.tb_next
    for is_meant in (_is_users, _is_installed):
        for each in reversed(every):
            if is_meant(each):
                return f"{_short(_file_of(each))}:{each.tb_lineno}"
    return None


def in_one_line(error: BaseException) -> str:
    """Return an error's type and what it says, which may be several lines, as one."""
    found = TracebackException.from_exception(error)  # which tells one as well whose __str__ fails
    said = getattr(found, "msg", None) or str(found)  # a SyntaxError's without the place
    return ": ".join(filter(None, (type(error).__qualname__, " ".join(said.split()))))


def _is_users(frames: TracebackType) -> bool:
    return not _file_of(frames).startswith(("<frozen", *_OTHERS))


def _is_installed(frames: TracebackType) -> bool:
    path = _file_of(frames)
    return path.startswith(_INSTALLED) and not path.startswith(_OURS)


def _file_of(frames: TracebackType) -> str:
    return frames.tb_frame.f_code.co_filename


def _short(path: str) -> str:
    """Return a path as it is shown: from the current directory on, if it lies in there."""
    inside = os.path.relpath(path) if os.path.isabs(path) else path
    return path if inside.startswith(os.pardir) else inside
