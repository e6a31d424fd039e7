"""`Headers`: the fields of one HTTP message, in order, found by name in any case."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from ..checks.spelling import header_name
from ..errors import LocalProtocolError

#: One character of a name, as a regular expression. RFC 9110 §5.6.2: token = 1*tchar
TCHAR = r"[-!#$%&'*+.^_`|~0-9A-Za-z]"
_is_token = re.compile(f"{TCHAR}+").fullmatch
#: RFC 9112 §5.2: obs-fold, whose line end is a bare one already.
_FOLD = re.compile(r"\n[ \t]+")
#: RFC 9110 §5.6.4: quoted-string = DQUOTE *( qdtext / quoted-pair ) DQUOTE
_is_quoted = re.compile(r'"(?:[^"\\]++|\\.)*"').fullmatch
_QUOTED_PAIR = re.compile(r"\\(.)")
#: What stands between two separators that are outside of quotes. A quote that is never closed goes to the end.
_PARTS = {separator: re.compile(rf'(?:[^"{separator}]++|"(?:[^"\\]++|\\.)*"?)+') for separator in ",;"}
#: RFC 9110 §5.5: "Field values containing CR, LF, or NUL characters are invalid and dangerous"; no other control
#: character but a tab has a place in one either.
_FORBIDDEN_IN_VALUE = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


#: A field in the form in which nearly all come. Narrower than RFC 9112 §5; nothing is ever tried twice.
_PLAIN_LINE = re.compile(rf"({TCHAR}++): ([!-~][ -~]*+)(?<! )")
#: Lines that were read before, each with the name in lower case and the value, which nobody may change.
_known_lines: dict[str, tuple[str, list[str]]] = {}
#: How many are remembered, and how long they may be, in characters: a client chooses them.
_MOST_KNOWN = 1000
_LONGEST_KNOWN = 200
#: The fields of which they are: what many clients send alike, and nothing that is secret.
_OFTEN_THE_SAME = frozenset(
    {
        "accept",
        "accept-encoding",
        "accept-language",
        "cache-control",
        "connection",
        "host",
        "origin",
        "pragma",
        "sec-websocket-extensions",
        "sec-websocket-protocol",
        "sec-websocket-version",
        "upgrade",
        "user-agent",
    }
)


class Headers:
    """An ordered multi-map of header fields, as ``(name, value)`` pairs of `str`.

    Iteration gives the pairs as they were written; every look-up ignores the case of the name.

    Args:
        items: The fields to begin with.

    Attributes:
        is_as_received: Whether these are a message's fields as they arrived, unchanged since.

    Raises:
        LocalProtocolError: A name is no token, or a value holds a line break or another control character.

    Source: RFC 9110 §5. Perfect keeps an enum of names; here a name is a string.
    """

    __slots__ = ("_fields", "_index", "_lines", "is_as_received")

    def __init__(self, items: Iterable[tuple[str, str]] = ()) -> None:
        self._fields: list[tuple[str, str, str]] = []
        #: What the fields are to be made of, once more than the values of a name is asked for.
        self._lines: list[str] | None = None
        #: The values by name, once many were looked for; until the fields change.
        self._index: dict[str, list[str]] | None = None
        self.is_as_received = False
        for item in items:
            if not isinstance(item, tuple | list) or len(item) != 2:
                raise TypeError(
                    f"headers are given as pairs such as ('Origin', 'https://example.org'), not {type(item).__name__}"
                )
            self.add(*item)

    @classmethod
    def received(cls, items: list[tuple[str, str, str]]) -> Headers:
        """Return fields that are known to be valid, each as (name in lower case, name, value).

        Nothing is checked here: a line break in a value would be sent.
        """
        headers = cls.__new__(cls)
        headers._fields = items
        headers._lines = headers._index = None
        headers.is_as_received = True
        return headers

    @classmethod
    def plain(cls, lines: list[str]) -> Headers | None:
        """Return the fields that stand in these lines; ``None`` unless each of them is plain.

        That is: ``name: value`` with one space before the value, which is printable ASCII, and none behind it.
        """
        index: dict[str, list[str]] = {}
        for line in lines:
            field = _known_lines.get(line) or _read_plain_line(line)
            if field is None:
                return None
            index[field[0]] = field[1]
        headers = cls.received([])
        headers._lines = lines
        headers._index = index if len(index) == len(lines) else None  # where a name comes twice, `by_name` has to look
        return headers

    @classmethod
    def parse(cls, head: bytes) -> Headers:
        """Return the fields of a message head that h11 has found valid: a start line, then the fields."""
        items: list[tuple[str, str, str]] = []
        for line in _unfold(_decode(head).replace("\r\n", "\n")).split("\n")[1:]:
            if line:
                name, _, value = line.partition(":")
                items.append((name.lower(), name, value.strip(" \t")))
        return cls.received(items)

    def add(self, name: str, value: str) -> None:
        """Append a field, whether or not there is one of that name. Raises as the constructor does."""
        self._items.append(_checked(name, value))
        self._changed()

    def set(self, name: str, value: str) -> None:
        """Replace every field of that name by one. Raises as the constructor does."""
        item = _checked(name, value)
        self.remove(name)
        self._items.append(item)
        self._changed()

    def remove(self, name: str) -> None:
        """Take away every field of that name; none is fine too."""
        key = name.lower()
        self._fields = [item for item in self._items if item[0] != key]
        self._changed()

    @property
    def _items(self) -> list[tuple[str, str, str]]:
        """The fields, each as (name in lower case, name, value)."""
        lines = self._lines
        if lines is not None:
            self._fields = [(name.lower(), name, value) for name, _, value in [line.partition(": ") for line in lines]]
            self._lines = None  # after that: other threads may look too
        return self._fields

    def _changed(self) -> None:
        self._index = None
        self.is_as_received = False

    def get(self, name: str) -> str | None:
        """Return the value of a field, ``None`` if there is none; several are joined as RFC 9110 §5.3 says."""
        _refuse_case(name)
        values = self.get_all(name)
        if len(values) > 1:
            return ("; " if name.lower() == "cookie" else ", ").join(values)
        return values[0] if values else None

    def get_all(self, name: str) -> list[str]:
        """Return the values of all fields of that name, in order."""
        key, index = name.lower(), self._index
        if index is not None:
            return list(index.get(key, ()))
        return [item[2] for item in self._items if item[0] == key]

    def elements(self, name: str) -> list[str]:
        """Return the elements of a field that is a comma-separated list, over all its lines."""
        return list_elements(self.get_all(name))

    def has_token(self, name: str, token: str) -> bool:
        """Tell whether ``token``, in lower case, is an element of a field, whatever its case there."""
        return holds_token(self.get_all(name), token)

    def by_name(self) -> Mapping[str, Sequence[str]]:
        """Return the values of all fields by their names in lower case, for a caller that looks for many."""
        known = self._index
        if known is not None:
            return known
        index: dict[str, list[str]] = {}
        for key, _, value in self._items:
            if key in index:
                index[key].append(value)
            else:
                index[key] = [value]
        self._index = index  # whole, since other threads may look too
        return index

    def names(self) -> list[str]:
        """Return the names of the fields, in order and in lower case."""
        return [item[0] for item in self._items]

    def encode(self) -> bytes:
        """Return the fields as they stand on the wire, each with its line end."""
        return "".join([f"{name}: {value}\r\n" for _, name, value in self._items]).encode()

    def copy(self) -> Headers:
        """Return another `Headers` with the same fields."""
        other = Headers()
        other._fields = self._items.copy()
        return other

    def __contains__(self, name: str) -> bool:
        key = name.lower()
        return any(item[0] == key for item in self._items)

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter([(name, value) for _, name, value in self._items])

    def __len__(self) -> int:
        return len(self._fields if self._lines is None else self._lines)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Headers) and [i[::2] for i in self._items] == [i[::2] for i in other._items]

    __hash__ = None  # type: ignore[assignment]  # equal by value, and mutable

    def __repr__(self) -> str:
        return f"Headers({list(self)!r})"


def _read_plain_line(line: str) -> tuple[str, list[str]] | None:
    match = _PLAIN_LINE.fullmatch(line)
    if match is None:
        return None
    key = match[1].lower()
    field = key, [match[2]]
    if key in _OFTEN_THE_SAME and len(line) <= _LONGEST_KNOWN and len(_known_lines) < _MOST_KNOWN:
        _known_lines[line] = field
    return field


def is_token(text: str) -> bool:
    """Tell whether ``text`` may be a name: of a header, a method, a subprotocol. Source: RFC 9110 §5.6.2."""
    return _is_token(text) is not None


def is_field(name: str, value: str) -> bool:
    """Tell whether a message may have such a field: h11 is more lenient with what it receives."""
    return is_token(name) and _FORBIDDEN_IN_VALUE.search(value) is None


def list_elements(values: Sequence[str]) -> list[str]:
    """Return the elements of comma-separated lists. Source: RFC 9110 §5.6.1: empty elements do not count."""
    if not values:
        return []
    if len(values) == 1 and _is_token(values[0]):  # nearly always
        return [values[0]]
    return [stripped for element in split_unquoted(",".join(values), ",") if (stripped := element.strip())]


def split_unquoted(text: str, separator: str) -> list[str]:
    """Return the parts of ``text`` between the separators (``","`` or ``";"``) that no quoted-string holds.

    Source: RFC 9110 §5.6.4.
    """
    if '"' not in text:
        return text.split(separator)
    return _PARTS[separator].findall(text)


def unquote(text: str) -> str:
    """Return what a quoted-string says; anything else as it is. Source: RFC 9110 §5.6.4."""
    return _QUOTED_PAIR.sub(r"\1", text[1:-1]) if _is_quoted(text) else text


def holds_token(values: Sequence[str], token: str) -> bool:
    """Tell whether ``token``, in lower case, is an element of comma-separated lists, whatever its case there."""
    if len(values) == 1 and values[0].lower() == token:
        return True
    return token in [element.lower() for element in list_elements(values)]


def _checked(name: str, value: str) -> tuple[str, str, str]:
    if not isinstance(name, str) or not isinstance(value, str):
        raise TypeError(f"a header is a pair of str, not of {type(name).__name__} and {type(value).__name__}")
    _refuse_case(name)
    if not _is_token(name):
        raise LocalProtocolError(f"{name!r} cannot be the name of a header: use letters, digits and hyphens")
    value = value.strip(" \t")
    # A value may be a secret, such as a token that was read from a file with the line break behind it: it is not shown.
    wrong = _FORBIDDEN_IN_VALUE.search(value)
    if wrong is not None:
        raise LocalProtocolError(
            f"the header {name} cannot hold a line break or a control character: {wrong[0]!r}, at {wrong.start()}"
        )
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise LocalProtocolError(
            f"the header {name} cannot hold a lone surrogate: {value[error.start]!r}, at {error.start}"
        ) from None
    return (name.lower(), name, value)


def _refuse_case(name: str) -> None:
    if name[:1] == ".":
        raise LocalProtocolError(f"{name!r} is Swift's spelling of a header: write {header_name(name)!r}")


def _decode(head: bytes) -> str:
    # RFC 9110 §5.5 knows US-ASCII only; what is beyond it is UTF-8 today (as Perfect reads it), or else ISO-8859-1.
    try:
        return head.decode()
    except UnicodeDecodeError:
        return head.decode("iso-8859-1")


def _unfold(head: str) -> str:
    # RFC 9112 §5.2: replace each received obs-fold with one or more SP. In one go: line by line, a value that is folded
    # a thousand times would be copied as often.
    return _FOLD.sub(" ", head) if "\n " in head or "\n\t" in head else head
