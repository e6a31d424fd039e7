"""Files sent by fragments, both ways, with their progress shown: a server and a command line.

A file is one binary message, sent in fragments; neither end holds more than one of them in memory. In two terminals::

    python -m examples.files serve DIRECTORY
    python -m examples.files upload FILE
    python -m examples.files download NAME

What goes over the wire, beside the file itself, is JSON:

- ``{"put": NAME, "size": BYTES}``; the server says ``{"ready": true}``, the client sends the file, and for each
  fragment the server says how much it has: ``{"received": BYTES}``, in the end ``{"stored": NAME, "size": BYTES}``.
- ``{"get": NAME}``; the server says ``{"name": NAME, "size": BYTES}`` and sends the file.
- ``{"error": TEXT}`` says what can't be done; then comes the next order.
"""

from __future__ import annotations

from pathlib import Path

#: How much goes into one fragment, in bytes.
FRAGMENT = 64 * 1024

#: The largest file that is taken, in bytes.
MAX_SIZE = 4 * 1024**3

SUBPROTOCOL = "files"


def is_plain(name: object) -> bool:
    """Tell whether ``name`` is that of a file right in a directory, and of none that is hidden."""
    if not isinstance(name, str) or not name.isprintable():
        return False
    return name != "" and name == Path(name).name and not name.startswith(".")
