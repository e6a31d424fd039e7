"""`SessionMemoryDriver`: sessions in memory, by a cookie, with a token against forged requests (CSRF).

It is a request filter and a response filter in one: ``request.scratch_pad["session"]`` is the visitor's `Session` in
every handler, that of a WebSocket too. Source: Perfect-Session's ``SessionMemoryDriver``.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from http import HTTPStatus
from time import monotonic
from typing import Any

from perfectws import (
    HTTPCookie,
    HTTPRequest,
    HTTPRequestFilter,
    HTTPResponse,
    HTTPResponseFilter,
    RequestFilterResult,
    ResponseFilterResult,
    SameSite,
)

SAFE_METHODS = ("GET", "HEAD", "OPTIONS")


class Session:
    """What is known of one visitor: ``data`` is the application's own."""

    def __init__(self) -> None:
        self.data: dict[str, Any] = {}
        self.token = self.known_token = ""  # ours, and the one that the browser knows
        self._csrf = ""
        self.is_over = False  # what is still under way with it does not bring it back

    @property
    def csrf(self) -> str:
        """The token that each form sends back as ``_csrf``, or a script as ``X-CSRF-Token``."""
        self._csrf = self._csrf or secrets.token_urlsafe(32)
        return self._csrf

    @property
    def is_worth_keeping(self) -> bool:
        return not self.is_over and bool(self.data or self._csrf)


class SessionMemoryDriver(HTTPRequestFilter, HTTPResponseFilter):
    """The sessions of one server, which are forgotten after ``idle`` seconds, the oldest also beyond ``most``."""

    def __init__(self, name: str = "session", idle: float = 3600, most: int = 10_000) -> None:
        self.name, self.idle, self.most = name, idle, most
        self.sessions: dict[str, tuple[float, Session]] = {}  # the one that was used last comes last

    def filter(
        self, request: HTTPRequest, response: HTTPResponse, callback: Callable[[RequestFilterResult], object]
    ) -> None:
        """Find the visitor's session, or begin one; a request that changes something must know its token."""
        session = request.scratch_pad["session"] = self.find(dict(request.cookies).get(self.name, "")) or Session()
        given = request.header("X-CSRF-Token") or request.param("_csrf") or ""
        if request.method in SAFE_METHODS or secrets.compare_digest(given.encode(), session.csrf.encode()):
            callback(RequestFilterResult.CONTINUE(request, response))
            return
        response.status = HTTPStatus.FORBIDDEN
        response.set_body("This form is out of date: load its page again.\n")
        callback(RequestFilterResult.HALT(request, response))

    def filter_headers(self, response: HTTPResponse, callback: Callable[[ResponseFilterResult], object]) -> None:
        """Keep the session, and tell its token to a browser that does not know it."""
        session = response.request.scratch_pad.get("session")
        if session is not None and session.is_worth_keeping:
            self.keep(session)
            if session.known_token != session.token:
                session.known_token = session.token
                secure, lax = response.request.is_secure, SameSite.LAX
                response.add_cookie(
                    HTTPCookie(self.name, session.token, path="/", secure=secure, http_only=True, same_site=lax)
                )
        callback(ResponseFilterResult.CONTINUE)

    def find(self, token: str) -> Session | None:
        used, session = self.sessions.pop(token, (0.0, None))
        if session is not None and monotonic() - used < self.idle:
            self.sessions[token] = monotonic(), session
            return session
        return None

    def keep(self, session: Session) -> None:
        session.token = session.token or secrets.token_urlsafe(32)
        self.sessions[session.token] = monotonic(), session
        while len(self.sessions) > self.most:
            del self.sessions[next(iter(self.sessions))]

    def renew(self, request: HTTPRequest) -> Session:
        """Go on with a new session: at a login, so that who planted the old one is not logged in with it."""
        old = request.scratch_pad["session"]
        self.end(old)
        session = request.scratch_pad["session"] = Session()
        session.data.update(old.data)
        return session

    def end(self, session: Session) -> None:
        session.is_over = True
        self.sessions.pop(session.token, None)
