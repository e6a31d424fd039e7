"""`MimeReader`: a multipart form, read as it comes.

Nothing is read twice, and of a file nothing is kept that may go to the disk, so that time and memory are bounded
whatever the form's size and however it is cut::

    PREAMBLE ──delimiter──▶ DELIMITER ──two hyphens──▶ END
                             ▲  │
                   delimiter │  └──else──▶ HEAD ──blank line──▶ CONTENT
                             └──────────────┴──────delimiter───────┘

What is malformed never fails: a part that is no field of a form is left out, and a form without an end ends where its
bytes do. What is too much does (`TooLarge`).

Source: RFC 2046 §5.1.1, RFC 7578; Perfect's ``MimeReader``.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from enum import Enum
from typing import TypeAlias

from ..errors import PerfectWSError
from . import body_spec
from .binary import BytesLike, bytes_of
from .forms import parse_parameters
from .headers import Headers

#: The most parts of a form.
MAX_PARTS = 1000
#: The most bytes of a part's headers; a part that has more is left out.
MAX_PART_HEAD = 16 * 1024
#: How many bytes of a form's files are kept in memory, all of them together.
MAX_IN_MEMORY = 64 * 1024
#: With so many bytes waiting for the disk, the rest of the form is to wait for them.
MAX_UNWRITTEN = 128 * 1024
#: RFC 2046 §5.1.1: "Boundary delimiters [...] must be no longer than 70 characters, not counting the two leading
#: hyphens". To look for one takes the longer, the longer it is.
MAX_BOUNDARY = 70

_BLANK_LINE = b"\r\n\r\n"


class TooLarge(PerfectWSError):
    """There is more of a form than may be; the text says of what."""


class State(Enum):
    """What is read next; see above."""

    PREAMBLE = "what stands before the first delimiter"
    DELIMITER = "what stands behind a delimiter"
    HEAD = "the headers of a part"
    CONTENT = "the content of a part"
    END = "nothing counts any more"


def boundary_of(content_type: str) -> str:
    """Return the boundary of a multipart form's parts, ``""`` for what is none, or has none that can be read."""
    if content_type[:10].lower() != "multipart/":
        return ""
    media_type, parameters = parse_parameters(content_type)
    boundary = parameters.get("boundary", "")
    is_readable = media_type == "multipart/form-data" and len(boundary) <= MAX_BOUNDARY and boundary.isascii()
    return boundary if is_readable else ""


