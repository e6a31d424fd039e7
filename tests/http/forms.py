"""Multipart forms in bytes, for tests of the connection and of whole servers."""

from __future__ import annotations

BOUNDARY = "----a-boundary"
FORM = f"Content-Type: multipart/form-data; boundary={BOUNDARY}"


def field(name: str, value: str) -> bytes:
    """Return a field of a form."""
    return f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()


def file(name: str, content: bytes, file_name: str = "a.txt", content_type: str = "text/plain") -> bytes:
    """Return a file in a form."""
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"; filename="{file_name}"\r\n'
    return f"{head}Content-Type: {content_type}\r\n\r\n".encode() + content + b"\r\n"


def form(*parts: bytes) -> bytes:
    """Return a form of these parts."""
    return b"".join(parts) + f"--{BOUNDARY}--\r\n".encode()
