"""Connections: TLS and proxies, for calls and for subscriptions. Each with both faces."""

import datetime
import ipaddress
import re
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path
from queue import Queue
from typing import Any
from urllib.parse import urlsplit

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from mastra_convex.backends.base import Read
from mastra_convex.backends.credentials import Credentials
from mastra_convex.errors import UnreachableError
from tests.backends.bad_servers import Client
from tests.backends.proxy import Proxy
from tests.contract.faces import LoopThread
from tests.served import KEY, server

SECONDS = 10.0
Make = Callable[..., Client]


@pytest.fixture
def make(face: str, loop_thread: LoopThread) -> Iterator[Make]:
    """Makes clients of a face, and closes them."""
    made: list[Client] = []

    def make(url: str) -> Client:
        credentials = Credentials(KEY.to_text())
        made.append(Client(face, url, loop_thread, credentials=credentials, timeout=3.0))
        return made[-1]

    yield make
    for client in made:
        client.close()


@pytest.fixture
def served(tmp_path: Path) -> Iterator[str]:
    with server().serving(tmp_path / "store.db") as url:
        yield url


def works(client: Client) -> bool:
    """Whether a client can call and subscribe."""
    got: Queue[Any] = Queue()

    def read() -> Read:
        return (yield "threads:get", {"id": "t"})

    client.subscribe(read, got.put)
    client.mutation("threads:save", thread={"id": "t", "resourceId": "r"})
    while not (outcome := got.get(timeout=SECONDS)).value:
        assert outcome.error is None
    return bool(client.query("threads:get", id="t") == outcome.value)


@pytest.fixture
def tls(tmp_path: Path) -> ssl.SSLContext:
    """The server's side of TLS; the certificate is in `ca.pem`."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.timezone.utc)
    names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    private = key.private_bytes(
        pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (tmp_path / "ca.pem").write_bytes(certificate.public_bytes(pem))
    (tmp_path / "key.pem").write_bytes(private)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "ca.pem", tmp_path / "key.pem")
    return context


def test_tls(
    served: str, make: Make, tls: ssl.SSLContext, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts = urlsplit(served)
    proxy = Proxy(parts.port or 0, tls)
    url = f"https://localhost:{proxy.port}{parts.path}"
    with pytest.raises(UnreachableError, match=r"over TLS .*certificate"):
        make(url).query("threads:get", id="t")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    assert works(make(url))
    proxy.close()


def test_a_proxy_passes_tls_on(
    served: str, make: Make, tls: ssl.SSLContext, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts = urlsplit(served)
    inner = Proxy(parts.port or 0, tls)
    outer = Proxy(inner.port)
    outer.connects = True
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    monkeypatch.setenv("https_proxy", f"http://me:p%40ss@127.0.0.1:{outer.port}")
    monkeypatch.delenv("no_proxy", raising=False)
    assert works(make(f"https://localhost:{inner.port}{parts.path}"))
    assert len(outer.asked) >= 2
    for head in outer.asked:
        assert head.startswith(f"CONNECT localhost:{inner.port} HTTP/1.1\r\n")
        assert re.search(r"(?i:proxy-authorization): Basic bWU6cEBzcw==\r\n", head)
        assert KEY.service_token()[:30] not in head
    outer.close()
    inner.close()


def test_a_proxy_that_refuses(make: Make, monkeypatch: pytest.MonkeyPatch, served: str) -> None:
    # The server itself is no proxy.
    monkeypatch.setenv("https_proxy", f"127.0.0.1:{urlsplit(served).port}")
    monkeypatch.delenv("no_proxy", raising=False)
    with pytest.raises(UnreachableError, match="400 Bad Request"):
        make("https://deployment.example").query("threads:get", id="t")
