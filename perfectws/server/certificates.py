"""`Certificates`: what makes a server's connections TLS, made anew when its files have changed.

::

    look() ──nothing has changed──▶ the context that there is
       │
       └──a file has──▶ a context made of all of them ──▶ for the connections that come from now on
                             └── it cannot be: the old one stays, one line says why, and the next look tries again

A connection keeps the context that it began with, so that no open one notices. Who renews certificates need not write
all files at once: as long as they do not fit together, the old ones are used.
"""

from __future__ import annotations

import os
import ssl
import threading
from contextlib import suppress
from dataclasses import replace

import trio

from ..callbacks import logger
from .tls_configuration import TLSConfiguration, is_text

#: How often it is looked whether the files have changed, in seconds.
LOOK = 5.0
#: The files of a `TLSConfiguration`.
_FILES = ("cert_path", "key_path", "ca_cert_path")

#: What a file is known by, as far as it is there: renewing it changes something of that, also behind a link.
Stamp = tuple[int, int, int, int, int] | None


class Certificates:
    """The certificates of one server.

    Args:
        configuration: Says where they are.
        title: Whose they are, for the log.

    Attributes:
        context: The one to be used now.

    Raises:
        ValueError: As `TLSConfiguration.make_context`.
    """

    def __init__(self, configuration: TLSConfiguration, title: str) -> None:
        self._title = title
        given = {name: getattr(configuration, name) for name in _FILES}
        # The application may go to another directory.
        paths = {name: os.path.abspath(path) for name, path in given.items() if path is not None and not is_text(path)}
        self._paths = list(paths.values())
        self._stamps = self._look_at_files()
        self.context = configuration.make_context()
        self._configuration = replace(configuration, **paths)
        self._is_broken = False
        self._lock = threading.Lock()

    def current(self) -> ssl.SSLContext:
        """Return the context for a connection that begins."""
        return self.context

    async def watch(self) -> None:
        """Look every few seconds, until cancelled, in a thread: a file may be far away."""
        while self._paths:
            await trio.sleep(LOOK)
            with suppress(RuntimeError):  # the system gives us no thread: the next look may get one
                await trio.to_thread.run_sync(self.look, abandon_on_cancel=True)

    def look(self) -> None:
        """Read the files again if one of them has changed. From any thread."""
        with self._lock:
            # Before they are read: what is written meanwhile is then found by the next look.
            stamps = self._look_at_files()
            if stamps == self._stamps:
                self._is_broken = False
            else:
                self._read(stamps)

    def read_again(self) -> None:
        """Read the files again in any case, and say what has come of it. From any thread."""
        if not self._paths:
            logger.info("%s has no certificate in files: there is nothing to be read again", self._title)
            return
        with self._lock:
            self._is_broken = False
            self._read(self._look_at_files())

    def _read(self, stamps: list[Stamp]) -> None:
        try:
            self.context = self._configuration.make_context()
        except ValueError as error:
            if not self._is_broken:
                logger.error("%s keeps its certificate, since that of now cannot be used: %s", self._title, error)
            self._is_broken = True
            return
        self._stamps, self._is_broken = stamps, False
        logger.info("%s has read its certificate again", self._title)

    def _look_at_files(self) -> list[Stamp]:
        return [_stamp_of(path) for path in self._paths]


def _stamp_of(path: str) -> Stamp:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns
