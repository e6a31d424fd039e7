"""`BodySpec`: one part of a multipart form, a field or a file; and where a file's bytes are kept.

A small file stays in memory until its path is asked for; a large one is written to a temporary file as it comes. Either
is gone after `BodySpec.cleanup`.

What is written is written by whoever calls: the reader of the form sees to it that this is a thread.
"""

from __future__ import annotations

import os
import tempfile
import threading
import weakref
from contextlib import suppress
from io import BytesIO
from typing import BinaryIO

from ..errors import LocalProtocolError

#: What the names of temporary files begin with. Source: Perfect's ``kPerfectTempPrefix``.
PREFIX = "perfect_upload_"


class BodySpec:
    """One part of a multipart form: a field with its value, or a file. ``MimeReader.BodySpec`` is this class.

    A file is there until the response is over, or the client is gone: it is removed then, unless it has been moved
    (``shutil.move(upload.tmp_file_name, …)``).

    Attributes:
        field_name: The name of the form's field.
        field_value: The value of a field that is no file, else ``""``.
        content_type: The media type that the client says a part has; ``""`` if it says none.
        file_name: What the file is called at the client; ``""`` for a field. The client can write anything here, such
            as ``../../etc/passwd``: never use it as a path.
        file_size: How long the file is, in bytes.

    Source: Perfect's ``MimeReader.BodySpec``.
    """

    # Perfect differs: it writes every file to the disk, and lets every user of the machine read and change it.

    __slots__ = (
        "__weakref__",
        "_content",
        "_file",
        "_is_gone",
        "_lock",
        "_opened",
        "_output",
        "_path",
        "_remove",
        "_temp_dir",
        "content_type",
        "field_name",
        "field_value",
        "file_name",
        "file_size",
    )

    def __init__(
        self, field_name: str, content_type: str = "", file_name: str = "", temp_dir: str | None = None
    ) -> None:
        self.field_name = field_name
        self.field_value = ""
        self.content_type = content_type
        self.file_name = file_name
        self.file_size = 0
        self._temp_dir = temp_dir
        self._is_gone = False
        #: The bytes, as long as they are in memory.
        self._content: bytearray | None = bytearray()
        self._path = ""
        self._output: BinaryIO | None = None
        self._file: BinaryIO | None = None
        #: What is to be closed when the temporary file is removed.
        self._opened: list[BinaryIO] = []
        #: Removes the temporary file, at the latest when nobody knows of this part any more.
        self._remove: weakref.finalize[..., BodySpec] | None = None
        #: A thread may write while the connection ends, or ask while a thread removes.
        self._lock = threading.Lock()

    @property
    def is_file(self) -> bool:
        """Whether it is a file: of an input that was left empty, which has no file name, it is not."""
        return bool(self.file_name)

    @property
    def tmp_file_name(self) -> str:
        """The path of the temporary file, ``""`` for a field.

        A file that is still in memory is written when this is asked for.

        Raises:
            LocalProtocolError: The response is over, and the file was never written.
            OSError: It cannot be written.
        """
        if not self.is_file:
            return ""
        with self._lock:
            if not self._path:
                if self._content is None:
                    raise LocalProtocolError(
                        f"the upload {self.file_name!r} is gone: move or read it before the response is completed"
                    )
                self._write_whole(self._content)
            return self._path

    @property
    def file(self) -> BinaryIO | None:
        """The file, open for reading; ``None`` for a field, and once the response is over.

        Raises:
            OSError: The temporary file cannot be opened, or was moved before.
        """
        if not self.is_file:
            return None
        with self._lock:
            if self._file is None and not self._is_gone:
                self._file = self._open() if self._content is None else BytesIO(self._content)
            return self._file

    def cleanup(self) -> None:
        """Close the file, and remove it unless it was moved: done for you when the response is over. It blocks.

        Source: Perfect's ``cleanup()``.
        """
        with self._lock:
            self._is_gone = True
            self._content = None
            self._file = None
            if self._remove is not None:
                self._remove()

    def __repr__(self) -> str:
        if self.is_file:
            return f"<BodySpec {self.field_name!r}: file {self.file_name!r}, {self.file_size} bytes>"
        return f"<BodySpec {self.field_name!r}: {self.field_value!r}>"

    # The reader of the form calls these.

    @property
    def is_on_disk(self) -> bool:
        """Whether its bytes are, or will be, in a temporary file."""
        return self._content is None or bool(self._path)

    def hold(self, data: bytes | bytearray) -> int:
        """Keep bytes in memory; return how many there are now."""
        assert self._content is not None
        self._content += data
        return len(self._content)

    def let_go(self) -> bytes:
        """Return the bytes in memory, and keep them no more."""
        content, self._content = self._content, None
        return bytes(content or b"")

    def write(self, data: bytes) -> None:
        """Write bytes to the temporary file, which is made first if there is none. It blocks; from any thread.

        Raises:
            OSError: They cannot be written.
        """
        with self._lock:
            if not self._is_gone:
                self._write(data)

    def end_writing(self) -> None:
        """Close what was written: it is all. It blocks; from any thread."""
        with self._lock:
            self._close_output()

    def _write(self, data: bytes | bytearray) -> None:
        if self._output is None:
            descriptor, self._path = tempfile.mkstemp(prefix=PREFIX, dir=self._temp_dir)
            self._output = open(descriptor, "wb", buffering=0)  # noqa: SIM115
            self._opened = [self._output]
            self._remove = weakref.finalize(self, _close_and_remove, self._opened, self._path, os.getpid())
        with memoryview(data) as rest:
            position = 0
            while position < len(rest):
                position += self._output.write(rest[position:])

    def _open(self) -> BinaryIO:
        file = open(self._path, "rb")  # noqa: SIM115
        self._opened.append(file)
        return file

    def _write_whole(self, content: bytearray) -> None:
        try:
            self._write(content)
        except OSError:
            if self._remove is not None:
                self._remove()
            self._output, self._path = None, ""
            raise
        self._close_output()

    def _close_output(self) -> None:
        if self._output is not None:
            self._output.close()


def _close_and_remove(opened: list[BinaryIO], path: str, process: int) -> None:
    for file in opened:
        file.close()
    if os.getpid() == process:  # a forked child ends with its own copy of this call: the file is its parent's
        with suppress(OSError):  # it was moved
            os.unlink(path)
