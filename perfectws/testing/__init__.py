"""perfectws.testing: run what serves in memory, without a port, and be its client in a test.

A name is loaded when it is first asked for, as those of `perfectws` are, so that pytest loads nothing of it but the
plugin. What is served is the real thing, and so is the client; between them lie pipes instead of a network, and the
clock stands still until a test lets it run.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # the same names, as type checkers and editors read them; a test compares
    from .async_server import AsyncTestServer as AsyncTestServer
    from .async_web_socket import AsyncTestWebSocket as AsyncTestWebSocket
    from .opening import open_test_server as open_test_server
    from .response import TestResponse as TestResponse
    from .server import TestServer as TestServer
    from .web_socket import TestWebSocket as TestWebSocket
else:
    #: The public names, and the module that has each.
    _MODULES = {
        "AsyncTestServer": "async_server",
        "AsyncTestWebSocket": "async_web_socket",
        "TestResponse": "response",
        "TestServer": "server",
        "TestWebSocket": "web_socket",
        "open_test_server": "opening",
    }

    __all__ = sorted(_MODULES)

    def __getattr__(name: str) -> object:
        if name not in _MODULES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        found = globals()[name] = getattr(import_module(f".{_MODULES[name]}", __name__), name)
        return found

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})
