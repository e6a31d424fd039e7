"""Certificates are read again when their files change, and on SIGHUP; no open connection notices."""

from __future__ import annotations

import logging
import ssl
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import trio
import trustme
from trio.testing import MockClock

from perfectws import HTTPServer, Routes, TLSConfiguration
from perfectws.server import certificates
from perfectws.server.certificates import LOOK, Certificates
from tests.server.conftest import PATIENCE, Launch, Raw, raw

HELLO = b"GET /hello HTTP/1.1\r\nHost: localhost\r\n\r\n"


class Files:
    """A certificate and its key on the disk, with an authority of their own that comes anew with each."""

    def __init__(self, folder: Path) -> None:
        self.cert, self.key = folder / "cert.pem", folder / "key.pem"
        self.renew()

    def renew(self) -> None:
        self.authority = trustme.CA(key_type=trustme.KeyType.ECDSA)
        issued = self.authority.issue_cert("127.0.0.1", key_type=trustme.KeyType.ECDSA)
        for path, pem in [(self.cert, issued.cert_chain_pems[0]), (self.key, issued.private_key_pem)]:
            new = path.with_suffix(".new")
            new.write_bytes(pem.bytes())
            new.replace(path)

    @property
    def configuration(self) -> TLSConfiguration:
        return TLSConfiguration(cert_path=self.cert, key_path=self.key)

    @property
    def trusting(self) -> ssl.SSLContext:
        """The context of a client that accepts the newest certificate only."""
        return ssl.create_default_context(cadata=self.authority.cert_pem.bytes().decode())


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path)


def until_trusted(connect: Callable[[], Raw]) -> Raw:
    """Connect until the server shows the certificate that the client trusts."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        try:
            return connect()
        except ssl.SSLCertVerificationError:
            time.sleep(0.01)
    raise TimeoutError


class TestLook:
    def test_files_that_have_not_changed_are_not_read(self, files: Files) -> None:
        found = Certificates(files.configuration, "x")
        before = found.current()
        found.look()
        assert found.current() is before

    def test_files_that_have_changed_are_read_once(self, files: Files) -> None:
        found = Certificates(files.configuration, "x")
        before = found.current()
        files.renew()
        found.look()
        after = found.current()
        assert after is not before
        found.look()
        assert found.current() is after

    @pytest.mark.parametrize("breaking", ["half", "gone", "of another"])
    def test_what_cannot_be_used_changes_nothing_and_is_logged_once(
        self, files: Files, breaking: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        found = Certificates(files.configuration, "the server")
        before = found.current()
        if breaking == "half":
            files.cert.write_bytes(files.cert.read_bytes()[:100])
        elif breaking == "gone":
            files.key.unlink()
        else:
            key = files.key.read_bytes()
            files.renew()
            files.key.write_bytes(key)
        for _ in range(3):
            found.look()
        assert found.current() is before
        (record,) = caplog.records
        assert record.levelno == logging.ERROR
        assert record.getMessage().startswith("the server keeps its certificate, since that of now cannot be used: ")
        files.renew()
        found.look()
        assert found.current() is not before

    def test_one_that_breaks_again_is_logged_again(self, files: Files, caplog: pytest.LogCaptureFixture) -> None:
        found = Certificates(files.configuration, "x")
        for _ in range(2):
            files.key.write_text("")
            found.look()
            files.renew()
            found.look()
        assert [record.levelno for record in caplog.records if record.levelno > logging.INFO] == [logging.ERROR] * 2

    def test_a_link_that_points_elsewhere_is_a_change(self, files: Files, tmp_path: Path) -> None:
        (tmp_path / "old").mkdir()
        old = Files(tmp_path / "old")
        link = tmp_path / "link"
        link.symlink_to(old.cert.parent)
        found = Certificates(TLSConfiguration(cert_path=link / "cert.pem", key_path=link / "key.pem"), "x")
        before = found.current()
        link.unlink()
        link.symlink_to(files.cert.parent)
        found.look()
        assert found.current() is not before

    def test_relative_paths_are_those_of_the_beginning(
        self, files: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        found = Certificates(TLSConfiguration(cert_path="cert.pem", key_path="key.pem"), "x")
        before = found.current()
        monkeypatch.chdir("/")
        files.renew()
        found.look()
        assert found.current() is not before

    def test_text_is_in_no_file(self, files: Files, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.INFO, "perfectws")
        text = TLSConfiguration(cert_path=files.cert.read_text(), key_path=files.key.read_text())
        found = Certificates(text, "x")
        before = found.current()
        found.read_again()
        assert found.current() is before
        assert "nothing to be read again" in caplog.text

    async def test_it_is_looked_every_few_seconds(self, files: Files, autojump_clock: MockClock) -> None:
        found = Certificates(files.configuration, "x")
        before = found.current()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(found.watch)
            await trio.sleep(LOOK / 2)
            files.renew()
            await trio.sleep(0.1)
            assert found.current() is before
            while found.current() is before:
                await trio.sleep(LOOK)
            nursery.cancel_scope.cancel()


def test_new_connections_get_the_new_one_and_open_ones_live_on(
    launch: Launch, routes: Routes, files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(certificates, "LOOK", 0.02)
    context = launch(routes=routes, tls_config=files.configuration)
    with raw(context, files.trusting) as before:
        assert before.ask(HELLO)[1]
        files.renew()
        with until_trusted(lambda: raw(context, files.trusting)) as after:
            assert after.ask(HELLO)[1]
        assert before.ask(HELLO)[1]


def test_reload_certificates_reads_them_now(launch: Launch, routes: Routes, files: Files) -> None:
    context = launch(routes=routes, tls_config=files.configuration)
    files.renew()
    server = context.server
    assert isinstance(server, HTTPServer)
    server.reload_certificates()
    with raw(context, files.trusting) as after:
        assert after.ask(HELLO)[1]
    HTTPServer().reload_certificates()  # which has none
