"""Which files `--reload` watches: those of some kinds, below some directories."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from fnmatch import fnmatch
from pathlib import Path

from ..errors import LaunchFailure
from .loading import split_name
from .options import PATTERNS
from .settings import Settings

#: Directories that hold nobody's own code, though they may lie in the middle of it. Those with a dot in front neither.
_IGNORED = frozenset({"__pycache__", "node_modules", "site-packages", "venv"})
#: How long it is waited for more changes, and for any, in milliseconds: an editor writes several files at once.
_STEP, _MOST, _TICK = 30, 300, 100


class Watched:
    """What is watched.

    Args:
        directories: The directories, with all that is in them.
        patterns: What the files' names are like.
    """

    def __init__(self, directories: Iterable[str], patterns: Iterable[str]) -> None:
        paths = dict.fromkeys(Path(each).resolve() for each in directories)
        #: Those which lie in none of the others.
        self.directories = [each for each in paths if not any(other in each.parents for other in paths)]
        self._patterns = [*patterns]
        for directory in self.directories:
            if not directory.is_dir():
                raise LaunchFailure(f"--reload: there is no directory {str(directory)!r} to watch")

    def has(self, path: str) -> bool:
        """Tell whether a file is one of those that are watched."""
        return any(fnmatch(os.path.basename(path), each) for each in self._patterns) and not self._is_ignored(path)

    def _is_ignored(self, path: str) -> bool:
        for directory in self.directories:
            if directory in Path(path).parents:
                inside = Path(path).relative_to(directory).parent.parts
                return any(part in _IGNORED or part.startswith(".") for part in inside)
        return True

    def changes(self) -> Iterator[Sequence[str]]:
        """Yield the files that have changed, again and again; several times a second there are none.

        Raises:
            LaunchFailure: They cannot be watched.
        """
        try:
            from watchfiles import watch
        except ModuleNotFoundError:
            raise LaunchFailure("--reload needs watchfiles: pip install 'perfectws[dev]'") from None
        # Nothing is filtered in there: it would yield nothing while something else is written again and again.
        found = watch(
            *self.directories,
            watch_filter=None,
            debounce=_MOST,
            step=_STEP,
            rust_timeout=_TICK,
            yield_on_timeout=True,
            raise_interrupt=True,
        )
        try:
            for changes in found:
                yield sorted({path for _, path in changes if self.has(path)})
        except (OSError, RuntimeError) as error:  # they are too many for the system, or may not be read
            raise LaunchFailure(f"--reload cannot watch: {error}; name fewer directories by --reload-dir") from error


def watched_for(module: str, settings: Settings) -> Watched:
    """Return what is watched for a module that is served.

    Raises:
        LaunchFailure: A directory is not there.
    """
    directories = settings.get("reload_dir", [os.getcwd(), *_directory_of(module)])
    if settings.has("document_root"):
        directories = [*directories, settings.get("document_root")]
    return Watched(directories, [*PATTERNS, *settings.get("reload_include", ())])


def _directory_of(module: str) -> list[str]:
    """Return where a module lies that is given as a file."""
    path = split_name(module)[0]
    directory = os.path.dirname(os.path.abspath(path))
    return [directory] if path.endswith(".py") and os.path.isdir(directory) else []
