"""The options of the command line: one table, from which everything else that names them is made.

Of each row come the option (``--tls-cert``), the environment variable (``PERFECTWS_TLS_CERT``), the key in `Settings`
(``tls_cert``), the help and the row of the documentation. The limits' rows come from the limits' own table.
"""

from __future__ import annotations

import inspect
import re
import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from types import NoneType
from typing import Any

from ..checks.quantities import FILE_MODE_OR_NONE, PORT, SECONDS, Kind
from ..http.forwarding import TrustedProxies
from ..http.limits import LIMITS, HTTPLimits
from ..server.workers.plan import DRAIN, WORKERS

#: What the name of each variable begins with.
PREFIX = "PERFECTWS_"
#: The port of Perfect's examples.
DEFAULT_PORT = 8181
#: The signals that may mean that code is to be loaded anew.
_RELOAD_SIGNALS = ("HUP", "USR1", "USR2")
_YES, _NO = ("1", "true", "yes", "on"), ("0", "false", "no", "off")
LEVELS = ("debug", "info", "warning", "error", "critical")
FORMATS = ("text", "json")
#: What is watched by `--reload`: code, pages, templates, and what they are shown with.
PATTERNS = (
    *("*.py", "*.html", "*.htm", "*.xhtml", "*.css", "*.js", "*.mjs", "*.svg"),
    *("*.mustache", "*.handlebars", "*.hbs", "*.jinja", "*.jinja2", "*.j2", "*.mako", "*.tmpl", "*.tpl"),
)


@dataclass(frozen=True)
class Option:
    """One row of the table.

    Attributes:
        key: Its name in Python: ``tls_cert``.
        group: What it is about, for people.
        read: Returns the value that a text stands for. Raises `ValueError` with what it is instead: ``"it is …"``.
        metavar: What stands for its value; ``""`` where it has none, and is there or not.
        help: What it is.
        default: What counts where it is not given, for people; ``""`` if nothing does.
        is_many: Whether it may be given again, or several values with commas between them.
    """

    key: str
    group: str
    read: Callable[[str], Any]
    metavar: str
    help: str
    default: str = ""
    is_many: bool = False

    @property
    def option(self) -> str:
        """How it is written on the command line."""
        return f"--{self.key.replace('_', '-')}"

    @property
    def variable(self) -> str:
        """The environment variable."""
        return f"{PREFIX}{self.key.upper()}"

    @property
    def is_flag(self) -> bool:
        """Whether it has no value, and is there or not."""
        return not self.metavar


# What reads the values


def _text(text: str) -> str:
    if not text:
        raise ValueError("it is not to be empty")
    return text


def _list(text: str) -> list[str]:
    values = [each.strip() for each in text.split(",") if each.strip()]
    if not values:
        raise ValueError(f"it is one or several, with commas between them, not {text!r}")
    return values


def _flag(text: str) -> bool:
    if text.lower() in (*_YES, *_NO):
        return text.lower() in _YES
    raise ValueError(f"it is {' or '.join((_YES[0], _NO[0]))}, not {text!r}")


def _number(kind: Kind) -> Callable[[str], Any]:
    """Return what reads a number of this kind; ``none`` where that may be."""

    def read(text: str) -> Any:
        if text.lower() == "none" and NoneType in kind.types:
            return None
        try:
            value = float(text) if float in kind.types else int(text)
        except ValueError:
            raise ValueError(f"it is {_for_people(kind)}, not {text!r}") from None
        if not kind.takes(value):
            raise ValueError(f"it is {_for_people(kind)}, not {text}")
        return value

    return read


def _for_people(kind: Kind) -> str:
    return kind.text.replace("None", "none")


def _workers(text: str) -> Any:
    return "auto" if text == "auto" else _number(WORKERS)(text)


def _mode(text: str) -> int:
    mode = int(text, 8) if re.fullmatch("(0o)?[0-7]+", text) else -1
    if not FILE_MODE_OR_NONE.takes(mode):
        raise ValueError(f"it is a file mode such as 660, not {text!r}")
    return mode


def _signal(text: str) -> signal.Signals:
    name = text.upper().removeprefix("SIG")
    try:
        return signal.Signals[f"SIG{name if name in _RELOAD_SIGNALS else ''}"]
    except KeyError:
        raise ValueError(f"it is one of {', '.join(_RELOAD_SIGNALS)}, not {text!r}") from None


def _proxies(text: str) -> list[str]:
    addresses = _list(text)
    try:
        TrustedProxies(addresses)
    except ValueError as error:
        raise ValueError(f"it is addresses and networks, such as 10.0.0.0/8, or unix: ({error})") from None
    return addresses


