"""`serve` over TLS, and without it beyond loopback, by real connections."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from tests.certificates import Pair, make_pair
from tests.property.test_swaps import TENANT
from tests.service.servers import ALICE, LIMIT, SINGLE_PATH, headers_of, make_place
from tests.web.conftest import Server, Site, free_port, start_server, wait_for

pytestmark = pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1:DeprecationWarning")

OLD = [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1]
NEW = [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]
SECRET = "postgresql://owner:secret@127.0.0.1/policy"


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    return make_pair(tmp_path_factory.mktemp("pair"))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, pair: Pair) -> Iterator[tuple[Server, Site]]:
    """A server over TLS that was given what it must not keep."""
    site = make_place(tmp_path_factory.mktemp("tls"))
    with serving(site, *pair.options, cert=pair.cert, environment={"DATABASE_ADMIN_URL": SECRET}) as server:
        yield server, site


@contextmanager
def serving(
    site: Site, *options: str, cert: Path | None = None, environment: dict[str, str] | None = None
) -> Iterator[Server]:
    server = start_server(site, *options, workers=1, environment=environment)
    if cert:
        server = replace(server, url=server.url.replace("http", "https", 1))
    try:
        with httpx.Client(verify=trust(cert) if cert else True) as client:
            wait_for(lambda: _answers(client, server.url), LIMIT, server.errors.read_text)
        yield server
    finally:
        server.stop()


def _answers(client: httpx.Client, url: str) -> bool:
    try:
        return client.get(f"{url}/healthz", timeout=LIMIT).status_code == 200
    except httpx.TransportError:
        return False


def trust(cert: Path) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(cert))


def address_of(server: Server) -> tuple[str, int]:
    host, _, port = server.url.partition("//")[2].partition(":")
    return host, int(port)


def offer(version: ssl.TLSVersion) -> ssl.SSLContext:
    """A client that speaks this version alone, and whose OpenSSL does not refuse it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = context.maximum_version = version
    return context


def shake_hands(client: ssl.SSLContext, pair: Pair) -> str | None:
    """The version that the client comes to speak with a server that takes every one."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = ssl.TLSVersion.TLSv1
    context.load_cert_chain(pair.cert, pair.key)
    there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = [client.wrap_bio(back, there), context.wrap_bio(there, back, server_side=True)]
    for _ in range(4):
        for end in ends:
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                continue
    return ends[1].version()


@pytest.mark.parametrize("version", OLD)
def test_what_is_older_than_1_2_is_refused_by_the_server(
    server: tuple[Server, Site], pair: Pair, version: ssl.TLSVersion
) -> None:
    assert shake_hands(offer(version), pair) == {OLD[0]: "TLSv1", OLD[1]: "TLSv1.1"}[version]
    with (
        socket.create_connection(address_of(server[0]), timeout=LIMIT) as connection,
        pytest.raises(ssl.SSLError, match=r"_ALERT_(PROTOCOL_VERSION|HANDSHAKE_FAILURE)"),
    ):
        offer(version).wrap_socket(connection)


@pytest.mark.parametrize("version", NEW)
def test_1_2_and_1_3_are_spoken(server: tuple[Server, Site], pair: Pair, version: ssl.TLSVersion) -> None:
    context = trust(pair.cert)
    context.minimum_version = context.maximum_version = version
    with (
        socket.create_connection(address_of(server[0]), timeout=LIMIT) as connection,
        context.wrap_socket(connection, server_hostname="localhost") as spoken,
    ):
        assert spoken.version() == {NEW[0]: "TLSv1.2", NEW[1]: "TLSv1.3"}[version]
        spoken.sendall(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
        assert spoken.recv(4096).startswith(b"HTTP/1.1 200")


def test_plain_http_gets_no_answer_on_that_port(server: tuple[Server, Site]) -> None:
    with socket.create_connection(address_of(server[0]), timeout=LIMIT) as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n")
        with pytest.raises(httpx.TransportError):
            httpx.get(server[0].url.replace("https", "http"), timeout=LIMIT)
        assert b"HTTP" not in connection.recv(4096)


def test_every_answer_promises_tls_and_the_url_is_https(server: tuple[Server, Site], pair: Pair) -> None:
    running, site = server
    with httpx.Client(base_url=running.url, verify=trust(pair.cert), timeout=LIMIT) as client:
        answers = [
            client.post(SINGLE_PATH, json=ALICE, headers=headers_of(site.keys[TENANT])),
            client.post(SINGLE_PATH, json=ALICE),
            client.get(SINGLE_PATH),
            client.get("/nowhere"),
            client.get("/docs"),
            # nobody is believed about the client where no proxy was named
            client.get("/healthz", headers={"x-forwarded-for": "?"}),
        ]
        assert [answer.status_code for answer in answers] == [200, 401, 405, 404, 200, 200]
        for answer in answers:
            assert answer.headers.get_list("strict-transport-security") == ["max-age=31536000"]
        known = client.get("/.well-known/authzen-configuration").json()
        assert known["policy_decision_point"] == running.url


def test_no_process_that_answers_holds_the_owner_s_url(server: tuple[Server, Site]) -> None:
    running, _ = server
    for pid in [running.process.pid, *running.workers()]:
        environment = Path(f"/proc/{pid}/environ").read_bytes()
        assert b"DATABASE_ADMIN_URL" in environment or pid != running.process.pid
        assert b"secret" not in environment


def test_a_renewed_certificate_is_shown_after_sighup(tmp_path: Path) -> None:
    pair = make_pair(tmp_path / "pair")
    site = make_place(tmp_path / "site")
    with serving(site, *pair.options, cert=pair.cert) as running:
        renewed = make_pair(tmp_path / "renewed")
        for fresh, held in zip(renewed, pair, strict=True):
            shutil.move(fresh, held)
        os.kill(running.process.pid, signal.SIGHUP)
        with httpx.Client(verify=trust(pair.cert)) as client:
            wait_for(lambda: _answers(client, running.url), LIMIT, running.errors.read_text)


def own_address() -> str:
    """An address of this machine beyond loopback; skips where it has none."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            pytest.skip("this machine has no address beyond loopback")
        return str(probe.getsockname()[0])


@pytest.mark.parametrize("trusted", [True, False])
def test_beyond_loopback_plain_http_is_for_proxies_alone(tmp_path: Path, trusted: bool) -> None:
    address, port = own_address(), free_port()
    site = make_place(tmp_path)
    options = ["--bind", f"0.0.0.0:{port}", "--behind-proxy", address if trusted else "192.0.2.7"]
    server = start_server(site, *options, workers=1)
    try:
        local, remote = f"http://127.0.0.1:{port}", f"http://{address}:{port}/healthz"
        with httpx.Client(timeout=LIMIT) as client:
            wait_for(lambda: _answers(client, local), LIMIT, server.errors.read_text)
            assert client.get(remote).status_code == (200 if trusted else 403)
            unreadable = client.get(remote, headers={"x-forwarded-for": "?"})
            assert unreadable.status_code == (400 if trusted else 403)
            assert client.get(f"{local}/healthz", headers={"x-forwarded-for": "?"}).status_code == 200
    finally:
        server.stop()
