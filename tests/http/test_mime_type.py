"""`MimeType`: Perfect's members, and the one table that static files have too."""

from __future__ import annotations

import pytest

from perfectws import MimeType
from perfectws.http.mime_type import media_type
from perfectws.server.static_files import StaticFile


@pytest.mark.parametrize(
    ("extension", "expected"),
    [
        ("html", "text/html"),
        ("HTML", "text/html"),
        (".css", "text/css"),
        ("js", "text/javascript"),
        ("json", "application/json"),
        ("png", "image/png"),
        ("svg", "image/svg+xml"),
        ("pdf", "application/pdf"),
        ("mp4", "video/mp4"),
        ("docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
        ("gz", "application/gzip"),
        ("", "application/octet-stream"),
        ("nothing-known", "application/octet-stream"),
    ],
)
def test_an_extension_has_a_type(extension: str, expected: str) -> None:
    assert MimeType.for_extension(extension) == expected
    assert MimeType(extension=extension).long_type == expected


def test_static_files_have_the_same_table() -> None:
    for extension in ("html", "js", "png", "woff2", "docx", "tar.gz", "unknown"):
        of_file = StaticFile(None, f"x.{extension}", 0, 0).media_type  # type: ignore[arg-type]
        assert MimeType(of_file).short_type == MimeType.for_extension(extension)
        assert of_file == media_type(f"x.{extension}")


def test_it_is_taken_apart() -> None:
    mime = MimeType("text/html; charset=utf-8")
    assert (mime.type, mime.sub_type, mime.parameters) == ("text", "html", "charset=utf-8")
    assert mime.type is MimeType.TopType.TEXT
    assert (mime.short_type, mime.long_type, str(mime)) == ("text/html", "text/html; charset=utf-8", mime.long_type)
    assert MimeType("x-own/y").type == "x-own"
    assert MimeType("image/png").parameters is None


def test_what_is_missing_is_that_of_unknown_data() -> None:
    mime = MimeType("")
    assert (mime.type, mime.sub_type, mime.short_type) == ("application", "octet-stream", "application/octet-stream")


def test_it_is_put_together() -> None:
    assert MimeType(type=MimeType.TopType.TEXT, sub_type="csv").long_type == "text/csv"
    assert str(MimeType(type="text", sub_type="csv", parameters="header=present")) == "text/csv; header=present"
    with pytest.raises(TypeError, match="extension="):
        MimeType(type="text")  # type: ignore[call-overload]
    with pytest.raises(TypeError):
        MimeType()  # type: ignore[call-overload]


def test_it_equals_what_has_its_types_and_an_asterisk_equals_all() -> None:
    assert MimeType("text/html; charset=utf-8") == MimeType("text/html")
    assert MimeType("image/png") == "image/*" == MimeType("image/gif")
    assert MimeType("*/*") == MimeType("x/y")
    assert MimeType("image/png") != MimeType("image/gif")
    assert MimeType("image/png") != "text/png"
    assert MimeType("image/png") != 3
    with pytest.raises(TypeError):
        hash(MimeType("a/b"))


def test_they_are_sorted_by_their_text() -> None:
    types = sorted([MimeType("text/html"), MimeType("image/png"), MimeType("image/gif")])
    assert [str(each) for each in types] == ["image/gif", "image/png", "text/html"]
    assert MimeType("a/b") < "a/c"
    assert repr(MimeType("a/b")) == "MimeType('a/b')"