def _choice(*names: str) -> Callable[[str], str]:
    def read(text: str) -> str:
        if text.lower() not in names:
            raise ValueError(f"it is one of {', '.join(names)}, not {text!r}")
        return text.lower()

    return read


# The limits


def _limits() -> list[Option]:
    defaults = {each.name: each.default for each in fields(HTTPLimits)}
    helps = _texts_of(HTTPLimits)
    return [
        Option(
            name,
            "limits",
            _number(kind),
            "SECONDS" if name.endswith("timeout") else "BYTES" if name.endswith("size") else "N",
            helps.get(name, f"{_for_people(kind)}."),
            "none" if defaults[name] is None else f"{defaults[name]:g}" if float in kind.types else f"{defaults[name]}",
        )
        for name, kind in LIMITS.items()
    ]


def _texts_of(kind: type[object]) -> Mapping[str, str]:
    """Return what a docstring says of each attribute, as plain text; nothing where Python has left docstrings out."""
    block = (inspect.getdoc(kind) or "").partition("Attributes:\n")[2].partition("\n\n")[0]
    entries = re.split(r"^    (\w+): ", block, flags=re.MULTILINE)[1:]
    texts = zip(entries[::2], entries[1::2], strict=True)
    return {name: " ".join(text.split()).replace("``", "").replace("None", "none") for name, text in texts}


# The table

PLACE, CONTENT, PROCESSES, LOG, DEVELOPMENT = (
    "where it listens",
    "what it serves",
    "processes",
    "the log",
    "development",
)

OPTIONS: tuple[Option, ...] = (
    Option("name", PLACE, _text, "NAME", "The server's name, for the log.", "localhost"),
    Option(
        "address",
        PLACE,
        _text,
        "HOST",
        "A host name or an IP address; or what listens already: systemd:, systemd:NAME or fd:NUMBER.",
        "0.0.0.0, every interface",
    ),
    Option("port", PLACE, _number(PORT), "PORT", "The port; 0 is any free one.", str(DEFAULT_PORT)),
    Option("unix", PLACE, _text, "PATH", "A Unix socket, instead of address and port."),
    Option("unix_mode", PLACE, _mode, "MODE", "The mode of the Unix socket's file, such as 660.", "666"),
    Option("tls_cert", PLACE, _text, "FILE", "A certificate, with those up to its authority: this makes it HTTPS."),
    Option("tls_key", PLACE, _text, "FILE", "The certificate's private key, unless that stands in the same file."),
    Option(
        "proxy_from",
        PLACE,
        _proxies,
        "ADDRESS",
        "A proxy or a network of them whose X-Forwarded-For and X-Forwarded-Proto are believed; unix: is every proxy "
        "behind the Unix socket.",
        is_many=True,
    ),
    Option("document_root", CONTENT, _text, "DIRECTORY", "A directory of files to serve where no route does."),
    Option(
        "workers",
        PROCESSES,
        _workers,
        "N",
        "How many processes serve, or auto: one for each processor.",
        "1, this one",
    ),
    Option(
        "drain",
        PROCESSES,
        _number(SECONDS),
        "SECONDS",
        "Over how long connections are closed, evenly: when the server stops, and when the code is loaded anew.",
        f"all at once; {DRAIN:g} where workers reload",
    ),
    Option(
        "reload_on",
        PROCESSES,
        _signal,
        "SIGNAL",
        f"The signal that loads the code anew, one of {', '.join(_RELOAD_SIGNALS)}; with it one worker has a "
        "supervisor too.",
        "HUP, where there are several workers",
    ),
    Option("log_level", LOG, _choice(*LEVELS), "LEVEL", f"What is logged: {', '.join(LEVELS)}.", "info"),
    Option(
        "log_format", LOG, _choice(*FORMATS), "FORMAT", "How: text for people, json for programs, a line each.", "text"
    ),
    Option("access_log", LOG, _flag, "", "Log a line per request and per session.", "no"),
    Option(
        "reload",
        DEVELOPMENT,
        _flag,
        "",
        "Load the code anew whenever code, a template or a page changes; browsers are told by the close code 1012.",
        "no",
    ),
    Option(
        "reload_dir",
        DEVELOPMENT,
        _list,
        "DIRECTORY",
        "A directory to watch for changes, with all that is in it.",
        "where it was started, and the document root",
        is_many=True,
    ),
    Option(
        "reload_include",
        DEVELOPMENT,
        _list,
        "PATTERN",
        "Files to watch as well, such as *.json.",
        " ".join(PATTERNS),
        is_many=True,
    ),
    *_limits(),
)

#: The same by their keys.
BY_KEY: Mapping[str, Option] = {each.key: each for each in OPTIONS}
