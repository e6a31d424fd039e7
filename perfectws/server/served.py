"""What a server serves, as people are shown it."""

from __future__ import annotations

from typing import NamedTuple

from ..http.routing import Routes
from ..websocket.upgrade_handler import UpgradeHandler


class Served(NamedTuple):
    """What a server serves.

    Attributes:
        routes: Its routes.
        filters: What every request, or every response, passes.
        upgraders: What the WebSockets are offered to that no route takes, in order.
        document_root: The directory of files behind all that; ``None`` if there is none.
    """

    routes: Routes
    filters: tuple[object, ...]
    upgraders: tuple[UpgradeHandler, ...]
    document_root: str | None

    @property
    def is_empty(self) -> bool:
        """Whether every request would get 404."""
        return self.document_root is None and not self.upgraders and not _has_routes(self.routes)


def _has_routes(routes: Routes) -> bool:
    contents = routes.contents
    return bool(contents.routes) or any(map(_has_routes, contents.nested))
