"""The sessions of ``examples.sessions``, as a browser meets them: cookie, login, forged forms, and the end."""

from __future__ import annotations

import re
from collections.abc import Iterator

import httpx
import pytest

from examples.sessions.__main__ import make_routes
from examples.sessions.driver import Session, SessionMemoryDriver
from perfectws import FilterPriority, HTTPRequest, HTTPResponse
from perfectws.testing import TestResponse, TestServer

from .running import running


def test_the_program_serves_and_stops() -> None:
    with running("-m", "examples.sessions", "--port", "0") as server:
        assert "Who are you?" in httpx.get(f"http://127.0.0.1:{server.port}", trust_env=False).text
        assert server.stop() == 0
        assert server.complaints() == []


@pytest.fixture
def browser() -> Iterator[TestServer]:
    driver = SessionMemoryDriver()
    filters = [(driver, FilterPriority.HIGH)]
    routes = make_routes(driver)
    with TestServer(routes, request_filters=filters, response_filters=filters, keep_cookies=True) as browser:
        yield browser


def csrf_of(page: TestResponse) -> str:
    found = re.search(r'name="_csrf" value="([^"]+)"', page.text)
    assert found
    return found[1]


def log_in(browser: TestServer, name: str) -> TestResponse:
    return browser.post("/login", data={"_csrf": csrf_of(browser.get("/")), "name": name}, follow_redirects=True)


def test_visits_are_counted_by_a_cookie_that_is_safe(browser: TestServer) -> None:
    first = browser.get("/")
    assert "You have been here once." in first.text
    cookie = first.header("Set-Cookie") or ""
    assert "; HttpOnly" in cookie
    assert "; SameSite=Lax" in cookie
    assert "; Path=/" in cookie
    second = browser.get("/")
    assert "You have been here 2 times." in second.text
    assert second.header("Set-Cookie") is None


def test_a_login_is_known_afterwards_under_another_token(browser: TestServer) -> None:
    browser.get("/")
    planted = browser.cookies["session"]
    assert "Hello, Ana &lt;3" in log_in(browser, "Ana <3").text
    assert browser.cookies["session"] != planted
    assert "Who are you?" in browser.get("/", cookies={"session": planted}).text


def test_a_forged_form_is_refused_and_changes_nothing(browser: TestServer) -> None:
    log_in(browser, "Ana")
    for data in ({}, {"_csrf": "guessed"}, {"_csrf": "é"}):
        forged = browser.post("/logout", data=data)
        assert (forged.status, forged.text) == (403, "This form is out of date: load its page again.\n")
    assert "Hello, Ana" in browser.get("/").text


def test_a_logout_forgets_the_session(browser: TestServer) -> None:
    log_in(browser, "Ana")
    token = browser.cookies["session"]
    form = {"_csrf": csrf_of(browser.get("/"))}
    assert "Who are you?" in browser.post("/logout", data=form, follow_redirects=True).text
    assert "You have been here once." in browser.get("/", cookies={"session": token}).text


def test_a_web_socket_has_the_session_of_its_handshake(browser: TestServer) -> None:
    log_in(browser, "Ana")
    assert browser.connect("/greeting").receive() == "Hello, Ana"
    browser.cookies.clear()
    assert browser.connect("/greeting").receive() == "Hello, whoever you are"


class TestTheDriver:
    def kept(self, driver: SessionMemoryDriver) -> Session:
        session = Session()
        session.data["name"] = "x"
        driver.keep(session)
        return session

    def test_the_oldest_sessions_give_way(self) -> None:
        driver = SessionMemoryDriver(most=3)
        sessions = [self.kept(driver) for _ in range(3)]
        assert driver.find(sessions[0].token) is sessions[0]  # used last
        self.kept(driver)
        assert driver.find(sessions[0].token) is sessions[0]
        assert driver.find(sessions[1].token) is None
        assert len(driver.sessions) == 3

    def test_an_idle_session_is_forgotten(self) -> None:
        driver = SessionMemoryDriver(idle=0)
        session = self.kept(driver)
        assert driver.find(session.token) is None
        assert driver.sessions == {}

    def under_way(self, driver: SessionMemoryDriver, token: str) -> tuple[HTTPRequest, HTTPResponse]:
        """Let a request with that cookie pass the request filter; its response is still to be filtered."""
        request = HTTPRequest(method="GET", uri="/", headers=[("Cookie", f"session={token}")])
        response = HTTPResponse(request)
        driver.filter(request, response, lambda result: None)
        return request, response

    def test_who_planted_a_session_is_not_told_of_the_login_by_a_request_that_was_under_way(self) -> None:
        driver = SessionMemoryDriver()
        planted = self.kept(driver).token
        theirs, their_response = self.under_way(driver, planted)
        ours, our_response = self.under_way(driver, planted)
        driver.renew(ours).data["name"] = "Eve"
        for response in (their_response, our_response):
            driver.filter_headers(response, lambda result: None)
        assert their_response.header("Set-Cookie") is None
        assert theirs.scratch_pad["session"].data["name"] == "x"
        assert "session=" in (our_response.header("Set-Cookie") or "")
        assert driver.find(planted) is None

    def test_a_request_that_was_under_way_does_not_undo_a_logout(self) -> None:
        driver = SessionMemoryDriver()
        session = self.kept(driver)
        _, response = self.under_way(driver, session.token)
        driver.end(session)
        driver.filter_headers(response, lambda result: None)
        assert driver.find(session.token) is None
        assert response.header("Set-Cookie") is None
