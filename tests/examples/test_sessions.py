"""The sessions of ``examples.sessions``, as a browser meets them: cookie, login, forged forms, and the end."""

from __future__ import annotations

import re
from collections.abc import Iterator

import httpx
import pytest
from websockets.sync.client import connect

from examples.sessions.driver import Session, SessionMemoryDriver

from .running import PATIENCE, RunningServer, running


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    with running("-m", "examples.sessions", "--port", "0") as server:
        yield server
        assert server.stop() == 0
        assert server.complaints() == []


@pytest.fixture
def browser(server: RunningServer) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=f"http://127.0.0.1:{server.port}", trust_env=False, follow_redirects=True) as browser:
        yield browser


def csrf_of(page: httpx.Response) -> str:
    found = re.search(r'name="_csrf" value="([^"]+)"', page.text)
    assert found
    return found[1]


def log_in(browser: httpx.Client, name: str) -> httpx.Response:
    return browser.post("/login", data={"_csrf": csrf_of(browser.get("/")), "name": name})


def test_visits_are_counted_by_a_cookie_that_is_safe(browser: httpx.Client) -> None:
    first = browser.get("/")
    assert "You have been here once." in first.text
    cookie = first.headers["set-cookie"]
    assert "; HttpOnly" in cookie
    assert "; SameSite=Lax" in cookie
    assert "; Path=/" in cookie
    second = browser.get("/")
    assert "You have been here 2 times." in second.text
    assert "set-cookie" not in second.headers


def test_a_login_is_known_afterwards_under_another_token(browser: httpx.Client) -> None:
    browser.get("/")
    planted = browser.cookies["session"]
    assert "Hello, Ana &lt;3" in log_in(browser, "Ana <3").text
    assert browser.cookies["session"] != planted
    with httpx.Client(base_url=browser.base_url, cookies={"session": planted}, trust_env=False) as attacker:
        assert "Who are you?" in attacker.get("/").text


def test_a_forged_form_is_refused_and_changes_nothing(browser: httpx.Client) -> None:
    log_in(browser, "Ana")
    for data in ({}, {"_csrf": "guessed"}, {"_csrf": "é"}):
        forged = browser.post("/logout", data=data)
        assert (forged.status_code, forged.text) == (403, "This form is out of date: load its page again.\n")
    assert "Hello, Ana" in browser.get("/").text


def test_a_logout_forgets_the_session(browser: httpx.Client) -> None:
    log_in(browser, "Ana")
    token = browser.cookies["session"]
    assert "Who are you?" in browser.post("/logout", data={"_csrf": csrf_of(browser.get("/"))}).text
    with httpx.Client(base_url=browser.base_url, cookies={"session": token}, trust_env=False) as again:
        assert "You have been here once." in again.get("/").text


def test_a_web_socket_has_the_session_of_its_handshake(browser: httpx.Client, server: RunningServer) -> None:
    log_in(browser, "Ana")
    headers = {"Cookie": f"session={browser.cookies['session']}"}
    with connect(f"ws://127.0.0.1:{server.port}/greeting", additional_headers=headers, proxy=None) as socket:
        assert socket.recv(PATIENCE) == "Hello, Ana"
    with connect(f"ws://127.0.0.1:{server.port}/greeting", proxy=None) as socket:
        assert socket.recv(PATIENCE) == "Hello, whoever you are"


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
