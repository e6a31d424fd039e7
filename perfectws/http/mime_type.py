"""`MimeType`: what a file is, by its name; one table for the application and for static files."""

from __future__ import annotations

from enum import StrEnum
from functools import total_ordering
from mimetypes import MimeTypes
from typing import TypeAlias, overload

#: What is said of a file of which nothing is known.
_UNKNOWN = "application/octet-stream"

# The machine's own list of types (/etc/mime.types) is left out: a site should look the same on every machine.
_TYPES = MimeTypes()
for _type, _extension in (
    ("text/javascript", ".js"),
    ("text/javascript", ".mjs"),
    ("text/markdown", ".md"),
    ("image/svg+xml", ".svg"),
    ("image/webp", ".webp"),
    ("image/avif", ".avif"),
    ("image/x-icon", ".ico"),
    ("font/otf", ".otf"),
    ("font/ttf", ".ttf"),
    ("font/woff", ".woff"),
    ("font/woff2", ".woff2"),
    ("audio/flac", ".flac"),
    ("audio/mp4", ".m4a"),
    ("audio/ogg", ".oga"),
    ("audio/ogg", ".ogg"),
    ("video/ogg", ".ogv"),
    ("application/epub+zip", ".epub"),
    ("application/json", ".map"),
    ("application/manifest+json", ".webmanifest"),
    ("application/rtf", ".rtf"),
    ("application/vnd.oasis.opendocument.presentation", ".odp"),
    ("application/vnd.oasis.opendocument.spreadsheet", ".ods"),
    ("application/vnd.oasis.opendocument.text", ".odt"),
    ("application/vnd.openxmlformats-officedocument.presentationml.presentation", ".pptx"),
    ("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", ".xlsx"),
    ("application/vnd.openxmlformats-officedocument.wordprocessingml.document", ".docx"),
    ("application/wasm", ".wasm"),
    ("application/x-7z-compressed", ".7z"),
):
    _TYPES.add_type(_type, _extension)

#: What a compressed file is, rather than what it holds.
_COMPRESSED = {"gzip": "application/gzip", "bzip2": "application/x-bzip2", "xz": "application/x-xz"}


class TopType(StrEnum):
    """The top-level types that have names; another is a plain `str`. ``MimeType.TopType`` is this class."""

    APPLICATION = "application"
    AUDIO = "audio"
    EXAMPLE = "example"
    FONT = "font"
    IMAGE = "image"
    MESSAGE = "message"
    MODEL = "model"
    MULTIPART = "multipart"
    TEXT = "text"
    VIDEO = "video"
    CHEMICAL = "chemical"


@total_ordering
class MimeType:
    """A media type: ``MimeType("text/html; charset=utf-8")``, ``MimeType(extension="html")``.

    Two are equal if their types are, whatever their parameters; ``*`` is equal to everything:
    ``MimeType("image/png") == "image/*"``. So they cannot stand in sets.

    Args:
        value: All of it as one string. Nothing is checked.
        extension: A file's extension, of which this is the media type.
        type: The top-level type.
        sub_type: What stands behind the slash.
        parameters: What stands behind the semicolon, as one string.

    Attributes:
        long_type: All of it as one string.

    Raises:
        TypeError: It is given in none of these three ways.

    Source: Perfect's ``MimeType``.
    """

    TopType: TypeAlias = TopType

    __slots__ = ("long_type",)

    @overload
    def __init__(self, value: str) -> None: ...
    @overload
    def __init__(self, *, extension: str) -> None: ...
    @overload
    def __init__(self, *, type: str, sub_type: str, parameters: str | None = None) -> None: ...
    def __init__(
        self,
        value: str | None = None,
        *,
        extension: str | None = None,
        type: str | None = None,  # noqa: A002  # Perfect's label
        sub_type: str | None = None,
        parameters: str | None = None,
    ) -> None:
        if value is not None:
            self.long_type = value
        elif extension is not None:
            self.long_type = self.for_extension(extension)
        elif type is not None and sub_type is not None:
            self.long_type = f"{type}/{sub_type}; {parameters}" if parameters else f"{type}/{sub_type}"
        else:
            raise TypeError("a MimeType is made of one string, of extension=…, or of type=… and sub_type=…")

    @staticmethod
    def for_extension(extension: str) -> str:
        """Return the media type of files with that extension, such as ``"html"``; in either case, with a dot or not.

        What is not known is ``application/octet-stream``.

        Source: Perfect's ``MimeType.forExtension(_:)``, which knows ten times as many; scripts are
        ``application/javascript`` there.
        """
        return _guess("x." + extension.removeprefix("."))

    @property
    def short_type(self) -> str:
        """Both types, without parameters."""
        return self.long_type.partition(";")[0] or _UNKNOWN

    @property
    def type(self) -> str:
        """The top-level type: a `TopType` where that knows it."""
        top = self.long_type.partition("/")[0] or TopType.APPLICATION
        return TopType(top) if top in TopType._value2member_map_ else top

    @property
    def sub_type(self) -> str:
        """What stands behind the slash, without parameters."""
        return self.long_type.partition("/")[2].partition(";")[0] or "octet-stream"

    @property
    def parameters(self) -> str | None:
        """What stands behind the semicolon, ``None`` if there is none."""
        return self.long_type.partition(";")[2].strip() or None

    def __eq__(self, other: object) -> bool:
        if isinstance(other, str):
            other = MimeType(other)
        if not isinstance(other, MimeType):
            return NotImplemented
        return _fits(self.type, other.type) and _fits(self.sub_type, other.sub_type)

    __hash__ = None  # type: ignore[assignment]  # what is equal to one need not be equal to another

    def __lt__(self, other: MimeType | str) -> bool:
        return self.long_type < str(other)

    def __str__(self) -> str:
        return self.long_type

    def __repr__(self) -> str:
        return f"MimeType({self.long_type!r})"


def media_type(name: str) -> str:
    """Return the value of the ``Content-Type`` header for a file of that name."""
    guessed = _guess(name)
    return f"{guessed}; charset=utf-8" if guessed.startswith("text/") else guessed


def _guess(name: str) -> str:
    guessed, encoding = _TYPES.guess_type(name)
    if encoding is not None:
        return _COMPRESSED.get(encoding, _UNKNOWN)
    return guessed or _UNKNOWN


def _fits(one: str, other: str) -> bool:
    return one == other or "*" in (one, other)