class MimeReader:
    """Reads a multipart form, given to it in pieces of any size.

    Args:
        content_type: The value of the ``Content-Type`` header, which names the boundary.
        temp_dir: Where temporary files are made; ``None`` for the system's place (``TMPDIR`` in the environment).
        max_held: The most bytes of what is no file, which is held in memory: values, and the headers of parts;
            ``None`` for as many as come. Perfectws's own.

    Attributes:
        body_specs: The parts, in order. What is no field of a form is left out.
        unwritten: How many bytes wait to be written to the disk; perfectws's own.

    Source: Perfect's ``MimeReader``, whose temporary files lie in ``/tmp/``.
    """

    BodySpec: TypeAlias = body_spec.BodySpec

    __slots__ = (
        "_buffer",
        "_delimiter",
        "_held",
        "_in_memory",
        "_lead",
        "_max_held",
        "_part",
        "_parts",
        "_searched",
        "_state",
        "_temp_dir",
        "_to_write",
        "_value",
        "body_specs",
        "unwritten",
    )

    def __init__(
        self, content_type: str, temp_dir: str | os.PathLike[str] | None = None, *, max_held: int | None = None
    ) -> None:
        self.body_specs: list[body_spec.BodySpec] = []
        self.unwritten = 0
        #: What has not been read; it begins as a delimiter may, with a line end that the form itself need not have.
        self._buffer = bytearray(b"\r\n")
        # RFC 2046 §5.1.1: the boundary delimiter is the CRLF before it, two hyphens and the boundary.
        self._delimiter = b"\r\n--" + boundary_of(content_type).encode()
        self._state = State.PREAMBLE if len(self._delimiter) > 4 else State.END
        self._temp_dir = None if temp_dir is None else os.fspath(temp_dir)
        self._max_held = max_held
        self._held = 0
        self._in_memory = 0
        self._parts = 0
        #: The part under way; ``None`` if it is left out.
        self._part: body_spec.BodySpec | None = None
        self._value = bytearray()
        #: How much of the buffer holds no end of a head; how much of it is none of the content.
        self._searched = self._lead = 0
        #: What is to be written where; ``None`` ends a file.
        self._to_write: list[tuple[body_spec.BodySpec, bytes | None]] = []

    @property
    def is_multi_part(self) -> bool:
        """Whether the content type is that of a multipart form, with a boundary."""
        return len(self._delimiter) > 4

    @property
    def boundary(self) -> str:
        """What separates the parts, with its two hyphens; ``""`` if nothing does."""
        return self._delimiter[2:].decode() if self.is_multi_part else ""

    def add_to_buffer(self, bytes: BytesLike) -> None:  # noqa: A002  # Perfect's label
        """Read the next piece of the form, and write to the disk what goes there. It blocks.

        Raises:
            OSError: A file cannot be written.

        Source: Perfect's ``addToBuffer(bytes:)``.
        """
        self.feed(bytes_of(bytes, "a form is bytes"))
        self.store()

    def feed(self, data: bytes | bytearray) -> None:
        """Read ``data``, the next piece of the form. What goes to the disk waits for `store`.

        Raises:
            TooLarge: The form has more than it may have.
        """
        if self._state is State.END:
            return
        self._buffer += data
        while _STEPS[self._state](self):
            pass

    def end(self) -> None:
        """Take the end of the form. What goes to the disk waits for `store`. Raises as `feed` does."""
        if self._state is State.HEAD:
            self._begin_part(bytes(self._buffer))
        elif self._state is State.CONTENT:
            self._add(self._buffer[self._lead :])
        self._end_part()
        self._enter_end()

    def store(self) -> None:
        """Write what waits for the disk. It blocks; in any thread, while nothing is fed.

        Raises:
            OSError: It cannot be written.
        """
        waiting, self._to_write, self.unwritten = self._to_write, [], 0
        for part, data in waiting:
            if data is None:
                part.end_writing()
            else:
                part.write(data)

    @property
    def fields(self) -> list[tuple[str, str]]:
        """The names and values of those parts that are no files, in order."""
        return [(part.field_name, part.field_value) for part in self.body_specs if not part.is_file]

    @property
    def needs_store(self) -> bool:
        """Whether anything waits for `store`."""
        return bool(self._to_write)

    @property
    def has_files_on_disk(self) -> bool:
        """Whether `cleanup` will block."""
        return any(part.is_on_disk for part in self.body_specs if part.is_file)

    def cleanup(self) -> None:
        """Remove the files, as each `BodySpec.cleanup` does. It blocks; in any thread."""
        for part in self.body_specs:
            part.cleanup()

    # The steps. Each returns whether it got on: else more must come.

    def _read_preamble(self) -> bool:
        found = self._buffer.find(self._delimiter)
        if found < 0:
            del self._buffer[: 1 - len(self._delimiter)]
            return False
        self._pass_delimiter(found)
        return True

    def _pass_delimiter(self, found: int) -> None:
        del self._buffer[: found + len(self._delimiter)]
        self._state = State.DELIMITER

    def _read_delimiter(self) -> bool:
        if len(self._buffer) < 2:
            return False
        if self._buffer.startswith(b"--"):
            self._enter_end()
            return False
        self._parts += 1
        if self._parts > MAX_PARTS:
            raise TooLarge(f"the form has more than {MAX_PARTS} parts")
        self._state, self._searched = State.HEAD, 0
        return True

    def _enter_end(self) -> None:
        self._state = State.END
        self._buffer.clear()

    def _read_head(self) -> bool:
        """Read the headers, with what is left of the delimiter's own line before them."""
        buffer, delimiter, most = self._buffer, self._delimiter, MAX_PART_HEAD
        found = buffer.find(delimiter, max(0, self._searched + 1 - len(delimiter)), most + len(delimiter))
        blank = buffer.find(_BLANK_LINE, max(0, self._searched - 3), most + 4 if found < 0 else found)
        if blank >= 0:
            self._begin_part(bytes(buffer[:blank]))
            self._enter_content(blank + 2, 2)  # the line end before a delimiter may be that of the blank line
        elif found >= 0:  # there is no content
            self._begin_part(bytes(buffer[:found]))
            self._end_part()
            self._pass_delimiter(found)
        elif len(buffer) >= most + len(delimiter):
            self._enter_content(0, 0)
        else:
            self._searched = len(buffer)
            return False
        return True

    def _begin_part(self, head: bytes) -> None:
        part = _part_of(head, self._temp_dir) if len(head) <= MAX_PART_HEAD else None
        self._part = part
        if part is not None:
            self._hold(len(head))
            self.body_specs.append(part)

    def _enter_content(self, begin: int, lead: int) -> None:
        del self._buffer[:begin]
        self._lead = lead
        self._state = State.CONTENT

    def _read_content(self) -> bool:
        buffer = self._buffer
        found = buffer.find(self._delimiter)
        if found >= 0:
            self._add(buffer[self._lead : found])
            self._end_part()
            self._pass_delimiter(found)
            return True
        ready = len(buffer) + 1 - len(self._delimiter)  # behind that a delimiter may begin
        if ready > self._lead:
            self._add(buffer[self._lead : ready])
            del buffer[:ready]
            self._lead = 0
        return False

    def _add(self, data: bytearray) -> None:
        """Take some of the content of the part under way."""
        part = self._part
        if part is None:
            return
        if not part.is_file:
            self._hold(len(data))
            self._value += data
            return
        part.file_size += len(data)
        if part.is_on_disk:
            self._write(part, bytes(data))
            return
        self._in_memory += len(data)
        held = part.hold(data)
        if self._in_memory > MAX_IN_MEMORY:
            self._in_memory -= held
            self._write(part, part.let_go())

    def _hold(self, count: int) -> None:
        self._held += count
        if self._max_held is not None and self._held > self._max_held:
            raise TooLarge(
                f"the form's fields are longer than {self._max_held} bytes, which is this server's max_body_size"
            )

    def _write(self, part: body_spec.BodySpec, data: bytes) -> None:
        self._to_write.append((part, data))
        self.unwritten += len(data)

    def _end_part(self) -> None:
        part, self._part = self._part, None
        if part is None:
            return
        if not part.is_file:
            part.field_value = self._value.decode("utf-8", "replace")
            self._value = bytearray()
        elif part.is_on_disk:
            self._to_write.append((part, None))


_STEPS: dict[State, Callable[[MimeReader], bool]] = {
    State.PREAMBLE: MimeReader._read_preamble,
    State.DELIMITER: MimeReader._read_delimiter,
    State.HEAD: MimeReader._read_head,
    State.CONTENT: MimeReader._read_content,
    State.END: lambda reader: False,
}


def _part_of(head: bytes, temp_dir: str | None) -> body_spec.BodySpec | None:
    """Return the part that a head begins, ``None`` if it is no field of a form."""
    headers = Headers.parse(head)
    disposition, parameters = parse_parameters(headers.get("Content-Disposition") or "")
    if disposition != "form-data" or "name" not in parameters:
        return None
    return body_spec.BodySpec(
        parameters["name"], headers.get("Content-Type") or "", parameters.get("filename", ""), temp_dir
    )
