"""`HTTPRequest`: what the client asked for."""

from __future__ import annotations

import re
from collections.abc import Iterable
from secrets import token_hex
from typing import Any, overload

from ..transport import Address
from .binary import BytesLike, bytes_of, named
from .cookies import parse_cookies
from .forms import parse_form, parse_urlencoded
from .headers import Headers
from .methods import HTTPMethod, Method, parse_method
from .mime_reader import MimeReader, TooLarge, boundary_of
from .paths import join_components, path_components, split_target

_ID = re.compile(r"[A-Za-z0-9._~+/=:@-]{1,128}")


class HTTPRequest:
    """One HTTP request, received whole.

    Args:
        method: An `http.HTTPMethod`, or the name of a method in either case.
        uri: The request target: a path and perhaps a query, percent-encoded.
        headers: The header fields as (name, value) pairs, or the raw head that they stand in.
        body: The request's body.
        protocol_version: ``(1, 1)`` or ``(1, 0)``.
        remote_address: The client's address.
        server_address: The address that the client has reached.
        server_name: The canonical name of the server.
        document_root: The directory that static files come from.

    Attributes:
        method: The method, as an `http.HTTPMethod` where that knows it. A request filter may change it.
        protocol_version: As above.
        remote_address: As above.
        server_address: As above.
        server_name: As above.
        document_root: As above.
        is_secure: Whether it came over TLS, or a trusted proxy says that it did.

    Source: Perfect's ``HTTPRequest``.
    """

    __slots__ = (
        "__weakref__",
        "_body",
        "_form",
        "_head",
        "_headers",
        "_id",
        "_is_compact",
        "_post_params",
        "_scratch_pad",
        "_uri",
        "_url_variables",
        "document_root",
        "is_secure",
        "method",
        "protocol_version",
        "remote_address",
        "server_address",
        "server_name",
    )

    def __init__(
        self,
        method: Method = "GET",
        uri: str = "/",
        headers: Iterable[tuple[str, str]] | bytes = (),
        body: BytesLike = b"",
        *,
        protocol_version: tuple[int, int] = (1, 1),
        remote_address: Address = ("", 0),
        server_address: Address = ("", 0),
        server_name: str = "",
        document_root: str = "./webroot",
    ) -> None:
        self.method = parse_method(method)
        self._uri = uri
        self._head, self._headers = b"", None
        if isinstance(headers, bytes):  # it has arrived, so that the rest is right
            self._head = headers
        else:
            if not isinstance(uri, str):
                raise TypeError(f"uri is a str, such as '/a?b=c', not {named(uri)}")
            self._headers = Headers(headers)
        self._is_compact = False
        self._id: str | None = None
        self._body: bytes | None = bytes_of(body, "a body is bytes")
        #: The multipart form that the body is, once it was read.
        self._form: MimeReader | None = None
        self._post_params: list[tuple[str, str]] | None = None
        self._url_variables: dict[str, str] | None = None
        self._scratch_pad: dict[str, Any] | None = None
        self.protocol_version = protocol_version
        self.remote_address = remote_address
        self.server_address = server_address
        self.server_name = server_name
        self.document_root = document_root
        self.is_secure = False

    @classmethod
    def received(
        cls, uri: str, head: bytes, headers: Headers | None, remote: Address, local: Address, is_secure: bool
    ) -> HTTPRequest:
        """Return a GET that has arrived, with no body; perfectws's own.

        Args:
            uri: As above.
            head: Its raw head.
            headers: The fields in there, if they have been read already.
            remote, local: Its ``remote_address`` and ``server_address``.
            is_secure: As above.
        """
        request = cls(HTTPMethod.GET, uri, head)
        request._headers = headers
        request.remote_address = remote
        request.server_address = local
        request.is_secure = is_secure
        return request

    @property
    def uri(self) -> str:
        """The path and the query, percent-encoded, as the client sent them."""
        return self._uri

    @property
    def id(self) -> str:
        """What tells this request from others, in all logs.

        It is the ``X-Request-ID`` that a trusted proxy gave it, if that is of up to 128 letters, digits and
        ``-._~+/=:@``; else 16 digits that are made up here.

        The access log has it. The response does not, unless you set it:
        ``response.set_header("X-Request-ID", request.id)``.
        """
        if self._id is None:
            self._id = token_hex(8)
        return self._id

    def identify(self, given: str | None) -> None:
        """Take the ID that a trusted proxy has given, if it may stand in a log; perfectws's own."""
        if given is not None and _ID.fullmatch(given):
            self._id = given

    @property
    def path(self) -> str:
        """The path, percent-encoded, with neither query nor doubled slashes. A request filter may set another."""
        path = split_target(self._uri)[0]
        return join_components(path_components(path)) if "%" in path or "//" in path else path

    @path.setter
    def path(self, path: str) -> None:
        query = split_target(self._uri)[1]
        self._uri = f"{path}?{query}" if query else path

    @property
    def path_components(self) -> list[str]:
        """The path's components, decoded: ``/a/b/`` has ``["/", "a", "b", "/"]``."""
        return path_components(split_target(self._uri)[0])

    @property
    def query_params(self) -> list[tuple[str, str]]:
        """The query's names and values, decoded, in order."""
        return parse_urlencoded(split_target(self._uri)[1])

    @property
    def url_variables(self) -> dict[str, str]:
        """What the route's variables and its trailing wildcard stand for in this request."""
        if self._url_variables is None:
            self._url_variables = {}
        return self._url_variables

    @url_variables.setter
    def url_variables(self, variables: dict[str, str]) -> None:
        self._url_variables = variables

    @property
    def has_url_variables(self) -> bool:
        """Whether there are any, or they were asked for; perfectws's own."""
        return self._url_variables is not None

    @property
    def scratch_pad(self) -> dict[str, Any]:
        """A dictionary of the application's own, by which filters and handlers hand each other things."""
        if self._scratch_pad is None:
            self._scratch_pad = {}
        return self._scratch_pad

    @property
    def headers(self) -> Headers:
        """The header fields: iterate over them for the (name, value) pairs."""
        if self._headers is not None:
            return self._headers
        headers = Headers.parse(self._head)
        if not self._is_compact:
            self._headers = headers
        return headers

    def header(self, name: str) -> str | None:
        """Return the value of a header, ``None`` if there is none.

        Several of one name are joined by commas (cookies by semicolons).
        """
        return self.headers.get(name)

    def add_header(self, name: str, value: str) -> HTTPRequest:
        """Add the header ``name: value``, whether or not there is one of that name.

        Raises:
            LocalProtocolError: The name or the value is malformed.
        """
        headers = self.headers
        headers.add(name, value)
        return self._keep(headers)

    def set_header(self, name: str, value: str) -> HTTPRequest:
        """Replace every header of that ``name`` by one with this ``value``. Raises as `add_header` does."""
        headers = self.headers
        headers.set(name, value)
        return self._keep(headers)

    @property
    def cookies(self) -> list[tuple[str, str]]:
        """The cookies' names and values, decoded, in order."""
        return parse_cookies(self.header("Cookie") or "")

    @property
    def post_body_bytes(self) -> bytes:
        """The body, as it arrived; ``b""`` if it is a multipart form, of which `post_params` has the fields.

        A request that was constructed, as in a test, or given another body by a filter, has the bytes of a form too.
        """
        # Perfect differs: there those of a multipart form are nil.
        return self._body or b""

    @post_body_bytes.setter
    def post_body_bytes(self, body: BytesLike) -> None:
        self._body = bytes_of(body, "a body is bytes")
        self._form = self._post_params = None

    @property
    def post_body_string(self) -> str | None:
        """The body as text, ``None`` if it is not UTF-8, or a multipart form whose bytes were not kept."""
        if self._body is None:
            return None
        try:
            return self._body.decode()
        except UnicodeDecodeError:
            return None

    @property
    def post_params(self) -> list[tuple[str, str]]:
        """The names and values of the form in the body, in order; a multipart form's files are left out."""
        # Perfect differs: it takes a body of any other type for a form as well, JSON too.
        if self._post_params is None:
            form = self._multipart_form()
            if form is None:
                self._post_params = parse_form(self.header("Content-Type") or "", self.post_body_bytes)
            else:
                self._post_params = form.fields
        return self._post_params

    @property
    def post_file_uploads(self) -> list[MimeReader.BodySpec] | None:
        """The parts of a multipart form, fields and files, in order; ``None`` if the body is none.

        A file of more than 64 KiB, or what comes behind so much, lies in a temporary file (in ``TMPDIR``), and was
        never in memory as a whole. All are removed when the response is over, or the client is gone; one that is to
        stay is moved before::

            for upload in request.post_file_uploads or ():
                if upload.file_name:
                    shutil.move(upload.tmp_file_name, folder / str(uuid4()))

        Source: Perfect's ``postFileUploads``.
        """
        form = self._multipart_form()
        return None if form is None else form.body_specs

    def form_received(self, form: MimeReader) -> None:
        """Take the multipart form that the body was, and of which no bytes are kept; perfectws's own."""
        self._form, self._body = form, None

    def _multipart_form(self) -> MimeReader | None:
        if self._form is None and boundary_of(content_type := self.header("Content-Type") or ""):
            self._form = form = MimeReader(content_type)
            try:
                form.add_to_buffer(self.post_body_bytes)
                form.end()
            except TooLarge:
                pass  # of a body that was never received; as far as it may go
            form.store()
        return self._form

    def param(self, name: str, default_value: str | None = None) -> str | None:
        """Return the first value of that name in the query, else in the form, else ``default_value``."""
        return next((value for key, value in self.params() if key == name), default_value)

    @overload
    def params(self, named: None = None) -> list[tuple[str, str]]: ...

    @overload
    def params(self, named: str) -> list[str]: ...

    def params(self, named: str | None = None) -> list[tuple[str, str]] | list[str]:
        """Return all names and values of the query and then of the form.

        Args:
            named: Return all values of this one name instead.
        """
        pairs = self.query_params + self.post_params
        return pairs if named is None else [value for name, value in pairs if name == named]

    def compact(self) -> None:
        """Keep the headers as the bytes they came in, to be parsed whenever one is asked for; perfectws's own.

        For a request that lives as long as its WebSocket: parsed, headers take several times their size.
        """
        self._is_compact = True
        if self._headers is not None and not self._headers.is_as_received:
            self._keep(self._headers)
        self._headers = None

    def _keep(self, headers: Headers) -> HTTPRequest:
        self._headers = headers
        if self._is_compact:
            self._head = b"\r\n" + headers.encode()
            self._headers = None
        return self

    def __repr__(self) -> str:
        path, mark, _ = self._uri.partition("?")  # a query may be a secret
        return f"<HTTPRequest {self.method} {path}{mark and '?***'}>"
