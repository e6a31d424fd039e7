"""Multipart forms, read as they come: the same parts however they are cut, within limits, and nothing that raises."""

from __future__ import annotations

import os
from collections.abc import Iterable
from email import message_from_bytes
from email.message import Message
from email.policy import HTTP
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from perfectws import MimeReader
from perfectws.http import body_spec
from perfectws.http.forms import parse_parameters
from perfectws.http.headers import Headers
from perfectws.http.mime_reader import MAX_BOUNDARY, MAX_IN_MEMORY, MAX_PART_HEAD, MAX_PARTS, TooLarge, boundary_of

FORM = "multipart/form-data; boundary=XX"
MULTIPART = (
    b"a preamble\r\n--XX\r\n"
    b'Content-Disposition: form-data; name="a"\r\n\r\none\r\ntwo\r\n--XX\r\n'
    b'Content-Disposition: form-data; name="f"; filename="x.png"\r\nContent-Type: image/png\r\n\r\n\x89PNG\r\n--XX\r\n'
    b'content-disposition: form-data; name="say \\"hi\\""\r\n\r\n\xc3\xa4\r\n--XX\r\n'
    b"Content-Disposition: form-data\r\n\r\nnameless\r\n--XX--\r\nan epilogue\r\n--XX\r\n"
    b'Content-Disposition: form-data; name="late"\r\n\r\n1\r\n'
)
DISPOSITION = b'Content-Disposition: form-data; name="a"'


class Part(NamedTuple):
    name: str
    file_name: str
    content_type: str
    content: bytes


def part_of(spec: MimeReader.BodySpec) -> Part:
    if spec.file is None:
        return Part(spec.field_name, "", spec.content_type, spec.field_value.encode())
    spec.file.seek(0)
    content = spec.file.read()
    assert spec.file_size == len(content)
    return Part(spec.field_name, spec.file_name, spec.content_type, content)


def read(pieces: Iterable[bytes], content_type: str = FORM) -> list[Part]:
    reader = MimeReader(content_type)
    for piece in pieces:
        reader.add_to_buffer(piece)
    reader.end()
    reader.store()
    parts = [part_of(spec) for spec in reader.body_specs]
    reader.cleanup()
    return parts


def cut(data: bytes, size: int) -> list[bytes]:
    return [data[start : start + size] for start in range(0, len(data), size)]


def disposition(name: str, file_name: str | None = None) -> bytes:
    quoted = [each.replace("\\", "\\\\").replace('"', '\\"') for each in (name, file_name or "")]
    file = "" if file_name is None else f'; filename="{quoted[1]}"'
    return f'Content-Disposition: form-data; name="{quoted[0]}"{file}'.encode()


@pytest.mark.parametrize("size", [1, 2, 3, 7, 50, 10_000])
def test_fields_and_files_are_read_however_the_form_is_cut(size: int) -> None:
    assert read(cut(MULTIPART, size)) == [
        Part("a", "", "", b"one\r\ntwo"),
        Part("f", "x.png", "image/png", b"\x89PNG"),
        Part('say "hi"', "", "", "ä".encode()),
    ]


def test_fields_leave_the_files_out() -> None:
    reader = MimeReader('multipart/form-data; boundary="XX"')
    reader.add_to_buffer(list(MULTIPART))
    assert reader.is_multi_part
    assert reader.boundary == "--XX"
    assert reader.fields == [("a", "one\r\ntwo"), ('say "hi"', "ä")]


def test_an_input_for_a_file_that_was_left_empty_is_a_field_without_a_value() -> None:
    body = b"--XX\r\n" + disposition("f", "") + b"\r\nContent-Type: application/octet-stream\r\n\r\n\r\n--XX--\r\n"
    assert read([body]) == [Part("f", "", "application/octet-stream", b"")]


