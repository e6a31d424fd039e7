"""`Routes` with WebSockets among them: what `perfectws.Routes` is."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPMethod
from typing import TypeVar, Unpack, overload

from ..errors import RouteError
from ..http import routing
from ..http.request import HTTPRequest
from .options import WebSocketKeywords
from .socket import WebSocket
from .upgrade_handler import ShouldUpgrade, UpgradeHandler

OnUpgradeT = TypeVar("OnUpgradeT", bound=Callable[[HTTPRequest, WebSocket], object])


class Routes(routing.Routes):
    __doc__ = routing.Routes.__doc__

    @overload
    def web_socket(
        self,
        uri: str,
        on_upgrade: OnUpgradeT,
        *,
        should_upgrade: ShouldUpgrade | None = None,
        **options: Unpack[WebSocketKeywords],
    ) -> OnUpgradeT: ...
    @overload
    def web_socket(
        self,
        uri: str,
        on_upgrade: None = None,
        *,
        should_upgrade: ShouldUpgrade | None = None,
        **options: Unpack[WebSocketKeywords],
    ) -> Callable[[OnUpgradeT], OnUpgradeT]: ...
    def web_socket(
        self,
        uri: str,
        on_upgrade: OnUpgradeT | None = None,
        *,
        should_upgrade: ShouldUpgrade | None = None,
        **options: Unpack[WebSocketKeywords],
    ) -> OnUpgradeT | Callable[[OnUpgradeT], OnUpgradeT]:
        """Accept WebSockets at a URI.

        Args:
            uri: The pattern, as for `add`.
            on_upgrade: Gets each WebSocket; may be ``async def``. Without it, what is returned is a decorator.
            should_upgrade: Decides on each request; may be ``async def``. Without it, all are accepted.
            **options: The limits and choices of `WebSocketOptions`, by name: ``max_frame_size``, and more.

        Returns:
            ``on_upgrade``.

        Calls back:
            ``should_upgrade(request)`` once per valid handshake: a mapping of headers for the 101 accepts it, ``None``
            refuses it with 403. A ``Sec-WebSocket-Protocol`` among them is the subprotocol that we speak.

            ``on_upgrade(request, socket)`` once it is accepted. Nothing is delivered before it has returned, or first
            waits; messages for which it sets no handler are dropped.

        Raises:
            RouteError: The pattern is malformed.

        Source: Vapor 4's ``app.webSocket(_:maxFrameSize:shouldUpgrade:onUpgrade:)``. ``maxFrameSize`` is 16 KiB there.
        """
        if on_upgrade is not None:
            return self._add_web_socket(uri, on_upgrade, should_upgrade, options)

        def add_on_upgrade(function: OnUpgradeT) -> OnUpgradeT:
            return self._add_web_socket(uri, function, should_upgrade, options)

        return add_on_upgrade

    def _add_web_socket(
        self, uri: str, on_upgrade: OnUpgradeT, should_upgrade: ShouldUpgrade | None, options: WebSocketKeywords
    ) -> OnUpgradeT:
        if not callable(on_upgrade):
            raise RouteError(f"on_upgrade is a function with the arguments (request, socket), not {on_upgrade!r}")
        self.add(HTTPMethod.GET, uri, UpgradeHandler(on_upgrade, should_upgrade, **options))
        return on_upgrade
