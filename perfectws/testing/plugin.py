"""The pytest plugin: the fixtures ``perfectws_server``, ``perfectws_app`` and ``perfectws_server_factory``.

pytest loads it wherever perfectws is installed; so it loads nothing of perfectws before a test asks for it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from .server import TestServer


def pytest_addoption(parser: pytest.Parser, pluginmanager: pytest.PytestPluginManager) -> None:
    """Let a project say in its settings what its tests serve."""
    # pytest rewrites the assertions of a whole package that has a plugin. Ours are no tests: to rewrite them would only
    # make loading perfectws several times as slow. Where pytest calls its list something else, it does so.
    getattr(pluginmanager.rewrite_hook, "_must_rewrite", set()).discard("perfectws")
    parser.addini("perfectws_app", "what the fixture perfectws_server serves, such as chat.server:routes", default="")


@pytest.fixture
def perfectws_app(request: pytest.FixtureRequest) -> object:
    """What `perfectws_server` serves: the setting ``perfectws_app``, unless a project has a fixture of this name."""
    name = request.config.getini("perfectws_app")
    if not name:
        raise pytest.UsageError(
            "perfectws_server does not know what to serve: write a fixture perfectws_app that returns your Routes or "
            "HTTPServer, or set perfectws_app = module:routes in the settings of pytest"
        )
    return name


@pytest.fixture
def perfectws_server_factory() -> Iterator[Callable[..., TestServer]]:
    """Start a `TestServer` for each call, which has its arguments. All are closed at the end of the test."""
    from .server import TestServer

    with ExitStack() as servers:
        yield lambda *args, **keywords: servers.enter_context(TestServer(*args, **keywords))


@pytest.fixture
def perfectws_server(perfectws_app: object, perfectws_server_factory: Callable[..., TestServer]) -> TestServer:
    """Give the `TestServer` of `perfectws_app`, which runs as long as the test."""
    return perfectws_server_factory(perfectws_app)