def test_folded_headers_of_a_part_are_read() -> None:
    body = b'--XX\r\nA: b\r\n c\r\nContent-Disposition:\r\n\tform-data;\r\n  \r\n name="a"\r\n\r\nv\r\n--XX--'
    for size in (1, 1000):
        assert read(cut(body, size)) == [Part("a", "", "", b"v")]


def test_names_are_data_whatever_they_are() -> None:
    names = ["../../etc/passwd", "C:\\Users\\me\\x.txt", "nul\0.txt", "/dev/null", "..", "a;b=c", 'q"', "%00%2f"]
    for name in names:
        assert read([b"--XX\r\n" + disposition(name, name) + b"\r\n\r\nv\r\n--XX--"]) == [Part(name, name, "", b"v")]


@pytest.mark.parametrize(
    "filler", [b"A: " + b"b" * MAX_PART_HEAD, b"A: b" + b"\r\n x" * MAX_PART_HEAD, b"A: b\r\n" * MAX_PART_HEAD]
)
@pytest.mark.parametrize("size", [1, 1000, 1_000_000])
def test_a_part_with_too_much_of_a_head_is_left_out_and_the_others_stay(
    filler: bytes, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    parsed: list[int] = []
    parse = Headers.parse

    def spy(head: bytes) -> Headers:
        parsed.append(len(head))
        return parse(head)

    monkeypatch.setattr(Headers, "parse", spy)
    body = (
        b"--XX\r\n" + filler + b"\r\n" + DISPOSITION + b"\r\n\r\nv\r\n--XX\r\n" + DISPOSITION + b"\r\n\r\nw\r\n--XX--"
    )
    assert read(cut(body, size)) == [Part("a", "", "", b"w")]
    assert all(size <= MAX_PART_HEAD for size in parsed)


@pytest.mark.parametrize("size", [1, 1000, 1_000_000])
def test_the_longest_head_of_a_part_is_read_and_no_longer_one(size: int) -> None:
    for surplus, expected in [(0, [Part("a", "", "", b"v")]), (1, [])]:
        filler = b"A: " + b"b" * (MAX_PART_HEAD - len(DISPOSITION) - len(b"\r\n\r\nA: ") + surplus)
        body = b"--XX\r\n" + filler + b"\r\n" + DISPOSITION + b"\r\n\r\nv\r\n--XX--"
        assert read(cut(body, size)) == expected


def test_more_than_a_thousand_parts_are_too_many() -> None:
    part = b"--XX\r\n" + DISPOSITION + b"\r\n\r\nv\r\n"
    assert len(read([part * MAX_PARTS + b"--XX--"])) == MAX_PARTS
    reader = MimeReader(FORM)
    with pytest.raises(TooLarge, match="more than 1000 parts"):
        reader.add_to_buffer(part * 100_000)
    assert len(reader.body_specs) == MAX_PARTS


def test_parts_that_are_left_out_count_too() -> None:
    with pytest.raises(TooLarge):
        MimeReader(FORM).add_to_buffer(b"--XX\r\n\r\n\r\n" * (MAX_PARTS + 1))


class TestWhatIsHeld:
    def test_values_names_and_heads_are_limited_together(self) -> None:
        head = b"\r\n" + DISPOSITION
        for limit, value in [(len(head) + 5, b"12345"), (len(head) + 4, None)]:
            reader = MimeReader(FORM, max_held=limit)
            if value is not None:
                reader.add_to_buffer(b"--XX" + head + b"\r\n\r\n12345\r\n--XX--")
                assert reader.fields == [("a", "12345")]
            else:
                with pytest.raises(TooLarge, match=f"longer than {limit} bytes"):
                    reader.add_to_buffer(b"--XX" + head + b"\r\n\r\n12345\r\n--XX--")

    def test_files_do_not_count(self) -> None:
        reader = MimeReader(FORM, max_held=100)
        reader.add_to_buffer(b"--XX\r\n" + disposition("f", "f") + b"\r\n\r\n" + bytes(100_000) + b"\r\n--XX--")
        assert reader.body_specs[0].file_size == 100_000
        reader.cleanup()

    def test_of_a_file_no_more_is_in_memory_than_waits_for_the_disk(self, tmp_path: Path) -> None:
        reader = MimeReader(FORM, tmp_path)
        reader.feed(b"--XX\r\n" + disposition("f", "f") + b"\r\n\r\n")
        for _ in range(100):
            reader.feed(bytes(10_000))
            assert reader.unwritten <= MAX_IN_MEMORY + 10_000
            assert len(reader._buffer) < 100
            if reader.unwritten:
                reader.store()
        assert len(list(tmp_path.iterdir())) == 1
        reader.cleanup()


class TestDisk:
    """Where files are, by `MAX_IN_MEMORY` in all."""

    @staticmethod
    def form(*sizes: int) -> bytes:
        heads = [b"--XX\r\n" + disposition("f", str(size)) + b"\r\n\r\n" for size in sizes]
        return b"\r\n".join([head + b"x" * size for head, size in zip(heads, sizes, strict=True)]) + b"\r\n--XX--"

    @pytest.mark.parametrize(
        ("sizes", "on_disk"),
        [
            ([MAX_IN_MEMORY], [False]),
            ([MAX_IN_MEMORY + 1], [True]),
            ([MAX_IN_MEMORY, 1, 0], [False, True, False]),
            ([40_000, 40_000, 20_000], [False, True, False]),
            ([0], [False]),
        ],
    )
    def test_a_file_goes_to_the_disk_past_64_kib_in_all(
        self, sizes: list[int], on_disk: list[bool], tmp_path: Path
    ) -> None:
        reader = MimeReader(FORM, tmp_path)
        for piece in cut(self.form(*sizes), 1000):
            reader.add_to_buffer(piece)
        assert [spec.is_on_disk for spec in reader.body_specs] == on_disk
        assert [part_of(spec).content for spec in reader.body_specs] == [b"x" * size for size in sizes]
        assert len(list(tmp_path.iterdir())) == sum(on_disk)
        reader.cleanup()
        assert not list(tmp_path.iterdir())

    def test_only_one_file_is_open_for_writing_at_a_time(self, tmp_path: Path) -> None:
        def descriptors() -> int:
            return len(os.listdir("/dev/fd"))

        before = descriptors()
        reader = MimeReader(FORM, tmp_path)
        reader.add_to_buffer(self.form(*[70_000] * 20))
        assert len(list(tmp_path.iterdir())) == 20
        assert descriptors() == before
        reader.cleanup()

    @pytest.mark.parametrize("size", [10, MAX_IN_MEMORY * 2])
    def test_a_file_has_a_path_wherever_it_was(self, size: int, tmp_path: Path) -> None:
        reader = MimeReader(FORM, tmp_path)
        reader.add_to_buffer(self.form(size))
        upload = reader.body_specs[0]
        path = Path(upload.tmp_file_name)
        assert path.parent == tmp_path
        assert path.name.startswith("perfect_upload_")
        assert path.stat().st_mode & 0o777 == 0o600
        assert path.read_bytes() == b"x" * size
        assert upload.tmp_file_name == str(path)
        reader.cleanup()
        assert not path.exists()

    def test_a_file_that_was_moved_stays(self, tmp_path: Path) -> None:
        reader = MimeReader(FORM, tmp_path)
        reader.add_to_buffer(self.form(10, 100_000))
        for number, upload in enumerate(reader.body_specs):
            os.rename(upload.tmp_file_name, tmp_path / f"kept{number}")
        reader.cleanup()
        assert sorted(each.stat().st_size for each in tmp_path.iterdir()) == [10, 100_000]

    def test_what_nobody_knows_of_any_more_is_removed(self, tmp_path: Path) -> None:
        reader = MimeReader(FORM, tmp_path)
        reader.add_to_buffer(self.form(100_000))
        assert list(tmp_path.iterdir())
        del reader
        assert not list(tmp_path.iterdir())

    def test_a_forked_child_leaves_the_files_of_its_parent(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        reader = MimeReader(FORM, tmp_path)
        reader.add_to_buffer(self.form(100_000))
        with monkeypatch.context() as patch:
            patch.setattr(os, "getpid", lambda: -1)
            reader.cleanup()
        assert len(list(tmp_path.iterdir())) == 1

    def test_once_it_is_over_there_is_no_file(self, tmp_path: Path) -> None:
        reader = MimeReader(FORM, tmp_path)
        reader.add_to_buffer(self.form(10, 100_000))
        small, large = reader.body_specs
        opened = large.file
        assert opened is not None
        reader.cleanup()
        reader.cleanup()
        assert opened.closed
        assert small.file is None
        assert large.file is None
        assert not os.path.exists(large.tmp_file_name)
        with pytest.raises(Exception, match="before the response is completed"):
            _ = small.tmp_file_name
        large.write(b"late")
        assert not list(tmp_path.iterdir())

    def test_a_small_file_that_cannot_be_written_leaves_nothing(self, tmp_path: Path) -> None:
        reader = MimeReader(FORM, tmp_path / "missing")
        reader.add_to_buffer(self.form(10))
        upload = reader.body_specs[0]
        for _ in range(2):
            with pytest.raises(FileNotFoundError):
                _ = upload.tmp_file_name
        assert part_of(upload).content == b"x" * 10

    def test_fields_have_no_file(self) -> None:
        reader = MimeReader(FORM)
        reader.add_to_buffer(MULTIPART)
        field = reader.body_specs[0]
        assert (field.tmp_file_name, field.file, field.file_size, field.is_file) == ("", None, 0, False)


class TestBoundary:
    @pytest.mark.parametrize(
        ("content_type", "boundary"),
        [
            ("multipart/form-data; boundary=a", "a"),
            ('Multipart/Form-Data ; charset=utf-8; Boundary="a b"', "a b"),
            ("multipart/form-data", ""),
            ("multipart/form-data; boundary=", ""),
            ("multipart/form-data; boundary=" + "x" * MAX_BOUNDARY, "x" * MAX_BOUNDARY),
            ("multipart/form-data; boundary=" + "x" * (MAX_BOUNDARY + 1), ""),
            ("multipart/form-data; boundary=ä", ""),
            ("multipart/mixed; boundary=a", ""),
            ("application/json; boundary=a", ""),
            ("", ""),
        ],
    )
    def test_it_is_what_the_content_type_says(self, content_type: str, boundary: str) -> None:
        assert boundary_of(content_type) == boundary
        assert MimeReader(content_type).is_multi_part is bool(boundary)

    def test_without_one_nothing_is_a_part(self) -> None:
        assert read([MULTIPART], "multipart/form-data") == []
        assert MimeReader("application/json").boundary == ""


# What the whole body says, taken apart at once: the reader must say the same, however the body is cut.


def split(body: bytes) -> list[tuple[str, str, bytes]]:
    parts = (b"\r\n" + body).split(b"\r\n--XX")[1:]
    found = []
    for part in parts:
        if part.startswith(b"--"):
            break
        head, _, content = part.partition(b"\r\n\r\n")
        kind, parameters = parse_parameters(Headers.parse(head).get("Content-Disposition") or "")
        if kind == "form-data" and "name" in parameters:
            found.append((parameters["name"], parameters.get("filename", ""), content))
    return found


HEADS = st.sampled_from(
    [DISPOSITION, disposition("b", "x"), b"Content-Disposition: form-data", b"A: b\r\n c", b"", b"no header", b"\r\n"]
)
SCRAPS = st.one_of(
    HEADS,
    st.binary(max_size=20),
    st.sampled_from(
        [b"\r\n", b"\r", b"\n", b"--", b"--XX", b"\r\n--XX", b"\r\n--X", b"\r\n--XX--", b"\r\n--XX \r\n", b"\r\n\r\n"]
    ),
)


@given(st.lists(SCRAPS, max_size=20).map(b"".join), st.lists(st.integers(0, 400), max_size=6))
@example(b"--XX\r\n" + DISPOSITION + b"\r\n\r\n--XX--", [])
@example(b"--XX\r\n" + DISPOSITION + b"\r\n\r\n\r\n--XX--", [46, 47, 48])
@example(b"--XX\r\n" + DISPOSITION, [3])
@example(b"\r\n--XX\r\n\r\n\r\n--XX", [])
def test_any_bytes_in_any_pieces_are_the_same_parts(body: bytes, cuts: list[int]) -> None:
    places = [0, *sorted(cuts), len(body)]
    pieces = [body[start:end] for start, end in pairwise(places) if start <= end]
    expected = [
        (name, file_name, content if file_name else content.decode("utf-8", "replace").encode())
        for name, file_name, content in split(body)
    ]
    assert [(name, file, content) for name, file, _, content in read(pieces)] == expected
    assert [(name, file, content) for name, file, _, content in read(cut(body, 1))] == expected


@given(
    st.lists(
        st.tuples(st.from_regex(r"[a-z]{1,5}", fullmatch=True), st.booleans(), st.binary(max_size=200)), max_size=5
    ),
    st.integers(1, 300),
)
def test_of_a_wellformed_form_the_standard_library_says_the_same(
    fields: list[tuple[str, bool, bytes]], size: int
) -> None:
    boundary = "a-boundary-that-is-in-no-value"
    delimiter = f"--{boundary}".encode()
    texts = [disposition(name, "f" if is_file else None) + b"\r\n\r\n" + value for name, is_file, value in fields]
    body = b"".join(delimiter + b"\r\n" + text + b"\r\n" for text in texts) + delimiter + b"--\r\n"
    content_type = f"multipart/form-data; boundary={boundary}"
    message: Message = message_from_bytes(f"Content-Type: {content_type}\r\n\r\n".encode() + body, policy=HTTP)
    names = [part.get_param("name", header="Content-Disposition") for part in message.walk() if part is not message]
    parts = read(cut(body, size), content_type)
    assert [part.name for part in parts] == names == [name for name, _, _ in fields]
    expected = [value if is_file else value.decode("utf-8", "replace").encode() for _, is_file, value in fields]
    assert [part.content for part in parts] == expected


def test_every_byte_is_looked_at_a_few_times_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    """Counted, not timed: how much of the buffer is searched for each byte of the body."""
    searched = 0

    class Counted(bytearray):
        def find(self, sub: bytes, start: int = 0, end: int | None = None) -> int:  # type: ignore[override]
            nonlocal searched
            place = super().find(sub, start, len(self) if end is None else end)
            stop = min(len(self), end if end is not None else len(self)) if place < 0 else place + len(sub)
            searched += max(0, stop - start)
            return place

    bodies = [
        b"--XX\r\n" + DISPOSITION + b"\r\n\r\n" + b"\r\n--X" * 20_000 + b"\r\n--XX--",  # what looks like a boundary
        b"--XX\r\n" + b"A: b\r\n" * 20_000,  # a head without an end
        (b"--XX\r\n" + DISPOSITION + b"\r\n") * 900 + b"x" * 100_000,  # heads without a blank line
        b"no boundary at all " * 5000,
    ]
    for body in bodies:
        for size in (100, 10_000, len(body)):
            reader = MimeReader(FORM)
            reader._buffer = Counted(reader._buffer)
            searched = 0
            for piece in cut(body, size):
                reader.feed(piece)
            reader.end()
            assert searched < 12 * len(body), (body[:40], size)


def test_the_type_of_a_part_has_perfects_name() -> None:
    assert MimeReader.BodySpec is body_spec.BodySpec
